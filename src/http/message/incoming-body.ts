/**
 * A body that is read piece by piece, with its content codings undone, in constant memory.
 */
import { lastingBuffer } from "../../engine/scratch.ts";
import { TOO_LATE } from "../../engine/transport.ts";
import { Failure } from "../../error.ts";
import { error_code } from "../../error-code.ts";
import type { ByteStream } from "../../net/byte-stream.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { MOST_DRAINED } from "../wire/limits.ts";
import { BODY_TOO_LARGE, MessageError } from "../wire/message-error.ts";
import type { PiecewiseDecoder } from "../wire/piecewise-decoder.ts";
import type { FramedBody } from "./framed-body.ts";
import type { Input, Source } from "./input.ts";
import { cutShort, refusal } from "./reader.ts";

/** What a body came on, and what becomes of it. */
export interface BodyOrigin {
  readonly kind: "request" | "response";
  readonly body: FramedBody;
  readonly input: Input;
  readonly source: Pick<Source, "reason" | "wouldBlock">;
  /** Whether it is over once a wait has taken too long. Else the next read goes on. */
  readonly endsWhenLate: boolean;
  /** Sends what the peer waits for before it sends the body: 0, or the transport's failure. */
  readonly beforeRead?: ((deadline: number) => number) | undefined;
  /** The body was read to its end: the connection can go on. */
  finished(): void;
  /** It will never be read to its end: because of this failure, or because nobody wants it. */
  abandoned(failure: Failure | null): void;
  /** The reader was closed, whether or not the body has ended. */
  closed(): void;
  /** The stream that the connection has become, or why it has not. */
  intoStream(): ByteStream | Failure;
}

/** How much of a coded body is received at once. */
const PIECE = 64 * 1024;

const TIMED_OUT = new Failure("http read failed: timed out");

export class IncomingBody {
  /** Why nothing more can be read. Every later read gives it. */
  failure: Failure | null = null;
  readonly #origin: BodyOrigin;
  readonly #decoder: PiecewiseDecoder | null;
  readonly #most: number;
  readonly #timeout: number;
  #total = 0;
  #owesFirst: boolean;
  /** Whether the origin was told what becomes of it. */
  #isOver = false;
  #isWhole = false;
  #isDecoded = false;
  #coded: Buffer | null = null;

  /** `most`: bytes with the codings undone; `timeout`: milliseconds for each wait. */
  constructor(origin: BodyOrigin, decoder: PiecewiseDecoder | null, most: number, timeout: number) {
    this.#origin = origin;
    this.#decoder = decoder;
    this.#most = most;
    this.#timeout = timeout;
    this.#owesFirst = origin.beforeRead !== undefined;
    this.#concludeIfDone();
  }

  /** Whether the connection has brought all of it. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /**
   * The next bytes, at most `length`, to the start of `target`: how many, 0 at the end of the body, or why there are none. Waits
   * until there is one.
   */
  read(target: Uint8Array, length: number): number | Failure {
    if (this.failure !== null) return this.failure;
    const deadline =
      this.#timeout === Number.POSITIVE_INFINITY ? this.#timeout : monotonicTime() + this.#timeout;
    if (this.#isOver) {
      return this.#decoder === null || this.#isDecoded ? 0 : this.#decode(target, length, deadline);
    }
    this.#origin.input.beginCall();
    if (this.#owesFirst) {
      const failure = this.#origin.beforeRead!(deadline);
      if (failure < 0) return this.#stopped(failure, deadline);
      this.#owesFirst = false;
    }
    return this.#decoder === null
      ? this.#receive(target, length, deadline)
      : this.#decode(target, length, deadline);
  }

  /** Reads bytes as they come on the connection. */
  #receive(target: Uint8Array, length: number, deadline: number): number | Failure {
    const { body, input } = this.#origin;
    const count = body.read(target, length, deadline);
    if (this.#concludeIfDone()) return typeof count === "number" ? count : this.#stopped(count, deadline);
    input.settle(deadline);
    return typeof count === "number" && count > 0 ? count : this.#stopped(count, deadline);
  }

  #decode(target: Uint8Array, length: number, deadline: number): number | Failure {
    const decoder = this.#decoder!;
    for (;;) {
      while (decoder.isReady) {
        const made = decoder.decode(target, length);
        if (made instanceof Failure) return this.#fail(made);
        if (made > 0) return this.#counted(made);
        // Data of which nothing comes out can be of any length.
        if (deadline !== Number.POSITIVE_INFINITY && monotonicTime() >= deadline) {
          return this.#stopped(TOO_LATE, deadline);
        }
      }
      if (this.#isOver) return this.#finishDecoding();
      this.#coded ??= lastingBuffer(PIECE);
      const count = this.#receive(this.#coded, PIECE, deadline);
      if (count instanceof Failure) return count;
      if (count > 0) decoder.feed(this.#coded, 0, count);
    }
  }

  #finishDecoding(): 0 | Failure {
    const failure = this.#decoder!.finish();
    if (failure !== undefined) return this.#fail(failure);
    this.#isDecoded = true;
    this.#free();
    return 0;
  }

  #counted(made: number): number | Failure {
    this.#total += made;
    if (this.#total <= this.#most) return made;
    return this.#fail(new Failure(refusal(this.#origin.kind, BODY_TOO_LARGE, this.#most)));
  }

  #concludeIfDone(): boolean {
    if (this.#isOver || !this.#origin.body.isDone) return this.#isOver;
    this.#isOver = true;
    this.#isWhole = true;
    this.#origin.finished();
    return true;
  }

  /** What a read gives that found an error in the message, the end of the stream (0), or a failure of the transport. */
  #stopped(count: number | MessageError, deadline: number): Failure {
    const { kind, source, endsWhenLate } = this.#origin;
    if (count instanceof MessageError) return this.#fail(new Failure(refusal(kind, count, this.#most)));
    if (count === 0) return this.#fail(new Failure(cutShort(kind, true)));
    const wouldBlock = count !== TOO_LATE && source.wouldBlock(count);
    if (count === TOO_LATE || (wouldBlock && monotonicTime() >= deadline)) {
      return endsWhenLate ? this.#fail(TIMED_OUT) : TIMED_OUT;
    }
    const failure = new Failure(`http read failed: ${source.reason(count)}`);
    const goesOn = wouldBlock || error_code(failure.reason) === "EINTR";
    return goesOn ? failure : this.#fail(failure);
  }

  #fail(failure: Failure): Failure {
    this.failure = failure;
    this.#abandon(failure);
    this.#free();
    return failure;
  }

  #abandon(failure: Failure | null): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#origin.abandoned(failure);
  }

  #free(): void {
    this.#decoder?.close();
    this.#coded = null;
  }

  /**
   * Reads no more. What has arrived of the rest is read without waiting, up to MOST_DRAINED bytes: when that was all, the
   * connection can go on.
   */
  close(): void {
    if (!this.#isOver) {
      this.drain();
      this.#abandon(null);
    }
    if (this.failure === null) this.#free();
    this.failure ??= CLOSED;
    this.#origin.closed();
  }

  /** Whether all of the rest has arrived, and is at most MOST_DRAINED bytes. It stays for the next read. Does not wait. */
  hasArrived(): boolean {
    const { body, input } = this.#origin;
    if (this.#isOver) return this.#isWhole;
    input.beginCall();
    const isHere = body.lookAhead();
    while (!isHere() && input.end - input.start < MOST_DRAINED && input.fill(MOST_DRAINED, 0) > 0);
    const hasArrived = isHere();
    input.settle(0);
    return hasArrived;
  }

  /** Passes over what has arrived. Gives whether that was all. */
  drain(): boolean {
    const { body, input } = this.#origin;
    const target = lastingBuffer(PIECE);
    let left = MOST_DRAINED;
    while (!this.#isOver && left > 0) {
      input.beginCall();
      const count = body.read(target, Math.min(left, target.length), 0);
      this.#concludeIfDone();
      if (typeof count !== "number" || count <= 0) break;
      left -= count;
    }
    if (!this.#isOver) input.settle(0);
    return this.#isOver;
  }

  /** The connection as a stream, where it has become another protocol's. */
  intoStream(): ByteStream | Failure {
    return this.#origin.intoStream();
  }
}

const CLOSED = new Failure("invalid body");
