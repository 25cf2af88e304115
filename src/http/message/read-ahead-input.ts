import { lastingBuffer } from "../../engine/scratch.ts";
import { Input, type Source } from "./input.ts";

/** Twice the longest head, as it is by default. Pages that no byte reaches cost no memory. */
const WINDOW = 128 * 1024;

/**
 * The input of a connection that belongs to us alone: it receives as much as has come, in the usual case a whole message with one
 * system call, and the message is read where it lies.
 */
export class ReadAheadInput extends Input {
  readonly readsAhead = true;
  #source: Source | null = null;
  /** Whether any byte has come since `begin`. */
  hasBegun = false;
  /** Whether the last bytes that came left room for more: then no more had come. */
  hadRoom = false;

  /** Begins anew, with another source and an empty window. */
  begin(source: Source): void {
    this.#source = source;
    this.start = 0;
    this.end = 0;
    this.hasBegun = false;
    this.hadRoom = false;
  }

  fill(_most: number, deadline: number): number {
    this.#makeRoom();
    const { bytes, end } = this;
    const count = this.#receive(end === 0 ? bytes : bytes.subarray(end), bytes.length - end, deadline);
    if (count > 0) this.end = end + count;
    return count;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    return this.#receive(target, length, deadline);
  }

  #receive(target: Uint8Array, length: number, deadline: number): number {
    const count = this.#source!.receive(target, length, deadline);
    if (count > 0) this.hasBegun = true;
    this.hadRoom = count < length;
    return count;
  }

  /** Makes room behind `end`. */
  #makeRoom(): void {
    const used = this.end - this.start;
    if (used === 0) {
      if (this.bytes.length === 0) this.bytes = lastingBuffer(WINDOW);
    } else if (this.end < this.bytes.length) {
      return;
    } else if (this.start > 0) {
      this.bytes.copyWithin(0, this.start, this.end);
    } else {
      const larger = lastingBuffer(2 * used);
      this.bytes.copy(larger, 0, 0, used);
      this.bytes = larger;
    }
    this.start = 0;
    this.end = used;
  }

  /** The stream is ours: what is not used yet stays here. */
  settle(): number {
    return 0;
  }

  finish(): number {
    return 0;
  }
}
