/**
 * `http.open`: a request whose response's body is read piece by piece.
 */
import { INVALID_TIMEOUT } from "../../arguments.ts";
import { errorText, Failure } from "../../error.ts";
import { TIMED_OUT } from "../../json.ts";
import type { ByteStream } from "../../net/byte-stream.ts";
import { Result } from "../../result.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { traced } from "../../trace.ts";
import { BodyReader } from "../message/body-reader.ts";
import { type BodyOrigin, IncomingBody } from "../message/incoming-body.ts";
import type { Input } from "../message/input.ts";
import { readTimeoutOf } from "../message/read-options.ts";
import { refusal } from "../message/reader.ts";
import { codingsOf, mostBytesOf } from "../wire/content-coding.ts";
import type { Field, Headers } from "../wire/fields.ts";
import type { ResponseHead } from "../wire/head-parser.ts";
import { acceptEncodingLine } from "../wire/head-writer.ts";
import { DEFAULT_SECTION_LIMITS } from "../wire/limits.ts";
import { MessageError } from "../wire/message-error.ts";
import { PiecewiseDecoder, piecewiseCodings } from "../wire/piecewise-decoder.ts";
import { opensTunnel } from "../wire/status.ts";
import { Call } from "./call.ts";
import { giveBack, type OwnReader, takeReader } from "./exchange.ts";
import { type ClientRequest, readSettings, type Settings } from "./request-options.ts";

/**
 * A request for `http.open`: every field of `http.request`, and how long a read may wait. `max_body_bytes` has no default here, and
 * `decode_body` changes nothing.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const request: http.OpenRequest = { method: "GET", url: "http://127.0.0.1:8080/file", read_timeout_ms: 10_000 };
 * const response = http.open(request).unwrap();
 * console.log(response.status); // 200
 * response.body.close();
 * ```
 */
export interface OpenRequest extends ClientRequest {
  /** Milliseconds for the call, which ends with the response's head (default 300000); null is no limit. */
  timeout_ms?: number | null;
  /** The longest silence while the body is read, in milliseconds (default 300000); null is no limit. */
  read_timeout_ms?: number | null;
}

/**
 * A response whose body is read piece by piece.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const response: http.OpenResponse = http.open({ method: "GET", url: "http://127.0.0.1:8080/" }).unwrap();
 * const { status, headers, body } = response;
 * console.log(status, headers["content-type"], body.read_to_end().unwrap().length > 0); // 200 application/json true
 * ```
 */
export interface OpenResponse {
  /** The three digits of the status line: 200, 404. */
  status: number;
  /**
   * Values by lower-case name; lines of one name joined with `, `. Content-Encoding and Content-Length are left out when the body
   * reader undoes the coding.
   */
  headers: Headers;
  /** The field lines as they came, in their order; only when `raw_headers: true` asks for them. */
  raw_headers?: Field[];
  /** The body. Read it to its end, or close it. */
  body: BodyReader;
}

/**
 * Sends an HTTP/1.1 request as `http.request` does (redirects, proxies, TLS, kept connections), and gives the response as soon as its
 * head has come. The body is then read piece by piece, in constant memory: a file of any size, or lines and events as they arrive.
 *
 * Blocks until the head of the response has come, at most `timeout_ms`. From then on each wait of a read is limited by
 * `read_timeout_ms`, and there is no limit for all of them. The connection is nobody else's until the body was read to its end or
 * closed; a reader that is dropped closes it when it is collected.
 *
 * 101 is a response here when the request asks for it by `upgrade`; `into_stream` then gives the connection, as after a 2xx in
 * response to CONNECT.
 *
 * @param req at least `method` and `url`
 * @returns the response. Errors: those of `http.request`, those of a body that is too large or of an unknown coding among them where
 * the head tells; and `timeout must be a positive number` for `read_timeout_ms`. Source: RFC 9110; RFC 9112.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const { status, body } = http.open({ method: "GET", url: "http://127.0.0.1:8080/" }).unwrap();
 * const buffer = Buffer.alloc(65536);
 * let size = 0;
 * for (let count = body.read_into(buffer).unwrap(); count > 0; count = body.read_into(buffer).unwrap()) size += count;
 * console.log(status, size > 0); // 200 true
 * ```
 */
export function open(req: OpenRequest): Result<OpenResponse, string> {
  return openTraced(req);
}

const openTraced = traced("http.open", openPlain);

function openPlain(req: OpenRequest): Result<OpenResponse, string> {
  let settings: Settings | Failure;
  let readTimeout: number | undefined;
  try {
    settings = readSettings(req, monotonicTime, true);
    readTimeout = readTimeoutOf(req);
  } catch (thrown) {
    // A getter or a proxy's trap.
    return Result.err(`request cannot be read: ${errorText(thrown)}`);
  }
  if (settings instanceof Failure) {
    const { reason } = settings;
    return Result.err(reason === TIMED_OUT ? `http request failed: ${reason}` : reason);
  }
  if (readTimeout === undefined) return Result.err(INVALID_TIMEOUT);
  const response = exchange({ ...settings, acceptEncoding: acceptEncodingOf(settings.fields) }, readTimeout);
  return response instanceof Failure
    ? Result.err(`http request failed: ${response.reason}`)
    : Result.ok(response);
}

/** Events are to arrive one by one: a server's or proxy's compressor would hold them back. */
function acceptEncodingOf(fields: readonly Field[]): string {
  const wantsEvents = fields.some(
    ([name, value]) => name.toLowerCase() === "accept" && /text\/event-stream/i.test(value),
  );
  return wantsEvents ? "" : acceptEncodingLine(piecewiseCodings());
}

function exchange(settings: Settings, readTimeout: number): OpenResponse | Failure {
  const reader = takeReader();
  let isOpen = false;
  try {
    const call = new Call(settings, reader, true);
    // The connections are blocking ones, so it goes to the end.
    call.advance();
    const outcome = call.outcome as ResponseHead | Failure;
    if (outcome instanceof Failure) return outcome;
    const body = beginBody(call, reader, outcome, settings.maxBodyBytes, readTimeout);
    if (body instanceof Failure) {
      call.connection.abandon();
      return body;
    }
    isOpen = true;
    call.connection.closeWhenDropped();
    const { status, headers, fields } = outcome;
    const response: OpenResponse = { status, headers, body: new BodyReader(body) };
    if (settings.keepFields) response.raw_headers = [...fields];
    return response;
  } finally {
    if (!isOpen) giveBack(reader);
  }
}

function beginBody(
  call: Call,
  reader: OwnReader,
  head: ResponseHead,
  most: number,
  readTimeout: number,
): IncomingBody | Failure {
  const error = reader.beginBody(head, call.method, mostBytesOf(head, most), DEFAULT_SECTION_LIMITS);
  if (error instanceof MessageError) return new Failure(refusal("response", error, most));
  const decoder = reader.body.isDone ? null : decoderOf(head);
  if (decoder instanceof Failure) return decoder;
  return new IncomingBody(new OpenedConnection(call, reader, head), decoder, most, readTimeout);
}

/** What undoes the codings of this head's body, null for none; or why that cannot be. The fields that tell of them are removed. */
export function decoderOf(head: ResponseHead): PiecewiseDecoder | null | Failure {
  const codings = codingsOf(head);
  if (codings.length === 0) return null;
  const decoder = PiecewiseDecoder.create(codings);
  if (!(decoder instanceof Failure)) {
    // They tell of the body as it came, not as it is handed out.
    delete head.headers["content-encoding"];
    delete head.headers["content-length"];
  }
  return decoder;
}

/** A connection of the client's own while its response's body is read. */
class OpenedConnection implements BodyOrigin {
  readonly kind = "response";
  readonly endsWhenLate = true;
  readonly #call: Call;
  readonly #reader: OwnReader;
  /** Whether it has become another protocol's. */
  #isSwitched: boolean;

  constructor(call: Call, reader: OwnReader, head: ResponseHead) {
    this.#call = call;
    this.#reader = reader;
    this.#isSwitched = head.status === 101 || opensTunnel(head.status, call.method);
  }

  get body(): OwnReader["body"] {
    return this.#reader.body;
  }

  get input(): Input {
    return this.#reader.input;
  }

  get source(): BodyOrigin["source"] {
    return this.#call.source;
  }

  finished(): void {
    if (this.#isSwitched) return;
    this.#call.release();
    giveBack(this.#reader);
  }

  abandoned(): void {
    this.#call.connection.abandon();
    giveBack(this.#reader);
  }

  closed(): void {
    if (!this.#isSwitched) return;
    this.#isSwitched = false;
    this.#call.connection.close();
    giveBack(this.#reader);
  }

  intoStream(): ByteStream | Failure {
    if (!this.#isSwitched) return NOT_SWITCHED;
    this.#isSwitched = false;
    const { bytes, start, end } = this.#reader.input;
    const stream = this.#call.connection.intoStream(this.#call.isUnix, bytes.subarray(start, end));
    giveBack(this.#reader);
    return stream as ByteStream;
  }
}

export const NOT_SWITCHED = new Failure("the response switches to no other protocol");
