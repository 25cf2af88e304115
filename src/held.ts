/**
 * Bytes that were received and then given back, because the call that took them could not be finished: the next
 * ones to be read. A stream holds none but after such a failure.
 */
export class HeldBytes {
  #bytes: Uint8Array;

  /** Takes a copy. */
  constructor(bytes: Uint8Array) {
    this.#bytes = Uint8Array.prototype.slice.call(bytes);
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Puts a copy of `bytes` before the others. */
  putBefore(bytes: Uint8Array): void {
    this.#bytes = Buffer.concat([bytes, this.#bytes]);
  }

  /** Copies at most `length` of them to the start of `target`, and gives how many. They stay. */
  copyTo(target: Uint8Array, length: number): number {
    const count = Math.min(length, this.#bytes.length);
    // Not `target.set`: a caller's subclass can have one of its own.
    Uint8Array.prototype.set.call(target, this.#bytes.subarray(0, count));
    return count;
  }

  /** As `copyTo`, but they go. */
  moveTo(target: Uint8Array, length: number): number {
    const count = this.copyTo(target, length);
    this.#bytes = this.#bytes.subarray(count);
    return count;
  }
}
