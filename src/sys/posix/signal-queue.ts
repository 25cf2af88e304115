import { isLibuv } from "../../runtime/is-libuv.ts";
import type { Koffi } from "../koffi.ts";

type Libc = ReturnType<Koffi["load"]>;

/** What libuv's handler writes for each signal: a pointer, the signal's number, and padding. */
const MESSAGE = 16;
const NUMBER_AT = 8;
/** As much as a pipe holds (pipe(7)). */
const ROOM = 64 * 1024;
/** O_CLOEXEC | O_NONBLOCK, on Linux. */
const PIPE_FLAGS = 0o2004000;
const SPLICE_F_NONBLOCK = 2;

/**
 * The signals that were handled and that the event loop has not heard of yet; null where that cannot be found out.
 *
 * EINTR does not tell which signal it was, nor that it was one: a call with a time limit also gives it when the kernel
 * woke the thread for work of its own. (So does Linux some milliseconds after an io_uring was closed, and libuv has one
 * in the loop of each spawnSync.) libuv's handler writes each signal into a pipe whose ends are both in this process, where it
 * waits for the event loop. tee(2) copies what lies in a pipe and leaves it there.
 */
export function loadSignalQueue(libc: Libc): () => number[] | null {
  if (process.platform !== "linux" || !isLibuv) return () => null;
  const pipe2 = libc.func("int pipe2(void *, int)");
  const tee = libc.func("int64_t tee(int, int, size_t, unsigned int)");
  const read = libc.func("int64_t read(int, void *, size_t)");
  const close = libc.func("int close(int)");

  return () => {
    const ends = ownPipeEnds();
    const copy = new Int32Array(2);
    // libuv has at least two pipes: this one, and one that serves as a lock.
    if (ends.length < 4 || pipe2(copy, PIPE_FLAGS) < 0) return null;
    const [out, into] = copy as unknown as [number, number];
    const bytes = Buffer.alloc(ROOM);
    const numbers: number[] = [];
    for (const end of ends) {
      // Fails for the end that is written to.
      if (tee(end, into, ROOM, SPLICE_F_NONBLOCK) <= 0) continue;
      const length: number = read(out, bytes, ROOM);
      for (let at = 0; at + MESSAGE <= length; at += MESSAGE) numbers.push(bytes.readInt32LE(at + NUMBER_AT));
    }
    close(out);
    close(into);
    return numbers;
  };
}

/** The descriptors of the pipes whose ends are both in this process. */
function ownPipeEnds(): number[] {
  const { readdirSync, readlinkSync } = process.getBuiltinModule("node:fs");
  const ends = new Map<string, number[]>();
  try {
    for (const name of readdirSync("/proc/self/fd")) {
      try {
        const target = readlinkSync(`/proc/self/fd/${name}`);
        if (target.startsWith("pipe:")) ends.set(target, [...(ends.get(target) ?? []), Number(name)]);
      } catch {
        // It was closed meanwhile, as is the one that read the folder.
      }
    }
  } catch {
    return []; // There is no /proc here.
  }
  return [...ends.values()].filter((descriptors) => descriptors.length > 1).flat();
}
