/**
 * One request or one answer off a transport, and no byte more. What has been read of a message that is not whole yet
 * stays here, so that a non-blocking program (or one whose read timed out) goes on where it was.
 */

import { lastingBuffer } from "../../engine/scratch.ts";
import type { Transport } from "../../engine/transport.ts";
import { TOO_LATE } from "../../engine/transport.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import {
  BODY_TOO_LARGE,
  ByteCollector,
  ChunkedDecoder,
  type Framing,
  requestFraming,
  responseFraming,
} from "../wire/body.ts";
import { mostBytesOf } from "../wire/content-coding.ts";
import { expectsContinue, type SectionLimits } from "../wire/fields.ts";
import {
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
} from "../wire/head-parser.ts";
import { HeadSearch } from "../wire/head-search.ts";
import { MessageError } from "../wire/message-error.ts";

/** What one read of a message allows and keeps. */
export interface ReadLimits {
  readonly section: SectionLimits;
  readonly maxBodyBytes: number;
  readonly keepFields: boolean;
  /** Milliseconds for the whole message; Infinity is none. */
  readonly timeout: number;
}

export interface Incoming<Head> {
  readonly head: Head;
  /** The body's bytes, the chunked coding undone. They may lie in a buffer that the next read overwrites. */
  readonly body: Buffer;
  /** When the time is over for what is still made of it. */
  readonly deadline: number;
}

/** Sends the interim answer that a client waits for before it sends the body: 0, or the transport's failure. */
export type SendContinue = (deadline: number) => number;

/** How much is looked at for a head's end: more than most heads have, so that one look is enough. */
const HEAD_PIECE = 8 * 1024;
/** How much of a body is taken at once. */
const BODY_PIECE = 64 * 1024;

/** Of the thread: a message is read in one go or its bytes are copied out. */
let scratch: Buffer | undefined;

const NO_BYTES = Buffer.alloc(0);

/** A body that is being read: by its chunks, or so many bytes, or all that come up to the end of the stream. */
type PendingBody = ChunkedDecoder | SizedBody;

interface SizedBody {
  /** Infinity where the end of the stream is its end. */
  readonly length: number;
  readonly most: number;
  readonly bytes: ByteCollector;
}

/** What is to be read of a body; undefined where that is nothing. */
function pendingBody(
  framing: Framing,
  most: number,
  section: SectionLimits,
  allowBlanks: boolean,
): PendingBody | undefined {
  switch (framing.kind) {
    case "none":
      return undefined;
    case "chunked":
      return new ChunkedDecoder(most, section, allowBlanks);
    case "length":
      return {
        length: framing.length,
        most,
        bytes: new ByteCollector(Math.min(framing.length, BODY_PIECE)),
      };
    case "close":
      return { length: Number.POSITIVE_INFINITY, most, bytes: new ByteCollector() };
  }
}

/** Takes bytes that were seen: they are there. A failure (or 0, end of stream) all the same, or undefined. */
function take(transport: Transport, length: number, deadline: number): number | undefined {
  const target = scratch as Buffer;
  let taken = transport.receive(target, length, deadline);
  while (taken < length) {
    if (taken <= 0) return taken;
    const count = transport.receive(target.subarray(taken), length - taken, deadline);
    if (count <= 0) return count;
    taken += count;
  }
  return undefined;
}

/** Reads on until the body is whole. Its bytes; an error; or the transport's failure (0: end of stream). */
function receiveBody(
  transport: Transport,
  body: PendingBody,
  deadline: number,
): Buffer | MessageError | number {
  if (!(body instanceof ChunkedDecoder)) return receiveSized(transport, body, deadline);
  scratch ??= lastingBuffer(BODY_PIECE);
  while (!body.done) {
    const count = transport.peek(scratch, BODY_PIECE, deadline);
    if (count <= 0) return count;
    const used = body.decode(scratch, 0, count);
    const isMalformed = typeof used !== "number";
    const failure = take(transport, isMalformed ? count : used, deadline);
    if (isMalformed) return used;
    if (failure !== undefined) return failure;
    if (!body.done && monotonicTime() >= deadline) return TOO_LATE;
  }
  return body.body.bytes();
}

function receiveSized(
  transport: Transport,
  { length, most, bytes }: SizedBody,
  deadline: number,
): Buffer | MessageError | number {
  const end = Math.min(length, most + 1);
  while (bytes.length < end) {
    // The buffer grows with what came (to four times that at most), not with what the peer announced.
    const room = bytes.room(Math.min(end - bytes.length, Math.max(BODY_PIECE, 3 * bytes.length)));
    const count = transport.receive(room, Math.min(room.length, end - bytes.length), deadline);
    if (count === 0 && length === Number.POSITIVE_INFINITY) break;
    if (count <= 0) return count;
    bytes.length += count;
    if (bytes.length < end && monotonicTime() >= deadline) return TOO_LATE;
  }
  return bytes.length > most ? BODY_TOO_LARGE : bytes.bytes();
}

/** What is kept of a message between calls, and the words for what can go wrong. */
abstract class MessageReader<Head> {
  protected readonly transport: Transport;
  readonly #kind: "request" | "response";
  protected readonly search = new HeadSearch();
  /** Bytes of the head that were taken from the transport while its end was not there; undefined: none. */
  protected held: ByteCollector | undefined;
  protected head: Head | undefined;
  protected body: PendingBody | undefined;
  /** Why nothing more can be read: nobody knows where the next message would begin. */
  protected refusal: string | undefined;

  constructor(transport: Transport, kind: "request" | "response") {
    this.transport = transport;
    this.#kind = kind;
  }

  protected refuse(error: MessageError): string {
    const reason = error === BODY_TOO_LARGE ? `${this.#kind} body too large` : error.reason;
    this.refusal = error.kind === "syntax" ? `invalid http ${this.#kind}: ${reason}` : reason;
    this.forget();
    return this.refusal;
  }

  protected failure(count: number, deadline: number): string {
    if (count === 0) {
      const missing = this.head === undefined ? "headers" : "body complete";
      return `connection closed before ${this.#kind} ${missing}`;
    }
    this.transport.isReadInPart = this.held !== undefined || this.head !== undefined;
    const isLate = count === TOO_LATE || (this.transport.wouldBlock(count) && monotonicTime() >= deadline);
    return `http read failed: ${isLate ? "timed out" : this.transport.reason(count)}`;
  }

  protected forget(): void {
    this.search.reset();
    this.held = undefined;
    this.head = undefined;
    this.body = undefined;
    this.transport.isReadInPart = false;
  }
}

/** The bytes at the start of the scratch buffer, and whether they are still on the stream too. */
interface Piece {
  readonly count: number;
  readonly isTaken: boolean;
}

export class RequestReader extends MessageReader<RequestHead> {
  #owesContinue = false;
  /**
   * The size of the next request, when the last two had that size and nothing came with them; 0: not known. A client
   * that keeps a connection mostly sends the same again, and what has a known size can be taken without a look:
   * one system call less. A guess that took too much gives it back (`unreceive`).
   */
  #expectedSize = 0;
  #lastSize = 0;
  /** When the first bytes of the present request came, on monotonicTime()'s clock. */
  #begunAt = 0;

  constructor(transport: Transport) {
    super(transport, "request");
  }

  /** True between requests: nothing of the next one was taken, save empty lines before it. */
  get idle(): boolean {
    return this.head === undefined && (this.held === undefined || this.search.blank === this.held.length);
  }

  /**
   * The next request, or the text of an error. Waits until it is whole, but for its first byte only if `wait`.
   * After an error of the transport the next call goes on; after any other it gives the same error again.
   */
  read(limits: ReadLimits, wait: boolean, sendContinue: SendContinue): Incoming<RequestHead> | string {
    if (this.refusal !== undefined) return this.refusal;
    const deadline = this.#deadline(limits.timeout);
    let result = this.head === undefined ? this.#readHead(limits, wait ? deadline : 0, deadline) : undefined;
    if (result === undefined) result = this.#readBody(deadline, sendContinue);
    if (result instanceof MessageError) return this.refuse(result);
    if (typeof result !== "number") return result;
    // The peer said that its last request was its last one: nothing is there, and nothing will come.
    if (!wait && this.idle && this.transport.wouldBlock(result)) {
      return "connection closed before request headers";
    }
    return this.failure(result, deadline);
  }

  #deadline(timeout: number): number {
    if (timeout === Number.POSITIVE_INFINITY) return timeout;
    return (this.idle ? monotonicTime() : this.#begunAt) + timeout;
  }

  #complete(head: RequestHead, body: Buffer, deadline: number): Incoming<RequestHead> {
    this.forget();
    return { head, body, deadline };
  }

  /**
   * Looks (peek) for the end of the head and takes exactly that. As long as the end is not there, all that was
   * seen belongs to the head and is taken, so that the next look waits for more.
   *
   * Gives the request when its body came along, undefined when a body is to be read, an error, or the
   * transport's failure (0: end of stream).
   */
  #readHead(
    limits: ReadLimits,
    firstDeadline: number,
    deadline: number,
  ): Incoming<RequestHead> | MessageError | number | undefined {
    scratch ??= lastingBuffer(BODY_PIECE);
    const transport = this.transport;
    for (;;) {
      const held = this.held;
      const isTaken = held === undefined && this.#expectedSize > 0;
      const count = isTaken
        ? transport.receive(scratch, this.#expectedSize, firstDeadline)
        : transport.peek(scratch, HEAD_PIECE, this.idle ? firstDeadline : deadline);
      if (count <= 0) return count;
      const piece: Piece = { count, isTaken };
      const before = held === undefined ? 0 : held.length;
      let view = scratch;
      if (held !== undefined) {
        held.append(scratch, 0, count);
        view = held.bytes();
      }
      const head = parseRequestHead(view, 0, before + count, this.search, limits.section, limits.keepFields);
      if (head instanceof MessageError) return this.#give(head, piece, deadline);
      if (head !== undefined) return this.#headEnded(head, head.size - before, piece, limits, deadline);
      if (held === undefined) {
        this.held = new ByteCollector(2 * count);
        this.held.append(scratch, 0, count);
        this.#begunAt = monotonicTime();
      }
      const failure = this.#takeOf(piece, count, deadline);
      if (failure !== undefined) return failure;
      if (monotonicTime() >= deadline) return TOO_LATE;
    }
  }

  /** The head ends after `headBytes` of the piece: decides what to take together with it. */
  #headEnded(
    head: RequestHead,
    headBytes: number,
    piece: Piece,
    limits: ReadLimits,
    deadline: number,
  ): Incoming<RequestHead> | MessageError | number | undefined {
    const framing = requestFraming(head);
    if (framing instanceof MessageError) return this.#give(framing, piece, deadline);
    const length = framing.kind === "length" ? framing.length : 0;
    if (length > limits.maxBodyBytes) return this.#give(BODY_TOO_LARGE, piece, deadline);
    const isWhole = framing.kind !== "chunked" && headBytes + length <= piece.count;
    const size = isWhole ? headBytes + length : headBytes;
    const failure = this.#takeOf(piece, size, deadline);
    if (failure !== undefined) return failure;
    if (isWhole) {
      const cameAlone = size === piece.count && this.held === undefined;
      this.#expectedSize = cameAlone && size === this.#lastSize ? size : 0;
      this.#lastSize = cameAlone ? size : 0;
      const body = length === 0 ? NO_BYTES : (scratch as Buffer).subarray(headBytes, size);
      return this.#complete(head, body, deadline);
    }

    this.#expectedSize = 0;
    if (this.held === undefined) this.#begunAt = monotonicTime();
    this.head = head;
    this.body = pendingBody(framing, limits.maxBodyBytes, limits.section, false);
    // RFC 9110, 10.1.1: not to an HTTP/1.0 client, and needless once the body has begun to come.
    this.#owesContinue =
      piece.count === headBytes && head.version === "HTTP/1.1" && expectsContinue(head.headers.expect);
    return undefined;
  }

  #readBody(deadline: number, sendContinue: SendContinue): Incoming<RequestHead> | MessageError | number {
    if (this.#owesContinue) {
      const failure = sendContinue(deadline);
      if (failure < 0) return failure;
      this.#owesContinue = false;
    }
    const bytes = receiveBody(this.transport, this.body as PendingBody, deadline);
    if (typeof bytes === "number" || bytes instanceof MessageError) return bytes;
    return this.#complete(this.head as RequestHead, bytes, deadline);
  }

  /**
   * An error, once the bytes that were seen are taken: to close a socket with unread bytes resets the connection,
   * and the client might never read the answer that tells it what was wrong (RFC 9112, 9.6).
   */
  #give(error: MessageError, piece: Piece, deadline: number): MessageError {
    this.#takeOf(piece, piece.count, deadline);
    return error;
  }

  /** Makes the first `length` bytes of a piece taken and leaves the others on the stream. A failure, or undefined. */
  #takeOf(piece: Piece, length: number, deadline: number): number | undefined {
    if (!piece.isTaken) return take(this.transport, length, deadline);
    if (length < piece.count) this.transport.unreceive((scratch as Buffer).subarray(length, piece.count));
    return undefined;
  }
}

/** Interim answers before the final one. */
const MOST_INTERIM = 32;
const TOO_MANY_INTERIM = new MessageError("limit", "too many interim responses");

export class ResponseReader extends MessageReader<ResponseHead> {
  /** Interim answers that were passed over. */
  #interim = 0;

  constructor(transport: Transport) {
    super(transport, "response");
  }

  /**
   * The next answer, to a request of this method; or the text of an error. Waits until it is whole. After an error of the
   * transport the next call goes on; after any other it gives the same error again.
   */
  read(limits: ReadLimits, method: string): Incoming<ResponseHead> | string {
    if (this.refusal !== undefined) return this.refusal;
    const deadline = monotonicTime() + limits.timeout;
    const head = this.head ?? this.#readHead(limits, method, deadline);
    if (typeof head === "number") return this.failure(head, deadline);
    if (head instanceof MessageError) return this.refuse(head);
    const body = this.body === undefined ? NO_BYTES : receiveBody(this.transport, this.body, deadline);
    if (typeof body === "number") return this.failure(body, deadline);
    if (body instanceof MessageError) return this.refuse(body);
    this.forget();
    return { head, body, deadline };
  }

  protected override forget(): void {
    super.forget();
    this.#interim = 0;
  }

  /** As for a request: looks for the head's end, and takes exactly that. Interim answers are passed over. */
  #readHead(limits: ReadLimits, method: string, deadline: number): ResponseHead | MessageError | number {
    scratch ??= lastingBuffer(BODY_PIECE);
    const { transport, search } = this;
    const { section, keepFields } = limits;
    while (this.#interim <= MOST_INTERIM) {
      const count = transport.peek(scratch, HEAD_PIECE, deadline);
      if (count <= 0) return count;
      const before = this.held?.length ?? 0;
      this.held?.append(scratch, 0, count);
      const view = this.held?.bytes() ?? scratch;
      const head = parseResponseHead(view, 0, before + count, search, section, keepFields);
      const isWhole = head !== undefined && !(head instanceof MessageError);
      if (head === undefined && this.held === undefined) {
        this.held = new ByteCollector(2 * count);
        this.held.append(scratch, 0, count);
      }
      const failure = take(transport, isWhole ? head.size - before : count, deadline);
      if (head instanceof MessageError) return head;
      if (failure !== undefined) return failure;
      if (!isWhole) {
        if (monotonicTime() >= deadline) return TOO_LATE;
        continue;
      }
      this.held = undefined;
      search.reset();
      // 101 comes out without a body, as every 1xx.
      if (head.status >= 200 || head.status === 101) return this.#headEnded(head, limits, method);
      this.#interim++;
    }
    return TOO_MANY_INTERIM;
  }

  #headEnded(head: ResponseHead, limits: ReadLimits, method: string): ResponseHead | MessageError {
    const framing = responseFraming(head, method);
    if (framing instanceof MessageError) return framing;
    const most = mostBytesOf(head, limits.maxBodyBytes);
    if (framing.kind === "length" && framing.length > most) return BODY_TOO_LARGE;
    this.head = head;
    this.body = pendingBody(framing, most, limits.section, true);
    return head;
  }
}
