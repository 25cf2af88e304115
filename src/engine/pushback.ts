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
   * try is of no use. Once some of them were read, the rest is worth a try again.
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

/** What can be given bytes back: a socket, and a TLS session on one. */
export abstract class GivenBack {
  /** What was given back and not received again; it comes before all else. */
  protected held: HeldBytes | null = null;

  /** Whether somebody who reads messages off this stream keeps a part of one, and would go on with it. */
  isReadInPart = false;

  /** Tells whoever waits for this stream (a Poller) that bytes are there which the kernel does not know of. */
  abstract notePending(): void;

  /** Puts a copy of these bytes back: the next to be received, before all others. */
  unreceive(bytes: Uint8Array): void {
    this.hold(HeldBytes.copyOf(bytes, false));
  }

  /** As `unreceive`, without a copy. */
  hold(bytes: HeldBytes): void {
    if (this.held !== null) bytes.append(this.held);
    this.held = bytes;
    if (!bytes.tooFew) this.notePending();
  }

  /** Takes what was given back, if it is so many bytes, with the memory that it lies in; else null. */
  takeHeld(least: number, most: number): HeldBytes | null {
    const { held } = this;
    if (held === null || held.length < least || held.length > most || held.memory === null) return null;
    this.held = null;
    return held;
  }

  /** How many bytes were given back. */
  get heldLength(): number {
    return this.held?.length ?? 0;
  }

  /** Whether these were too few twice: nobody need be told of them before more have come. */
  get hasTooFew(): boolean {
    return this.held?.tooFew ?? false;
  }

  protected receiveHeld(held: HeldBytes, target: Uint8Array, length: number): number {
    const count = held.moveTo(target, length);
    if (held.length === 0) {
      this.held = null;
    } else if (held.tooFew) {
      held.tooFew = false;
      this.notePending();
    }
    return count;
  }
}
