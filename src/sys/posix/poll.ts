import { CLOSED, MOST_EVENTS, READABLE, type Selector, WRITABLE } from "../selector.ts";
import type { Libc } from "./libc.ts";

/**
 * poll(2), which every system has: what a wait costs grows with how many are registered.
 *
 *   struct pollfd  fd 4, events 2, revents 2
 */
export function openPoll({ koffi, library, constants }: Libc): () => Selector {
  const poll = library.func("int poll(void *, unsigned long, int)");
  const { POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL, POLLRDHUP, ENOENT } = constants;
  const SIZE = 8;

  return () => {
    let entries = Buffer.alloc(64 * SIZE);
    /** The token of each entry, and the entry of each descriptor. */
    const tokens: number[] = [];
    const positions = new Map<number, number>();
    /** Where to begin looking: after the last one that was reported, where there are too many for one wait. */
    let first = 0;

    function put(position: number, descriptor: number, interest: number): void {
      entries.writeInt32LE(descriptor, position * SIZE);
      entries.writeInt16LE(
        ((interest & READABLE) !== 0 ? POLLIN | POLLRDHUP : 0) | ((interest & WRITABLE) !== 0 ? POLLOUT : 0),
        position * SIZE + 4,
      );
    }

    return {
      descriptor: -1,
      add(descriptor, token, interest) {
        const position = tokens.length;
        if ((position + 1) * SIZE > entries.length)
          entries = Buffer.concat([entries, Buffer.alloc(entries.length)]);
        put(position, descriptor, interest);
        tokens.push(token);
        positions.set(descriptor, position);
        return 0;
      },
      modify(descriptor, token, interest) {
        const position = positions.get(descriptor);
        if (position === undefined) return -ENOENT;
        put(position, descriptor, interest);
        tokens[position] = token;
        return 0;
      },
      remove(descriptor) {
        const position = positions.get(descriptor);
        if (position === undefined) return -ENOENT;
        // The last one takes its place.
        const last = tokens.length - 1;
        entries.copy(entries, position * SIZE, last * SIZE, (last + 1) * SIZE);
        positions.set(entries.readInt32LE(position * SIZE), position);
        tokens[position] = tokens[last]!;
        tokens.pop();
        positions.delete(descriptor);
        return 0;
      },
      wait(milliseconds, report) {
        const ready: number = poll(entries, tokens.length, milliseconds);
        if (ready < 0) return -koffi.errno();
        const most = Math.min(ready, MOST_EVENTS);
        if (ready <= most) first = 0;
        const count = tokens.length;
        let reported = 0;
        for (let step = 0; step < count && reported < most; step++) {
          const position = (first + step) % count;
          const flags = entries.readInt16LE(position * SIZE + 6);
          if (flags === 0) continue;
          if ((flags & POLLNVAL) !== 0) {
            // Closed behind the owner's back. epoll(7) forgets it then; poll(2) passes over what is negative.
            entries.writeInt32LE(-1, position * SIZE);
            continue;
          }
          reported++;
          if (reported === most && ready > most) first = (position + 1) % count;
          report(
            tokens[position]!,
            ((flags & POLLIN) !== 0 ? READABLE : 0) |
              ((flags & POLLOUT) !== 0 ? WRITABLE : 0) |
              ((flags & (POLLERR | POLLHUP | POLLRDHUP)) !== 0 ? CLOSED : 0),
          );
        }
        return reported;
      },
      close() {
        tokens.length = 0;
        positions.clear();
      },
    };
  };
}
