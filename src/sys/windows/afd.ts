import { monotonicTime } from "../../runtime/clock.ts";
import { CLOSED, MOST_EVENTS, READABLE, type Selector, WRITABLE } from "../selector.ts";
import { type Afd, declareAfd, POLL, SLOT, SLOTS_OF_BLOCK } from "./afd-calls.ts";
import type { Winsock } from "./winsock.ts";

/**
 * Waiting with AFD, the driver below Winsock: a request asks it for one socket's events, and completes to an I/O completion port when one
 * comes. What a wait costs depends on the sockets that have events, not on those that have none. So do libuv, mio (Tokio) and wepoll;
 * Microsoft documents none of it, but has kept it the same since Windows NT.
 *
 * A request completes once, and completes at once when the event is there already. So each socket that was reported gets a new request in the
 * next wait: that makes it level-triggered.
 */

/** Events that nobody has to ask for: a reset, a failed connection, and the closing of the handle by somebody else. */
const ALWAYS = POLL.ABORT | POLL.CONNECT_FAIL | POLL.LOCAL_CLOSE;
const FOR_READING = POLL.RECEIVE | POLL.ACCEPT | POLL.DISCONNECT;
const STATUS_PENDING = 0x103;
const STATUS_INVALID_HANDLE = 0xc0000008;
const STATUS_CANCELLED = 0xc0000120;

/** How long `close` waits for requests to end that it has cancelled, in milliseconds. They end at once, as far as is known. */
const LONGEST_END = 100;

/** Null where AFD cannot be opened in this process. */
export function loadAfd(winsock: Winsock): (() => Selector | null) | null {
  try {
    const afd = declareAfd(winsock);
    return () => {
      const opened = afd.open();
      return opened === null ? null : new AfdSelector(afd, opened, winsock.system.constants.ENOENT);
    };
  } catch {
    return null;
  }
}

/** A socket that is registered, and its place in C memory. */
interface Registration {
  readonly socket: number;
  /** The socket of AFD's own; another one where a program has put itself between (SIO_BASE_HANDLE). */
  readonly base: number;
  readonly slot: number;
  token: number;
  interest: number;
  /** The events of the request that AFD has not completed; 0 is none. */
  pending: number;
  isCancelled: boolean;
  isRemoved: boolean;
}

class AfdSelector implements Selector {
  readonly descriptors: readonly number[];
  readonly #afd: Afd;
  readonly #driver: number;
  readonly #port: number;
  readonly #ENOENT: number;
  readonly #bySocket = new Map<number, Registration>();
  /** The registration of each place; a place stays taken until its request has ended. */
  readonly #bySlot: (Registration | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  /** The C memory: blocks of places, as their address and as bytes. */
  readonly #blocks: { readonly address: bigint; readonly view: DataView }[] = [];
  /** Those that need a request to AFD. */
  readonly #toAsk = new Set<Registration>();
  /** Those of the last wait, which need a new request in the next one. */
  readonly #reported = new Set<Registration>();
  readonly #completions: DataView;
  #requests = 0;

  constructor(afd: Afd, { driver, port }: { driver: number; port: number }, ENOENT: number) {
    this.#afd = afd;
    this.#driver = driver;
    this.#port = port;
    this.#ENOENT = ENOENT;
    this.descriptors = [driver, port];
    this.#completions = new DataView(new ArrayBuffer(MOST_EVENTS * afd.completionSize));
  }

  add(socket: number, token: number, interest: number): number {
    const base = this.#afd.baseSocket(socket);
    if (base < 0) return base;
    const slot = this.#takeSlot();
    if (slot < 0) return slot;
    const registration: Registration = {
      socket,
      base,
      slot,
      token,
      interest,
      pending: 0,
      isCancelled: false,
      isRemoved: false,
    };
    this.#bySocket.set(socket, registration);
    this.#bySlot[slot] = registration;
    this.#toAsk.add(registration);
    return 0;
  }

  modify(socket: number, token: number, interest: number): number {
    const registration = this.#bySocket.get(socket);
    if (registration === undefined) return -this.#ENOENT;
    registration.token = token;
    registration.interest = interest;
    const wanted = eventsFor(interest);
    if (registration.pending === 0) this.#toAsk.add(registration);
    else if ((registration.pending & wanted) !== wanted) this.#cancel(registration);
    return 0;
  }

  remove(socket: number): number {
    const registration = this.#bySocket.get(socket);
    if (registration === undefined) return -this.#ENOENT;
    this.#bySocket.delete(socket);
    this.#toAsk.delete(registration);
    this.#reported.delete(registration);
    registration.isRemoved = true;
    if (registration.pending === 0) this.#freeSlot(registration);
    else this.#cancel(registration);
    return 0;
  }

  wait(milliseconds: number, report: (token: number, flags: number) => void): number {
    const end = milliseconds < 0 ? Number.POSITIVE_INFINITY : monotonicTime() + milliseconds;
    // What completed before this wait is not believed, because the program may have read the bytes since: its socket gets a new
    // request, and AFD completes it at once when there is still something. These come before those that the last wait has reported, so
    // that with more than MOST_EVENTS each has its turn.
    for (let taken = MOST_EVENTS; taken === MOST_EVENTS; ) {
      taken = this.#take(0, null);
      if (taken < 0) return taken;
    }
    for (const registration of this.#reported) this.#toAsk.add(registration);
    this.#reported.clear();
    for (;;) {
      const failure = this.#askForAll();
      if (failure < 0) return failure;
      const left = Math.max(0, end - monotonicTime());
      const taken = this.#take(left, report);
      if (taken < 0) return taken;
      if (this.#reported.size > 0) return this.#reported.size;
      if (left === 0) return 0;
    }
  }

  close(): void {
    for (const registration of this.#bySocket.values()) {
      registration.isRemoved = true;
      if (registration.pending !== 0) this.#cancel(registration);
    }
    this.#bySocket.clear();
    this.#toAsk.clear();
    this.#reported.clear();
    const end = monotonicTime() + LONGEST_END;
    while (this.#requests > 0 && monotonicTime() < end) {
      if (this.#take(10, null) < 0) break;
    }
    this.#afd.close(this.#driver);
    this.#afd.close(this.#port);
    // The kernel writes into the memory of a request that has not ended. Better a leak.
    if (this.#requests === 0) for (const { address } of this.#blocks) this.#afd.free(address);
  }

  /** 0, or minus an errno. */
  #askForAll(): number {
    for (const registration of this.#toAsk) {
      this.#toAsk.delete(registration);
      if (registration.pending !== 0) continue;
      const failure = this.#ask(registration);
      if (failure < 0) return failure;
    }
    return 0;
  }

  #ask(registration: Registration): number {
    const { slot, base, interest } = registration;
    const { address, view, at } = this.#placeOf(slot);
    const events = eventsFor(interest);
    view.setUint32(at + SLOT.status, STATUS_PENDING, true);
    view.setBigInt64(at + SLOT.timeout, 0x7fffffffffffffffn, true);
    view.setUint32(at + SLOT.count, 1, true);
    view.setUint32(at + SLOT.exclusive, 0, true);
    view.setBigInt64(at + SLOT.socket, BigInt(base), true);
    view.setUint32(at + SLOT.events, events, true);
    view.setUint32(at + SLOT.socketStatus, 0, true);
    const status = this.#afd.poll(this.#driver, address, slot);
    // Closed behind the owner's back: epoll(7) forgets it then, and so does this.
    if (status === STATUS_INVALID_HANDLE) return 0;
    if (status !== 0 && status !== STATUS_PENDING) return -this.#afd.errorOf(status);
    registration.pending = events;
    this.#requests++;
    return 0;
  }

  #cancel(registration: Registration): void {
    if (registration.isCancelled) return;
    registration.isCancelled = true;
    // Whether it is cancelled or had ended before, its completion comes.
    this.#afd.cancel(this.#driver, this.#placeOf(registration.slot).address);
  }

  /** Takes completions and reports them; without `report` the sockets get a new request. Gives their number. */
  #take(milliseconds: number, report: ((token: number, flags: number) => void) | null): number {
    const count = this.#afd.take(this.#port, this.#completions, milliseconds);
    for (let index = 0; index < count; index++) {
      const registration = this.#bySlot[this.#afd.slotOf(this.#completions, index)];
      if (registration === undefined) continue;
      registration.pending = 0;
      registration.isCancelled = false;
      this.#requests--;
      if (registration.isRemoved) {
        this.#freeSlot(registration);
        continue;
      }
      const events = this.#eventsOf(registration.slot);
      if ((events & POLL.LOCAL_CLOSE) !== 0) continue;
      const flags = report === null ? 0 : flagsOf(events, registration.interest);
      if (report === null || flags === 0) {
        this.#toAsk.add(registration);
        continue;
      }
      this.#reported.add(registration);
      report(registration.token, flags);
    }
    return count;
  }

  /** The events that AFD reported; 0 when the request was cancelled. */
  #eventsOf(slot: number): number {
    const { view, at } = this.#placeOf(slot);
    const status = view.getUint32(at + SLOT.status, true);
    if (status === STATUS_CANCELLED || view.getUint32(at + SLOT.count, true) === 0) return 0;
    // An error of the request is one of the socket: a call on it says what the matter is.
    return status >= 0xc0000000 ? POLL.ABORT : view.getUint32(at + SLOT.events, true);
  }

  #placeOf(slot: number): { address: bigint; view: DataView; at: number } {
    const block = this.#blocks[Math.floor(slot / SLOTS_OF_BLOCK)]!;
    const at = (slot % SLOTS_OF_BLOCK) * SLOT.size;
    return { address: block.address + BigInt(at), view: block.view, at };
  }

  /** The number of a free place, or minus an errno. */
  #takeSlot(): number {
    if (this.#freeSlots.length === 0) {
      const block = this.#afd.allocate();
      if (block === null) return -this.#afd.outOfMemory;
      const first = this.#blocks.length * SLOTS_OF_BLOCK;
      this.#blocks.push(block);
      for (let slot = first + SLOTS_OF_BLOCK - 1; slot >= first; slot--) this.#freeSlots.push(slot);
    }
    return this.#freeSlots.pop()!;
  }

  #freeSlot({ slot }: Registration): void {
    this.#bySlot[slot] = undefined;
    this.#freeSlots.push(slot);
  }
}

function eventsFor(interest: number): number {
  return (
    ALWAYS | ((interest & READABLE) !== 0 ? FOR_READING : 0) | ((interest & WRITABLE) !== 0 ? POLL.SEND : 0)
  );
}

function flagsOf(events: number, interest: number): number {
  const wanted = events & eventsFor(interest);
  return (
    ((wanted & FOR_READING) !== 0 ? READABLE : 0) |
    ((wanted & POLL.SEND) !== 0 ? WRITABLE : 0) |
    ((wanted & (POLL.DISCONNECT | POLL.ABORT | POLL.CONNECT_FAIL)) !== 0 ? CLOSED : 0)
  );
}
