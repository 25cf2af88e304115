import { isUtf8 } from "node:buffer";
import { error_code, http, type Json, Poller, TcpListener, TcpStream } from "std-net";
import { parse as parseJson } from "../json.ts";
import {
  type Command,
  complain,
  FAILURE,
  onlyArgument,
  parse,
  printable,
  SUCCESS,
  UsageError,
} from "./command.ts";
import { paintFor, prettyJson } from "./print.ts";

/** `std-net serve`: an HTTP server that answers each request with the request itself. */
export const serve: Command = {
  name: "serve",
  summary: "answer each HTTP request with the request itself, as JSON",
  help: `Usage: std-net serve ADDRESS [--status CODE] [--verbose]

Listens on ADDRESS, answers each HTTP request with the request's own JSON (method, path, query, version, headers,
body), and prints a line for each. Ctrl-C stops it. What people use to look at a webhook.

      --status CODE   the status to answer with (200)
  -v, --verbose       also print each request's JSON

A body that is not UTF-8 shows as {"base64": "..."}. Port 0 lets the system pick one.

Examples:
  std-net serve 127.0.0.1:8080
  std-net serve '[::]:8080' --verbose
  std-net serve 127.0.0.1:0 --status 503

Exit status: 0 when it was stopped by Ctrl-C, 1 when it cannot listen, 2 for wrong usage.
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      status: { type: "string", default: "200" },
      verbose: { type: "boolean", short: "v", default: false },
    });
    const address = onlyArgument(positionals, "address, such as 127.0.0.1:8080");
    const status = Number(values.status);
    // 1xx is no answer: the client would go on waiting for one.
    if (!/^[2-9]\d\d$/.test(values.status)) throw new UsageError("--status wants a number from 200 to 999");

    const listener = TcpListener.bind(address);
    if (listener.isErr) {
      complain(listener.error);
      return FAILURE;
    }
    const poller = Poller.create();
    if (poller.isErr) {
      complain(poller.error);
      return FAILURE;
    }
    await new Server(listener.value, poller.value, status, values.verbose).run();
    return SUCCESS;
  },
};

/** Every connection in one thread: a client that sends nothing, or half a request, keeps nobody waiting. */
class Server {
  readonly #listener: TcpListener;
  readonly #poller: Poller;
  readonly #status: number;
  readonly #verbose: boolean;
  #answered = 0;
  #stopping = false;
  /** Whether a connection could not be accepted, and the listener is not waited for. */
  #resting = false;

  constructor(listener: TcpListener, poller: Poller, status: number, verbose: boolean) {
    this.#listener = listener;
    this.#poller = poller;
    this.#status = status;
    this.#verbose = verbose;
  }

  async run(): Promise<void> {
    const stop = (): void => {
      this.#stopping = true;
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    this.#listener.set_nonblocking(true);
    this.#listen();
    process.stderr.write(
      `listening on http://${this.#listener.local_addr().unwrapOr("?")} (Ctrl-C stops it)\n`,
    );
    while (!this.#stopping) {
      // A signal ends the wait; one that came just before it is seen a moment later.
      const events = this.#poller.wait(250).unwrapOr([]);
      if (this.#resting) this.#listen();
      for (const { socket } of events) {
        if (socket === this.#listener) this.#accept();
        else if (socket instanceof TcpStream) this.#answer(socket);
      }
      // The event loop has its turn: there the listeners of signals run.
      await new Promise(setImmediate);
    }
    this.#listener.close();
    this.#poller.close();
    process.stderr.write(`stopped after ${this.#answered} request${this.#answered === 1 ? "" : "s"}\n`);
  }

  #listen(): void {
    this.#resting = this.#poller.add(this.#listener, { readable: true }).isErr;
  }

  #accept(): void {
    const stream = this.#listener.accept();
    if (stream.isErr) {
      if (error_code(stream.error) === "EAGAIN") return;
      // With descriptors used up the connection stays in the queue (accept(2)), and each wait would end at once: so the next
      // one is without the listener. It ends when one of the others has something, such as its end, or a moment has passed.
      this.#poller.remove(this.#listener);
      this.#resting = true;
      return;
    }
    stream.value.set_nonblocking(true);
    this.#poller.add(stream.value, { readable: true });
  }

  /** Reads and answers what has come on a connection. */
  #answer(stream: TcpStream): void {
    for (;;) {
      const request = http.read_request(stream, { decode_body: "base64", max_body_bytes: LARGEST_BODY });
      if (request.isErr) {
        if (error_code(request.error) === "EAGAIN") return;
        this.#refuse(stream, request.error);
        break;
      }
      const { method, path, query, version, headers, body } = request.value;
      const shown = { method, path, query, version, headers, body: decode(body) };
      this.#print(stream, shown, Buffer.byteLength(String(body ?? ""), "base64"));
      if (!this.#send(stream, this.#status, shown, "keep-alive")) break;
      this.#answered++;
    }
    this.#poller.remove(stream);
    stream.close();
  }

  #refuse(stream: TcpStream, error: string): void {
    if (error === "connection closed before request headers") return;
    this.#say("refused", stream, error);
    this.#send(stream, 400, { error }, "close");
  }

  #send(stream: TcpStream, status: number, body: Json, connection: "keep-alive" | "close"): boolean {
    // A reader that takes nothing for this long has gone; the others are waiting.
    stream.set_nonblocking(false);
    stream.set_write_timeout(WRITE_TIMEOUT);
    const sent = http.write_response(stream, { status, headers: { connection }, body });
    stream.set_nonblocking(true);
    return sent.isOk;
  }

  #print(stream: TcpStream, request: Shown, size: number): void {
    const { method, path, query, headers } = request;
    const type = headers["content-type"];
    const about = size === 0 ? "" : ` (${size} bytes${type === undefined ? "" : ` of ${type}`})`;
    this.#say(method, stream, `${path}${query === "" ? "" : `?${query}`}${about}`);
    if (this.#verbose) process.stdout.write(`${prettyJson(request, paint)}\n`);
  }

  #say(what: string, stream: TcpStream, about: string): void {
    const time = new Date().toTimeString().slice(0, 8);
    const from = stream.peer_addr().unwrapOr("?");
    process.stdout.write(
      `${paint("gray", time)} ${paint("bold", what)} ${printable(about)} ${paint("gray", `from ${from}`)}\n`,
    );
  }
}

type Shown = { method: string; path: string; query: string; headers: { [name: string]: string }; body: Json };

const LARGEST_BODY = 64 * 1024 * 1024;
const WRITE_TIMEOUT = 5000;
const paint = paintFor(process.stdout);

/** The body as read_request would have given it; bytes that are no text as base64. */
function decode(body: Json): Json {
  if (typeof body !== "string") return null;
  const bytes = Buffer.from(body, "base64");
  if (!isUtf8(bytes)) return { base64: body };
  const text = bytes.toString();
  return text.trim() === "" ? null : (parseJson(text) ?? text);
}
