import { isUtf8 } from "node:buffer";
import { error_code, http, type Json, Poller, TcpListener, type TcpStream } from "std-net";
import { LATE, parseBefore } from "../json.ts";
import { monotonicTime } from "../runtime/clock.ts";
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

/** `std-net serve`: an HTTP server that sends each request back as its response. */
export const serve: Command = {
  name: "serve",
  summary: "respond to each HTTP request with the request itself, as JSON",
  help: `Usage: std-net serve ADDRESS [--status CODE] [--verbose]

Listens on ADDRESS, responds to each HTTP request with the request as JSON (method, path, query, version, headers,
body), and prints a line for each request. Ctrl-C stops it. Useful to look at webhooks.

      --status CODE   the status of the responses (200)
  -v, --verbose       also print each request's JSON

A body that is not UTF-8 appears as {"base64": "..."}. With port 0, the system picks a port.

Examples:
  std-net serve 127.0.0.1:8080
  std-net serve '[::]:8080' --verbose
  std-net serve 127.0.0.1:0 --status 503

Exit status: 0 after Ctrl-C, 1 when it cannot listen, 2 for wrong usage.
`,
  async run(args) {
    const { values, positionals } = parse(args, {
      status: { type: "string", default: "200" },
      verbose: { type: "boolean", short: "v", default: false },
    });
    const address = onlyArgument(positionals, "address, such as 127.0.0.1:8080");
    const status = Number(values.status);
    // 1xx is no final response: the client would go on waiting for one.
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

/** A connection, and the work that is left on it. */
class Visit {
  readonly stream: TcpStream;
  /** The response that is being sent. */
  response: http.ServerResponse | null = null;
  /** Whether this response is the last one. Then all further bytes are dropped, until the client closes. */
  isLast = false;
  /** When the connection is closed in any case, on the clock of `performance.now()`. */
  until = Number.POSITIVE_INFINITY;
  /** How many bytes were dropped. */
  dropped = 0;

  constructor(stream: TcpStream) {
    this.stream = stream;
  }
}

/**
 * One thread serves all connections. No client delays the others: not with silence, half a request or requests without end, and
 * not by reading no responses.
 */
class Server {
  readonly #listener: TcpListener;
  readonly #poller: Poller;
  readonly #status: number;
  readonly #verbose: boolean;
  /** The connections with an `until`. */
  readonly #limited = new Set<Visit>();
  #served = 0;
  #stopping = false;
  /** Whether an accept has failed, so that the next wait leaves the listener out. */
  #pausesListener = false;

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
      // A signal ends the wait. A signal that came just before the wait is seen after 250 ms at most.
      const events = this.#poller.wait(250).unwrapOr([]);
      if (this.#pausesListener) this.#listen();
      for (const { socket, key } of events) {
        if (socket === this.#listener) this.#accept();
        else if (key instanceof Visit) this.#goOn(key);
      }
      const now = performance.now();
      for (const visit of this.#limited) if (now >= visit.until) this.#close(visit);
      // The event loop runs here, and with it the listeners of signals.
      await new Promise(setImmediate);
    }
    this.#listener.close();
    this.#poller.close();
    process.stderr.write(`stopped after ${this.#served} request${this.#served === 1 ? "" : "s"}\n`);
  }

  #listen(): void {
    this.#pausesListener = this.#poller.add(this.#listener, { readable: true }).isErr;
  }

  #accept(): void {
    const stream = this.#listener.accept();
    if (stream.isErr) {
      if (error_code(stream.error) === "EAGAIN") return;
      // Without a free descriptor the connection stays in the queue (accept(2)), and each wait would end at once. So the next
      // wait leaves the listener out. It ends when another connection has something, such as its end, or after 250 ms.
      this.#poller.remove(this.#listener);
      this.#pausesListener = true;
      return;
    }
    stream.value.set_nonblocking(true);
    this.#poller.add(stream.value, { readable: true }, new Visit(stream.value));
  }

  /** Does all work on a connection that needs no wait. */
  #goOn(visit: Visit): void {
    if (visit.response !== null && !this.#send(visit)) return;
    if (!visit.isLast && !this.#readRequests(visit)) return;
    if (visit.isLast) this.#drop(visit);
  }

  /** Reads the requests that have come, and responds to them; false when nothing is left to do now. */
  #readRequests(visit: Visit): boolean {
    // After some requests the other connections get their turn.
    for (let turn = 0; turn < MOST_IN_TURN && !visit.isLast; turn++) {
      const options = { decode_body: "base64", max_body_bytes: LARGEST_BODY } as const;
      const request = http.read_request(visit.stream, options);
      if (request.isErr) {
        if (error_code(request.error) === "EAGAIN") return false;
        this.#refuse(visit, request.error);
      } else {
        const { method, path, query, version, headers, body } = request.value;
        const shown = { method, path, query, version, headers, body: decode(body) };
        this.#print(visit.stream, shown, Buffer.byteLength(String(body ?? ""), "base64"));
        visit.response = { status: this.#status, headers: { connection: "keep-alive" }, body: shown };
      }
      if (visit.response !== null && !this.#send(visit)) return false;
    }
    if (visit.isLast) this.#leave(visit);
    return visit.isLast;
  }

  #refuse(visit: Visit, error: string): void {
    visit.isLast = true;
    if (error === "connection closed before request headers") return;
    this.#say("refused", visit.stream, error);
    visit.response = { status: statusOf(error), headers: { connection: "close" }, body: { error } };
  }

  /** Sends the response, or the rest of it; false when some is left, or the connection is closed. */
  #send(visit: Visit): boolean {
    const sent = http.write_response(visit.stream, visit.response!);
    if (sent.isOk) {
      visit.response = null;
      if (!visit.isLast) this.#served++;
      if (this.#limited.delete(visit)) {
        visit.until = Number.POSITIVE_INFINITY;
        this.#poller.modify(visit.stream, { readable: true });
        if (visit.isLast) this.#leave(visit);
      }
      return true;
    }
    if (error_code(sent.error) !== "EAGAIN") {
      this.#close(visit);
    } else if (!this.#limited.has(visit)) {
      this.#poller.modify(visit.stream, { writable: true });
      this.#limit(visit, SEND_TIME);
    }
    return false;
  }

  /**
   * Closes the connection for writing, and waits until the client closes it too. A close with unread bytes, or before more bytes
   * come, resets the connection, and the client loses the response that it has not read yet (RFC 9112, 9.6).
   */
  #leave(visit: Visit): void {
    visit.stream.shutdown("write");
    this.#limit(visit, LEAVE_TIME);
  }

  /** Drops the bytes that have come. Closes the connection at their end, or when they are too many. */
  #drop(visit: Visit): void {
    for (let turn = 0; turn < MOST_IN_TURN; turn++) {
      const count = visit.stream.read_into(sink);
      if (count.isErr && error_code(count.error) === "EAGAIN") return;
      visit.dropped += count.unwrapOr(0);
      if (count.unwrapOr(0) === 0 || visit.dropped > MOST_DROPPED) {
        this.#close(visit);
        return;
      }
    }
  }

  #limit(visit: Visit, time: number): void {
    visit.until = performance.now() + time;
    this.#limited.add(visit);
  }

  #close(visit: Visit): void {
    this.#limited.delete(visit);
    this.#poller.remove(visit.stream);
    visit.stream.close();
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
/** How many requests, or pieces of dropped bytes, are read before the other connections get their turn. */
const MOST_IN_TURN = 16;
/** How long a client may take to receive a response that does not fit the buffers, in milliseconds. */
const SEND_TIME = 60_000;
/** How long a client may go on sending after its last response, in milliseconds. */
const LEAVE_TIME = 5000;
/** Milliseconds for a body with integers beyond ±(2^53 − 1). */
const PARSE_TIME = 500;
/** How many bytes a client may send after its last response. */
const MOST_DROPPED = 4 * LARGEST_BODY;
const sink = Buffer.alloc(64 * 1024);
const paint = paintFor(process.stdout);

/** The status of a request that read_request refuses. */
function statusOf(error: string): number {
  if (error === "request body too large") return 413;
  return error === "http headers too large" ? 431 : 400;
}

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
