/**
 * The server's side of HTTP/1.1: one request off a stream, one response onto it.
 */

import type { Transport } from "../../engine/transport.ts";
import { errorText } from "../../error.ts";
import { type Claimed, type Json, LATE, TIMED_OUT } from "../../json.ts";
import { type ByteStream, transportOf } from "../../net/byte-stream.ts";
import { Result, type Unit } from "../../result.ts";
import { traced } from "../../trace.ts";
import {
  contentLength,
  dateNow,
  encode,
  fieldLine,
  isJsonObject,
  type OutgoingBody,
  readBody,
  readFields,
  responseHead,
} from "../message/encode.ts";
import { RequestReader } from "../message/incoming.ts";
import { defaultSettings, type ReadOptions, readOptions } from "../message/read-options.ts";
import { MessageWriter } from "../message/writer.ts";
import { decodeBody } from "../wire/body.ts";
import { type Field, type Headers, hasOption } from "../wire/fields.ts";
import type { RequestHead, Version } from "../wire/head-parser.ts";

/**
 * A request as `read_request` gives it.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * client.write_all("GET /search?q=a%20b HTTP/1.1\r\nHost: example\r\nAccept: text/html\r\nAccept: text/plain\r\n\r\n");
 * const { path, query, headers, body } = http.read_request(server).unwrap();
 * console.log(path, query, headers.accept, body); // /search q=a%20b text/html, text/plain null
 * ```
 *
 * @typeParam T the body's type, which the caller claims and nothing checks
 */
export interface ServerRequest<T = Json> {
  /** The method as sent: any token, case kept. */
  method: string;
  /**
   * What stands before the `?` of the request target. Percent-encoding stays as sent. Bytes beyond ASCII, which some
   * clients send, are read as in a header's value: as UTF-8, or as ISO-8859-1 where they are not that.
   */
  path: string;
  /** What stands after the `?`, in the same form; empty where there is none. */
  query: string;
  /** `"HTTP/1.1"` or `"HTTP/1.0"`. */
  version: Version;
  /** Values by lower-case name; lines of one name joined with `, ` (`cookie` with `; `). */
  headers: Headers;
  /** Null when empty; the parsed JSON when it is JSON, else the text; or what `decode_body` asked for. */
  body: T;
  /** The field lines as they came, in their order; only with the option `raw_headers`. */
  raw_headers?: Field[];
}

/**
 * A response for `write_response`.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const page: http.ServerResponse = { status: 200, headers: { "content-type": "text/html" }, body_text: "<p>hello" };
 * http.write_response(server, page);
 * console.log(http.read_response(client).map((answer) => answer.body).unwrapOr(null)); // <p>hello
 * ```
 */
export interface ServerResponse {
  /** An integer from 100 to 999. */
  status: number;
  /** Sent as given, with the additions and exceptions that `write_response` names. Default: those additions alone. */
  headers?: { [name: string]: string };
  /** Sent as JSON text; null where it is left out. */
  body?: Json;
  /** Text that is sent as it is (UTF-8), in place of `body`, which is left out then. */
  body_text?: string;
  /** Bytes, as base64, in place of `body`, which is left out then. */
  body_base64?: string;
}

/**
 * What `read_request` allows.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const options: http.ReadRequestOptions = { timeout_ms: 50, max_body_bytes: 64 * 1024, decode_body: "text" };
 * client.write("GET /slow HTTP/1.1\r\n"); // and not a line more
 * const request = http.read_request(server, options);
 * if (request.isErr) console.log(request.error); // http read failed: timed out
 * ```
 */
export interface ReadRequestOptions extends ReadOptions {
  /** Bytes of the body, the chunked coding undone (default 1048576). */
  max_body_bytes?: number;
  /** Milliseconds for the whole request, from its first byte to its value; null (the default) is no limit. */
  timeout_ms?: number | null;
}

/**
 * Reads one HTTP/1.0 or HTTP/1.1 request from a connection, and no byte more: what follows it stays on the
 * stream, for the next `read_request` or `read`.
 *
 * Blocks until the whole request has come. A client that asks for it (`Expect: 100-continue`) is told to go on
 * before its body is read. In non-blocking mode the error is EAGAIN while the request is not whole; what came of
 * it is kept, and the next call goes on there. When a client has said that a request is its last
 * (`Connection: close`, or HTTP/1.0 without keep-alive) and it has been answered, nothing more is waited for.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param options limits, a timeout, and what the body becomes
 * @typeParam T what the caller takes the body for. It is a claim and not a check: whatever the peer sends is given as a `T`.
 * @returns the request. `body` is null when it is empty or white space; else the parsed JSON when it is valid
 * JSON, with a `bigint` for integers beyond ±(2^53 − 1); else the text. Errors: `invalid tcp stream`; `connection closed
 * before request headers`; `connection closed before request body complete`; `http headers too large`; `invalid
 * Content-Length header`; `request body too large`; `request body is not utf-8` (it was read whole: the next request
 * can be read; read it with `decode_body: "base64"`); `invalid http request: ` and what is wrong; `http read failed: `
 * and the system's reason or `timed out`; and what is wrong with an option. After an error in the request itself every later call
 * on the stream gives that error. Source: RFC 9112; RFC 9110, 10.1.1.
 *
 * @example
 * ```ts
 * import { http, TcpListener, TcpStream } from "std-net";
 *
 * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
 * const client = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
 * client.write_all('POST /notes?draft HTTP/1.1\r\nHost: example\r\nContent-Length: 8\r\n\r\n{"n": 1}');
 *
 * const stream = listener.accept().unwrap();
 * const request = http.read_request(stream).unwrap();
 * console.log(request.method, request.path, request.body); // POST /notes { n: 1 }
 * ```
 */
export function read_request<T = Json>(
  stream: ByteStream,
  options?: ReadRequestOptions,
): Result<ServerRequest<Claimed<T>>, string>;
// ReturnType<typeof read_request> looks at the last overload. With a T in it, the body there would be unknown.
export function read_request(stream: ByteStream, options?: ReadRequestOptions): Result<ServerRequest, string>;
export function read_request(
  stream: ByteStream,
  options?: ReadRequestOptions,
): Result<ServerRequest<unknown>, string> {
  return readTraced(stream, options);
}

const readTraced = traced("http.read_request", readPlain);

function readPlain(
  stream: ByteStream,
  options: ReadRequestOptions | undefined,
): Result<ServerRequest, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const settings = readOptions(options, DEFAULTS);
  if (typeof settings === "string") return Result.err(settings);
  const connection = connectionOf(transport);
  const incoming = connection.reader.read(settings, !connection.isOver, connection.sendContinue);
  if (typeof incoming === "string") return Result.err(incoming);
  const { head } = incoming;
  connection.asked(head);

  const body = decodeBody(incoming.body, settings.decoding, incoming.deadline);
  if (body === undefined) return Result.err("request body is not utf-8");
  if (body === LATE) return Result.err(`http read failed: ${TIMED_OUT}`);
  const { method, path, query, version, headers } = head;
  const request: ServerRequest = { method, path, query, version, headers, body };
  if (settings.keepFields) request.raw_headers = [...head.fields];
  return Result.ok(request);
}

/**
 * Sends one HTTP response on a connection, in one piece where the system takes it.
 *
 * Blocks until the system has taken all of it. `body` goes out as JSON text, whatever the Content-Type. Where the
 * headers do not have them, `Content-Type: application/json`, `Connection: close` and `Date` are added; a
 * Content-Length or Transfer-Encoding among them is replaced. With `Connection: keep-alive` the connection can serve the
 * next request; a client that cannot keep it (HTTP/1.0 without keep-alive, or one that said `close`) is told
 * `close`. No body is sent with 1xx, 204, 205 and 304, nor in answer to a HEAD that was read from the same stream;
 * 1xx is interim: nothing is added to it, the final response follows, and an HTTP/1.0 client, which knows no 1xx, is
 * sent none.
 *
 * In non-blocking mode the error is EAGAIN when the system does not take all of it. Call it again with the same
 * response object when the stream is writable: what is left is sent then.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param response the response; `body_text` or `body_base64` may stand in place of `body`
 * @returns Errors, nothing being sent: `invalid tcp stream`; `response must be a JSON object`; `missing required field
 * 'status'`; `'status' must be a number` / `a finite number` / `an integer`; `status must be between 100 and 999`;
 * `'headers' must be an object`; `response header 'X' must be a string`; `response header 'X' is not a valid field`;
 * `cannot serialize ...`; and what is wrong with `body_text` or `body_base64`. In sending: `http write failed: ` and the
 * system's reason. Source: RFC 9112; RFC 9110, 6.4.1, 8.6 and 15.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * client.write_all("GET /notes HTTP/1.1\r\nHost: example\r\n\r\n");
 * http.read_request(server).unwrap();
 * http.write_response(server, { status: 200, body: { notes: [] } }).unwrap();
 * server.close();
 * console.log(client.read_to_end().unwrap().toString().split("\r\n").at(-1)); // {"notes":[]}
 * ```
 */
export function write_response(stream: ByteStream, response: ServerResponse): Result<Unit, string> {
  return writeTraced(stream, response);
}

const writeTraced = traced("http.write_response", writePlain);

function writePlain(stream: ByteStream, response: ServerResponse): Result<Unit, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const connection = connectionOf(transport);
  let failure: number | string;
  try {
    failure = respond(connection, response);
  } catch (thrown) {
    // A getter or a proxy's trap.
    return Result.err(`response cannot be read: ${errorText(thrown)}`);
  }
  if (failure === 0) return SENT;
  return Result.err(
    typeof failure === "string" ? failure : `http write failed: ${transport.reason(failure)}`,
  );
}

const SENT: Result<Unit, string> = Result.ok();

/** What a request that waits for its answer says about that answer. */
type Question = Pick<RequestHead, "method" | "version"> & { readonly isLast: boolean };

/** A response without a request that was read here is written for an ordinary one. */
const ORDINARY: Question = { method: "GET", version: "HTTP/1.1", isLast: false };

/** Requests that were read and not answered by write_response; a program may answer by other means. */
const MOST_UNANSWERED = 1000;

/** What is known of a connection that serves requests. */
class Connection {
  readonly reader: RequestReader;
  readonly writer: MessageWriter;
  readonly #unanswered: Question[] = [];
  readonly #transport: Transport;
  #answers = 0;
  /** True when a request that its client called the last one has been answered. */
  isOver = false;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.reader = new RequestReader(transport);
    this.writer = new MessageWriter(transport);
  }

  /** What the next answer answers: pipelined requests are answered in their order (RFC 9112, 9.3.2). */
  get question(): Question {
    return this.#unanswered[0] ?? ORDINARY;
  }

  asked(head: RequestHead): void {
    const { method, version } = head;
    this.isOver = false;
    this.#unanswered.push({ method, version, isLast: isLastRequest(head) });
    if (this.#unanswered.length > MOST_UNANSWERED) this.#unanswered.shift();
  }

  /**
   * Before the second answer of a connection: Nagle's algorithm would hold a small one back until the client has
   * acknowledged the one before it, which a client that sends requests ahead delays by 40 ms (RFC 9293, 3.7.4).
   */
  answering(): void {
    if (++this.#answers === 2) this.#transport.sendAtOnce?.();
  }

  answered(): void {
    const question = this.#unanswered.shift();
    if (question !== undefined && this.#unanswered.length === 0) this.isOver = question.isLast;
  }

  readonly sendContinue = (deadline: number): number => {
    const { writer } = this;
    const hasBegun = writer.hasBegun(CONTINUE);
    const failure = writer.finish(deadline);
    return failure < 0 || hasBegun ? failure : writer.send(CONTINUE, CONTINUE.length, CONTINUE, deadline);
  };
}

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

const connections = new WeakMap<Transport, Connection>();

function connectionOf(transport: Transport): Connection {
  let connection = connections.get(transport);
  if (connection === undefined) {
    connection = new Connection(transport);
    connections.set(transport, connection);
  }
  return connection;
}

/** Whether the client ends the connection with this request (RFC 9112, 9.3). */
function isLastRequest(head: RequestHead): boolean {
  const option = head.headers.connection;
  if (head.version === "HTTP/1.0") return !hasOption(option, "keep-alive") || hasOption(option, "close");
  return hasOption(option, "close");
}

/** Checks and sends a response: 0, the transport's failure, or the text of what is wrong with it. */
function respond(connection: Connection, response: unknown): number | string {
  if (!isJsonObject(response)) return "response must be a JSON object";
  const { writer, question } = connection;
  if (writer.hasBegun(response)) return writer.finish();

  const status = checkStatus(response.status);
  if (typeof status === "string") return status;
  const headers = response.headers === undefined ? NO_HEADERS : response.headers;
  if (!isJsonObject(headers)) return "'headers' must be an object";
  const fields = readFields(headers, "response header");
  if (fields.isErr) return fields.error;
  const body = readBody(response);
  if (body.isErr) return body.error;

  const isInterim = status < 200;
  if (isInterim && question.version === "HTTP/1.0") return 0; // RFC 9110, 15.2: it knows none
  const lines = isInterim
    ? interimLines(fields.value)
    : finalLines(fields.value, status, question, body.value);
  const head = responseHead(status, lines);
  const content = hasContent(status, question) ? (body.value ?? NULL_BODY).content : "";

  const failure = writer.finish();
  if (failure < 0) return failure;
  const { bytes, length } = encode(head, content);
  connection.answering();
  const sent = writer.send(bytes, length, response);
  if (!isInterim && (sent === 0 || writer.hasBegun(response))) connection.answered();
  return sent;
}

const NO_HEADERS = {};
const NULL_BODY: OutgoingBody = { content: "null", contentType: "application/json" };

function checkStatus(status: unknown): number | string {
  if (status === undefined) return "missing required field 'status'";
  if (typeof status !== "number") return "'status' must be a number";
  if (!Number.isFinite(status)) return "'status' must be a finite number";
  if (!Number.isInteger(status)) return "'status' must be an integer";
  if (status < 100 || status > 999) return "status must be between 100 and 999";
  return status;
}

/** Answers without content: RFC 9110, 15.3.5, 15.3.6 and 15.4.5. */
const NO_CONTENT = new Set([204, 205, 304]);

/** Whether a body follows the head (RFC 9112, 6.3, rules 1 and 2). */
function hasContent(status: number, question: Question): boolean {
  if (status < 200 || NO_CONTENT.has(status)) return false;
  return question.method !== "HEAD" && !opensTunnel(status, question);
}

/** A 2xx in answer to CONNECT: what follows it belongs to the tunnel (RFC 9110, 9.3.6). */
function opensTunnel(status: number, question: Question): boolean {
  return question.method === "CONNECT" && status >= 200 && status < 300;
}

/** The caller's fields but those that frame the message: an interim answer has no body. */
function interimLines(given: readonly Field[]): string {
  let lines = "";
  for (const [name, value] of given) {
    if (!/^(?:content-length|transfer-encoding)$/i.test(name)) lines += fieldLine(name, value);
  }
  return lines;
}

/** The field lines of a final response: the caller's, and those that are ours to set or to add. */
function finalLines(
  given: readonly Field[],
  status: number,
  question: Question,
  body: OutgoingBody | null,
): string {
  let lines = "";
  let hasType = false;
  let hasDate = false;
  let hasConnection = false;
  for (const [name, value] of given) {
    switch (name.toLowerCase()) {
      case "content-length":
      case "transfer-encoding":
        continue;
      case "content-type":
        hasType = true;
        break;
      case "date":
        hasDate = true;
        break;
      case "connection":
        // A client that cannot keep the connection must not be told that it is kept.
        if (question.isLast && hasOption(value, "keep-alive")) continue;
        hasConnection = true;
    }
    lines += fieldLine(name, value);
  }
  const sent = body ?? NULL_BODY;
  if (!hasType) lines += fieldLine("Content-Type", sent.contentType);
  if (!hasDate) lines += fieldLine("Date", dateNow());
  if (!hasConnection) lines += fieldLine("Connection", "close");
  // RFC 9110, 8.6: none with 204 and a tunnel; with 304 only the length that a 200 would have told. (205 is framed as others.)
  if (status !== 204 && !opensTunnel(status, question) && (status !== 304 || body !== null)) {
    lines += fieldLine("Content-Length", String(status === 205 ? 0 : contentLength(sent)));
  }
  return lines;
}

const DEFAULTS = defaultSettings(1024 * 1024);
