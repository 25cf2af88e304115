import { CLOSED, type Libc, READABLE, type Selector, WRITABLE } from "./selector.ts";

/**
 * poll(2), which every system has: what a wait costs grows with how many are registered.
 *
 *   struct pollfd  fd 4, events 2, revents 2
 */
export function openPoll({ koffi, library, constants }: Libc): () => Selector {
  const poll = library.func("int poll(void *, unsigned long, int)");
  const { POLLIN, POLLOUT, POLLERR, POLLHUP, POLLRDHUP, ENOENT } = constants;
  const SIZE = 8;

  return () => {
    let entries = Buffer.alloc(64 * SIZE);
    /** The token of each entry, and the entry of each descriptor. */
    const tokens: number[] = [];
    const positions = new Map<number, number>();

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
        let left = ready;
        for (let position = 0; left > 0; position++) {
          const flags = entries.readInt16LE(position * SIZE + 6);
          if (flags === 0) continue;
          left--;
          report(
            tokens[position]!,
            ((flags & POLLIN) !== 0 ? READABLE : 0) |
              ((flags & POLLOUT) !== 0 ? WRITABLE : 0) |
              ((flags & (POLLERR | POLLHUP | POLLRDHUP)) !== 0 ? CLOSED : 0),
          );
        }
        return ready;
      },
      close() {
        tokens.length = 0;
        positions.clear();
      },
    };
  };
}
