/**
 * `http.read_request`: one request off a stream of the caller's.
 */
import { Failure } from "../../error.ts";
import { type Claimed, type Json, LATE, TIMED_OUT } from "../../json.ts";
import { type ByteStream, transportOf } from "../../net/byte-stream.ts";
import { Result } from "../../result.ts";
import { traced } from "../../trace.ts";
import { defaultSettings, type ReadOptions, readOptions } from "../message/read-options.ts";
import { decodeBody } from "../wire/body.ts";
import type { Field, Headers } from "../wire/fields.ts";
import type { Version } from "../wire/head-parser.ts";
import { DEFAULT_REQUEST_BODY_BYTES } from "../wire/limits.ts";
import { conversationOn } from "./conversation.ts";

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
 * (`Connection: close`, or HTTP/1.0 without keep-alive) and its response was written, nothing more is waited for.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param options limits, a timeout, and what the body becomes
 * @typeParam T what the caller takes the body for. It is a claim and not a check: whatever the peer sends is given as a `T`.
 * @returns the request. `body` is null when it is empty or white space; else the parsed JSON when it is valid
 * JSON, with a `bigint` for integers beyond ±(2^53 − 1); else the text. Errors: `invalid tcp stream`; `connection closed
 * before request headers`; `connection closed before request body complete`; `http headers too large`; `invalid
 * Content-Length header`; `request body too large`; `request body is not utf-8` (it was read whole: the next request
 * can be read; read it with `decode_body: "bytes"`); `invalid http request: ` and what is wrong; `http read failed: `
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
export function read_request(
  stream: ByteStream,
  options: ReadRequestOptions & { decode_body: "bytes" },
): Result<ServerRequest<Buffer>, string>;
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
): Result<ServerRequest<unknown>, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const settings = readOptions(options, DEFAULTS);
  if (settings instanceof Failure) return Result.err(settings.reason);
  const conversation = conversationOn(transport);
  const incoming = conversation.reader.read(settings, !conversation.isOver, conversation.sendContinue);
  if (incoming instanceof Failure) return Result.err(incoming.reason);
  const { head } = incoming;
  conversation.received(head);

  const body = decodeBody(incoming.body, settings.decoding, incoming.deadline);
  if (body === undefined) return Result.err("request body is not utf-8");
  if (body === LATE) return Result.err(`http read failed: ${TIMED_OUT}`);
  const { method, path, query, version, headers } = head;
  const request: ServerRequest<Json | Buffer> = { method, path, query, version, headers, body };
  if (settings.keepFields) request.raw_headers = [...head.fields];
  return Result.ok(request);
}

const DEFAULTS = defaultSettings(DEFAULT_REQUEST_BODY_BYTES);
