import type { System } from "../constants.ts";
import type { Koffi } from "../koffi.ts";
import { type SystemLibrary, systemLibrary } from "./system-library.ts";

/** ws2_32.dll and what all files of this folder need of it. */
export interface Winsock {
  readonly koffi: Koffi;
  readonly library: SystemLibrary;
  readonly system: System;
  /**
   * The error of the call that failed just now. WSAGetLastError is the thread's GetLastError, which any call may overwrite. So each
   * function of this folder reads it at once and keeps it here.
   */
  error: number;
  /** To be called straight after a call failed: keeps WSAGetLastError(), or the error given, and gives -1. */
  failed(error?: number): -1;
  /** The result; when it is -1 (SOCKET_ERROR, INVALID_SOCKET) the error is kept. */
  checked(result: number): number;
  /** Whether it is an open socket. */
  isSocket(socket: number): boolean;
  isDatagram(socket: number): boolean;
  /** The socket's address family, bound or not; -1 when it is none. */
  familyOf(socket: number): number;
}

/** Winsock 2.2, which every Windows has. */
const VERSION = 0x0202;
/** The option whose value is a WSAPROTOCOL_INFOW: its size, and where the family stands. */
const SO_PROTOCOL_INFOW = 0x2005;
export const PROTOCOL_INFO_SIZE = 628;
const FAMILY_AT = 76;
/** struct WSADATA on 64 bits. */
const WSADATA_SIZE = 408;

/**
 * Loads Winsock and starts it for this process. A second WSAStartup, in another thread, only counts; WSACleanup would end the sockets of
 * others (libuv's too), so it is never called.
 *
 * A SOCKET is a handle of the size of a pointer, declared as intptr_t: INVALID_SOCKET is -1 then, as on POSIX.
 */
export function loadWinsock(koffi: Koffi, system: System): Winsock {
  const library = systemLibrary(koffi, "ws2_32.dll");
  const getLastError = library.func("int __stdcall WSAGetLastError()");
  const getsockopt = library.func("int __stdcall getsockopt(intptr_t, int, int, void *, void *)");
  const started: number = library.func("int __stdcall WSAStartup(uint16_t, void *)")(
    VERSION,
    Buffer.alloc(WSADATA_SIZE),
  );
  if (started !== 0) throw new Error(`WSAStartup failed: error ${started}`);
  const { SOL_SOCKET, SO_TYPE, SOCK_DGRAM } = system.constants;
  const typeOf = (socket: number): number => {
    const type = Buffer.alloc(4);
    const result: number = getsockopt(socket, SOL_SOCKET, SO_TYPE, type, Uint32Array.of(4));
    return result === 0 ? type.readInt32LE(0) : -1;
  };
  const winsock: Winsock = {
    koffi,
    library,
    system,
    error: 0,
    failed(error = getLastError()) {
      winsock.error = error;
      return -1;
    },
    checked(result) {
      if (result === -1) winsock.error = getLastError();
      return result;
    },
    isSocket: (socket) => typeOf(socket) >= 0,
    isDatagram: (socket) => typeOf(socket) === SOCK_DGRAM,
    familyOf(socket) {
      const info = Buffer.alloc(PROTOCOL_INFO_SIZE);
      const size = Uint32Array.of(info.length);
      const result: number = getsockopt(socket, SOL_SOCKET, SO_PROTOCOL_INFOW, info, size);
      return result === 0 ? info.readInt32LE(FAMILY_AT) : -1;
    },
  };
  return winsock;
}

/**
 * After a call failed: the same address for another try, or null. An IPv6 socket takes no IPv4 address, as Linux' do, but its form within
 * IPv6 (RFC 4291, 2.5.5.2).
 */
export function asIpv6({ system, familyOf }: Winsock, socket: number, address: Uint8Array): Buffer | null {
  const { constants } = system;
  const family = address[0]! | (address[1]! << 8);
  if (family !== constants.AF_INET || familyOf(socket) !== constants.AF_INET6) return null;
  const mapped = Buffer.alloc(28);
  mapped.writeUInt16LE(constants.AF_INET6, 0);
  mapped.set(address.subarray(2, 4), 2);
  mapped.fill(0xff, 18, 20);
  mapped.set(address.subarray(4, 8), 20);
  return mapped;
}
