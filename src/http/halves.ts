/**
 * The client's halves of an exchange, on a connection that the caller keeps: a request onto a stream, an answer off
 * it, and no byte more.
 */
import { Result } from "true-myth/result";
import { Unit } from "true-myth/unit";
import { errorText } from "../error.ts";
import { type ByteStream, type Transport, transportOf } from "../stream.ts";
import { lastingBuffer } from "../sys/memory.ts";
import { traced } from "../trace.ts";
import { answerOf, type ClientResponse } from "./answer.ts";
import {
  BODY_TOO_LARGE,
  type BodyDecoding,
  ByteCollector,
  ChunkedDecoder,
  type Framing,
  responseFraming,
} from "./body.ts";
import { mostCodedBytes } from "./content.ts";
import type { Encoded } from "./message.ts";
import { defaultSettings, type ReadSettings, readOptions } from "./options.ts";
import { MessageWriter } from "./outgoing.ts";
import { encodeRequest } from "./outgoing-request.ts";
import { HeadSearch, MessageError, parseResponseHead, type ResponseHead } from "./parser.ts";
import { type ClientRequest, readSettings } from "./settings.ts";

/** What `read_response` allows. */
export interface ReadResponseOptions {
  /** Bytes of each head (default 65536); also of a chunked body's trailers. */
  max_header_bytes?: number;
  /** Field lines (default 128). */
  max_headers?: number;
  /** Bytes of the body, the codings undone (default 67108864). */
  max_body_bytes?: number;
  /** Milliseconds for the whole answer; null (the default) is no limit. */
  timeout_ms?: number | null;
  /** `"json"` (the default): JSON where the text is that, else the text; `"text"`; or `"base64"` for any bytes. */
  decode_body?: BodyDecoding;
  /** Adds `raw_headers` to the answer (default false). */
  raw_headers?: boolean;
}

/**
 * Sends one HTTP/1.1 request on a connection, in one piece where the system takes it. Several may be sent before
 * the first answer is read.
 *
 * Blocks until the system has taken all of it. The request is made as `http.request` makes it; of its fields only
 * `method`, `url` (whose host becomes the Host field), `headers`, the body and `keep_alive` matter here. In
 * non-blocking mode the error is EAGAIN when the system does not take all of it. Call it again with the same request
 * object when the stream is writable: what is left is sent then.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @returns Errors, nothing being sent: `invalid tcp stream`, and those of the checks in `http.request`. In sending:
 * `http write failed: ` and the system's reason. Source: RFC 9112.
 *
 * @example
 * ```ts
 * import { http, TcpStream } from "std-net";
 *
 * const stream = TcpStream.connect("127.0.0.1:8080").unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * http.write_request(stream, { method: "GET", url: "http://127.0.0.1:8080/" });
 * console.log(http.read_response(stream));
 * stream.close();
 * ```
 */
export function write_request(stream: ByteStream, request: ClientRequest): Result<Unit, string> {
  return writeTraced(stream, request);
}

const writeTraced = traced("http.write_request", writePlain);

function writePlain(stream: ByteStream, request: ClientRequest): Result<Unit, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const { writer, asked } = conversationOn(transport);
  let failure: number;
  if (writer.hasBegun(request)) {
    failure = writer.finish();
  } else {
    let encoded: Encoded;
    let method: string;
    try {
      const settings = readSettings(request);
      if (typeof settings === "string") return Result.err(settings);
      encoded = encodeRequest(settings, STRAIGHT, settings.keepAlive);
      method = settings.method;
    } catch (thrown) {
      // A getter or a proxy's trap.
      return Result.err(`request cannot be read: ${errorText(thrown)}`);
    }
    failure = writer.finish();
    if (failure === 0) {
      failure = writer.send(encoded.bytes, encoded.length, request);
      if (failure === 0 || writer.hasBegun(request)) asked.push(method);
      if (asked.length > MOST_ASKED) asked.shift();
    }
  }
  if (failure === 0) return SENT;
  return Result.err(`http write failed: ${transport.reason(failure)}`);
}

const SENT: Result<Unit, string> = Result.ok(Unit);
const STRAIGHT = { absoluteForm: false, proxyAuthorization: null, tunnel: null };

/**
 * Reads one HTTP/1.1 or HTTP/1.0 answer from a connection, and no byte more: what follows it stays on the stream, for
 * the next `read_response` or `read`.
 *
 * Blocks until the whole answer has come. It answers the first request of `write_request` that has none yet (to a HEAD
 * there is no body; without a request that was written here it is read as a GET's). Interim answers are passed over;
 * 101 is an answer without a body, and what follows it belongs to the other protocol. After an EAGAIN (in non-blocking
 * mode, or past a timeout) what came of the answer is back on the stream, and the next call begins anew with it.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @returns the answer, as from `http.request`. Errors: `invalid tcp stream`; `connection closed before response headers`;
 * `connection closed before response body complete`; `http headers too large`; `invalid Content-Length header`; `response
 * body too large`; `response body is not utf-8`; `invalid http response: ` and what is wrong; `http read failed: ` and the
 * system's reason or `timed out`; and what is wrong with an option. After an error in the answer itself every later call
 * on the stream gives that error. Source: RFC 9112.
 */
export function read_response(
  stream: ByteStream,
  options?: ReadResponseOptions,
): Result<ClientResponse, string> {
  return readTraced(stream, options);
}

const readTraced = traced("http.read_response", readPlain);

function readPlain(
  stream: ByteStream,
  options: ReadResponseOptions | undefined,
): Result<ClientResponse, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const settings = readOptions(options, DEFAULTS);
  if (typeof settings === "string") return Result.err(settings);
  const conversation = conversationOn(transport);
  if (conversation.refusal !== undefined) return Result.err(conversation.refusal);

  const method = conversation.asked[0] ?? "GET";
  const deadline = performance.now() + settings.timeout;
  const reading = new AnswerReading(transport, settings, method, deadline);
  const received = reading.read();
  if (received instanceof MessageError) {
    const reason = received === BODY_TOO_LARGE ? "response body too large" : received.reason;
    conversation.refusal = received.kind === "syntax" ? `invalid http response: ${reason}` : reason;
    return Result.err(conversation.refusal);
  }
  if (typeof received === "number") return Result.err(reading.failed(received));
  conversation.asked.shift();
  const answer = answerOf(received.head, received.body, settings);
  return typeof answer === "string" ? Result.err(answer) : Result.ok(answer);
}

const DEFAULTS = defaultSettings(64 * 1024 * 1024);

/** What is known of a connection that the caller keeps. */
interface Conversation {
  readonly writer: MessageWriter;
  /** The methods of the requests that have no answer yet: an answer's framing depends on it. */
  readonly asked: string[];
  /** Why nothing more can be read: nobody knows where the next answer would begin. */
  refusal: string | undefined;
}

/** Requests whose answers were not read by read_response; a program may read them by other means. */
const MOST_ASKED = 1000;

const conversations = new WeakMap<Transport, Conversation>();

function conversationOn(transport: Transport): Conversation {
  let conversation = conversations.get(transport);
  if (conversation === undefined) {
    conversation = { writer: new MessageWriter(transport), asked: [], refusal: undefined };
    conversations.set(transport, conversation);
  }
  return conversation;
}

/** How much is looked at or taken at once. */
const PIECE = 64 * 1024;
/** Interim answers before the final one. */
const MOST_INTERIM = 32;

let scratch: Buffer | undefined;

interface Received {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

/**
 * The reading of one answer. A head and chunks are looked at (peek) first, and then exactly what belongs to them is
 * taken. All that was taken is remembered until the answer is whole, so that it can be given back.
 */
class AnswerReading {
  readonly #transport: Transport;
  readonly #settings: ReadSettings;
  readonly #method: string;
  readonly #deadline: number;
  readonly #taken = new ByteCollector();
  readonly #scratch: Buffer;
  #head: ResponseHead | undefined;

  constructor(transport: Transport, settings: ReadSettings, method: string, deadline: number) {
    this.#transport = transport;
    this.#settings = settings;
    this.#method = method;
    this.#deadline = deadline;
    scratch ??= lastingBuffer(PIECE);
    this.#scratch = scratch;
  }

  /** The answer; what is wrong with it; or the transport's failure (0: end of stream). */
  read(): Received | MessageError | number {
    const head = this.#readHead();
    if (head instanceof MessageError || typeof head === "number") return head;
    this.#head = head;
    // 101 comes out without a body, as every 1xx.
    const framing = responseFraming(head, this.#method);
    if (framing instanceof MessageError) return framing;
    const { maxBodyBytes } = this.#settings;
    const isCoded = head.headers["content-encoding"] !== undefined;
    const body = this.#readBody(framing, isCoded ? mostCodedBytes(maxBodyBytes) : maxBodyBytes);
    return body instanceof MessageError || typeof body === "number" ? body : { head, body };
  }

  /** The error text of the transport's failure. What came of the answer goes back where it may be read again. */
  failed(failure: number): string {
    const transport = this.#transport;
    if (failure === 0) {
      return `connection closed before response ${this.#head === undefined ? "headers" : "body complete"}`;
    }
    const wouldBlock = transport.wouldBlock(failure);
    if (wouldBlock && this.#taken.length > 0) transport.unreceive(this.#taken.bytes());
    const isLate = wouldBlock && performance.now() >= this.#deadline;
    return `http read failed: ${isLate ? "timed out" : transport.reason(failure)}`;
  }

  #readHead(): ResponseHead | MessageError | number {
    const { section, keepFields } = this.#settings;
    const search = new HeadSearch();
    const taken = this.#taken;
    let start = 0;
    for (let interim = 0; interim <= MOST_INTERIM; ) {
      const count = this.#transport.peek(this.#scratch, PIECE, this.#deadline);
      if (count <= 0) return count;
      const before = taken.length;
      taken.append(this.#scratch, 0, count);
      const head = parseResponseHead(taken.bytes(), start, taken.length, search, section, keepFields);
      if (head instanceof MessageError) return head;
      const used = head === undefined ? count : start + head.size - before;
      taken.length = before;
      const failure = this.#take(used);
      if (failure !== undefined) return failure;
      if (head === undefined) continue;
      if (head.status >= 200 || head.status === 101) return head;
      start += head.size;
      search.reset();
      interim++;
    }
    return TOO_MANY_INTERIM;
  }

  #readBody(framing: Framing, maxBytes: number): Buffer | MessageError | number {
    switch (framing.kind) {
      case "none":
        return NO_BYTES;
      case "length":
        return framing.length > maxBytes ? BODY_TOO_LARGE : this.#readLength(framing.length);
      case "chunked":
        return this.#readChunks(maxBytes);
      case "close":
        return this.#readToEnd(maxBytes);
    }
  }

  #readLength(length: number): Buffer | number {
    const start = this.#taken.length;
    const failure = this.#take(length);
    return failure ?? this.#taken.bytes().subarray(start);
  }

  #readChunks(maxBytes: number): Buffer | MessageError | number {
    const decoder = new ChunkedDecoder(maxBytes, this.#settings.section, true);
    while (!decoder.done) {
      const count = this.#transport.peek(this.#scratch, PIECE, this.#deadline);
      if (count <= 0) return count;
      const used = decoder.decode(this.#scratch, 0, count);
      if (typeof used !== "number") return used;
      const failure = this.#take(used);
      if (failure !== undefined) return failure;
    }
    return decoder.body.bytes();
  }

  #readToEnd(maxBytes: number): Buffer | MessageError | number {
    const start = this.#taken.length;
    for (;;) {
      if (this.#taken.length - start > maxBytes) return BODY_TOO_LARGE;
      const room = this.#taken.room(PIECE);
      const count = this.#transport.receive(room, room.length, this.#deadline);
      if (count < 0) return count;
      if (count === 0) return this.#taken.bytes().subarray(start);
      this.#taken.length += count;
    }
  }

  /** Takes so many bytes and remembers them; the room for them grows with what comes. A failure, or undefined. */
  #take(length: number): number | undefined {
    const end = this.#taken.length + length;
    while (this.#taken.length < end) {
      const missing = end - this.#taken.length;
      const room = this.#taken.room(Math.min(missing, PIECE));
      const count = this.#transport.receive(room, Math.min(missing, room.length), this.#deadline);
      if (count <= 0) return count;
      this.#taken.length += count;
    }
    return undefined;
  }
}

const NO_BYTES = Buffer.alloc(0);
const TOO_MANY_INTERIM = new MessageError("limit", "too many interim responses");
