import { lastingBuffer } from "../../engine/scratch.ts";
import type { Transport } from "../../engine/transport.ts";
import { ByteCollector } from "./byte-collector.ts";
import { Input } from "./input.ts";

/** The most that is looked at in one call. */
const MOST_LOOK = 64 * 1024;

/** Of the thread: what has been seen of a message is used within the call, or copied out before the next wait. */
let scratch: Buffer | undefined;

/**
 * The input of a stream of the caller's. It looks (`peek`) and takes exactly what is used, so that no byte behind a message is
 * ever missing on the stream. As long as the end of a message's head is not there, all that was seen belongs to the head. Then
 * it is taken and kept, so that the next look waits for more, and the next call goes on there.
 */
export class ExactInput extends Input {
  readonly readsAhead = false;
  readonly #transport: Transport;
  readonly #expectsSizes: boolean;
  /** The bytes before this position are off the stream. */
  #taken = 0;
  /** The message's own memory; undefined while its bytes lie in the thread's. */
  #own: ByteCollector | undefined;
  /** How often something was received of the present message. */
  #calls = 0;
  /**
   * The size of the next message, when the last two had that size and nothing came with them; 0: not known. A client
   * that keeps a connection mostly sends the same again, and what has a known size can be taken without a look:
   * one system call less. When that was too much, the rest is given back (`unreceive`).
   */
  #expectedSize = 0;
  #lastSize = 0;

  constructor(transport: Transport, expectsSizes: boolean) {
    super();
    this.#transport = transport;
    this.#expectsSizes = expectsSizes;
  }

  /** Whether bytes of a message are kept here. */
  get keepsBytes(): boolean {
    return this.#own !== undefined;
  }

  fill(most: number, deadline: number): number {
    const failure = this.#keep(deadline);
    if (failure < 0) return failure;
    scratch ??= lastingBuffer(MOST_LOOK);
    const isExpected = this.#calls === 0 && this.#expectedSize > 0;
    const count = isExpected
      ? this.#transport.receive(scratch, this.#expectedSize, deadline)
      : this.#transport.peek(scratch, Math.min(most, MOST_LOOK), deadline);
    if (count <= 0) return count;
    this.#calls++;
    if (this.#own === undefined) {
      this.bytes = scratch;
    } else {
      this.#own.append(scratch, 0, count);
      this.bytes = this.#own.bytes();
    }
    this.end += count;
    if (isExpected) this.#taken += count;
    return count;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    const failure = this.#keep(deadline);
    if (failure < 0) return failure;
    const count = this.#transport.receive(target, length, deadline);
    if (count > 0) this.#calls++;
    return count;
  }

  /** Before the next wait: takes what was seen, and keeps what of it is not used. */
  #keep(deadline: number): number {
    const failure = this.#take(this.end - this.#taken, deadline);
    if (failure < 0) return failure;
    if (this.start === this.end) {
      this.#empty();
    } else if (this.#own === undefined) {
      const { bytes, start, end } = this;
      this.#own = new ByteCollector(2 * (end - start));
      this.#own.append(bytes, start, end);
      this.bytes = this.#own.bytes();
      this.start = 0;
      this.end -= start;
      this.#taken = this.end;
    }
    return 0;
  }

  settle(deadline: number): number {
    const { start } = this;
    const failure = this.#take(start - this.#taken, deadline);
    if (start < this.#taken) this.#transport.unreceive(this.bytes.subarray(start, this.#taken));
    this.#empty();
    return failure;
  }

  finish(deadline: number): number {
    const { start } = this;
    const isAlone = this.#expectsSizes && this.#calls === 1 && start === this.end;
    this.#expectedSize = isAlone && start === this.#lastSize ? start : 0;
    this.#lastSize = isAlone ? start : 0;
    this.#calls = 0;
    return this.settle(deadline);
  }

  #empty(): void {
    this.#own = undefined;
    this.start = 0;
    this.end = 0;
    this.#taken = 0;
  }

  /** Takes bytes that were seen, which are there: 0, or a failure all the same. */
  #take(length: number, deadline: number): number {
    if (length <= 0) return 0;
    // The same bytes come to where they are.
    const target = scratch as Buffer;
    let count = this.#transport.receive(target, length, deadline);
    for (let taken = count; count > 0 && taken < length; taken += count) {
      count = this.#transport.receive(target.subarray(taken), length - taken, deadline);
    }
    this.#taken += length;
    return Math.min(count, 0);
  }
}
