import { thisWorker, workerOf } from "../../runtime/ownership.ts";
import { loadMemory } from "./memory.ts";
import { systemLibrary } from "./system-library.ts";
import type { Winsock } from "./winsock.ts";

/** Events of AFD (AFD_POLL_*). Source: wepoll's and mio's sources; Microsoft's headers of the driver are not public. */
export const POLL = {
  RECEIVE: 0x1,
  SEND: 0x4,
  /** The peer has ended its side. */
  DISCONNECT: 0x8,
  /** The connection was reset. */
  ABORT: 0x10,
  /** The handle was closed. */
  LOCAL_CLOSE: 0x20,
  ACCEPT: 0x80,
  CONNECT_FAIL: 0x100,
} as const;

/**
 * What one request needs in C memory:
 *
 *   IO_STATUS_BLOCK  status 4 (and a gap of 4), information 8
 *   AFD_POLL_INFO    timeout 8, number of sockets 4, exclusive 4, then for the socket: handle 8, events 4, status 4
 */
export const SLOT = {
  size: 48,
  status: 0,
  poll: 16,
  timeout: 16,
  count: 24,
  exclusive: 28,
  socket: 32,
  events: 40,
  socketStatus: 44,
} as const;
const POLL_SIZE = SLOT.size - SLOT.poll;
export const SLOTS_OF_BLOCK = 128;

const IOCTL_AFD_POLL = 0x12024;
const SIO_BASE_HANDLE = 0x48000022;
/** The same of a socket that a program has put itself before, in a way that hides the first (wepoll has met such). */
const SIO_BSP_HANDLE_POLL = 0x4800001d;
const DEVICE = "\\Device\\Afd\\std-net";
const OBJECT_ATTRIBUTES_SIZE = 48;
const UNICODE_STRING_SIZE = 16;
const SYNCHRONIZE = 0x00100000;
const FILE_SHARE_READ_WRITE = 3;
const FILE_OPEN = 1;
const FILE_SKIP_SET_EVENT_ON_HANDLE = 2;
const INVALID_HANDLE_VALUE = -1;
const WAIT_TIMEOUT = 258;
const INFINITE = 0xffffffff;
const ERROR_NOT_ENOUGH_MEMORY = 8;
/** struct OVERLAPPED_ENTRY: key 8, the request's context 8, internal 8, bytes 4 and a gap of 4. */
const COMPLETION_SIZE = 32;
const CONTEXT_AT = 8;

/** AFD and the I/O completion port. A failure is minus an error number. */
export interface Afd {
  /** The driver's handle and the port; null when they cannot be had. */
  open(): { readonly driver: number; readonly port: number } | null;
  close(handle: number): void;
  /** AFD's own socket behind this one. */
  baseSocket(socket: number): number;
  /** Begins the request at this address: an NTSTATUS. Its completion names the slot. */
  poll(driver: number, address: bigint, slot: number): number;
  cancel(driver: number, address: bigint): void;
  /** Takes completions: how many, 0 when none came in time. */
  take(port: number, completions: DataView, milliseconds: number): number;
  readonly completionSize: number;
  slotOf(completions: DataView, index: number): number;
  /** Memory for SLOTS_OF_BLOCK requests, which no garbage collector moves or frees. */
  allocate(): { readonly address: bigint; readonly view: DataView } | null;
  free(address: bigint): void;
  /** The Win32 error for an NTSTATUS. */
  errorOf(status: number): number;
  readonly outOfMemory: number;
}

export function declareAfd(winsock: Winsock): Afd {
  const { koffi } = winsock;
  const memory = loadMemory(koffi);
  const CloseHandle = systemLibrary(koffi, "kernel32.dll").func("int __stdcall CloseHandle(intptr_t)");
  return {
    open: loadOpen(winsock),
    close(handle) {
      CloseHandle(handle);
    },
    baseSocket: loadBaseSocket(winsock),
    ...loadRequests(winsock),
    ...loadCompletions(winsock),
    allocate() {
      const address = memory.calloc(SLOTS_OF_BLOCK, SLOT.size);
      if (address === null) return null;
      return { address, view: new DataView(koffi.view(address, SLOTS_OF_BLOCK * SLOT.size)) };
    },
    free: memory.free,
    outOfMemory: ERROR_NOT_ENOUGH_MEMORY,
  };
}

function loadBaseSocket(winsock: Winsock): Afd["baseSocket"] {
  const WSAIoctl = winsock.library.func(
    "int __stdcall WSAIoctl(intptr_t, uint32_t, void *, uint32_t, void *, uint32_t, void *, void *, void *)",
  );
  return (socket) => {
    const base = new BigInt64Array(1);
    for (const request of [SIO_BASE_HANDLE, SIO_BSP_HANDLE_POLL]) {
      const length = new Uint32Array(1);
      const result = WSAIoctl(socket, request, null, 0, base, 8, length, null, null);
      if (winsock.checked(result) === 0) return Number(base[0]);
    }
    return -winsock.error;
  };
}

function loadRequests({ koffi }: Winsock): Pick<Afd, "poll" | "cancel" | "errorOf"> {
  const ntdll = systemLibrary(koffi, "ntdll.dll");
  const NtDeviceIoControlFile = ntdll.func(
    "uint32_t __stdcall NtDeviceIoControlFile(intptr_t, void *, void *, uintptr_t, void *, uint32_t, void *, uint32_t, void *, uint32_t)",
  );
  const NtCancelIoFileEx = ntdll.func("uint32_t __stdcall NtCancelIoFileEx(intptr_t, void *, void *)");
  const cancelled = Buffer.alloc(SLOT.poll);
  return {
    poll(driver, address, slot) {
      const poll = address + BigInt(SLOT.poll);
      // A context of 0 would mean that no completion is wanted.
      const context = slot + 1;
      const size = POLL_SIZE;
      return NtDeviceIoControlFile(
        ...[driver, null, null, context, address, IOCTL_AFD_POLL, poll, size, poll, size],
      );
    },
    cancel(driver, address) {
      NtCancelIoFileEx(driver, address, cancelled);
    },
    errorOf: ntdll.func("uint32_t __stdcall RtlNtStatusToDosError(uint32_t)"),
  };
}

function loadCompletions(winsock: Winsock): Pick<Afd, "take" | "completionSize" | "slotOf"> {
  const GetQueuedCompletionStatusEx = systemLibrary(winsock.koffi, "kernel32.dll").func(
    "int __stdcall GetQueuedCompletionStatusEx(intptr_t, void *, uint32_t, void *, uint32_t, int)",
  );
  const taken = new Uint32Array(1);
  return {
    take(port, completions, milliseconds) {
      const limit = milliseconds === Number.POSITIVE_INFINITY ? INFINITE : Math.ceil(milliseconds);
      const room = completions.byteLength / COMPLETION_SIZE;
      if (GetQueuedCompletionStatusEx(port, completions, room, taken, limit, 0) !== 0) return taken[0]!;
      winsock.failed();
      return winsock.error === WAIT_TIMEOUT ? 0 : -winsock.error;
    },
    completionSize: COMPLETION_SIZE,
    slotOf: (completions, index) => completions.getUint32(index * COMPLETION_SIZE + CONTEXT_AT, true) - 1,
  };
}

/** Opens the driver; gives its handle, which no child process inherits because OBJECT_ATTRIBUTES does not say otherwise. */
function loadDriver({ koffi }: Winsock): () => number {
  const NtCreateFile = systemLibrary(koffi, "ntdll.dll").func(
    "uint32_t __stdcall NtCreateFile(void *, uint32_t, void *, void *, void *, uint32_t, uint32_t, uint32_t, uint32_t, void *, uint32_t)",
  );
  return () => {
    const text = Buffer.from(DEVICE, "utf16le");
    // One block, so that the call keeps all of it alive. OBJECT_ATTRIBUTES: its length 4 and a gap, root 8, the name's address 8,
    // and 24 bytes of zeros. UNICODE_STRING, the name: length 2, room 2, a gap of 4, the text's address 8.
    const attributes = Buffer.alloc(OBJECT_ATTRIBUTES_SIZE + UNICODE_STRING_SIZE + text.length);
    const address = koffi.address(attributes);
    const nameAt = OBJECT_ATTRIBUTES_SIZE;
    const textAt = nameAt + UNICODE_STRING_SIZE;
    attributes.writeUInt32LE(OBJECT_ATTRIBUTES_SIZE, 0);
    attributes.writeBigUInt64LE(address + BigInt(nameAt), 16);
    attributes.writeUInt16LE(text.length, nameAt);
    attributes.writeUInt16LE(text.length, nameAt + 2);
    attributes.writeBigUInt64LE(address + BigInt(textAt), nameAt + 8);
    attributes.set(text, textAt);
    const handle = new BigInt64Array(1);
    const status: number = NtCreateFile(
      handle,
      SYNCHRONIZE,
      attributes,
      Buffer.alloc(16),
      null,
      0,
      FILE_SHARE_READ_WRITE,
      FILE_OPEN,
      0,
      null,
      0,
    );
    return status === 0 ? Number(handle[0]) : INVALID_HANDLE_VALUE;
  };
}

function loadOpen(winsock: Winsock): Afd["open"] {
  const { koffi } = winsock;
  const openDriver = loadDriver(winsock);
  const kernel32 = systemLibrary(koffi, "kernel32.dll");
  const CreateIoCompletionPort = kernel32.func(
    "intptr_t __stdcall CreateIoCompletionPort(intptr_t, intptr_t, uintptr_t, uint32_t)",
  );
  const SetFileCompletionNotificationModes = kernel32.func(
    "int __stdcall SetFileCompletionNotificationModes(intptr_t, uint8_t)",
  );
  const CloseHandle = kernel32.func("int __stdcall CloseHandle(intptr_t)");

  return () => {
    const driver = openDriver();
    if (driver === INVALID_HANDLE_VALUE) return null;
    workerOf[driver] = thisWorker;
    const port: number = CreateIoCompletionPort(INVALID_HANDLE_VALUE, 0, 0, 0);
    if (port !== 0) workerOf[port] = thisWorker;
    if (
      port !== 0 &&
      CreateIoCompletionPort(driver, port, 0, 0) !== 0 &&
      SetFileCompletionNotificationModes(driver, FILE_SKIP_SET_EVENT_ON_HANDLE) !== 0
    ) {
      return { driver, port };
    }
    CloseHandle(driver);
    if (port !== 0) CloseHandle(port);
    return null;
  };
}
