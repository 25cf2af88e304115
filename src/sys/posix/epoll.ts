import { thisWorker, workerOf } from "../../runtime/ownership.ts";
import { CLOSED, MOST_EVENTS, READABLE, type Selector, WRITABLE } from "../selector.ts";
import { epollEvent } from "../structs.ts";
import type { Libc } from "./libc.ts";

// epoll_ctl(2), and the kernel's eventpoll.h.
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
const EPOLLIN = 0x1;
const EPOLLOUT = 0x4;
const EPOLLERR = 0x8;
const EPOLLHUP = 0x10;
const EPOLLRDHUP = 0x2000;

/** epoll(7): what a wait costs depends on how many are ready, not on how many are registered. */
export function openEpoll({ koffi, library, close }: Libc): () => Selector | number {
  const epoll_create1 = library.func("int epoll_create1(int)");
  const epoll_ctl = library.func("int epoll_ctl(int, int, int, void *)");
  const epoll_wait = library.func("int epoll_wait(int, void *, int, int)");
  const { words: size, data } = epollEvent(process.arch);

  return () => {
    const events = new Uint32Array(MOST_EVENTS * size);
    const queue: number = epoll_create1(EPOLL_CLOEXEC);
    if (queue < 0) return -koffi.errno();
    workerOf[queue] = thisWorker;

    function control(operation: number, descriptor: number, token: number, interest: number): number {
      events[0] =
        ((interest & READABLE) !== 0 ? EPOLLIN | EPOLLRDHUP : 0) |
        ((interest & WRITABLE) !== 0 ? EPOLLOUT : 0);
      events[data] = token;
      events[data + 1] = Math.floor(token / 2 ** 32);
      return epoll_ctl(queue, operation, descriptor, events) < 0 ? -koffi.errno() : 0;
    }

    return {
      descriptors: [queue],
      add: (descriptor, token, interest) => control(EPOLL_CTL_ADD, descriptor, token, interest),
      modify: (descriptor, token, interest) => control(EPOLL_CTL_MOD, descriptor, token, interest),
      remove: (descriptor) => control(EPOLL_CTL_DEL, descriptor, 0, 0),
      wait(milliseconds, report) {
        const count: number = epoll_wait(queue, events, MOST_EVENTS, milliseconds);
        if (count < 0) return -koffi.errno();
        for (let index = 0; index < count; index++) {
          const at = index * size;
          const flags = events[at]!;
          const token = events[at + data]! + events[at + data + 1]! * 2 ** 32;
          report(
            token,
            ((flags & EPOLLIN) !== 0 ? READABLE : 0) |
              ((flags & EPOLLOUT) !== 0 ? WRITABLE : 0) |
              ((flags & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) !== 0 ? CLOSED : 0),
          );
        }
        return count;
      },
      // (No function of JavaScript's, on entering which a worker could be stopped: the owner has crossed it out already.)
      close: close.bind(null, queue),
    };
  };
}
