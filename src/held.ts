/**
 * Bytes that were received and then given back, because the call that took them could not be finished: the next
 * ones to be read. A stream holds none but after such a failure.
 */
export class HeldBytes {
  #memory: Uint8Array;
  #start = 0;
  #end: number;
  /**
   * True when a call has found them before, and given them back because no more had come: until more comes, another
   * try is of no use. Once some of them were read, the rest is as good as any bytes.
   */
  tooFew: boolean;

  /** Takes the memory over, with the bytes at its start. */
  constructor(memory: Uint8Array, length: number, tooFew: boolean) {
    this.#memory = memory;
    this.#end = length;
    this.tooFew = tooFew;
  }

  static copyOf(bytes: Uint8Array, tooFew: boolean): HeldBytes {
    return new HeldBytes(Uint8Array.prototype.slice.call(bytes), bytes.length, tooFew);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  /** The memory, when the bytes are at its start; whoever takes it takes the bytes. */
  get memory(): Buffer | null {
    if (this.#start > 0) return null;
    const { buffer, byteOffset, byteLength } = this.#memory;
    return Buffer.from(buffer, byteOffset, byteLength);
  }

  /** Puts a copy of `others` behind them. */
  append(others: HeldBytes): void {
    this.#memory = Buffer.concat([this.#bytes(), others.#bytes()]);
    this.#start = 0;
    this.#end = this.#memory.length;
  }

  #bytes(): Uint8Array {
    return this.#memory.subarray(this.#start, this.#end);
  }

  /** Copies at most `length` of them to the start of `target`, and gives how many. They stay. */
  copyTo(target: Uint8Array, length: number): number {
    const count = Math.min(length, this.length);
    // Not `target.set`: a caller's subclass can have one of its own.
    Uint8Array.prototype.set.call(target, this.#memory.subarray(this.#start, this.#start + count));
    return count;
  }

  /** As `copyTo`, but they go. */
  moveTo(target: Uint8Array, length: number): number {
    const count = this.copyTo(target, length);
    this.#start += count;
    return count;
  }
}
