/**
 * Bytes that gather in one buffer, which grows with what has come and not with what was announced.
 */
export class ByteCollector {
  #bytes: Buffer;
  length = 0;

  constructor(capacity = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  get capacity(): number {
    return this.#bytes.length;
  }

  append(view: Uint8Array, start: number, end: number): void {
    const target = this.room(end - start);
    target.set(view.subarray(start, end));
    this.length += end - start;
  }

  /** Room for at least `size` more bytes, to be written and then added to `length`. */
  room(size: number): Buffer {
    if (this.length + size > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.length + size, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.length);
      this.#bytes = grown;
    }
    return this.#bytes.subarray(this.length);
  }

  /** What has gathered, without a copy. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }
}
