import { start } from "node:repl";
import { inspect } from "node:util";
import * as net from "std-net";
import { type Around, wrapCall, wrapClass } from "../wrap-calls.ts";
import { type Command, parse, SUCCESS, UsageError } from "./command.ts";
import { InputError, standardInput } from "./input.ts";
import { hasColours, paintFor } from "./print.ts";

export const repl: Command = {
  name: "repl",
  summary: "a prompt with everything of the library at hand",
  help: `Usage: std-net repl

A Node.js prompt where TcpStream, TcpListener, UdpSocket, http and the rest are there without an import, and calls
give their value itself: an error result prints as its text. (In a program, a call gives a Result.)

Examples:
  > stream = TcpStream.connect("127.0.0.1:6379")
  > stream.write("PING\\r\\n")
  > stream.read(100)
  > http.request({ method: "GET", url: "https://example.com/" }).status

Exit status: 0, 1 when standard input could not be read, 2 for wrong usage.
`,
  async run(args) {
    const { positionals } = parse(args, {});
    if (positionals.length > 0) throw new UsageError(`unexpected argument '${positionals[0]}'`);
    const colours = hasColours(process.stdout);
    const input = standardInput();
    if (process.stdin.isTTY) {
      process.stdout.write(
        "std-net: calls give their value; .help for the prompt, .exit or Ctrl-D to leave\n",
      );
    }
    const prompt = start({
      prompt: process.stdin.isTTY ? "> " : "",
      useColors: colours,
      useGlobal: true,
      breakEvalOnSigint: process.stdin.isTTY === true,
      ignoreUndefined: true,
      writer: (value) => show(value, colours),
    });
    const scope = unwrapping(net);
    Object.assign(prompt.context, scope, { net: scope });
    const failure = await new Promise<unknown>((resolve) => {
      prompt.on("exit", () => resolve(undefined));
      input.on("error", resolve);
      prompt.on("error", resolve); // readline passes the input's error on
    });
    if (failure !== undefined) throw new InputError(failure);
    return SUCCESS;
  },
};

/** A call's value in place of its result; an error result is thrown, which the prompt prints. */
const unwrap: Around = (_name, _self, _args, proceed) => {
  const outcome = proceed();
  if (!isResult(outcome)) return outcome;
  if (outcome.isErr) throw new CallError(outcome.error);
  return outcome.value === net.Unit ? undefined : outcome.value;
};

interface AnyResult {
  readonly isOk: boolean;
  readonly isErr: boolean;
  readonly value: unknown;
  readonly error: string;
}

function isResult(value: unknown): value is AnyResult {
  return typeof value === "object" && value !== null && "isOk" in value && "isErr" in value;
}

/** An error result at the prompt: its text is all there is to say. */
class CallError extends Error {
  constructor(text: string) {
    super(text);
    this.stack = text;
  }
}

/** What makes results or takes them apart is no call of the network. */
const RESULTS = new Set<unknown>([net.Result, net.Unit, net.NetError, net.unwrap]);

/** Everything that the library exports, so that each call gives its value. This process is the prompt's alone. */
function unwrapping(library: object): { [name: string]: unknown } {
  const scope: { [name: string]: unknown } = {};
  for (const [name, member] of Object.entries(library)) {
    if (RESULTS.has(member)) {
      scope[name] = member;
    } else if (typeof member === "object") {
      scope[name] = unwrapping(member);
    } else if (/^[A-Z]/.test(name)) {
      wrapClass(member, unwrap);
      scope[name] = member;
    } else {
      scope[name] = wrapCall(name, member, unwrap);
    }
  }
  return scope;
}

function show(value: unknown, colours: boolean): string {
  if (value instanceof CallError) return paintFor(process.stdout)("red", value.message);
  if (value instanceof Uint8Array) return bytesText(value, colours);
  return inspect(value, { colors: colours, depth: 6 });
}

/** The bytes, and the text that they are if they are any. */
function bytesText(bytes: Uint8Array, colours: boolean): string {
  const text = Buffer.from(bytes).toString();
  const readable = text !== "" && !/[\u0000-\u0008\u000e-\u001a\u007f\ufffd]/.test(text);
  return inspect(bytes, { colors: colours }) + (readable ? ` ${inspect(text, { colors: colours })}` : "");
}
