import type { LibraryHandle } from "koffi";
import type { Koffi } from "../koffi.ts";
import { GAICB, TIMESPEC_SIZE, writeTimespec } from "../structs.ts";

/**
 * getaddrinfo(3) that can be waited for in slices: glibc's getaddrinfo_a(3), which asks in a thread of its own.
 *
 * The plain call blocks for as long as a name server keeps silent (resolv.conf(5): 5 seconds, twice for each server),
 * and neither a deadline nor a signal nor the end of a worker thread gets through to it.
 */
export interface Lookup {
  /** Begins; gives a handle, or null where there is no thread or memory for it. `hints` is a struct addrinfo. */
  start(host: string, hints: Buffer): bigint | null;
  /** gai_suspend(3): waits until the answer is there (true), or for so long, or until a signal (false). */
  wait(handle: bigint, milliseconds: number): boolean;
  /** Ends it: the error (0 for none) and the list of addresses, which the caller frees. */
  finish(handle: bigint): { code: number; list: bigint };
  /** Gives it up: its memory is freed when its thread has done with it. */
  abandon(handle: bigint): void;
}

// One block of C memory holds a struct gaicb, a list with its address as the only one, the hints and the name.
const LIST = GAICB.size;
const HINTS = LIST + 8;

const GAI_NOWAIT = 1;
const EAI_INPROGRESS = -100;

/** The lookup of this libc; null where it has none (musl, macOS), or where its structures are not known here. */
export function loadLookup(koffi: Koffi, libc: LibraryHandle): Lookup | null {
  if (process.platform !== "linux" || koffi.sizeof("long") !== 8) return null;
  try {
    return declare(libc);
  } catch {
    return null;
  }
}

/** Lookups that were given up while their thread was at work: it still writes into their memory. */
const abandoned = new Set<bigint>();

function declare(libc: LibraryHandle): Lookup {
  const getaddrinfoA = libc.func("int getaddrinfo_a(int, void *, int, void *)");
  const suspend = libc.func("int gai_suspend(void *, int, void *)");
  const errorOf = libc.func("int gai_error(void *)");
  const cancel = libc.func("int gai_cancel(void *)");
  const malloc = libc.func("void *malloc(size_t)");
  const free = libc.func("void free(void *)");
  const freeaddrinfo = libc.func("void freeaddrinfo(void *)");
  const fromC = libc.func("memcpy", "void *", ["void *", "uintptr_t", "size_t"]);
  const toC = libc.func("memcpy", "void *", ["uintptr_t", "void *", "size_t"]);

  const resultOf = (handle: bigint): bigint => {
    const result = new BigUint64Array(1);
    fromC(result, handle + BigInt(GAICB.result), 8);
    return result[0]!;
  };

  const sweep = (): void => {
    for (const handle of abandoned) {
      if (errorOf(handle) === EAI_INPROGRESS) continue;
      const list = resultOf(handle);
      if (list !== 0n) freeaddrinfo(list);
      free(handle);
      abandoned.delete(handle);
    }
  };

  return {
    start(host, hints) {
      if (abandoned.size > 0) sweep();
      const name = Buffer.from(`${host}\0`);
      const block = Buffer.alloc(HINTS + hints.length + name.length);
      const handle: bigint | null = malloc(block.length);
      if (!handle) return null;
      block.writeBigUInt64LE(handle + BigInt(HINTS + hints.length), GAICB.name);
      block.writeBigUInt64LE(handle + BigInt(HINTS), GAICB.request);
      block.writeBigUInt64LE(handle, LIST);
      hints.copy(block, HINTS);
      name.copy(block, HINTS + hints.length);
      toC(handle, block, block.length);
      if (getaddrinfoA(GAI_NOWAIT, handle + BigInt(LIST), 1, null) === 0) return handle;
      // (EAI_SYSTEM, where the manual page has EAI_AGAIN: glibc's gai_misc.c has not put it into its queue.)
      free(handle);
      return null;
    },
    wait(handle, milliseconds) {
      const time = Buffer.alloc(TIMESPEC_SIZE);
      writeTimespec(time, milliseconds);
      suspend(handle + BigInt(LIST), 1, time);
      return errorOf(handle) !== EAI_INPROGRESS;
    },
    finish(handle) {
      const code: number = errorOf(handle);
      const list = resultOf(handle);
      free(handle);
      return { code, list };
    },
    abandon(handle) {
      cancel(handle);
      abandoned.add(handle);
      sweep();
    },
  };
}
