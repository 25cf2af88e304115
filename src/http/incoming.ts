/**
 * One request off a transport, and no byte more. What has been read of a request that is not whole yet stays
 * here, so that a non-blocking program (or one whose read timed out) goes on where it was.
 */
import type { Transport } from "../stream.ts";
import { lastingBuffer } from "../sys/memory.ts";
import { BODY_TOO_LARGE, ByteCollector, ChunkedDecoder, requestFraming } from "./body.ts";
import type { SectionLimits } from "./fields.ts";
import { HeadSearch, MessageError, parseRequestHead, type RequestHead } from "./parser.ts";

/** What one read of a request allows and keeps. */
export interface ReadLimits {
  readonly section: SectionLimits;
  readonly maxBodyBytes: number;
  readonly keepFields: boolean;
  /** Milliseconds for the whole request; Infinity is none. */
  readonly timeout: number;
}

export interface IncomingRequest {
  readonly head: RequestHead;
  /** The body's bytes, the chunked coding undone. They may lie in a buffer that the next read overwrites. */
  readonly body: Buffer;
}

/** Sends the interim answer that a client waits for before it sends the body: 0, or the transport's failure. */
export type SendContinue = () => number;

/** How much is looked at for a head's end: more than most heads have, so that one look is enough. */
const HEAD_PIECE = 8 * 1024;
/** How much of a body is taken at once. */
const BODY_PIECE = 64 * 1024;

/** Of the thread: a request is read in one go or its bytes are copied out. */
let scratch: Buffer | undefined;

const NO_BYTES = Buffer.alloc(0);

/** A body that is being read, by its length or by its chunks. */
type PendingBody = { readonly length: number; readonly bytes: ByteCollector } | ChunkedDecoder;

/** The bytes at the start of the scratch buffer, and whether they are still on the stream too. */
interface Piece {
  readonly count: number;
  readonly isTaken: boolean;
}

export class RequestReader {
  readonly #transport: Transport;
  readonly #search = new HeadSearch();
  /** Bytes of the head that were taken from the transport while its end was not there; undefined: none. */
  #held: ByteCollector | undefined;
  #head: RequestHead | undefined;
  #body: PendingBody | undefined;
  #owesContinue = false;
  /**
   * The size of the next request, when the last two had that size and nothing came with them; 0: not known. A client
   * that keeps a connection mostly sends the same again, and what has a known size can be taken without a look:
   * one system call less. A guess that took too much gives it back (`unreceive`).
   */
  #expectedSize = 0;
  #lastSize = 0;
  /** When the first bytes of the present request came, on performance.now()'s clock. */
  #begunAt = 0;
  /** Why nothing more can be read: nobody knows where the next request would begin. */
  #refusal: string | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** True between requests: no byte of the next one was taken. */
  get idle(): boolean {
    return this.#held === undefined && this.#head === undefined;
  }

  /**
   * The next request, or the text of an error. Waits until it is whole, but for its first byte only if `wait`.
   * After an error of the transport the next call goes on; after any other it gives the same error again.
   */
  read(limits: ReadLimits, wait: boolean, sendContinue: SendContinue): IncomingRequest | string {
    if (this.#refusal !== undefined) return this.#refusal;
    const deadline = this.#deadline(limits.timeout);
    let result = this.#head === undefined ? this.#readHead(limits, wait ? deadline : 0, deadline) : undefined;
    if (result === undefined) result = this.#readBody(deadline, sendContinue);
    if (result instanceof MessageError) return this.#refuse(result);
    if (typeof result === "number") return this.#failure(result, wait, deadline);
    return result;
  }

  #deadline(timeout: number): number {
    if (timeout === Number.POSITIVE_INFINITY) return timeout;
    return (this.idle ? performance.now() : this.#begunAt) + timeout;
  }

  #refuse(error: MessageError): string {
    const reason = error === BODY_TOO_LARGE ? "request body too large" : error.reason;
    this.#refusal = error.kind === "syntax" ? `invalid http request: ${reason}` : reason;
    this.#forget();
    return this.#refusal;
  }

  #failure(count: number, wait: boolean, deadline: number): string {
    if (count === 0) {
      const missing = this.#head === undefined ? "headers" : "body complete";
      return `connection closed before request ${missing}`;
    }
    if (this.#transport.wouldBlock(count)) {
      // The peer said that its last request was its last one: nothing is there, and nothing will come.
      if (!wait && this.idle) return "connection closed before request headers";
      if (performance.now() >= deadline) return "http read failed: timed out";
    }
    return `http read failed: ${this.#transport.reason(count)}`;
  }

  #forget(): void {
    this.#search.reset();
    this.#held = undefined;
    this.#head = undefined;
    this.#body = undefined;
    this.#owesContinue = false;
  }

  #complete(head: RequestHead, body: Buffer): IncomingRequest {
    this.#forget();
    return { head, body };
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
  ): IncomingRequest | MessageError | number | undefined {
    scratch ??= lastingBuffer(BODY_PIECE);
    const transport = this.#transport;
    for (;;) {
      const held = this.#held;
      const isTaken = held === undefined && this.#expectedSize > 0;
      const count = isTaken
        ? transport.receive(scratch, this.#expectedSize, firstDeadline)
        : transport.peek(scratch, HEAD_PIECE, held === undefined ? firstDeadline : deadline);
      if (count <= 0) return count;
      const piece: Piece = { count, isTaken };
      const before = held === undefined ? 0 : held.length;
      let view = scratch;
      if (held !== undefined) {
        held.append(scratch, 0, count);
        view = held.bytes();
      }
      const head = parseRequestHead(view, 0, before + count, this.#search, limits.section, limits.keepFields);
      if (head instanceof MessageError) return this.#give(head, piece, deadline);
      if (head !== undefined) return this.#headEnded(head, head.size - before, piece, limits, deadline);
      if (held === undefined) {
        this.#held = new ByteCollector(2 * count);
        this.#held.append(scratch, 0, count);
        this.#begunAt = performance.now();
      }
      const failure = this.#takeOf(piece, count, deadline);
      if (failure !== undefined) return failure;
    }
  }

  /** The head ends after `headBytes` of the piece: decides what to take together with it. */
  #headEnded(
    head: RequestHead,
    headBytes: number,
    piece: Piece,
    limits: ReadLimits,
    deadline: number,
  ): IncomingRequest | MessageError | number | undefined {
    const framing = requestFraming(head);
    if (framing instanceof MessageError) return this.#give(framing, piece, deadline);
    const length = framing.kind === "length" ? framing.length : 0;
    if (length > limits.maxBodyBytes) return this.#give(BODY_TOO_LARGE, piece, deadline);
    const isWhole = framing.kind !== "chunked" && headBytes + length <= piece.count;
    const size = isWhole ? headBytes + length : headBytes;
    const failure = this.#takeOf(piece, size, deadline);
    if (failure !== undefined) return failure;
    if (isWhole) {
      const cameAlone = size === piece.count && this.#held === undefined;
      this.#expectedSize = cameAlone && size === this.#lastSize ? size : 0;
      this.#lastSize = cameAlone ? size : 0;
      const body = length === 0 ? NO_BYTES : (scratch as Buffer).subarray(headBytes, size);
      return this.#complete(head, body);
    }

    this.#expectedSize = 0;
    if (this.#held === undefined) this.#begunAt = performance.now();
    this.#head = head;
    this.#body =
      framing.kind === "chunked"
        ? new ChunkedDecoder(limits.maxBodyBytes, limits.section)
        : { length, bytes: new ByteCollector(Math.min(length, BODY_PIECE)) };
    // RFC 9110, 10.1.1: not to an HTTP/1.0 client, and needless once the body has begun to come.
    this.#owesContinue =
      piece.count === headBytes &&
      head.version === "HTTP/1.1" &&
      /^100-continue$/i.test(head.headers.expect ?? "");
    return undefined;
  }

  #readBody(deadline: number, sendContinue: SendContinue): IncomingRequest | MessageError | number {
    if (this.#owesContinue) {
      const failure = sendContinue();
      if (failure < 0) return failure;
      this.#owesContinue = false;
    }
    const body = this.#body as PendingBody;
    const failure =
      body instanceof ChunkedDecoder ? this.#readChunks(body, deadline) : this.#readLength(body, deadline);
    if (failure !== undefined) return failure;
    const bytes = body instanceof ChunkedDecoder ? body.body : body.bytes;
    return this.#complete(this.#head as RequestHead, bytes.bytes());
  }

  #readLength(
    body: { readonly length: number; readonly bytes: ByteCollector },
    deadline: number,
  ): number | undefined {
    const { length, bytes } = body;
    while (bytes.length < length) {
      // The buffer grows with what came (to four times that at most), not with what the client announced.
      const room = bytes.room(Math.min(length - bytes.length, Math.max(BODY_PIECE, 3 * bytes.length)));
      const count = this.#transport.receive(room, Math.min(room.length, length - bytes.length), deadline);
      if (count <= 0) return count;
      bytes.length += count;
    }
    return undefined;
  }

  #readChunks(decoder: ChunkedDecoder, deadline: number): MessageError | number | undefined {
    scratch ??= lastingBuffer(BODY_PIECE);
    while (!decoder.done) {
      const count = this.#transport.peek(scratch, BODY_PIECE, deadline);
      if (count <= 0) return count;
      const used = decoder.decode(scratch, 0, count);
      if (typeof used !== "number") return this.#give(used, { count, isTaken: false }, deadline);
      const failure = this.#take(used, deadline);
      if (failure !== undefined) return failure;
    }
    return undefined;
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
    if (!piece.isTaken) return this.#take(length, deadline);
    if (length < piece.count) this.#transport.unreceive((scratch as Buffer).subarray(length, piece.count));
    return undefined;
  }

  /** Takes bytes that were seen: they are there. A failure (or 0, end of stream) all the same, or undefined. */
  #take(length: number, deadline: number): number | undefined {
    const target = scratch as Buffer;
    let taken = this.#transport.receive(target, length, deadline);
    while (taken < length) {
      if (taken <= 0) return taken;
      const count = this.#transport.receive(target.subarray(taken), length - taken, deadline);
      if (count <= 0) return count;
      taken += count;
    }
    return undefined;
  }
}
