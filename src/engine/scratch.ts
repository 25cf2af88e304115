import { lastingBuffer } from "../sys/pinned-memory.ts";

export { lastingBuffer } from "../sys/pinned-memory.ts";

/** Memory that can be lent: its user gets other memory until the function that comes out of `lend` is called. */
export interface Lendable {
  lend(): () => void;
}

/** All that is lent together: the scratch buffers of the thread, a handful. */
const all: Lendable[] = [];

/** For memory that a call uses across a wait, and that is no ScratchBuffer. */
export function alsoLent(memory: Lendable): void {
  all.push(memory);
}

/**
 * Memory of the thread that each call borrows anew: it is the caller's until its call is over. It never moves, so that its address
 * is cheap (pinned-memory.ts).
 *
 * The one rule for re-entrancy: a call is over before the next one begins, because nothing calls back in between. The one
 * exception is `withScratchLent`. Whoever runs somebody else's code in the middle of a call does it there.
 */
export class ScratchBuffer implements Lendable {
  readonly #smallest: number;
  readonly #largest: number;
  #memory: Buffer | null = null;

  /** It begins with `smallest` bytes and grows with the sizes that are wanted. No memory is taken before the first use. */
  constructor(smallest: number, largest: number = smallest) {
    this.#smallest = smallest;
    this.#largest = largest;
    alsoLent(this);
  }

  /** Borrows it, with room for `size` bytes or for the most that it may have. */
  borrow(size: number): Buffer {
    const memory = this.#memory;
    if (memory !== null && (size <= memory.length || memory.length >= this.#largest)) return memory;
    let length = memory?.length ?? this.#smallest;
    while (length < size && length < this.#largest) length *= 2;
    this.#memory = lastingBuffer(length);
    return this.#memory;
  }

  /** Whether this is the memory that is borrowed now. */
  isOf(bytes: Uint8Array): boolean {
    return bytes === this.#memory;
  }

  /** From now on others are lent other memory. Gives what takes the present memory back. */
  lend(): () => void {
    const lent = this.#memory;
    this.#memory = null;
    return () => {
      this.#memory = lent;
    };
  }
}

/**
 * Runs somebody else's code (a listener for a warning) in the middle of a call that has bytes in scratch buffers. Its own calls find
 * other memory there, and the call that goes on afterwards finds its own.
 */
export function withScratchLent(run: () => void): void {
  const returns = all.map((memory) => memory.lend());
  try {
    run();
  } finally {
    for (const takeBack of returns) takeBack();
  }
}
