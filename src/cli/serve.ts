import { isUtf8 } from "node:buffer";
import { type ByteStream, http, type Json, TcpListener } from "std-net";
import { LATE, parseBefore } from "../json.ts";
import { monotonicTime } from "../runtime/clock.ts";
import {
  type Command,
  complain,
  FAILURE,
  type Options,
  onlyArgument,
  parse,
  printable,
  SUCCESS,
  UsageError,
} from "./command.ts";
import { bindRemedy, localAddress } from "./local-address.ts";
import { writeOut } from "./output.ts";
import { flush, paintFor, prettyJson } from "./print.ts";

const serveOptions = {
  status: { type: "string", default: "200" },
  verbose: { type: "boolean", short: "v", default: false },
} as const satisfies Options;

/** `std-net serve`: an HTTP server that sends each request back as its response. */
export const serve: Command = {
  name: "serve",
  summary: "respond to each HTTP request with the request itself, as JSON",
  help: `Usage: std-net serve ADDRESS [--status CODE] [--verbose]

Listens on ADDRESS, responds to each HTTP request with the request as JSON (method, path, query, version, headers,
body), and prints a line for each request. Ctrl-C stops it. Useful to look at webhooks.

      --status CODE   the status of the responses (200)
  -v, --verbose       also print each request's JSON

A body that is not UTF-8 appears as {"base64": "..."}. A port alone, 8080 or :8080, is one of this computer (127.0.0.1);
0.0.0.0:8080 or [::]:8080 lets others connect too. With port 0, the system picks a port.

Examples:
  std-net serve 8080
  std-net serve '[::]:8080' --verbose
  std-net serve 127.0.0.1:0 --status 503

Exit status: 0 after Ctrl-C, 1 when it cannot listen, 2 for wrong usage.
`,
  options: serveOptions,
  async run(args) {
    const { values, positionals } = parse(args, serveOptions);
    const address = localAddress(onlyArgument(positionals, "address, such as 8080 or 127.0.0.1:8080"));
    const status = Number(values.status);
    // 1xx is no final response: the client would go on waiting for one.
    if (!/^[2-9]\d\d$/.test(values.status)) throw new UsageError("--status wants a number from 200 to 999");

    const listener = TcpListener.bind(address);
    if (listener.isErr) {
      complain(bindRemedy(listener.error));
      return FAILURE;
    }
    return await serveUntilSignal(listener.value, status, values.verbose);
  },
};

async function serveUntilSignal(listener: TcpListener, status: number, verbose: boolean): Promise<number> {
  // With a listener, these signals end `http.serve`.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => {});
  process.stderr.write(`listening on http://${listener.local_addr().unwrapOr("?")} (Ctrl-C stops it)\n`);
  await flush(process.stderr);
  let served = 0;
  // Nobody reads any more: `std-net serve ... | head -1`.
  const say = (text: string): void => {
    if (writeOut(Buffer.from(text)) !== null) listener.close();
  };
  const ended = http.serve(
    listener,
    ({ method, path, query, version, headers, body }, stream) => {
      const shown: Shown = { method, path, query, version, headers, body: decode(body) };
      const size = Buffer.byteLength(String(body ?? ""), "base64");
      say(lineOf(method, stream, aboutRequest(shown, size)));
      if (verbose) say(`${prettyJson(shown, paint)}\n`);
      served++;
      return { status, body: shown };
    },
    {
      decode_body: "base64",
      max_body_bytes: LARGEST_BODY,
      on_refusal: (_status, reason, stream) => say(lineOf("refused", stream, reason)),
    },
  );
  if (ended.isErr) {
    complain(ended.error);
    return FAILURE;
  }
  process.stderr.write(`stopped after ${served} request${served === 1 ? "" : "s"}\n`);
  return SUCCESS;
}

function aboutRequest({ path, query, headers }: Shown, size: number): string {
  const type = headers["content-type"];
  const about = size === 0 ? "" : ` (${size} bytes${type === undefined ? "" : ` of ${type}`})`;
  return `${path}${query === "" ? "" : `?${query}`}${about}`;
}

function lineOf(what: string, stream: ByteStream, about: string): string {
  const time = new Date().toTimeString().slice(0, 8);
  const from = stream.peer_addr().unwrapOr("?");
  return `${paint("gray", time)} ${paint("bold", what)} ${printable(about)} ${paint("gray", `from ${from}`)}\n`;
}

type Shown = Pick<http.ServerRequest, "method" | "path" | "query" | "version" | "headers" | "body">;

const LARGEST_BODY = 64 * 1024 * 1024;
/** Milliseconds for a body with integers beyond ±(2^53 − 1). */
const PARSE_TIME = 500;
const paint = paintFor(process.stdout);

/** The body as read_request would give it; in base64 if the bytes are not text. */
function decode(body: Json): Json {
  if (typeof body !== "string") return null;
  const bytes = Buffer.from(body, "base64");
  if (!isUtf8(bytes)) return { base64: body };
  const text = bytes.toString();
  if (text.trim() === "") return null;
  // An integer of millions of digits would keep the other clients waiting: it is shown as text.
  const value = parseBefore(monotonicTime() + PARSE_TIME, text, bytes);
  return value === undefined || value === LATE ? text : value;
}
