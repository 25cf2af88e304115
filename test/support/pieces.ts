// A transport without a network: the bytes come in given pieces, and what is sent goes nowhere.
import type { Transport } from "../../src/engine/transport.ts";

/** What a Pieces says when it would have to wait, in place of EAGAIN. */
const WOULD_BLOCK = -11;

/**
 * A connection on which these pieces come, one for each call of `receive`, and then its end. With `pauses` it is a non-blocking
 * one, which has nothing before each piece: what has to wait is tried again after `resume`.
 */
export class Pieces {
  readonly nonblocking: boolean;
  isReadInPart = false;
  /** How often it had to wait. */
  pauses = 0;
  readonly #pieces: Buffer[];
  #isPaused: boolean;

  constructor(pieces: readonly Buffer[], pauses = false) {
    this.#pieces = pieces.filter((piece) => piece.length > 0);
    this.nonblocking = pauses;
    this.#isPaused = pauses;
  }

  /** As a transport, for what uses no more of it than is here. */
  get transport(): Transport {
    return this as unknown as Transport;
  }

  /** The next piece comes. */
  resume(): void {
    this.#isPaused = false;
  }

  /** What was not received. */
  get rest(): Buffer {
    return Buffer.concat(this.#pieces);
  }

  pending(): number {
    return this.#isPaused || this.nonblocking ? 0 : (this.#pieces[0]?.length ?? 0);
  }

  isQuiet(): boolean {
    return this.#isPaused;
  }

  send(_source: Uint8Array, length: number): number {
    return length;
  }

  receive(target: Uint8Array, length: number): number {
    const count = this.peek(target, length);
    if (count <= 0) return count;
    const piece = this.#pieces[0]!;
    if (count < piece.length) {
      this.#pieces[0] = piece.subarray(count);
    } else {
      this.#pieces.shift();
      this.#isPaused = this.nonblocking;
    }
    return count;
  }

  /** What a call gives that would have to wait. */
  wait(): number {
    this.pauses++;
    return WOULD_BLOCK;
  }

  peek(target: Uint8Array, length: number): number {
    if (this.#isPaused) return this.wait();
    const piece = this.#pieces[0];
    if (piece === undefined) return 0;
    const count = Math.min(length, piece.length);
    target.set(piece.subarray(0, count));
    return count;
  }

  unreceive(bytes: Uint8Array): void {
    this.#pieces.unshift(Buffer.from(bytes));
    this.#isPaused = false;
  }

  reason(): string {
    return "Resource temporarily unavailable (os error 11)";
  }

  wouldBlock(failure: number): boolean {
    return failure === WOULD_BLOCK;
  }
}
