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

/** A connection, and what is still to be done on it. */
class Visit {
  readonly stream: TcpStream;
  /** The response that is being sent. */
  response: http.ServerResponse | null = null;
  /** Whether that is the last one: then all that still comes is dropped, until the client closes. */
  isLast = false;
  /** When the connection is closed whatever its client does, on the clock of `performance.now()`. */
  until = Number.POSITIVE_INFINITY;
  /** Bytes that were dropped. */
  dropped = 0;

  constructor(stream: TcpStream) {
    this.stream = stream;
  }
}

/**
 * Every connection in one thread. No client keeps the others waiting: neither one that sends nothing, half a request or
 * requests without end, nor one that does not read its responses.
 */
class Server {
  readonly #listener: TcpListener;
  readonly #poller: Poller;
  readonly #status: number;
  readonly #verbose: boolean;
  /** Those that have an `until`. */
  readonly #limited = new Set<Visit>();
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
      for (const { socket, key } of events) {
        if (socket === this.#listener) this.#accept();
        else if (key instanceof Visit) this.#goOn(key);
      }
      const now = performance.now();
      for (const visit of this.#limited) if (now >= visit.until) this.#close(visit);
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
    this.#poller.add(stream.value, { readable: true }, new Visit(stream.value));
  }

  /** Does what can be done on a connection without waiting. */
  #goOn(visit: Visit): void {
    if (visit.response !== null && !this.#send(visit)) return;
    if (!visit.isLast && !this.#answer(visit)) return;
    if (visit.isLast) this.#drop(visit);
  }

  /** Reads and answers what has come; false when there is nothing more to be done now. */
  #answer(visit: Visit): boolean {
    // The others have their turn before the rest of a long run of requests.
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

  /** Sends the response, or what is left of it; false when that is not all, or the connection is closed. */
  #send(visit: Visit): boolean {
    const sent = http.write_response(visit.stream, visit.response!);
    if (sent.isOk) {
      visit.response = null;
      if (!visit.isLast) this.#answered++;
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
   * Ends our direction, and waits for the client to end its own. To close while bytes are unread, or before they come,
   * resets the connection: the client loses the response that it has not read yet (RFC 9112, 9.6).
   */
  #leave(visit: Visit): void {
    visit.stream.shutdown("write");
    this.#limit(visit, LEAVE_TIME);
  }

  /** Drops what has come, and closes the connection at its end, or when it was too much. */
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
/** Requests, or pieces of what is dropped, that are read before the other connections have their turn. */
const MOST_IN_TURN = 16;
/** Milliseconds for a client to take a response that does not fit the buffers. */
const SEND_TIME = 60_000;
/** How long, in milliseconds, and how many bytes a client may go on after its last response. */
const LEAVE_TIME = 5000;
/** Milliseconds for a body with integers beyond ±(2^53 − 1). */
const PARSE_TIME = 500;
const MOST_DROPPED = 4 * LARGEST_BODY;
const sink = Buffer.alloc(64 * 1024);
const paint = paintFor(process.stdout);

/** The status of a request that read_request refuses. */
function statusOf(error: string): number {
  if (error === "request body too large") return 413;
  return error === "http headers too large" ? 431 : 400;
}

/** The body as read_request would have given it; bytes that are no text as base64. */
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
