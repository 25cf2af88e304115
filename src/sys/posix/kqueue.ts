import { thisWorker, workerOf } from "../../runtime/ownership.ts";
import { CLOSED, MOST_EVENTS, READABLE, type Selector, WRITABLE } from "../selector.ts";
import { KEVENT, SOCKADDR_ROOM, TIMESPEC_SIZE, writeTimespec } from "../structs.ts";
import type { Libc } from "./libc.ts";

// kqueue(2), and sys/event.h of the XNU sources.
const EVFILT_READ = -1;
const EVFILT_WRITE = -2;
const EV_ADD = 0x1;
const EV_DELETE = 0x2;
const EV_CLEAR = 0x20;
const EV_EOF = 0x8000;
const NOTE_LOWAT = 0x1;

/** More than any receive buffer holds. XNU lowers it to the buffer's size. */
const MORE_THAN_FITS = 0x7fffffff;

const { size: SIZE } = KEVENT;

/** Gives the function that opens a selector on kqueue(2), for macOS. */
export function openKqueue(libc: Libc): () => Selector | number {
  const calls = loadCalls(libc);
  return () => {
    const queue = calls.kqueue();
    if (queue < 0) return -calls.errno();
    workerOf[queue] = thisWorker;
    calls.closeOnExec(queue);
    return new KqueueSelector(calls, queue);
  };
}

type Calls = ReturnType<typeof loadCalls>;

function loadCalls({ koffi, library, numbers, close }: Libc) {
  const fcntl = library.func("int fcntl(int, int, ...)");
  const getpeername = library.func("int getpeername(int, void *, void *)");
  const address = Buffer.alloc(SOCKADDR_ROOM);
  return {
    errno: koffi.errno as () => number,
    kqueue: library.func("int kqueue()") as () => number,
    kevent: library.func("int kevent(int, void *, int, void *, int, void *)") as (
      queue: number,
      changes: Buffer | null,
      changeCount: number,
      events: Buffer | null,
      eventCount: number,
      timeout: Buffer | null,
    ) => number,
    closeOnExec: (queue: number): number => fcntl(queue, numbers.F_SETFD, "int", numbers.FD_CLOEXEC),
    /** Whether a connection still goes in one direction at least: XNU's getpeername fails when both are at their end. */
    hasPeer: (descriptor: number): boolean =>
      getpeername(descriptor, address, Uint32Array.of(SOCKADDR_ROOM)) === 0,
    close,
  };
}

/**
 * One filter for each direction.
 *
 * EV_EOF says that a direction is at its end: the receiving one by the peer, or the sending one by whoever shut it down, this side
 * too. epoll(7) tells of the second only when the connection is broken, and so does this.
 *
 * epoll also tells of a broken connection when there is no interest at all. Here the read filter does that, in a form that keeps quiet about
 * data: it waits for a full buffer, and tells of that once.
 */
class KqueueSelector implements Selector {
  readonly descriptors: readonly number[];
  /** (No function of JavaScript's, as in epoll.ts.) */
  readonly close: () => void;
  readonly #calls: Calls;
  readonly #queue: number;
  readonly #change = Buffer.alloc(SIZE);
  readonly #events = Buffer.alloc(MOST_EVENTS * SIZE);
  readonly #timespec = Buffer.alloc(TIMESPEC_SIZE);
  /** Descriptors that are registered without an interest. */
  readonly #quiet = new Set<number>();

  constructor(calls: Calls, queue: number) {
    this.#calls = calls;
    this.#queue = queue;
    this.descriptors = [queue];
    this.close = calls.close.bind(null, queue);
  }

  add(descriptor: number, token: number, interest: number): number {
    return this.#changeInterest(descriptor, token, interest, null);
  }

  modify(descriptor: number, token: number, interest: number, before: number): number {
    return this.#changeInterest(descriptor, token, interest, before);
  }

  remove(descriptor: number, interest: number): number {
    return this.#changeInterest(descriptor, 0, null, interest);
  }

  wait(milliseconds: number, report: (token: number, flags: number) => void): number {
    if (milliseconds >= 0) writeTimespec(this.#timespec, milliseconds);
    const time = milliseconds < 0 ? null : this.#timespec;
    const count = this.#calls.kevent(this.#queue, null, 0, this.#events, MOST_EVENTS, time);
    if (count < 0) return -this.#calls.errno();
    // (The two filters of one descriptor are one event, unless more are ready than fit. Then the next wait tells of the other.)
    const ready = new Map<number, number>();
    for (let at = 0; at < count * SIZE; at += SIZE) {
      const token = Number(this.#events.readBigUInt64LE(at + KEVENT.udata));
      const flags = this.#flagsAt(at, token);
      if (flags !== 0) ready.set(token, (ready.get(token) ?? 0) | flags);
    }
    for (const [token, flags] of ready) report(token, flags);
    return ready.size;
  }

  /** What the event at this place says; 0 for nothing. */
  #flagsAt(at: number, token: number): number {
    const events = this.#events;
    const descriptor = Number(events.readBigUInt64LE(at + KEVENT.ident));
    const isAtEnd = (events.readUInt16LE(at + KEVENT.flags) & EV_EOF) !== 0;
    const isRead = events.readInt16LE(at + KEVENT.filter) === EVFILT_READ;
    if (isRead && !this.#quiet.has(descriptor)) return READABLE | (isAtEnd ? CLOSED : 0);
    // (With EV_EOF fflags has the socket's error, until a call has taken that.)
    const hasError = events.readUInt32LE(at + KEVENT.fflags) !== 0;
    const isBroken = isAtEnd && (hasError || !this.#calls.hasPeer(descriptor));
    if (!isRead) return WRITABLE | (isBroken ? CLOSED : 0);
    if (!isBroken) return 0;
    // It told of that once. A filter that is added anew tells of it again.
    this.#control(descriptor, EVFILT_READ, EV_DELETE, token);
    this.#control(descriptor, EVFILT_READ, EV_ADD | EV_CLEAR, token);
    return CLOSED;
  }

  /** The interests are null where there is no registration. */
  #changeInterest(descriptor: number, token: number, wanted: number | null, before: number | null): number {
    const failure =
      this.#changeFilter(descriptor, token, EVFILT_READ, readFlags(wanted), readFlags(before)) ||
      this.#changeFilter(descriptor, token, EVFILT_WRITE, writeFlags(wanted), writeFlags(before));
    if (failure < 0) return failure;
    if (wanted === 0) this.#quiet.add(descriptor);
    else this.#quiet.delete(descriptor);
    return 0;
  }

  /** `before` and `wanted` are what EV_ADD was or is given for this filter; 0 for no filter. */
  #changeFilter(descriptor: number, token: number, filter: number, wanted: number, before: number): number {
    // EV_ADD changes a filter that is there already, but not its EV_CLEAR.
    if (before !== 0 && before !== wanted) {
      const failure = this.#control(descriptor, filter, EV_DELETE, token);
      if (failure < 0) return failure;
    }
    return wanted === 0 ? 0 : this.#control(descriptor, filter, wanted, token);
  }

  #control(descriptor: number, filter: number, flags: number, token: number): number {
    const change = this.#change;
    const isQuiet = (flags & EV_CLEAR) !== 0;
    change.writeBigUInt64LE(BigInt(descriptor), KEVENT.ident);
    change.writeInt16LE(filter, KEVENT.filter);
    change.writeUInt16LE(flags, KEVENT.flags);
    change.writeUInt32LE(isQuiet ? NOTE_LOWAT : 0, KEVENT.fflags);
    change.writeBigInt64LE(isQuiet ? BigInt(MORE_THAN_FITS) : 0n, KEVENT.data);
    change.writeBigUInt64LE(BigInt(token), KEVENT.udata);
    return this.#calls.kevent(this.#queue, change, 1, null, 0, null) < 0 ? -this.#calls.errno() : 0;
  }
}

function readFlags(interest: number | null): number {
  if (interest === null) return 0;
  if (interest === 0) return EV_ADD | EV_CLEAR;
  return (interest & READABLE) !== 0 ? EV_ADD : 0;
}

function writeFlags(interest: number | null): number {
  return interest !== null && (interest & WRITABLE) !== 0 ? EV_ADD : 0;
}
