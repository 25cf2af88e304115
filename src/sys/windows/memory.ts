import type { Koffi } from "../koffi.ts";
import { systemLibrary } from "./system-library.ts";

/** Memory that no garbage collector moves or frees. Windows writes into it while a call goes on in the background. */
export interface Memory {
  /** Zeros; null when there is no memory. */
  calloc(count: number, size: number): bigint | null;
  free(address: bigint): void;
  copyTo(address: bigint, bytes: Uint8Array): void;
}

/** msvcrt.dll, the old C library, is part of every Windows. */
export function loadMemory(koffi: Koffi): Memory {
  const msvcrt = systemLibrary(koffi, "msvcrt.dll");
  const memcpy = msvcrt.func("void *memcpy(uintptr_t, void *, size_t)");
  return {
    calloc: msvcrt.func("void *calloc(size_t, size_t)"),
    free: msvcrt.func("void free(void *)"),
    copyTo(address, bytes) {
      memcpy(address, bytes, bytes.length);
    },
  };
}
