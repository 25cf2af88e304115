import { thisWorker, workerOf } from "../../runtime/ownership.ts";
import { CLOSED, MOST_EVENTS, READABLE, type Selector, WRITABLE } from "../selector.ts";
import type { Libc } from "./libc.ts";

// kqueue(2), and sys/event.h of the XNU sources.
const EVFILT_READ = -1;
const EVFILT_WRITE = -2;
const EV_ADD = 0x1;
const EV_DELETE = 0x2;
const EV_EOF = 0x8000;

/**
 * kqueue(2), for macOS: one filter for each direction. Written from the manual, and never run yet.
 *
 *   struct kevent    ident 8, filter 2, flags 2, fflags 4, data 8, udata 8
 *   struct timespec  seconds 8, nanoseconds 8
 */
export function openKqueue({ koffi, library, constants, close }: Libc): () => Selector | number {
  const kqueue = library.func("int kqueue()");
  const kevent = library.func("int kevent(int, void *, int, void *, int, void *)");
  const fcntl = library.func("int fcntl(int, int, ...)");
  const SIZE = 32;

  return () => {
    const queue: number = kqueue();
    if (queue < 0) return -koffi.errno();
    workerOf[queue] = thisWorker;
    fcntl(queue, constants.F_SETFD, "int", constants.FD_CLOEXEC);
    const change = Buffer.alloc(SIZE);
    // Both filters of a descriptor can fire, and one is not to be taken without the other.
    const events = Buffer.alloc(2 * MOST_EVENTS * SIZE);
    const timespec = Buffer.alloc(16);

    function control(descriptor: number, filter: number, flags: number, token: number): number {
      change.writeBigUInt64LE(BigInt(descriptor), 0);
      change.writeInt16LE(filter, 8);
      change.writeUInt16LE(flags, 10);
      change.writeBigUInt64LE(BigInt(token), 24);
      return kevent(queue, change, 1, null, 0, null) < 0 ? -koffi.errno() : 0;
    }

    /** EV_ADD of a filter that is there already changes its token. */
    function changeInterest(descriptor: number, token: number, interest: number, before: number): number {
      for (const [flag, filter] of [
        [READABLE, EVFILT_READ],
        [WRITABLE, EVFILT_WRITE],
      ] as const) {
        const wanted = (interest & flag) !== 0;
        if (!wanted && (before & flag) === 0) continue;
        const failure = control(descriptor, filter, wanted ? EV_ADD : EV_DELETE, token);
        if (failure < 0) return failure;
      }
      return 0;
    }

    return {
      descriptor: queue,
      add: (descriptor, token, interest) => changeInterest(descriptor, token, interest, 0),
      modify: changeInterest,
      remove: (descriptor, interest) => changeInterest(descriptor, 0, 0, interest),
      wait(milliseconds, report) {
        timespec.writeBigInt64LE(BigInt(Math.floor(milliseconds / 1000)), 0);
        timespec.writeBigInt64LE(BigInt((milliseconds % 1000) * 1_000_000), 8);
        const count: number = kevent(
          queue,
          null,
          0,
          events,
          2 * MOST_EVENTS,
          milliseconds < 0 ? null : timespec,
        );
        if (count < 0) return -koffi.errno();
        const ready = new Map<number, number>();
        for (let at = 0; at < count * SIZE; at += SIZE) {
          const token = Number(events.readBigUInt64LE(at + 24));
          const flag = events.readInt16LE(at + 8) === EVFILT_READ ? READABLE : WRITABLE;
          const closed = (events.readUInt16LE(at + 10) & EV_EOF) !== 0 ? CLOSED : 0;
          ready.set(token, (ready.get(token) ?? 0) | flag | closed);
        }
        for (const [token, flags] of ready) report(token, flags);
        return ready.size;
      },
      // (As in epoll.ts.)
      close: close.bind(null, queue),
    };
  };
}
