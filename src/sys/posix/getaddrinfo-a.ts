import type { LibraryHandle } from "koffi";
import type { Koffi } from "../koffi.ts";
import { GAICB, TIMESPEC_SIZE, writeTimespec } from "../structs.ts";
import { loadMemory } from "./c-memory.ts";
import type { Lookup } from "./lookup.ts";

// One block of C memory holds a struct gaicb, a list with its address as the only one, the hints and the name.
const LIST = GAICB.size;
const HINTS = LIST + 8;

const GAI_NOWAIT = 1;
const EAI_INPROGRESS = -100;

/** glibc's getaddrinfo_a(3); null where there is none (musl, macOS), or where its structures are not known here. */
export function loadGetaddrinfoA(koffi: Koffi, libc: LibraryHandle): Lookup | null {
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
  const freeaddrinfo = libc.func("void freeaddrinfo(void *)");
  const memory = loadMemory(libc);

  const resultOf = (handle: bigint): bigint => memory.pointer(handle, GAICB.result);

  const sweep = (): void => {
    for (const handle of abandoned) {
      if (errorOf(handle) === EAI_INPROGRESS) continue;
      const list = resultOf(handle);
      if (list !== 0n) freeaddrinfo(list);
      memory.free(handle);
      abandoned.delete(handle);
    }
  };

  return {
    start(host, hints) {
      if (abandoned.size > 0) sweep();
      const name = Buffer.from(`${host}\0`);
      const block = Buffer.alloc(HINTS + hints.length + name.length);
      const handle = memory.allocate(block.length);
      if (handle === null) return null;
      block.writeBigUInt64LE(handle + BigInt(HINTS + hints.length), GAICB.name);
      block.writeBigUInt64LE(handle + BigInt(HINTS), GAICB.request);
      block.writeBigUInt64LE(handle, LIST);
      hints.copy(block, HINTS);
      name.copy(block, HINTS + hints.length);
      memory.write(handle, block);
      if (getaddrinfoA(GAI_NOWAIT, handle + BigInt(LIST), 1, null) === 0) return handle;
      // (EAI_SYSTEM, where the manual page has EAI_AGAIN: glibc's gai_misc.c has not put it into its queue.)
      memory.free(handle);
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
      memory.free(handle);
      return { code, list };
    },
    abandon(handle) {
      cancel(handle);
      abandoned.add(handle);
      sweep();
    },
  };
}
