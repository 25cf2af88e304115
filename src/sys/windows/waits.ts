import { addressFinder, lasting, lastingBuffer } from "../pinned-memory.ts";
import type { Platform } from "../platform.ts";
import { WSAPOLLFD } from "../structs.ts";
import { systemLibrary } from "./system-library.ts";
import type { Winsock } from "./winsock.ts";

/** struct fd_set on 64 bits: count 4, a gap of 4, then the SOCKETs of 8 bytes. No more than one is ever asked for. */
const FD_SET_SIZE = 16;
const SOCKET_AT = 8;
const INFINITE = 0xffffffff;

export interface Waits extends Pick<Platform, "waitFor" | "pause"> {
  /** WSAPoll, which waits too when there is no socket to wait for: it refuses that itself. */
  poll(entries: Uint8Array, count: number, milliseconds: number): number;
}

export function loadWaits(winsock: Winsock): Waits {
  const { koffi, library, system, checked } = winsock;
  const { POLLOUT } = system.constants;
  const WSAPoll = library.func("int __stdcall WSAPoll(void *, uint32_t, int)");
  const WSAPollAt = library.func("int __stdcall WSAPoll(uintptr_t, uint32_t, int)");
  const select = library.func("int __stdcall select(int, void *, void *, void *, void *)");
  const Sleep = systemLibrary(koffi, "kernel32.dll").func("void __stdcall Sleep(uint32_t)");

  const entry = lastingBuffer(WSAPOLLFD.size);
  entry.fill(0);
  const addressOf = addressFinder(koffi);
  const writable = lastingBuffer(FD_SET_SIZE);
  const exceptional = lastingBuffer(FD_SET_SIZE);
  const timeval = lasting(new Int32Array(2));

  function put(set: Buffer, socket: number): void {
    set.writeUInt32LE(1, 0);
    set.writeUInt32LE(socket, SOCKET_AT);
    set.writeUInt32LE(0, SOCKET_AT + 4);
  }

  /**
   * select for one socket. It tells of a connection that failed, in the third set. WSAPoll does not, before Windows 10 2004
   * (Microsoft's own note on WSAPoll).
   */
  function waitWritable(socket: number, milliseconds: number): number {
    put(writable, socket);
    put(exceptional, socket);
    timeval[0] = Math.floor(milliseconds / 1000);
    timeval[1] = (milliseconds % 1000) * 1000;
    const limit = milliseconds < 0 ? null : timeval;
    const count = checked(select(0, null, writable, exceptional, limit));
    return count > 0 ? POLLOUT : count;
  }

  const pause = (milliseconds: number): void => Sleep(milliseconds < 0 ? INFINITE : Math.ceil(milliseconds));

  return {
    waitFor(descriptor, events, milliseconds) {
      if (events === POLLOUT) return waitWritable(descriptor, milliseconds);
      entry.writeInt32LE(descriptor, 0);
      entry.writeInt16LE(events, WSAPOLLFD.events);
      const at = addressOf(entry);
      const count = checked(at === 0 ? WSAPoll(entry, 1, milliseconds) : WSAPollAt(at, 1, milliseconds));
      return count > 0 ? entry.readInt16LE(WSAPOLLFD.revents) : count;
    },
    pause,
    poll(entries, count, milliseconds) {
      if (count > 0) {
        const ready = checked(WSAPoll(entries, count, milliseconds));
        if (ready >= 0) return ready;
        // It fails, and does not wait, when no entry has a socket (any more).
        const gone = markClosed(winsock, entries, count);
        if (gone !== 0) return gone;
      }
      pause(milliseconds);
      return 0;
    },
  };
}

/**
 * After a failure: writes POLLNVAL into the entries whose socket somebody has closed, and gives their number; 0 when no entry has a socket
 * (all are negative), and -1 when they are in order and the failure is another one.
 */
function markClosed(winsock: Winsock, entries: Uint8Array, count: number): number {
  const { error, system } = winsock;
  const { size, revents } = WSAPOLLFD;
  const view = new DataView(entries.buffer, entries.byteOffset, count * size);
  let closed = 0;
  let good = 0;
  for (let at = 0; at < count * size; at += size) {
    const socket = view.getInt32(at, true);
    const isClosed = socket >= 0 && !winsock.isSocket(socket);
    if (isClosed) closed++;
    else if (socket >= 0) good++;
    view.setInt16(at + revents, isClosed ? system.constants.POLLNVAL : 0, true);
  }
  winsock.failed(error);
  return closed > 0 ? closed : good > 0 ? -1 : 0;
}
