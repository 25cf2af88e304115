import { monotonicTime } from "../../runtime/clock.ts";
import { isLibuv } from "../../runtime/is-libuv.ts";
import { loadUnstopped } from "../../runtime/load-guard.ts";
import type { Constants, PosixConstants } from "../constants.ts";
import { UV_GETADDRINFO } from "../structs.ts";
import { loadMemory } from "./c-memory.ts";
import type { Libc } from "./libc.ts";
import { findGetaddrinfoRoutine } from "./libuv-routine.ts";
import type { Lookup } from "./lookup.ts";

/**
 * Lookups in a thread of their own, for systems without getaddrinfo_a(3): macOS and musl. What the thread runs is libuv's function for
 * its own lookups (libuv-routine.ts).
 *
 * libuv's thread pool is no way: uv_library_shutdown joins its threads, so `process.exit()` would wait until the resolver
 * answers (https://github.com/libuv/libuv/issues/364), and no more than two lookups run in it at a time.
 */

/** What libuv makes of getaddrinfo's errors (uv/errno.h), so that the system's own texts can be given. EAI_SYSTEM becomes minus an errno. */
const ERRORS: Readonly<Record<number, keyof PosixConstants | keyof Constants>> = {
  [-3000]: "EAI_ADDRFAMILY",
  [-3001]: "EAI_AGAIN",
  [-3002]: "EAI_BADFLAGS",
  [-3004]: "EAI_FAIL",
  [-3005]: "EAI_FAMILY",
  [-3006]: "EAI_MEMORY",
  [-3007]: "EAI_NODATA",
  [-3008]: "EAI_NONAME",
  [-3009]: "EAI_OVERFLOW",
  [-3010]: "EAI_SERVICE",
  [-3011]: "EAI_SOCKTYPE",
};

// One block of C memory holds the request, the thread's pthread_t, the hints and the name.
const THREAD = UV_GETADDRINFO.size;
const HINTS = THREAD + 8;
/** In `retcode` while the thread is at work: no result is positive. */
const AT_WORK = 1;

/**
 * The result is looked for after pauses that grow with the time that the lookup has taken, in microseconds: one that /etc/hosts answers
 * is found at once, and one that takes long costs next to nothing.
 */
const SHORTEST_PAUSE = 1;
const LONGEST_PAUSE = 10_000;
/** A sixteenth of it. */
const PAUSE_SHARE = 1000 / 16;

/** A sigset_t has a bit for each signal; 128 bytes are the largest there is (glibc). */
const SIGSET_SIZE = 128;

/** Null where there is no libuv (Bun, Deno), or none of a layout that is known here. */
export function loadLookupThread({ koffi, library, constants, numbers }: Libc): Lookup | null {
  // (Bun exports libuv's names, and ends the program when one is called.)
  if (!isLibuv || koffi.sizeof("long") !== 8) return null;
  const memory = loadMemory(library);
  const pthread_create = library.func("int pthread_create(uintptr_t, void *, uintptr_t, uintptr_t)");
  const pthread_join = library.func("int pthread_join(uintptr_t, void *)");
  const pthread_detach = library.func("int pthread_detach(uintptr_t)");
  const pthread_sigmask = library.func("int pthread_sigmask(int, void *, void *)");
  const usleep = library.func("int usleep(uint32_t)");
  const freeaddrinfo = library.func("void freeaddrinfo(uintptr_t)");
  const allSignals = Buffer.alloc(SIGSET_SIZE);
  library.func("int sigfillset(void *)")(allSignals);
  const signalsBefore = Buffer.alloc(SIGSET_SIZE);

  /** Undefined until it was looked for, null when it cannot be used. */
  let routine: bigint | null | undefined;
  /** When each lookup began, on monotonicTime()'s clock. */
  const begins = new Map<bigint, number>();
  /** Lookups that were given up while their thread was at work: it still writes into their memory. */
  const abandoned = new Set<bigint>();

  const isDone = (handle: bigint): boolean => memory.int(handle, UV_GETADDRINFO.retcode) !== AT_WORK;

  function sweep(): void {
    for (const handle of abandoned) {
      if (!isDone(handle)) continue;
      const list = memory.pointer(handle, UV_GETADDRINFO.addrinfo);
      if (list !== 0n) freeaddrinfo(list);
      memory.free(handle);
      abandoned.delete(handle);
    }
  }

  /** The thread takes no signal, because each must interrupt the thread that waits. */
  function startThread(handle: bigint, start: bigint): boolean {
    pthread_sigmask(numbers.SIG_SETMASK, allSignals, signalsBefore);
    const failure: number = pthread_create(
      handle + BigInt(THREAD),
      null,
      start,
      handle + BigInt(UV_GETADDRINFO.work),
    );
    pthread_sigmask(numbers.SIG_SETMASK, signalsBefore, null);
    return failure === 0;
  }

  /** getaddrinfo's own code for what libuv has made of it. */
  function codeOf(retcode: number): number {
    const name = ERRORS[retcode] ?? "EAI_SYSTEM";
    return retcode === 0 ? 0 : { ...numbers, ...constants }[name];
  }

  return {
    start(host, hints) {
      if (abandoned.size > 0) sweep();
      if (routine === undefined) {
        const found = loadUnstopped(() => findGetaddrinfoRoutine(library, memory, numbers));
        // Not for good: it can have been for want of a descriptor.
        if (found === undefined) return null;
        routine = found;
      }
      if (routine === null) return null;
      const name = Buffer.from(`${host}\0`);
      const block = Buffer.alloc(HINTS + hints.length + name.length);
      const handle = memory.allocate(block.length);
      if (handle === null) return null;
      block.writeBigUInt64LE(handle + BigInt(HINTS), UV_GETADDRINFO.hints);
      block.writeBigUInt64LE(handle + BigInt(HINTS + hints.length), UV_GETADDRINFO.hostname);
      block.writeInt32LE(AT_WORK, UV_GETADDRINFO.retcode);
      hints.copy(block, HINTS);
      name.copy(block, HINTS + hints.length);
      memory.write(handle, block);
      if (startThread(handle, routine)) {
        begins.set(handle, monotonicTime());
        return handle;
      }
      memory.free(handle);
      return null;
    },
    wait(handle, milliseconds) {
      const begun = begins.get(handle) ?? 0;
      const end = monotonicTime() + milliseconds;
      while (!isDone(handle)) {
        const now = monotonicTime();
        if (now >= end) return false;
        const pause = Math.max(SHORTEST_PAUSE, Math.min(LONGEST_PAUSE, (now - begun) * PAUSE_SHARE));
        // A signal has come.
        if (usleep(Math.ceil(Math.min(pause, (end - now) * 1000))) < 0) return isDone(handle);
      }
      return true;
    },
    finish(handle) {
      // It is at its end. Joining it makes certain that all it has written is seen.
      pthread_join(memory.pointer(handle, THREAD), null);
      const code = codeOf(memory.int(handle, UV_GETADDRINFO.retcode));
      const list = memory.pointer(handle, UV_GETADDRINFO.addrinfo);
      memory.free(handle);
      begins.delete(handle);
      return { code, list };
    },
    // (A worker that is stopped while it waits gets nowhere near this: the block, and what a thread leaves behind that nobody has
    // joined, stay until the process ends.)
    abandon(handle) {
      pthread_detach(memory.pointer(handle, THREAD));
      begins.delete(handle);
      abandoned.add(handle);
    },
  };
}
