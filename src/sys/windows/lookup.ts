import { monotonicTime } from "../../runtime/clock.ts";
import type { Koffi } from "../koffi.ts";
import type { PlatformLookup } from "../platform.ts";
import { loadMemory } from "./memory.ts";
import { systemLibrary } from "./system-library.ts";
import type { Winsock } from "./winsock.ts";

/** Reads the IP addresses of a list, whose nodes have the pointer to the next one at `nextAt`. */
export type AddressReader = (list: bigint, port: number, nextAt: number) => Buffer[];

// One block of C memory for each lookup, which Windows writes into from a thread of its own: an OVERLAPPED of 32 bytes with its event at
// 24, where the result goes, the handle to cancel with, the hints (ADDRINFOEXW), and the name.
const EVENT_AT = 24;
const RESULT_AT = 32;
const CANCEL_AT = 40;
const HINTS_AT = 48;
const ADDRINFOEXW = { size: 72, socktype: 8, next: 64 } as const;
const NAME_AT = HINTS_AT + ADDRINFOEXW.size;

/** All providers of names: DNS, the hosts file and what else the computer has. */
const NS_ALL = 0;
const WSA_IO_PENDING = 997;
const WAIT_OBJECT_0 = 0;
const LONGEST_WAIT = 0x7fffffff;

type Calls = ReturnType<typeof declareCalls>;

/** A lookup that goes on, or whose result was there at once. */
interface Running {
  readonly event: bigint;
  readonly code: number | null;
}

/**
 * GetAddrInfoExW, which works in a thread of Windows' own and sets an event. Null where a function is missing: they came with
 * Windows 8. A lookup then waits until the resolver is done.
 */
export function loadLookup(winsock: Winsock, addressesOf: AddressReader): PlatformLookup | null {
  try {
    return new Lookup(winsock, declareCalls(winsock), addressesOf);
  } catch {
    return null;
  }
}

class Lookup implements PlatformLookup {
  readonly #koffi: Koffi;
  readonly #calls: Calls;
  readonly #EINPROGRESS: number;
  readonly #addressesOf: AddressReader;
  readonly #running = new Map<bigint, Running>();
  /** Lookups that were given up while Windows was at work: it still writes into their memory. */
  readonly #abandoned = new Set<bigint>();

  constructor({ koffi, system }: Winsock, calls: Calls, addressesOf: AddressReader) {
    this.#koffi = koffi;
    this.#calls = calls;
    this.#EINPROGRESS = system.constants.EINPROGRESS;
    this.#addressesOf = addressesOf;
  }

  start(host: string, type: number): bigint | null {
    this.#sweep();
    const { calloc, free, copyTo, CreateEventW, GetAddrInfoExW } = this.#calls;
    const name = Buffer.from(`${host}\0`, "utf16le");
    const block = Buffer.alloc(NAME_AT + name.length);
    const handle = calloc(1, block.length);
    if (handle === null) return null;
    const event: bigint | null = CreateEventW(null, 1, 0, null);
    if (event === null) {
      free(handle);
      return null;
    }
    block.writeBigUInt64LE(event, EVENT_AT);
    block.writeInt32LE(type, HINTS_AT + ADDRINFOEXW.socktype);
    name.copy(block, NAME_AT);
    copyTo(handle, block);
    const at = (offset: number): bigint => handle + BigInt(offset);
    const [hints, result, cancel] = [at(HINTS_AT), at(RESULT_AT), at(CANCEL_AT)];
    const code: number = GetAddrInfoExW(
      ...[at(NAME_AT), null, NS_ALL, null, hints, result, null, handle, null, cancel],
    );
    this.#running.set(handle, { event, code: code === WSA_IO_PENDING ? null : code });
    return handle;
  }

  wait(handle: bigint, milliseconds: number): boolean {
    // Windows' timers tick every 15 ms, and a wait may end that much early. The caller would take it for a signal.
    const end = monotonicTime() + milliseconds;
    for (let left = milliseconds; left > 0; left = end - monotonicTime()) {
      if (this.#isOver(handle, Math.min(Math.ceil(left), LONGEST_WAIT))) return true;
    }
    return this.#isOver(handle, 0);
  }

  finish(handle: bigint, port: number): Buffer[] | number {
    const code = this.#resultOf(handle);
    const list = this.#listOf(handle);
    const addresses = code === 0 && list ? this.#addressesOf(list, port, ADDRINFOEXW.next) : [];
    this.#release(handle);
    return code === 0 ? addresses : code;
  }

  abandon(handle: bigint): void {
    this.#calls.GetAddrInfoExCancel(handle + BigInt(CANCEL_AT));
    this.#abandoned.add(handle);
    this.#sweep();
  }

  #isOver(handle: bigint, milliseconds: number): boolean {
    const { event, code } = this.#running.get(handle)!;
    return code !== null || this.#calls.WaitForSingleObject(event, milliseconds) === WAIT_OBJECT_0;
  }

  /** The error, once it is over. The event can come a moment before the result may be asked for. */
  #resultOf(handle: bigint): number {
    const known = this.#running.get(handle)!.code;
    if (known !== null) return known;
    for (;;) {
      const code: number = this.#calls.GetAddrInfoExOverlappedResult(handle);
      if (code !== this.#EINPROGRESS) return code;
      this.#calls.Sleep(1);
    }
  }

  #listOf(handle: bigint): bigint | null {
    return this.#koffi.decode(handle, RESULT_AT, "void *");
  }

  #release(handle: bigint): void {
    const list = this.#listOf(handle);
    if (list) this.#calls.FreeAddrInfoExW(list);
    this.#calls.CloseHandle(this.#running.get(handle)!.event);
    this.#running.delete(handle);
    this.#calls.free(handle);
  }

  #sweep(): void {
    for (const handle of this.#abandoned) {
      if (!this.#isOver(handle, 0)) continue;
      this.#resultOf(handle);
      this.#release(handle);
      this.#abandoned.delete(handle);
    }
  }
}

function declareCalls({ koffi, library }: Winsock) {
  const kernel32 = systemLibrary(koffi, "kernel32.dll");
  return {
    ...loadMemory(koffi),
    GetAddrInfoExW: library.func(
      "int __stdcall GetAddrInfoExW(void *, void *, uint32_t, void *, void *, void *, void *, void *, void *, void *)",
    ),
    GetAddrInfoExOverlappedResult: library.func("int __stdcall GetAddrInfoExOverlappedResult(void *)"),
    GetAddrInfoExCancel: library.func("int __stdcall GetAddrInfoExCancel(void *)"),
    FreeAddrInfoExW: library.func("void __stdcall FreeAddrInfoExW(void *)"),
    CreateEventW: kernel32.func("void * __stdcall CreateEventW(void *, int, int, void *)"),
    WaitForSingleObject: kernel32.func("uint32_t __stdcall WaitForSingleObject(void *, uint32_t)"),
    CloseHandle: kernel32.func("int __stdcall CloseHandle(void *)"),
    Sleep: kernel32.func("void __stdcall Sleep(uint32_t)"),
  };
}
