import { start } from "node:repl";
import { inspect } from "node:util";
import * as net from "std-net";
import { type Around, wrapCall, wrapClass } from "../wrap-calls.ts";
import { type Command, parse, SUCCESS, UsageError } from "./command.ts";
import { InputError, standardInput } from "./input.ts";
import { hasColours, paintFor } from "./print.ts";

export const repl: Command = {
  name: "repl",
  summary: "a Node.js prompt with the whole library loaded",
  help: `Usage: std-net repl

A Node.js prompt that has TcpStream, TcpListener, UdpSocket, http and the rest without an import. A call returns its
value, and an error prints its text. (In a program, a call returns a Result.)

Examples:
  > stream = TcpStream.connect("127.0.0.1:6379")
  > stream.write("PING\\r\\n")
  > stream.read(100)
  > http.request({ method: "GET", url: "https://example.com/" }).status

Exit status: 0, 1 when standard input could not be read, 2 for wrong usage.
`,
  options: {},
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

/** Returns the value of a result. An error is thrown, so that the prompt prints it. */
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

/** An error result at the prompt. Only its text is printed, without a stack. */
class CallError extends Error {
  constructor(text: string) {
    super(text);
    this.stack = text;
  }
}

/** The exports that work on results. They are no network calls. */
const RESULTS = new Set<unknown>([net.Result, net.Unit, net.NetError, net.unwrap]);

/** All exports of the library, changed so that each call returns its value. (Only the prompt runs in this process.) */
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

/** The bytes, and their text if they are readable text. */
function bytesText(bytes: Uint8Array, colours: boolean): string {
  const text = Buffer.from(bytes).toString();
  const readable = text !== "" && !/[\u0000-\u0008\u000e-\u001a\u007f\ufffd]/.test(text);
  return inspect(bytes, { colors: colours }) + (readable ? ` ${inspect(text, { colors: colours })}` : "");
}
