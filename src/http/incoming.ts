/**
 * One request off a transport, and no byte more. What has been read of a request that is not whole yet stays
 * here, so that a non-blocking program (or one whose read timed out) goes on where it was.
 */
import type { Transport } from "../stream.ts";
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

export class RequestReader {
  readonly #transport: Transport;
  readonly #search = new HeadSearch();
  /** Bytes of the head that were taken from the transport while its end was not there; undefined: none. */
  #held: ByteCollector | undefined;
  #head: RequestHead | undefined;
  #body: PendingBody | undefined;
  #owesContinue = false;
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
    scratch ??= Buffer.allocUnsafeSlow(BODY_PIECE);
    const transport = this.#transport;
    for (;;) {
      const count = transport.peek(scratch, HEAD_PIECE, this.idle ? firstDeadline : deadline);
      if (count <= 0) return count;
      const held = this.#held;
      const before = held?.length ?? 0;
      let view = scratch;
      if (held !== undefined) {
        held.append(scratch, 0, count);
        view = held.bytes();
      }
      const head = parseRequestHead(view, 0, before + count, this.#search, limits.section, limits.keepFields);
      if (head === undefined) {
        if (held === undefined) {
          this.#held = new ByteCollector(2 * count);
          this.#held.append(scratch, 0, count);
          this.#begunAt = performance.now();
        }
        const failure = this.#take(count, deadline);
        if (failure !== undefined) return failure;
        continue;
      }
      if (head instanceof MessageError) return this.#give(head, count, deadline);
      return this.#headEnded(head, head.size - before, count, limits, deadline);
    }
  }

  /** The head ends after `headBytes` of the `count` bytes that were seen: decides what to take together with it. */
  #headEnded(
    head: RequestHead,
    headBytes: number,
    count: number,
    limits: ReadLimits,
    deadline: number,
  ): IncomingRequest | MessageError | number | undefined {
    const framing = requestFraming(head);
    if (framing instanceof MessageError) return this.#give(framing, count, deadline);
    const length = framing.kind === "length" ? framing.length : 0;
    if (length > limits.maxBodyBytes) return this.#give(BODY_TOO_LARGE, count, deadline);
    const isWhole = framing.kind !== "chunked" && headBytes + length <= count;
    const failure = this.#take(isWhole ? headBytes + length : headBytes, deadline);
    if (failure !== undefined) return failure;
    if (isWhole) {
      const body = length === 0 ? NO_BYTES : (scratch as Buffer).subarray(headBytes, headBytes + length);
      return this.#complete(head, body);
    }

    if (this.#held === undefined) this.#begunAt = performance.now();
    this.#head = head;
    this.#body =
      framing.kind === "chunked"
        ? new ChunkedDecoder(limits.maxBodyBytes, limits.section)
        : { length, bytes: new ByteCollector(Math.min(length, BODY_PIECE)) };
    // RFC 9110, 10.1.1: not to an HTTP/1.0 client, and needless once the body has begun to come.
    this.#owesContinue =
      count === headBytes && head.version === "HTTP/1.1" && /^100-continue$/i.test(head.headers.expect ?? "");
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
      // The buffer grows with what came, not with what the client announced.
      const room = bytes.room(Math.min(length - bytes.length, BODY_PIECE));
      const count = this.#transport.receive(room, Math.min(room.length, length - bytes.length), deadline);
      if (count <= 0) return count;
      bytes.length += count;
    }
    return undefined;
  }

  #readChunks(decoder: ChunkedDecoder, deadline: number): MessageError | number | undefined {
    scratch ??= Buffer.allocUnsafeSlow(BODY_PIECE);
    while (!decoder.done) {
      const count = this.#transport.peek(scratch, BODY_PIECE, deadline);
      if (count <= 0) return count;
      const used = decoder.decode(scratch, 0, count);
      if (typeof used !== "number") return this.#give(used, count, deadline);
      const failure = this.#take(used, deadline);
      if (failure !== undefined) return failure;
    }
    return undefined;
  }

  /**
   * An error, once the bytes that were seen are taken: to close a socket with unread bytes resets the connection,
   * and the client might never read the answer that tells it what was wrong (RFC 9112, 9.6).
   */
  #give(error: MessageError, count: number, deadline: number): MessageError {
    this.#take(count, deadline);
    return error;
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
