import { thisWorker, workerOf } from "../../runtime/ownership.ts";
import { CLOSED, MOST_EVENTS, READABLE, type Selector, WRITABLE } from "../selector.ts";
import { KEVENT, TIMESPEC_SIZE, writeTimespec } from "../structs.ts";
import type { Libc } from "./libc.ts";

// kqueue(2), and sys/event.h of the XNU sources.
const EVFILT_READ = -1;
const EVFILT_WRITE = -2;
const EV_ADD = 0x1;
const EV_DELETE = 0x2;
const EV_EOF = 0x8000;

const FILTERS = [
  [READABLE, EVFILT_READ],
  [WRITABLE, EVFILT_WRITE],
] as const;

/** kqueue(2), for macOS: one filter for each direction. Written from the manual, and never run yet. */
export function openKqueue({ koffi, library, numbers, close }: Libc): () => Selector | number {
  const kqueue = library.func("int kqueue()");
  const kevent = library.func("int kevent(int, void *, int, void *, int, void *)");
  const fcntl = library.func("int fcntl(int, int, ...)");
  const { size: SIZE } = KEVENT;

  return () => {
    const queue: number = kqueue();
    if (queue < 0) return -koffi.errno();
    workerOf[queue] = thisWorker;
    fcntl(queue, numbers.F_SETFD, "int", numbers.FD_CLOEXEC);
    const change = Buffer.alloc(SIZE);
    // Both filters of a descriptor can fire, and one is not to be taken without the other.
    const events = Buffer.alloc(2 * MOST_EVENTS * SIZE);
    const timespec = Buffer.alloc(TIMESPEC_SIZE);

    function control(descriptor: number, filter: number, flags: number, token: number): number {
      change.writeBigUInt64LE(BigInt(descriptor), KEVENT.ident);
      change.writeInt16LE(filter, KEVENT.filter);
      change.writeUInt16LE(flags, KEVENT.flags);
      change.writeBigUInt64LE(BigInt(token), KEVENT.udata);
      return kevent(queue, change, 1, null, 0, null) < 0 ? -koffi.errno() : 0;
    }

    /** EV_ADD of a filter that is there already changes its token. */
    function changeInterest(descriptor: number, token: number, interest: number, before: number): number {
      for (const [flag, filter] of FILTERS) {
        const wanted = (interest & flag) !== 0;
        if (!wanted && (before & flag) === 0) continue;
        const failure = control(descriptor, filter, wanted ? EV_ADD : EV_DELETE, token);
        if (failure < 0) return failure;
      }
      return 0;
    }

    return {
      descriptors: [queue],
      add: (descriptor, token, interest) => changeInterest(descriptor, token, interest, 0),
      modify: changeInterest,
      remove: (descriptor, interest) => changeInterest(descriptor, 0, 0, interest),
      wait(milliseconds, report) {
        if (milliseconds >= 0) writeTimespec(timespec, milliseconds);
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
          const token = Number(events.readBigUInt64LE(at + KEVENT.udata));
          const flag = events.readInt16LE(at + KEVENT.filter) === EVFILT_READ ? READABLE : WRITABLE;
          const closed = (events.readUInt16LE(at + KEVENT.flags) & EV_EOF) !== 0 ? CLOSED : 0;
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
