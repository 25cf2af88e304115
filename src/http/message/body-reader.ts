import { isUint8Array } from "node:util/types";
import { type Bytes, byteLength, isSize } from "../../arguments.ts";
import { receiveRoom, takeReceived } from "../../engine/buffers.ts";
import { Failure } from "../../error.ts";
import { BufReader, bufferedLength, type ReadSource, readBehind } from "../../net/buf-reader.ts";
import type { ByteStream } from "../../net/byte-stream.ts";
import { type ErrorWords, HTTP_BODY } from "../../net/error-words.ts";
import { WORDS } from "../../net/socket-object.ts";
import type { TcpStream } from "../../net/tcp.ts";
import type { TlsStream } from "../../net/tls.ts";
import type { UnixStream } from "../../net/unix.ts";
import { Result } from "../../result.ts";
import { EventParser, type ServerSentEvent } from "../wire/event-stream.ts";
import { DEFAULT_LINE_BYTES } from "../wire/limits.ts";
import type { IncomingBody } from "./incoming-body.ts";

const INVALID = "invalid body";
const INVALID_SIZE = "invalid buffer size";
const DEFAULT_UNTIL_LIMIT = 64 * 1024;
/** How much is read ahead for lines and events: of the body alone, never of what follows it. */
const READ_AHEAD = 64 * 1024;

/** A body as what a BufReader reads from. */
class BodySource implements ReadSource {
  readonly [WORDS]: ErrorWords = HTTP_BODY;
  readonly #body: IncomingBody;

  constructor(body: IncomingBody) {
    this.#body = body;
  }

  read_into(buffer: Uint8Array): Result<number, string> {
    const count = this.#body.read(buffer, buffer.length);
    return count instanceof Failure ? Result.err(count.reason) : Result.ok(count);
  }
}

/**
 * A body that is read piece by piece while it comes, in constant memory: of a response (`http.open`, `http.open_response`) or a
 * request (`http.open_request`). A content coding of a response is undone.
 *
 * Read it to its end, or `close` it: both let the connection serve the next request where that is possible. A read gives what
 * has arrived, at least one byte, and nothing only at the end. A body that ends too early is always an error. Once a read has
 * failed for good, every later one gives the same error. An error that only says that a wait was cut short (`EINTR`, or `EAGAIN` in
 * non-blocking mode) loses nothing, and the next read goes on.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * using body = http.open({ method: "GET", url: "http://127.0.0.1:8080/file" }).unwrap().body;
 * let size = 0;
 * for (let bytes = body.read(65536).unwrap(); bytes.length > 0; bytes = body.read(65536).unwrap()) size += bytes.length;
 * console.log(size); // such as 1048576
 * ```
 */
export class BodyReader {
  readonly #body: IncomingBody;
  readonly #buffered: BufReader;
  #events: EventParser | null = null;
  #isClosed = false;

  /** @internal */
  constructor(body: IncomingBody) {
    this.#body = body;
    this.#buffered = new BufReader(new BodySource(body), READ_AHEAD);
  }

  /**
   * Reads up to `size` bytes: as many as have come, and at least one.
   *
   * Blocks until a byte of the body has come, or its end; at most `read_timeout_ms`.
   *
   * @param size the most to read, in bytes: a positive integer
   * @returns the bytes; an empty Buffer is the end of the body. Errors: `invalid body` after `close`; `invalid buffer size`;
   * `connection closed before response body complete` (`request` on a server); `invalid http response: ` and what is wrong;
   * `response body too large ...`; `response body does not decode as gzip`; `response body goes on after its gzip data`;
   * `http read failed: ` with the system's reason or `timed out`. Source: RFC 9112, 6; RFC 9110, 8.4.
   *
   * @example
   * ```ts
   * import { http } from "std-net";
   *
   * using body = http.open({ method: "GET", url: "http://127.0.0.1:8080/" }).unwrap().body;
   * console.log(body.read(1).unwrap().length); // 1
   * ```
   */
  read(size: number): Result<Buffer, string> {
    const problem = this.#problem();
    if (problem !== null) return Result.err(problem);
    if (!isSize(size)) return Result.err(INVALID_SIZE);
    if (bufferedLength(this.#buffered) > 0) return this.#buffered.read(size);
    const target = receiveRoom(size);
    const count = this.#body.read(target, Math.min(size, target.length));
    return count instanceof Failure ? Result.err(count.reason) : Result.ok(takeReceived(target, count));
  }

  /**
   * Reads into the caller's own memory: as many bytes as have come and fit, and at least one. This is the quickest way to read a
   * large body.
   *
   * Blocks until a byte of the body has come, or its end; at most `read_timeout_ms`.
   *
   * @param buffer where the bytes go, from its start; not of length 0
   * @returns the number of bytes; 0 is the end of the body. Errors: `expected Uint8Array`, `invalid buffer size` for an empty one;
   * those of `read`. Source: RFC 9112, 6.
   *
   * @example
   * ```ts
   * import { http } from "std-net";
   *
   * using body = http.open({ method: "GET", url: "http://127.0.0.1:8080/" }).unwrap().body;
   * const buffer = Buffer.alloc(1);
   * console.log(body.read_into(buffer).unwrap()); // 1
   * ```
   */
  read_into(buffer: Uint8Array): Result<number, string> {
    const problem = this.#problem();
    if (problem !== null) return Result.err(problem);
    if (!isUint8Array(buffer)) return Result.err("expected Uint8Array");
    const length = byteLength(buffer);
    if (length === 0) return Result.err(INVALID_SIZE);
    if (bufferedLength(this.#buffered) > 0) return this.#buffered.read_into(buffer);
    const count = this.#body.read(buffer, length);
    return count instanceof Failure ? Result.err(count.reason) : Result.ok(count);
  }

  /**
   * Reads up to and with a delimiter. Blocks until the delimiter has come, each time at most `read_timeout_ms` for some bytes.
   *
   * @param delimiter what ends it: `"\r\n"`, for instance; not empty
   * @param limit the most to read, delimiter included, in bytes: 65536 when left out
   * @returns the bytes, the delimiter at their end. Errors: `expected list of ints`, `bytes list must contain ints`, `byte value out
   * of range`, `delimiter must not be empty`, `invalid buffer size`; `http read failed: ` with `no delimiter within N bytes` or `end
   * of stream before the delimiter`; those of `read`. Source: RFC 9112, 6.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * server.write_all("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\none;two;");
   * const { body } = http.open_response(client).unwrap();
   * console.log(body.read_until(";").unwrap().toString()); // one;
   * ```
   */
  read_until(delimiter: Bytes, limit: number = DEFAULT_UNTIL_LIMIT): Result<Buffer, string> {
    const problem = this.#problem();
    return problem === null ? this.#buffered.read_until(delimiter, limit) : Result.err(problem);
  }

  /**
   * Reads the rest of the body. Blocks until its end has come, each time at most `read_timeout_ms` for some bytes.
   *
   * @param limit the most to read, in bytes; none when left out
   * @returns the bytes, perhaps none. Errors: `invalid buffer size`; `http read failed: ` with `more than N bytes before the end of
   * the stream` or `out of memory`; those of `read`. Source: RFC 9112, 6.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * server.write_all("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
   * const { body } = http.open_response(client).unwrap();
   * console.log(body.read_to_end(1000).unwrap().toString()); // onetwo
   * ```
   */
  read_to_end(limit?: number): Result<Buffer, string> {
    const problem = this.#problem();
    return problem === null ? this.#buffered.read_to_end(limit) : Result.err(problem);
  }

  /**
   * The lines of the body, as text (UTF-8) without their ends. A line ends at LF or CR LF; the last one needs neither. Each is given
   * as soon as its end has come. To leave the loop closes nothing, and the next read goes on behind the last line.
   *
   * Blocks in each step until a line has come, each time at most `read_timeout_ms` for some bytes.
   *
   * @param limit the most bytes that a line may have, its end included: 1 MiB when left out
   * @returns the lines. An error is the last thing that it yields. Errors: `invalid buffer size`; `http read failed: no line end
   * within N bytes`; those of `read`. Source: RFC 9112, 6.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * server.write_all('HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"n":1}\n{"n":2}\n');
   * const { body } = http.open_response(client).unwrap();
   * for (const line of body.lines()) console.log(line.unwrap()); // {"n":1}
   * ```
   */
  *lines(limit: number = DEFAULT_LINE_BYTES): Generator<Result<string, string>, void, undefined> {
    for (;;) {
      const problem = this.#problem();
      const line = problem === null ? this.#buffered.read_line(limit) : Result.err(problem);
      if (line.isErr) {
        yield Result.err(line.error);
        return;
      }
      if (line.value === null) return;
      yield Result.ok(line.value);
    }
  }

  /**
   * The server-sent events of the body (`text/event-stream`, which is not checked). Each is given as soon as its empty line has
   * come. An event that the body's end cuts off is dropped. Nothing connects again: the caller has `id` and `retry` for that. To
   * leave the loop closes nothing, and the next call goes on behind the last event.
   *
   * Blocks in each step until an event has come, each time at most `read_timeout_ms` for some bytes.
   *
   * @param limit the most bytes that an event may have: 1 MiB when left out
   * @returns the events. An error is the last thing that it yields. Errors: `invalid buffer size`; `http read failed: no event end
   * within N bytes`; those of `read`. Source: WHATWG HTML, 9.2, "Server-sent events".
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * server.write_all("HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\nevent: token\ndata: Hello\n\n\n\n");
   * const { body } = http.open_response(client).unwrap();
   * for (const event of body.events()) console.log(event.unwrap().data); // Hello
   * ```
   */
  *events(limit: number = DEFAULT_LINE_BYTES): Generator<Result<ServerSentEvent, string>, void, undefined> {
    this.#events ??= new EventParser();
    const parser = this.#events;
    parser.restart();
    for (;;) {
      const found = this.#nextEvent(parser, limit);
      if (found === null) return;
      if (typeof found === "string") {
        yield Result.err(found);
        return;
      }
      yield Result.ok(found);
    }
  }

  /** The next event; null at the end; or the text of an error. */
  #nextEvent(parser: EventParser, limit: number): ServerSentEvent | null | string {
    const buffered = this.#buffered;
    for (;;) {
      const problem = this.#problem();
      if (problem !== null) return problem;
      if (!isSize(limit)) return INVALID_SIZE;
      const bytes = buffered.buffer();
      const used = parser.parse(bytes, 0, bytes.length, limit);
      if (used < 0) {
        parser.restart();
        return `http read failed: no event end within ${limit} bytes`;
      }
      if (used > 0) buffered.consume(used);
      if (parser.event !== null) return parser.event;
      const count = readBehind(buffered, Math.max(limit + 2, READ_AHEAD));
      if (typeof count === "string") return count;
      if (count === 0) {
        // An event that the end cuts off is dropped, for every later read as well.
        buffered.consume(bufferedLength(buffered));
        return null;
      }
    }
  }

  /**
   * Gives the connection as a stream, once the server has switched to another protocol (101, which `http.open` takes when the
   * request asked for it by `upgrade`), or has opened a tunnel (a 2xx in response to CONNECT). The stream belongs to the caller, the
   * bytes that have come behind the response's head included, and this reader is closed. Does not block.
   *
   * @returns the stream: a TlsStream for https, a UnixStream for `socket_path`, else a TcpStream. Errors: `invalid body` after `close`;
   * `the response switches to no other protocol`. Source: RFC 9110, 7.8 and 9.3.6.
   *
   * @example
   * ```ts
   * import { http } from "std-net";
   *
   * const headers = { connection: "upgrade", upgrade: "websocket" };
   * const response = http.open({ method: "GET", url: "http://127.0.0.1:8080/chat", headers }).unwrap();
   * if (response.status === 101) response.body.into_stream().unwrap().close();
   * else console.log(response.status); // 200
   * response.body.close();
   * ```
   */
  into_stream(): Result<TcpStream | UnixStream | TlsStream, string> {
    if (this.#isClosed) return Result.err(INVALID);
    const stream = this.#body.intoStream();
    if (stream instanceof Failure) return Result.err(stream.reason);
    this.#isClosed = true;
    return Result.ok(stream as ByteStream as TcpStream);
  }

  /**
   * Reads no more. When the rest of the body has arrived and is at most 64 KiB, it is passed over, and the connection can serve the
   * next request; else `http.open`'s connection is closed. Never fails. Does not block. A second call does nothing. Source:
   * RFC 9112, 9.3.
   *
   * @example
   * ```ts
   * import { http } from "std-net";
   *
   * const { status, body } = http.open({ method: "GET", url: "http://127.0.0.1:8080/" }).unwrap();
   * body.close();
   * const late = body.read(1);
   * if (late.isErr) console.log(status, late.error); // 200 invalid body
   * ```
   */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#body.close();
  }

  /**
   * Closes the reader: `using body = ...` calls this at the end of the block. Does not block. Source: ECMAScript's explicit resource
   * management.
   *
   * @example
   * ```ts
   * import { http } from "std-net";
   *
   * {
   *   using body = http.open({ method: "GET", url: "http://127.0.0.1:8080/" }).unwrap().body;
   *   console.log(body.read(1).isOk); // true
   * } // closed here, even after an exception
   * ```
   */
  [Symbol.dispose](): void {
    this.close();
  }

  #problem(): string | null {
    return this.#isClosed ? INVALID : (this.#body.failure?.reason ?? null);
  }
}
