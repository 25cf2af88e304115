import { TOO_LATE, type Transport } from "../../engine/transport.ts";
import { error_code } from "../../error-code.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { type Encoded, unshared } from "../message/encode.ts";
import type { Source } from "../message/input.ts";

/** What a request is sent on. */
export interface Line {
  readonly transport: Transport;
  /** Whether nothing has come, and no end either. Does not wait. */
  isQuiet(): boolean;
}

/** A request that is not sent in one call. What its response is read from, because more of it is sent in between. */
export interface SlowRequest extends Source {
  /** Whether no byte of it was sent, and all of them. */
  readonly isUnsent: boolean;
  readonly isWhole: boolean;
  /** To be called before others send while this waits: its bytes must not lie in memory that they use. */
  keepBytes(): void;
  /** The head of a final response has come that is no success. */
  refuse(): void;
  /** Sends until all is sent or there is something to receive: 0; or a failure. */
  sendOn(deadline: number): number;
}

/**
 * How much of it is sent at once. One send(2) can go on for as long as the peer reads, whatever its timeout: the kernel
 * counts that in ticks, and a wait shorter than a tick as none. So the clock is looked at in between.
 */
export const PIECE = 256 * 1024;
/** How long it waits for room before it looks whether a response has begun, in milliseconds. */
export const PATIENCE = 100;

/**
 * A request that is still being sent while its response comes: a server may refuse a large body without reading it, or
 * respond part by part as it reads, and reads no more until its response is read. So when there is no room for more of
 * the request and bytes have come, they are received first. A response that is whole ends the exchange (RFC 9112, 9.5).
 */
export class LargeRequest implements SlowRequest {
  readonly #line: Line;
  #request: Encoded;
  #sent = 0;
  #isBroken = false;

  constructor(line: Line, request: Encoded) {
    this.#line = line;
    this.#request = request;
  }

  get isUnsent(): boolean {
    return this.#sent === 0;
  }

  get isWhole(): boolean {
    return this.#sent === this.#request.length;
  }

  keepBytes(): void {
    this.#request = unshared(this.#request);
  }

  /** It goes on: the server may close a connection on which it was not sent to its end. */
  refuse(): void {}

  /**
   * Sends until all is sent or there is something to receive: 0; or the transport's failure. A non-blocking transport fails with
   * EAGAIN when it takes no more and nothing has come.
   */
  sendOn(deadline: number): number {
    const { transport } = this.#line;
    const { bytes, length } = this.#request;
    while (!this.isWhole && !this.#isBroken) {
      const patience = Math.min(deadline, monotonicTime() + PATIENCE);
      const piece = bytes.subarray(this.#sent, Math.min(length, this.#sent + PIECE));
      const count = transport.send(piece, piece.length, patience);
      if (count >= 0) {
        this.#sent += count;
        if (this.isWhole) return 0;
        if (monotonicTime() >= deadline) {
          this.#isBroken = true;
          return TOO_LATE;
        }
      } else if (!transport.wouldBlock(count) || monotonicTime() >= deadline) {
        // What the server said before it went can still be received.
        this.#isBroken = true;
        return count;
      }
      if (!this.#line.isQuiet()) return 0;
      if (count < 0 && transport.nonblocking) return count;
    }
    return 0;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    const { transport } = this.#line;
    const failure = this.sendOn(deadline);
    if (failure === TOO_LATE) return failure;
    if (failure < 0 && (transport.wouldBlock(failure) || isInterruption(transport, failure))) return failure;
    return transport.receive(target, length, deadline);
  }

  reason(failure: number): string {
    return this.#line.transport.reason(failure);
  }

  wouldBlock(failure: number): boolean {
    return this.#line.transport.wouldBlock(failure);
  }
}

/** Whether a signal ended the wait. */
export function isInterruption(source: Pick<Source, "reason">, failure: number): boolean {
  return error_code(source.reason(failure)) === "EINTR";
}
