import { monotonicTime } from "../../runtime/clock.ts";
import { isLibuv } from "../../runtime/is-libuv.ts";
import { loadUnstopped } from "../../runtime/load-guard.ts";
import { sharedMemory } from "../../runtime/shared-memory.ts";
import type { Constants, PosixConstants } from "../constants.ts";
import { UV_GETADDRINFO } from "../structs.ts";
import { loadMemory, type Memory } from "./c-memory.ts";
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
 * The result is looked for after pauses that grow with the time that the lookup has taken, in microseconds, so that one that takes long
 * costs next to nothing.
 */
const LONGEST_PAUSE = 10_000;
/** A sixteenth of it. */
const PAUSE_SHARE = 1000 / 16;
/** Until then there are no pauses, in milliseconds: what stands in /etc/hosts is there, and the kernel's shortest pause is as long as that. */
const AT_ONCE = 0.2;

/** A sigset_t has a bit for each signal; 128 bytes are the largest there is (glibc). */
const SIGSET_SIZE = 128;

/** Null where there is no libuv (Bun, Deno), and on 32-bit systems. */
export function loadLookupThread(libc: Libc): Lookup | null {
  // (Bun exports libuv's names, and ends the program when one is called.)
  if (!isLibuv || libc.koffi.sizeof("long") !== 8) return null;
  try {
    return new LookupThread(libc);
  } catch {
    return null; // A function is missing.
  }
}

class LookupThread implements Lookup {
  readonly #libc: Libc;
  readonly #memory: Memory;
  readonly #threads: Threads;
  readonly #freeaddrinfo: (list: bigint) => void;
  /** The address of libuv's function, which is the same for all threads of the process; 0 until one has looked for it. */
  readonly #routine = new BigUint64Array(sharedMemory("getaddrinfo", BigUint64Array.BYTES_PER_ELEMENT));
  /** Whether libuv's function is no use here, which does not change. */
  #isUnknown = false;
  /** When each lookup began, on monotonicTime()'s clock. */
  readonly #begins = new Map<bigint, number>();
  /** Lookups that were given up while their thread was at work: it still writes into their memory. */
  readonly #abandoned = new Set<bigint>();

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#memory = loadMemory(libc.library);
    this.#threads = loadThreads(libc);
    this.#freeaddrinfo = libc.library.func("void freeaddrinfo(uintptr_t)");
  }

  start(host: string, hints: Buffer): bigint | null {
    if (this.#abandoned.size > 0) this.#sweep();
    const memory = this.#memory;
    const routine = this.#findRoutine();
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
    if (this.#threads.start(handle + BigInt(THREAD), routine, handle + BigInt(UV_GETADDRINFO.work))) {
      this.#begins.set(handle, monotonicTime());
      return handle;
    }
    memory.free(handle);
    return null;
  }

  wait(handle: bigint, milliseconds: number): boolean {
    const begun = this.#begins.get(handle) ?? 0;
    const end = monotonicTime() + milliseconds;
    while (!this.#isDone(handle)) {
      const now = monotonicTime();
      if (now >= end) return false;
      if (now - begun < AT_ONCE) {
        this.#threads.yield();
        continue;
      }
      const pause = Math.min(LONGEST_PAUSE, (now - begun) * PAUSE_SHARE);
      // A signal has come.
      if (this.#threads.usleep(Math.ceil(Math.min(pause, (end - now) * 1000))) < 0)
        return this.#isDone(handle);
    }
    return true;
  }

  finish(handle: bigint): { code: number; list: bigint } {
    // It is at its end. Joining it makes certain that all it has written is seen.
    this.#threads.join(this.#memory.pointer(handle, THREAD));
    const code = this.#codeOf(this.#memory.int(handle, UV_GETADDRINFO.retcode));
    const list = this.#memory.pointer(handle, UV_GETADDRINFO.addrinfo);
    this.#memory.free(handle);
    this.#begins.delete(handle);
    return { code, list };
  }

  // (A worker that is stopped while it waits gets nowhere near this: the block, and what a thread leaves behind that nobody has
  // joined, stay until the process ends.)
  abandon(handle: bigint): void {
    this.#threads.detach(this.#memory.pointer(handle, THREAD));
    this.#begins.delete(handle);
    this.#abandoned.add(handle);
  }

  #findRoutine(): bigint | null {
    const { library, numbers } = this.#libc;
    if (this.#routine[0] === 0n && !this.#isUnknown) {
      const found = loadUnstopped(() => findGetaddrinfoRoutine(library, this.#memory, numbers));
      // (Undefined is not for good: it can have been for want of a descriptor or a thread.)
      this.#isUnknown = found === null;
      this.#routine[0] = found ?? 0n;
    }
    return this.#routine[0] || null;
  }

  #isDone(handle: bigint): boolean {
    return this.#memory.int(handle, UV_GETADDRINFO.retcode) !== AT_WORK;
  }

  #sweep(): void {
    for (const handle of this.#abandoned) {
      if (!this.#isDone(handle)) continue;
      const list = this.#memory.pointer(handle, UV_GETADDRINFO.addrinfo);
      if (list !== 0n) this.#freeaddrinfo(list);
      this.#memory.free(handle);
      this.#abandoned.delete(handle);
    }
  }

  /** getaddrinfo's own code for what libuv has made of it. */
  #codeOf(retcode: number): number {
    if (retcode === 0) return 0;
    return { ...this.#libc.numbers, ...this.#libc.constants }[ERRORS[retcode] ?? "EAI_SYSTEM"];
  }
}

type Threads = ReturnType<typeof loadThreads>;

function loadThreads({ library, numbers }: Libc) {
  const create = library.func("int pthread_create(uintptr_t, void *, uintptr_t, uintptr_t)");
  const sigmask = library.func("int pthread_sigmask(int, void *, void *)");
  const join = library.func("int pthread_join(uintptr_t, void *)");
  const all = Buffer.alloc(SIGSET_SIZE);
  library.func("int sigfillset(void *)")(all);
  const before = Buffer.alloc(SIGSET_SIZE);
  return {
    /** A thread that takes no signals, because each must interrupt the thread that waits. Its pthread_t goes to `at`; false when there is none. */
    start(at: bigint, routine: bigint, argument: bigint): boolean {
      sigmask(numbers.SIG_SETMASK, all, before);
      const failure: number = create(at, null, routine, argument);
      sigmask(numbers.SIG_SETMASK, before, null);
      return failure === 0;
    },
    join(thread: bigint): void {
      join(thread, null);
    },
    detach: library.func("int pthread_detach(uintptr_t)") as (thread: bigint) => number,
    yield: library.func("int sched_yield()") as () => number,
    usleep: library.func("int usleep(uint32_t)") as (microseconds: number) => number,
  };
}
