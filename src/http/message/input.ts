/**
 * Where the bytes of messages come from. There are two kinds: a connection that belongs to us alone is read ahead
 * (read-ahead-input.ts), and a stream of the caller's gives exactly the bytes of a message (exact-input.ts). What reads messages
 * does not know which one it has.
 */
import type { Transport } from "../../engine/transport.ts";
import { monotonicTime } from "../../runtime/clock.ts";

/** The part of a transport that messages are read from. */
export type Source = Pick<Transport, "receive" | "reason" | "wouldBlock">;

const NO_BYTES = Buffer.alloc(0);

/** Bytes that have come, as a window on memory that may move with every `fill`. */
export abstract class Input {
  bytes: Buffer = NO_BYTES;
  /** The bytes from `start` to `end` have come and are not used up. */
  start = 0;
  end = 0;
  #isFresh = true;

  /** Whether more may be received than the message that is read surely has. */
  abstract readonly readsAhead: boolean;

  /** Receives more behind `end`, in one call of the transport: how many bytes, 0 at the end of the stream, or its failure. */
  abstract fill(most: number, deadline: number): number;

  /** Receives to `target` bytes that surely belong to the message. Nothing may be in the window. Gives what `fill` gives. */
  abstract receive(target: Uint8Array, length: number, deadline: number): number;

  /** Takes what is used off the stream, and leaves there what is not. 0, or the transport's failure. */
  abstract settle(deadline: number): number;

  /** As `settle`, at the end of a message. */
  abstract finish(deadline: number): number;

  /** Counts bytes at the start of the window as used. */
  use(count: number): void {
    this.start += count;
  }

  /** Begins a call, whose first try to receive does not ask the clock. */
  beginCall(): void {
    this.#isFresh = true;
  }

  /**
   * Read before each try to receive: whether the deadline is past. A peer that sends a little every millisecond always leaves
   * something to go on with before a wait ends.
   */
  isLate(deadline: number): boolean {
    if (this.#isFresh) {
      this.#isFresh = false;
      return false;
    }
    return deadline !== Number.POSITIVE_INFINITY && monotonicTime() >= deadline;
  }
}
