/**
 * The client's halves of an exchange, on a connection that the caller keeps: a request onto a stream, a response off
 * it, and no byte more.
 */

import type { Transport } from "../../engine/transport.ts";
import { errorText, Failure } from "../../error.ts";
import { error_code } from "../../error-code.ts";
import { type Claimed, type Json, TIMED_OUT } from "../../json.ts";
import { type ByteStream, transportOf } from "../../net/byte-stream.ts";
import { Result, type Unit } from "../../result.ts";
import { traced } from "../../trace.ts";
import type { BodyParts } from "../message/body-parts.ts";
import type { Encoded } from "../message/encode.ts";
import { defaultSettings, type ReadOptions, readOptions } from "../message/read-options.ts";
import { StreamResponseReader } from "../message/response-reader.ts";
import { MessageWriter } from "../message/writer.ts";
import { DEFAULT_RESPONSE_BODY_BYTES, MOST_UNANSWERED } from "../wire/limits.ts";
import { encodeRequest } from "./request-bytes.ts";
import { type ClientRequest, readSettings } from "./request-options.ts";
import { type ClientResponse, responseOf } from "./response.ts";

/**
 * What `read_response` allows.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const options: http.ReadResponseOptions = { timeout_ms: 5000, decode_body: "base64" };
 * server.write_all("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\0\x01\x02");
 * console.log(http.read_response(client, options).map((response) => response.body).unwrapOr(null)); // AAEC
 * ```
 */
export interface ReadResponseOptions extends ReadOptions {
  /** Bytes of the body, the codings undone (default 67108864). */
  max_body_bytes?: number;
  /** Milliseconds for the call, which reads the whole response; null (the default) is no limit. */
  timeout_ms?: number | null;
}

/**
 * Sends one HTTP/1.1 request on a connection, in one piece where the system takes it. Several may be sent before
 * the first response is read.
 *
 * Blocks until the system has taken all of it. The request is made as `http.request` makes it; of its fields only
 * `method`, `url` (whose host becomes the Host field), `headers`, the body and `keep_alive` matter here. In
 * non-blocking mode the error is EAGAIN when the system does not take all of it. Call it again with the same request
 * object when the stream is writable: what is left is sent then.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param request at least `method` and `url`
 * @returns Errors, nothing being sent: `invalid tcp stream`, and those of the checks in `http.request`. In sending:
 * `http write failed: ` and the system's reason. Source: RFC 9112.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * http.write_request(client, { method: "PUT", url: "http://example/notes/7", body: "buy milk" }).unwrap();
 * const request = http.read_request(server).unwrap();
 * console.log(request.method, request.path, request.body, request.headers.host); // PUT /notes/7 buy milk example
 * ```
 */
export function write_request(stream: ByteStream, request: ClientRequest): Result<Unit, string> {
  return writeTraced(stream, request);
}

const writeTraced = traced("http.write_request", writePlain);

function writePlain(stream: ByteStream, request: ClientRequest): Result<Unit, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const conversation = conversationOn(transport);
  const { writer, unanswered } = conversation;
  if (conversation.upload !== null) {
    return conversation.upload.request === request
      ? sendParts(conversation, transport)
      : Result.err(NOT_SENT);
  }
  let failure: number;
  let parts: BodyParts | null | undefined;
  if (writer.hasBegun(request)) {
    failure = writer.finish();
  } else {
    let encoded: Encoded;
    let method: string;
    try {
      const settings = readSettings(request);
      if (settings instanceof Failure) return Result.err(settings.reason);
      encoded = encodeRequest(settings, STRAIGHT, settings.keepAlive);
      method = settings.method;
      parts = settings.parts;
    } catch (thrown) {
      // A getter or a proxy's trap.
      return Result.err(`request cannot be read: ${errorText(thrown)}`);
    }
    failure = writer.finish();
    if (failure === 0) {
      failure = writer.send(encoded.bytes, encoded.length, request);
      if (failure === 0 || writer.hasBegun(request)) unanswered.push(method);
      if (unanswered.length > MOST_UNANSWERED) unanswered.shift();
      if (parts && (failure === 0 || writer.hasBegun(request))) {
        conversation.upload = { request, parts, piece: null };
        return sendParts(conversation, transport);
      }
    }
  }
  if (failure === 0) return SENT;
  return Result.err(`http write failed: ${transport.reason(failure)}`);
}

const SENT: Result<Unit, string> = Result.ok();
const NOT_SENT = "http write failed: the request before is not sent to its end";

/** Sends what is left of a request's parts. */
function sendParts(conversation: Conversation, transport: Transport): Result<Unit, string> {
  const { writer } = conversation;
  const upload = conversation.upload!;
  const { request, parts } = upload;
  let failure = writer.finish();
  while (failure === 0) {
    upload.piece ??= parts.next();
    const { piece } = upload;
    if (piece === null || piece instanceof Failure) {
      conversation.upload = null;
      if (piece === null) return SENT;
      // Nobody can tell the server where the request would have ended.
      transport.close();
      return Result.err(`http write failed: ${piece.reason}`);
    }
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    failure = writer.send(bytes, bytes.length, request);
    if (failure === 0 || writer.hasBegun(request)) upload.piece = null;
  }
  const reason = transport.reason(failure);
  if (!transport.wouldBlock(failure) && error_code(reason) !== "EINTR") {
    conversation.upload = null;
    parts.close();
  }
  return Result.err(`http write failed: ${reason}`);
}
const STRAIGHT = { absoluteForm: false, proxyAuthorization: null, tunnel: null };

/**
 * Reads one HTTP/1.1 or HTTP/1.0 response from a connection, and no byte more: what follows it stays on the stream, for
 * the next `read_response` or `read`.
 *
 * Blocks until the whole response has come. It belongs to the first request of `write_request` that has none yet (to a HEAD
 * there is no body; without a request that was written here it is read as a GET's). Interim responses are passed over;
 * 101 is a response without a body, and what follows it belongs to the other protocol. In non-blocking mode the error is
 * EAGAIN while the response is not whole; what came of it is kept, also past a timeout, and the next call goes on there.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param options limits, a timeout, and what the body becomes
 * @typeParam T what the caller takes the body for. It is a claim and not a check: whatever the peer sends is given as a `T`.
 * @returns the response, as from `http.request`. Errors: `invalid tcp stream`; `connection closed before response headers`;
 * `connection closed before response body complete`; `http headers too large`; `invalid Content-Length header`; `response
 * body too large ...`; `response body is not utf-8`; `invalid http response: ` and what is wrong; `http read failed: ` and the
 * system's reason or `timed out`; and what is wrong with an option. After an error in the response itself every later call
 * on the stream gives that error. Source: RFC 9112.
 *
 * @example
 * ```ts
 * import { http, TcpStream } from "std-net";
 *
 * const stream = TcpStream.connect("127.0.0.1:8080").unwrap();
 * for (const path of ["/one", "/two"]) { // both requests first, then both responses
 *   http.write_request(stream, { method: "GET", url: `http://127.0.0.1:8080${path}` }).unwrap();
 * }
 * console.log(http.read_response(stream).unwrap().status); // 200
 * console.log(http.read_response(stream).unwrap().status); // 200
 * stream.close();
 * ```
 */
export function read_response(
  stream: ByteStream,
  options: ReadResponseOptions & { decode_body: "bytes" },
): Result<ClientResponse<Buffer>, string>;
export function read_response<T = Json>(
  stream: ByteStream,
  options?: ReadResponseOptions,
): Result<ClientResponse<Claimed<T>>, string>;
// ReturnType<typeof read_response> looks at the last overload. With a T in it, the body there would be unknown.
export function read_response(
  stream: ByteStream,
  options?: ReadResponseOptions,
): Result<ClientResponse, string>;
export function read_response(
  stream: ByteStream,
  options?: ReadResponseOptions,
): Result<ClientResponse<unknown>, string> {
  return readTraced(stream, options);
}

const readTraced = traced("http.read_response", readPlain);

function readPlain(
  stream: ByteStream,
  options: ReadResponseOptions | undefined,
): Result<ClientResponse<unknown>, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const settings = readOptions(options, DEFAULTS);
  if (settings instanceof Failure) return Result.err(settings.reason);
  const conversation = conversationOn(transport);
  const received = conversation.reader.read(settings, conversation.unanswered[0] ?? "GET");
  if (received instanceof Failure) return Result.err(received.reason);
  conversation.unanswered.shift();
  const response = responseOf(received.head, received.body, settings, received.deadline);
  if (!(response instanceof Failure)) return Result.ok(response);
  const { reason } = response;
  return Result.err(reason === TIMED_OUT ? `http read failed: ${reason}` : reason);
}

const DEFAULTS = defaultSettings(DEFAULT_RESPONSE_BODY_BYTES);

/** What is known of a connection that the caller keeps. */
interface Conversation {
  readonly writer: MessageWriter;
  readonly reader: StreamResponseReader;
  /** The methods of the requests that have no response yet: a response's framing depends on it. */
  readonly unanswered: string[];
  /** The request whose parts are not all sent. */
  upload: Upload | null;
}

interface Upload {
  readonly request: ClientRequest;
  readonly parts: BodyParts;
  /** The next piece, of which nothing has gone out. */
  piece: Uint8Array | null | Failure;
}

const conversations = new WeakMap<Transport, Conversation>();

export function conversationOn(transport: Transport): Conversation {
  let conversation = conversations.get(transport);
  if (conversation === undefined) {
    conversation = {
      writer: new MessageWriter(transport),
      reader: new StreamResponseReader(transport),
      unanswered: [],
      upload: null,
    };
    conversations.set(transport, conversation);
  }
  return conversation;
}
