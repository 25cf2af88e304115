/**
 * `http.start_response`: a response whose body is written piece by piece.
 */
import { type Bytes, byteLength, part, toBytes } from "../../arguments.ts";
import { ScratchBuffer } from "../../engine/scratch.ts";
import type { Transport } from "../../engine/transport.ts";
import { errorText, Failure } from "../../error.ts";
import { type ByteStream, transportOf } from "../../net/byte-stream.ts";
import { Result, type Unit } from "../../result.ts";
import { traced } from "../../trace.ts";
import { isJsonObject, readFields } from "../message/caller-message.ts";
import { encode } from "../message/encode.ts";
import { foreignName, RESPONSE_NAMES } from "../message/foreign-names.ts";
import type { IncomingBody } from "../message/incoming-body.ts";
import type { MessageWriter } from "../message/writer.ts";
import { CHUNK_END, CHUNK_FRAME, chunkHead, LAST_CHUNK, writeChunk } from "../wire/chunk-writer.ts";
import { eventText, type OutgoingEvent } from "../wire/event-writer.ts";
import type { Field } from "../wire/fields.ts";
import { endsConnection, type StreamedFraming, streamedHead } from "../wire/head-writer.ts";
import { hasContent } from "../wire/status.ts";
import { type Conversation, conversationOn } from "./conversation.ts";
import { checkStatus } from "./write-response.ts";

/**
 * The head of a response for `start_response`.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const head: http.StartedResponse = { status: 200, headers: { "content-type": "text/plain" } };
 * const writer = http.start_response(server, head).unwrap();
 * writer.write_all("hello").unwrap();
 * writer.finish().unwrap();
 * console.log(http.read_response(client).unwrap().body); // hello
 * ```
 */
export interface StartedResponse {
  /** An integer from 200 to 999. */
  status: number;
  /**
   * Sent as given, with the additions and exceptions that `start_response` names. A `content-length` is kept: so many bytes have to be
   * written.
   */
  headers?: { [name: string]: string };
}

/**
 * Sends the head of a response on a connection, and gives what writes its body piece by piece: a file, or events as they happen.
 *
 * Blocks until the system has taken the head. Where the headers do not have them, `Connection: close` (on a stream of `http.serve`:
 * `keep-alive`) and `Date` are added. The body
 * goes out in chunks, unless the headers have a `content-length`; to an HTTP/1.0 client, which knows no chunks, the end of the connection
 * is its end. With `Connection: keep-alive` the connection can serve the next request, if the client can keep it and the body of the
 * present one was read to its end (or has arrived). No body is sent with 204 and 304, nor in response to a HEAD.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param response status and headers
 * @returns the writer. Errors, nothing being sent: `invalid tcp stream`; those of the checks in `write_response`; `status must be
 * between 200 and 999`; `response header 'content-length' is not a valid field` for one that is no number of bytes. In sending: `http
 * write failed: ` and the system's reason; what has gone out of the head by then is finished by the next call on the stream. Source: RFC 9112, 7.1.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * using writer = http.start_response(server, { status: 200 }).unwrap();
 * writer.write_all("one ").unwrap();
 * writer.write_all("two").unwrap();
 * writer.finish().unwrap();
 * console.log(http.read_response(client).unwrap().body); // one two
 * ```
 */
export function start_response(stream: ByteStream, response: StartedResponse): Result<BodyWriter, string> {
  return startTraced(stream, response);
}

const startTraced = traced("http.start_response", startPlain);

function startPlain(stream: ByteStream, response: StartedResponse): Result<BodyWriter, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const conversation = conversationOn(transport);
  let head: StartedHead | Failure;
  try {
    head = checkHead(response);
  } catch (thrown) {
    // A getter or a proxy's trap.
    return Result.err(`response cannot be read: ${errorText(thrown)}`);
  }
  if (head instanceof Failure) return Result.err(head.reason);
  const { writer } = conversation;
  const failure = writer.hasBegun(response)
    ? writer.finish()
    : sendHead(conversation, transport, head, response);
  if (failure < 0) return Result.err(conversation.sendFailed(failure));
  const started = begun.get(response)!;
  begun.delete(response);
  return Result.ok(new BodyWriter(started));
}

interface StartedHead {
  readonly status: number;
  readonly fields: readonly Field[];
  /** The `content-length` among the fields. */
  readonly length: number | null;
}

function checkHead(response: unknown): StartedHead | Failure {
  if (!isJsonObject(response)) return new Failure("response must be a JSON object");
  const foreign = foreignName(response, RESPONSE_NAMES, "field");
  if (foreign !== null) return foreign;
  const status = checkStatus(response.status);
  if (status instanceof Failure) return status;
  if (status < 200) return new Failure("status must be between 200 and 999");
  const { headers = {} } = response;
  if (!isJsonObject(headers)) return new Failure("'headers' must be an object");
  const fields = readFields(headers, "response header");
  if (fields instanceof Failure) return fields;
  let length: number | null = null;
  for (const [name, value] of fields) {
    if (name.toLowerCase() !== "content-length") continue;
    const isLength = /^[0-9]+$/.test(value) && Number.isSafeInteger(Number(value));
    if (!isLength || (length !== null && length !== Number(value))) {
      return new Failure(`response header '${name}' is not a valid field`);
    }
    length = Number(value);
  }
  return { status, fields, length };
}

/** Heads that have gone out in part, by the caller's object: what writes the body of each. */
const begun = new WeakMap<object, StartedBody>();

/** How a body is framed, and what it goes out on. */
interface StartedBody {
  readonly transport: Transport;
  readonly conversation: Conversation;
  /** The body of the request, where it is read piece by piece. */
  readonly request: IncomingBody | null;
  readonly writer: MessageWriter;
  readonly framing: StreamedFraming;
  /** Of a body with a length: how many bytes. */
  readonly length: number;
}

function sendHead(
  conversation: Conversation,
  transport: Transport,
  { status, fields, length }: StartedHead,
  response: object,
): number {
  const { writer } = conversation;
  const failure = writer.finish();
  if (failure < 0) return failure;
  const { body } = conversation.request;
  if (body !== null && !body.isWhole && !body.hasArrived()) conversation.endWithResponse();
  const { request } = conversation;
  const framing: StreamedFraming = !hasContent(status, request.method)
    ? "none"
    : length !== null
      ? "length"
      : request.version === "HTTP/1.0"
        ? "close"
        : "chunked";
  const { bytes, length: size } = encode(streamedHead(status, fields, request, framing), "");
  conversation.responding();
  // Each chunk goes out at once, also while the client has not acknowledged the one before.
  transport.sendAtOnce?.();
  begun.set(response, { transport, conversation, request: body, writer, framing, length: length ?? 0 });
  const sent = writer.send(bytes, size, response);
  if (sent === 0 || writer.hasBegun(response)) {
    conversation.responded(conversation.isKept && (framing === "close" || endsConnection(fields, request)));
    conversation.isStreaming = true;
  }
  return sent;
}

const INVALID = "invalid body";

/**
 * A chunk of at most so much data is put together in memory of the thread, for one system call. From twice that on, a system call for
 * each of its three parts takes less time than the copy.
 */
const MOST_COPIED = 64 * 1024;

const chunkScratch = new ScratchBuffer(4096, MOST_COPIED + CHUNK_FRAME);

/** The same bytes. */
function asBuffer(bytes: Uint8Array, size: number): Buffer {
  const { buffer, byteOffset } = part(bytes, 0, size);
  return Buffer.from(buffer, byteOffset, size);
}
const SENT: Result<Unit, string> = Result.ok();

/**
 * Writes the body of a response piece by piece (see `start_response`). Call `finish` at its end: without it the client sees a body that
 * was cut short.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const headers = { "content-type": "text/event-stream" };
 * const writer = http.start_response(server, { status: 200, headers }).unwrap();
 * writer.send_event({ data: "Hello", event: "token" }).unwrap();
 * writer.finish().unwrap();
 * const { body } = http.open_response(client).unwrap();
 * for (const event of body.events()) console.log(event.unwrap().data); // Hello
 * ```
 */
export class BodyWriter {
  readonly #transport: Transport;
  readonly #conversation: Conversation;
  readonly #request: IncomingBody | null;
  readonly #writer: MessageWriter;
  readonly #framing: StreamedFraming;
  readonly #length: number;
  #written = 0;
  #state: "open" | "finishing" | "over" = "open";

  /** @internal */
  constructor({ transport, conversation, request, writer, framing, length }: StartedBody) {
    this.#transport = transport;
    this.#conversation = conversation;
    this.#request = request;
    this.#writer = writer;
    this.#framing = framing;
    this.#length = length;
  }

  /**
   * Writes a piece of the body: one chunk, which goes out at once. No bytes are no chunk.
   *
   * Blocks until the system has taken all of it. In non-blocking mode the error is EAGAIN when it does not: call it again with the
   * same `data` when the stream is writable, and what is left is sent then.
   *
   * @param data bytes, or text (UTF-8)
   * @returns Errors: `invalid body` after `finish` or `close`; `expected list of ints`, `bytes list must contain ints`, `byte value out
   * of range`; `http write failed: body longer than its content-length of N bytes`, nothing being sent; `http write failed: ` and the
   * system's reason. Source: RFC 9112, 7.1.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * const writer = http.start_response(server, { status: 200, headers: { "content-length": "5" } }).unwrap();
   * writer.write_all("hello").unwrap();
   * writer.finish().unwrap();
   * console.log(http.read_response(client).unwrap().body); // hello
   * ```
   */
  write_all(data: Bytes): Result<Unit, string> {
    if (this.#state !== "open" || !this.#transport.open) return Result.err(INVALID);
    if (this.#writer.hasBegun(data)) return this.#outcome(this.#writer.finish());
    const bytes = toBytes(data);
    if (bytes instanceof Failure) return Result.err(bytes.reason);
    return this.#send(bytes, data);
  }

  /**
   * Writes a server-sent event, at once. Blocks as `write_all` does.
   *
   * @param event its data, of any number of lines, and perhaps its type, its id, and the milliseconds that a client should wait before
   * it connects again
   * @returns Errors: `event must be an object`; `'data' must be a string`; `'event' must be a string of one line`; `'id' must be a string of
   * one line`; `'retry' must be a non-negative integer`; those of `write_all`. Source: WHATWG HTML, 9.2.5.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * const writer = http.start_response(server, { status: 200 }).unwrap();
   * writer.send_event({ data: "two\nlines", id: "7" }).unwrap();
   * const { body } = http.open_response(client).unwrap();
   * for (const event of body.events()) {
   *   console.log(event.unwrap().id); // 7
   *   break;
   * }
   * ```
   */
  send_event(event: OutgoingEvent): Result<Unit, string> {
    if (this.#state !== "open" || !this.#transport.open) return Result.err(INVALID);
    if (this.#writer.hasBegun(event)) return this.#outcome(this.#writer.finish());
    let text: string | Failure;
    try {
      text = isJsonObject(event) ? eventText(event) : new Failure("event must be an object");
    } catch (thrown) {
      // A getter or a proxy's trap.
      return Result.err(`event cannot be read: ${errorText(thrown)}`);
    }
    return text instanceof Failure ? Result.err(text.reason) : this.#send(Buffer.from(text), event);
  }

  #send(bytes: Uint8Array, owner: unknown): Result<Unit, string> {
    const size = byteLength(bytes);
    if (this.#framing === "none" || size === 0) return SENT;
    if (this.#framing === "length" && this.#written + size > this.#length) {
      return Result.err(`http write failed: body longer than its content-length of ${this.#length} bytes`);
    }
    const failure = this.#writer.finish();
    if (failure < 0) return this.#outcome(failure);
    const sent =
      this.#framing === "chunked"
        ? this.#sendChunk(bytes, size, owner)
        : this.#sendStraight(bytes, size, owner);
    if (sent === 0 || this.#writer.hasBegun(owner)) this.#written += size;
    return this.#outcome(sent);
  }

  #sendChunk(bytes: Uint8Array, size: number, owner: unknown): number {
    if (size > MOST_COPIED) {
      return this.#writer.sendParts([chunkHead(size), asBuffer(bytes, size), CHUNK_END], owner);
    }
    const chunk = chunkScratch.borrow(size + CHUNK_FRAME);
    return this.#writer.send(chunk, writeChunk(chunk, bytes, size), owner);
  }

  #sendStraight(bytes: Uint8Array, size: number, owner: unknown): number {
    return this.#writer.send(asBuffer(bytes, size), size, owner);
  }

  #outcome(failure: number): Result<Unit, string> {
    return failure < 0 ? Result.err(this.#conversation.sendFailed(failure)) : SENT;
  }

  /**
   * Ends the body: the client knows that it is whole. To an HTTP/1.0 client that means to close the connection. The body of the
   * request that `open_request` gave is closed too: the response to it is over.
   *
   * Blocks until the system has taken what is left. In non-blocking mode the error is EAGAIN when it does not: call it again.
   *
   * @returns Errors: `invalid body` after `finish` or `close`; `http write failed: body has N of M bytes`, the bytes of its
   * `content-length`, and the connection is closed; `http write failed: ` and the system's reason. Source: RFC 9112, 7.1.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * const writer = http.start_response(server, { status: 200 }).unwrap();
   * console.log(writer.finish().isOk); // true
   * console.log(http.read_response(client).unwrap().body); // null
   * ```
   */
  finish(): Result<Unit, string> {
    if (this.#state === "over" || !this.#transport.open) return Result.err(INVALID);
    if (this.#state === "open") {
      if (this.#framing === "length" && this.#written < this.#length) {
        const text = `http write failed: body has ${this.#written} of ${this.#length} bytes`;
        this.close();
        return Result.err(text);
      }
      this.#state = "finishing";
    }
    let failure = this.#writer.hasBegun(this) ? 0 : this.#writer.finish();
    if (failure === 0 && this.#framing === "chunked") {
      failure = this.#writer.hasBegun(this)
        ? this.#writer.finish()
        : this.#writer.send(LAST_CHUNK, LAST_CHUNK.length, this);
    }
    if (failure < 0) return this.#outcome(failure);
    this.#state = "over";
    this.#conversation.isStreaming = false;
    if (this.#framing === "close") this.#transport.close();
    // What has arrived of it stands before the next request.
    else this.#request?.close();
    return SENT;
  }

  /**
   * Gives up: ends the connection, so that the client sees a body that was cut short. After `finish` it does nothing. Never fails. Does
   * not block. Source: RFC 9112, 8.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * const writer = http.start_response(server, { status: 200 }).unwrap();
   * writer.write_all("half of").unwrap();
   * writer.close();
   * const response = http.read_response(client);
   * if (response.isErr) console.log(response.error); // connection closed before response body complete
   * ```
   */
  close(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#transport.close();
  }

  /**
   * As `close`: `using writer = ...` calls this at the end of the block. Does not block. Source: ECMAScript's explicit resource
   * management.
   *
   * @example
   * ```ts
   * import { http, UnixStream } from "std-net";
   *
   * const [client, server] = UnixStream.pair().unwrap();
   * {
   *   using writer = http.start_response(server, { status: 200 }).unwrap();
   *   writer.write_all("hello").unwrap();
   *   writer.finish().unwrap();
   * } // closed here, if an exception came before finish
   * console.log(http.read_response(client).unwrap().body); // hello
   * ```
   */
  [Symbol.dispose](): void {
    this.close();
  }
}
