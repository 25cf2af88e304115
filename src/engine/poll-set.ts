import { Failure } from "../error.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { type Platform, systemReason } from "../sys/index.ts";
import type { Selector } from "../sys/selector.ts";
import { disown, own } from "./descriptor-table.ts";
import type { OwnedDescriptor } from "./owned-descriptor.ts";
import { networkPlatform } from "./permission.ts";
import { waitInSlices } from "./wait/poll-loop.ts";
import { signalWaits, takeUnseenSignal } from "./wait/signals.ts";
import { FOREVER } from "./wait/slices.ts";

export { CLOSED, READABLE, WRITABLE } from "../sys/selector.ts";

function closeSelector(selector: Selector): void {
  for (const descriptor of selector.descriptors) disown(descriptor);
  selector.close();
}

const selectors = new FinalizationRegistry<Selector>(closeSelector);

/**
 * Many sockets that are waited for at once: a selector with the object that owns it. It is given back when that object was
 * dropped. Calls give 0 or a count, or minus an errno.
 */
export class PollSet {
  readonly sys: Platform;
  readonly #selector: Selector;

  private constructor(sys: Platform, selector: Selector) {
    this.sys = sys;
    this.#selector = selector;
  }

  /** The system's best mechanism; the one that every system has where that is wanted, or STD_NET_POLLER is `poll`. */
  static open(isPortable = process.env.STD_NET_POLLER === "poll"): PollSet | Failure {
    const sys = networkPlatform();
    if (sys instanceof Failure) return sys;
    const selector = sys.selector(isPortable);
    if (typeof selector === "number") return new Failure(systemReason(sys, -selector));
    return new PollSet(sys, selector);
  }

  /** Closes it when `owner` is dropped. */
  belongsTo(owner: object): void {
    selectors.register(owner, this.#selector, this);
    for (const descriptor of this.#selector.descriptors) own(descriptor);
  }

  add(socket: OwnedDescriptor, token: number, interest: number): number {
    return this.#selector.add(socket.descriptor, token, interest);
  }

  modify(socket: OwnedDescriptor, token: number, interest: number, before: number): number {
    return this.#selector.modify(socket.descriptor, token, interest, before);
  }

  remove(socket: OwnedDescriptor, interest: number): number {
    return this.#selector.remove(socket.descriptor, interest);
  }

  /** Whether a signal's listener waits for the event loop, when no wait has told of it: under load none ever begins. */
  takeUnseenSignal(): boolean {
    return takeUnseenSignal();
  }

  /** As `takeUnseenSignal`, also for a signal that another call has told of. */
  signalWaits(): boolean {
    return signalWaits();
  }

  /**
   * Waits until one of them is ready, at most so many milliseconds (Infinity: for ever), and calls `report` with the token and the flags
   * of each event. 0 when the time is over.
   */
  wait(milliseconds: number, report: (token: number, flags: number) => void): number {
    // (The clock is not read where it says nothing.)
    const isEitherEnd = milliseconds === 0 || milliseconds === FOREVER;
    const limit = isEitherEnd ? milliseconds : monotonicTime() + milliseconds;
    const count = waitInSlices(this.sys, limit, (slice) => this.#selector.wait(slice, report));
    return count === -this.sys.constants.EAGAIN ? 0 : count;
  }

  close(): void {
    selectors.unregister(this);
    closeSelector(this.#selector);
  }

  /** The text of a failure. */
  reason(failure: number): string {
    return systemReason(this.sys, -failure);
  }
}
