import type { Constants } from "./constants.ts";
import { CLOSED, MOST_EVENTS, READABLE, type Selector, WRITABLE } from "./selector.ts";
import type { PollEntryLayout } from "./structs.ts";

/** poll(2), WSAPoll and what they need. */
export interface PollCall {
  /** How many of the first `count` entries have events; -1 for a failure. With none it only waits, as poll(2) does. */
  poll(entries: Uint8Array, count: number, milliseconds: number): number;
  errno(): number;
  readonly layout: PollEntryLayout;
  readonly constants: Constants;
}

/** Gives the function that opens such a selector. */
export function openPoll(call: PollCall): () => Selector {
  return () => new PollSelector(call);
}

/** poll(2), which every system has: what a wait costs grows with how many are registered. */
class PollSelector implements Selector {
  readonly descriptors: readonly number[] = [];
  readonly #call: PollCall;
  #entries: Buffer;
  /** The token of each entry, and the entry of each descriptor. */
  readonly #tokens: number[] = [];
  readonly #positions = new Map<number, number>();
  /** Where to begin looking: after the last one that was reported, where there are too many for one wait. */
  #first = 0;

  constructor(call: PollCall) {
    this.#call = call;
    this.#entries = Buffer.alloc(64 * call.layout.size);
  }

  #put(position: number, descriptor: number, interest: number): void {
    const { POLLIN, POLLOUT, POLLRDHUP } = this.#call.constants;
    const { size, events } = this.#call.layout;
    // The descriptor takes all the bytes before the events. No system's numbers go beyond 32 bits.
    this.#entries.fill(0, position * size, position * size + events);
    this.#entries.writeInt32LE(descriptor, position * size);
    this.#entries.writeInt16LE(
      ((interest & READABLE) !== 0 ? POLLIN | POLLRDHUP : 0) | ((interest & WRITABLE) !== 0 ? POLLOUT : 0),
      position * size + events,
    );
  }

  add(descriptor: number, token: number, interest: number): number {
    const position = this.#tokens.length;
    if ((position + 1) * this.#call.layout.size > this.#entries.length) {
      this.#entries = Buffer.concat([this.#entries, Buffer.alloc(this.#entries.length)]);
    }
    this.#put(position, descriptor, interest);
    this.#tokens.push(token);
    this.#positions.set(descriptor, position);
    return 0;
  }

  modify(descriptor: number, token: number, interest: number): number {
    const position = this.#positions.get(descriptor);
    if (position === undefined) return -this.#call.constants.ENOENT;
    this.#put(position, descriptor, interest);
    this.#tokens[position] = token;
    return 0;
  }

  remove(descriptor: number): number {
    const position = this.#positions.get(descriptor);
    if (position === undefined) return -this.#call.constants.ENOENT;
    // The last one takes its place.
    const { size } = this.#call.layout;
    const last = this.#tokens.length - 1;
    this.#entries.copy(this.#entries, position * size, last * size, (last + 1) * size);
    this.#positions.set(this.#entries.readInt32LE(position * size), position);
    this.#tokens[position] = this.#tokens[last]!;
    this.#tokens.pop();
    this.#positions.delete(descriptor);
    return 0;
  }

  wait(milliseconds: number, report: (token: number, flags: number) => void): number {
    const { size, events, revents } = this.#call.layout;
    const count = this.#tokens.length;
    const ready = this.#call.poll(this.#entries, count, milliseconds);
    if (ready < 0) return -this.#call.errno();
    const most = Math.min(ready, MOST_EVENTS);
    if (ready <= most) this.#first = 0;
    let reported = 0;
    for (let step = 0; step < count && reported < most; step++) {
      const position = (this.#first + step) % count;
      const found = this.#entries.readInt16LE(position * size + revents);
      if (found === 0) continue;
      if ((found & this.#call.constants.POLLNVAL) !== 0) {
        // Closed behind the owner's back. epoll(7) forgets it then; poll(2) passes over what is negative.
        this.#entries.fill(0xff, position * size, position * size + events);
        continue;
      }
      reported++;
      if (reported === most && ready > most) this.#first = (position + 1) % count;
      report(this.#tokens[position]!, this.#flagsOf(found));
    }
    return reported;
  }

  #flagsOf(found: number): number {
    const { POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP } = this.#call.constants;
    return (
      ((found & POLLIN) !== 0 ? READABLE : 0) |
      ((found & POLLOUT) !== 0 ? WRITABLE : 0) |
      ((found & (POLLERR | POLLHUP | POLLRDHUP)) !== 0 ? CLOSED : 0)
    );
  }

  close(): void {
    this.#tokens.length = 0;
    this.#positions.clear();
  }
}
