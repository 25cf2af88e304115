import { BODY_PARTS_FAILED, TOO_LATE } from "../../engine/transport.ts";
import type { Failure } from "../../error.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import type { BodyParts } from "../message/body-parts.ts";
import { type Encoded, unshared } from "../message/encode.ts";
import { isInterruption, type Line, PATIENCE, PIECE, type SlowRequest } from "./large-request.ts";

/**
 * A request whose body comes part by part from the caller. As with a LargeRequest, its response is received as soon as it comes.
 */
export class PartsRequest implements SlowRequest {
  readonly #line: Line;
  readonly #parts: BodyParts;
  /** What is sent now, and how much of it has gone out. */
  #piece: Uint8Array;
  #sent = 0;
  #isHead = true;
  #isWhole = false;
  #isBroken = false;
  #problem: Failure | null = null;

  constructor(line: Line, head: Encoded, parts: BodyParts) {
    this.#line = line;
    this.#parts = parts;
    // The caller's code runs before all of it is sent.
    const { bytes, length } = unshared(head);
    this.#piece = bytes.subarray(0, length);
    // Parts go out at once, also while the server has not acknowledged the one before.
    line.transport.sendAtOnce?.();
  }

  get isUnsent(): boolean {
    return this.#isHead && this.#sent === 0;
  }

  get isWhole(): boolean {
    return this.#isWhole;
  }

  keepBytes(): void {}

  /** A response refuses the request or leads elsewhere: nobody reads the rest (RFC 9112, 9.5). */
  refuse(): void {
    if (this.#isWhole) return;
    this.#isBroken = true;
    this.#parts.close();
  }

  sendOn(deadline: number): number {
    const { transport } = this.#line;
    while (!this.#isWhole && !this.#isBroken) {
      if (this.#sent === this.#piece.length && !this.#nextPiece()) break;
      const rest = this.#piece.subarray(this.#sent, this.#sent + PIECE);
      const count = transport.send(rest, rest.length, Math.min(deadline, monotonicTime() + PATIENCE));
      if (count >= 0) {
        this.#sent += count;
        if (monotonicTime() >= deadline) return this.#break(TOO_LATE);
      } else if (!transport.wouldBlock(count) || monotonicTime() >= deadline) {
        // What the server said before it went can still be received.
        return this.#break(count);
      }
      if (!this.#line.isQuiet()) return 0;
      if (count < 0 && transport.nonblocking) return count;
    }
    return this.#problem === null ? 0 : BODY_PARTS_FAILED;
  }

  #break(failure: number): number {
    this.#isBroken = true;
    this.#parts.close();
    return failure;
  }

  /** Whether there is one. */
  #nextPiece(): boolean {
    this.#isHead = false;
    const piece = this.#parts.next();
    if (piece instanceof Uint8Array) {
      this.#piece = piece;
      this.#sent = 0;
      return true;
    }
    if (piece === null) {
      this.#isWhole = true;
    } else {
      this.#problem = piece;
      this.#isBroken = true;
    }
    return false;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    const { transport } = this.#line;
    const failure = this.sendOn(deadline);
    if (failure === TOO_LATE || failure === BODY_PARTS_FAILED) return failure;
    if (failure < 0 && (transport.wouldBlock(failure) || isInterruption(transport, failure))) return failure;
    return transport.receive(target, length, deadline);
  }

  reason(failure: number): string {
    if (failure === BODY_PARTS_FAILED && this.#problem !== null) return this.#problem.reason;
    return this.#line.transport.reason(failure);
  }

  wouldBlock(failure: number): boolean {
    return failure !== BODY_PARTS_FAILED && this.#line.transport.wouldBlock(failure);
  }
}
