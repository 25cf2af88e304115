import type { Libc } from "./libc.ts";

export type Memory = ReturnType<typeof loadMemory>;

/** C memory, which does not move and lives for as long as a thread needs it. */
export function loadMemory(library: Libc["library"]) {
  const calloc = library.func("void *calloc(size_t, size_t)");
  const fromC = library.func("memcpy", "void *", ["void *", "uintptr_t", "size_t"]);
  const toC = library.func("memcpy", "void *", ["uintptr_t", "void *", "size_t"]);
  const word = new BigUint64Array(1);
  const half = new Int32Array(1);
  return {
    /** Zeros; null when there is none. */
    allocate: (length: number): bigint | null => calloc(1, length) || null,
    free: library.func("void free(uintptr_t)") as (at: bigint) => void,
    write: (at: bigint, bytes: Buffer): void => void toC(at, bytes, bytes.length),
    pointer(at: bigint, offset: number): bigint {
      fromC(word, at + BigInt(offset), 8);
      return word[0]!;
    },
    int(at: bigint, offset: number): number {
      fromC(half, at + BigInt(offset), 4);
      return half[0]!;
    },
    /** Whether these bytes stand there. */
    holds(at: bigint, bytes: Buffer): boolean {
      if (at === 0n) return false;
      const there = Buffer.alloc(bytes.length);
      fromC(there, at, bytes.length);
      return there.equals(bytes);
    },
  };
}
