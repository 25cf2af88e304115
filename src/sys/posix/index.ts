import { loadUnstopped } from "../../runtime/load-guard.ts";
import { posixConstants, type SystemName, systemWaiting } from "../constants.ts";
import { loadKoffi } from "../koffi.ts";
import { addressFinder, lastingBuffer } from "../pinned-memory.ts";
import type { Platform } from "../platform.ts";
import { POLLFD } from "../structs.ts";
import { type Calls, changingDescriptors, loadCalls, makingDescriptors } from "./descriptors.ts";
import type { Libc } from "./libc.ts";
import { loadManyDatagrams } from "./many-datagrams.ts";
import { loadMessages } from "./messages.ts";
import { loadNames } from "./names.ts";
import { loadSelectors } from "./selectors.ts";
import { loadSignals } from "./signals.ts";
import { loadTransfers } from "./transfers.ts";

/** 32 MiB less what malloc adds to a block. */
const LARGEST_LESSON = 32 * 1024 * 1024 - 64 * 1024;

/** What an option of the type int holds. */
const MOST_BYTES = 0x7fffffff;

/**
 * libc through koffi, which passes a typed array as the pointer to its memory and checks no bounds. `errno` is read with
 * `koffi.errno()`, which koffi saves from its own activity.
 */
export function loadPosix(name: SystemName, way: string | undefined): Platform {
  const koffi = loadKoffi();
  const library = koffi.load(null);
  const system = systemWaiting(name, way);
  const { constants } = system;
  const close = library.func("int close(int)");
  const libc: Libc = { koffi, library, constants, numbers: posixConstants(name), close };
  const calls = loadCalls(libc);
  let selectors: ReturnType<typeof loadSelectors> | undefined;

  return {
    ...system,
    errno: koffi.errno,
    strerror: library.func("const char *strerror(int)"),
    gaiStrerror: library.func("const char *gai_strerror(int)"),
    ...makingDescriptors(libc, system.behaviour, calls),
    bind: library.func("int bind(int, void *, uint32_t)"),
    listen: library.func("int listen(int, int)"),
    connect: library.func("int connect(int, void *, uint32_t)"),
    ...loadTransfers(koffi, library),
    ...loadMessages(libc, system),
    ...loadManyDatagrams(libc, system),
    shutdown: library.func("int shutdown(int, int)"),
    close,
    getsockname: library.func("int getsockname(int, void *, void *)"),
    getpeername: library.func("int getpeername(int, void *, void *)"),
    getsockopt: calls.getsockopt,
    setsockopt: calls.setsockopt,
    ...changingDescriptors(libc, calls),
    ...loadWaits(libc, calls),
    ...loadSignals(libc),
    interfaceIndex: library.func("uint32_t if_nametoindex(const char *)"),
    ...loadNames(libc, system, way === "bsd" || process.env.STD_NET_LOOKUP === "thread"),
    selector(portable) {
      selectors ??= loadUnstopped(() => loadSelectors(libc));
      return selectors(portable);
    },
    keepFreedMemory: loadKeeping(libc),
    mostDescriptors: loadLimits(libc, name),
  };
}

/** poll(2) of one descriptor, and of none. */
function loadWaits(
  { koffi, library, constants, numbers }: Libc,
  { setsockopt }: Calls,
): Pick<Platform, "waitFor" | "isReadableFrom" | "pause"> {
  const poll = library.func("int poll(void *, unsigned long, int)");
  const pollAt = library.func("int poll(uintptr_t, unsigned long, int)");
  const entry = lastingBuffer(POLLFD.size);
  const addressOf = addressFinder(koffi);
  const { SOL_SOCKET, POLLIN } = constants;
  const { SO_RCVLOWAT } = numbers;
  const mark = Buffer.alloc(4);
  const noMark = Buffer.from([1, 0, 0, 0]);
  return {
    isReadableFrom(descriptor, bytes) {
      mark.writeInt32LE(Math.min(bytes, MOST_BYTES));
      entry.writeInt32LE(descriptor, 0);
      entry.writeInt16LE(POLLIN, POLLFD.events);
      // A worker that was terminated ends when it enters the next JavaScript function. So between these calls, which all are
      // native ones, there is none: the mark is never left behind.
      if (setsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, mark, 4) < 0) return -1;
      const count: number = poll(entry, 1, 0);
      setsockopt(descriptor, SOL_SOCKET, SO_RCVLOWAT, noMark, 4);
      return count;
    },
    waitFor(descriptor, events, milliseconds) {
      entry.writeInt32LE(descriptor, 0);
      entry.writeInt16LE(events, POLLFD.events);
      const at = addressOf(entry);
      const count: number = at === 0 ? poll(entry, 1, milliseconds) : pollAt(at, 1, milliseconds);
      return count > 0 ? entry.readInt16LE(POLLFD.revents) : count;
    },
    pause(milliseconds) {
      pollAt(0, 0, milliseconds);
    },
  };
}

function loadLimits({ koffi, library, numbers }: Libc, name: SystemName): () => number {
  // getrlimit(2): two rlim_t, the limit that holds and the highest that it can be set to. RLIM_INFINITY is all ones, or nearly.
  const { RLIMIT_NOFILE } = numbers;
  return () => {
    const getrlimit = library.func("int getrlimit(int, void *)");
    const isWide = name !== "linux" || koffi.sizeof("long") === 8;
    const limits = Buffer.alloc(16);
    if (getrlimit(RLIMIT_NOFILE, limits) < 0) return Number.POSITIVE_INFINITY;
    return isWide ? Number(limits.readBigUInt64LE()) : limits.readUInt32LE();
  };
}

function loadKeeping({ library }: Libc): () => void {
  const malloc = library.func("void *malloc(size_t)");
  const free = library.func("void free(void *)");
  return () => {
    // glibc learns from a large block that is freed: blocks of up to its size no longer come from mmap(2), and twice
    // as much may stay free at the heap's end (mallopt(3), M_MMAP_THRESHOLD). 32 MiB is the most that it learns from. Where
    // the user has set these limits (MALLOC_TRIM_THRESHOLD_ and so on), they stay; other allocators do nothing.
    free(malloc(LARGEST_LESSON));
  };
}
