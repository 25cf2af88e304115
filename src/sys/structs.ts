import type { System } from "./constants.ts";

/**
 * The structures that go to the system and come from it, in bytes. All numbers are little-endian, unless they are in network
 * order (ports and addresses).
 */

/**
 * sockaddr_in, sockaddr_in6 and sockaddr_un (ip(7), ipv6(7), unix(7)):
 *
 *   sockaddr_in   family 2, port 2 (network order), address 4, zero 8
 *   sockaddr_in6  family 2, port 2 (network order), flow info 4, address 16, scope id 4
 *   sockaddr_un   family 2, path up to 108 (104 on the BSDs)
 *
 * Where a sockaddr has a length (the BSDs), it takes the first byte and the family the second.
 */
export const SOCKADDR_ROOM = 128;
const IPV4_LENGTH = 16;
const IPV6_LENGTH = 28;
const PORT_AT = 2;
const IPV4_AT = 4;
const IPV6_AT = 8;
const SCOPE_AT = 24;
const PATH_AT = 2;

export function encodeAddress(system: System, ip: Uint8Array, port: number, scope: number): Buffer {
  const isIpv4 = ip.length === 4;
  const address = Buffer.alloc(isIpv4 ? IPV4_LENGTH : IPV6_LENGTH);
  writeFamily(system, address, isIpv4 ? system.constants.AF_INET : system.constants.AF_INET6);
  setPort(address, port);
  address.set(ip, isIpv4 ? IPV4_AT : IPV6_AT);
  if (!isIpv4) address.writeUInt32LE(scope, SCOPE_AT);
  return address;
}

/** Puts the family where this system has it (and the length before it). */
function writeFamily({ layout }: System, address: Buffer, family: number): void {
  if (layout.sockaddrHasLength) {
    address[0] = address.length;
    address[1] = family;
  } else {
    address.writeUInt16LE(family, 0);
  }
}

export function familyOf({ layout }: System, address: Uint8Array): number {
  return layout.sockaddrHasLength ? address[1]! : address[0]! | (address[1]! << 8);
}

export function portOf(address: Uint8Array): number {
  return (address[PORT_AT]! << 8) | address[PORT_AT + 1]!;
}

export function setPort(address: Buffer, port: number): void {
  address.writeUInt16BE(port, PORT_AT);
}

/** Where the IP address of a sockaddr of this family begins; -1 where there is none. */
export function ipOffset({ constants }: System, family: number): number {
  if (family === constants.AF_INET) return IPV4_AT;
  return family === constants.AF_INET6 ? IPV6_AT : -1;
}

/** The scope id of a sockaddr_in6. */
export function scopeOf(address: Buffer): number {
  return address.readUInt32LE(SCOPE_AT);
}

/** Whether it is an address of this very computer: 127.0.0.0/8 or ::1. */
export function isLoopback(system: System, address: Uint8Array): boolean {
  const family = familyOf(system, address);
  if (family === system.constants.AF_INET) return address[IPV4_AT] === 127;
  if (family !== system.constants.AF_INET6) return false;
  for (let index = IPV6_AT; index < IPV6_AT + 15; index++) if (address[index] !== 0) return false;
  return address[IPV6_AT + 15] === 1;
}

/** The socket address of a Unix socket's path; null when the path is too long for it. */
export function encodeUnixAddress(system: System, path: Uint8Array): Buffer | null {
  const isAbstract = path[0] === 0;
  // A path ends with a NUL, an abstract name with the address (unix(7)).
  const length = isAbstract ? path.length : path.length + 1;
  if (length > system.layout.unixPathRoom) return null;
  const address = Buffer.alloc(PATH_AT + length);
  writeFamily(system, address, system.constants.AF_UNIX);
  address.set(path, PATH_AT);
  return address;
}

/** The name in a Unix socket address of `length` bytes: none of an unnamed socket, a NUL before an abstract name. */
export function unixName({ behaviour }: System, address: Buffer, length: number): Buffer {
  const name = address.subarray(PATH_AT, length);
  // Where there are no abstract names, an unnamed socket may have an address of zeros.
  if (name[0] === 0) return behaviour.hasAbstractNames ? name : name.subarray(0, 0);
  const end = name.indexOf(0);
  return end < 0 ? name : name.subarray(0, end);
}

/** struct pollfd (poll(2)): fd 4, events 2, revents 2. On Windows (WSAPOLLFD) fd is a SOCKET of 8 bytes. */
export interface PollEntryLayout {
  readonly size: number;
  readonly events: number;
  readonly revents: number;
}

export const POLLFD: PollEntryLayout = { size: 8, events: 4, revents: 6 };
export const WSAPOLLFD: PollEntryLayout = { size: 16, events: 8, revents: 10 };

/**
 * struct iovec: base, length; struct msghdr (sendmsg(2)): name, its length, iovec, their number, control, its length, flags. Each takes a
 * pointer's room here, and its value the first bytes of it. (On macOS flags stand directly behind the length of control. Nobody
 * reads them.)
 */
export function writeIovec(
  table: Buffer,
  index: number,
  address: number,
  length: number,
  sizeOfPointer: number,
): void {
  const at = 2 * index * sizeOfPointer;
  writePointer(table, at, address, sizeOfPointer);
  writePointer(table, at + sizeOfPointer, length, sizeOfPointer);
}

export interface MessageFields {
  readonly name?: number;
  readonly nameLength?: number;
  readonly parts: number;
  readonly count: number;
  readonly control?: number;
  readonly controlLength?: number;
}

export function messageHeader(fields: MessageFields, sizeOfPointer: number): Buffer {
  const header = Buffer.alloc(8 * sizeOfPointer);
  writeMessageHeader(header, fields, sizeOfPointer);
  return header;
}

export function writeMessageHeader(header: Buffer, fields: MessageFields, sizeOfPointer: number): void {
  const { name = 0, nameLength = 0, parts, count, control = 0, controlLength = 0 } = fields;
  writePointer(header, 0, name, sizeOfPointer);
  writePointer(header, sizeOfPointer, nameLength, sizeOfPointer);
  writePointer(header, 2 * sizeOfPointer, parts, sizeOfPointer);
  writePointer(header, 3 * sizeOfPointer, count, sizeOfPointer);
  writePointer(header, 4 * sizeOfPointer, control, sizeOfPointer);
  writePointer(header, 5 * sizeOfPointer, controlLength, sizeOfPointer);
  header.fill(0, 6 * sizeOfPointer, 8 * sizeOfPointer);
}

function writePointer(target: Buffer, at: number, value: number, sizeOfPointer: number): void {
  target.writeUInt32LE(value % 0x1_0000_0000, at);
  if (sizeOfPointer === 8) target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
}

/** struct cmsghdr with one descriptor (cmsg(3)): length (a size_t or 4 bytes), level 4, type 4, then the descriptor 4. */
export interface ControlLayout {
  /** The whole, with room behind it. */
  readonly size: number;
  readonly level: number;
  readonly type: number;
  readonly descriptor: number;
  /** What the length says: without the room behind. */
  readonly length: number;
}

export function controlLayout({ layout }: System, sizeOfPointer: number): ControlLayout {
  const level = layout.cmsghdrHasLongLength ? sizeOfPointer : 4;
  const descriptor = level + 8;
  return { size: descriptor + 8, level, type: level + 4, descriptor, length: descriptor + 4 };
}

/** struct timeval: seconds and microseconds, each a long of `sizeOfLong` bytes (on 32 bits, that is the libc's own choice). */
export function timeval(milliseconds: number, sizeOfLong: number): Buffer {
  const value = Buffer.alloc(2 * sizeOfLong);
  const seconds = Math.floor(milliseconds / 1000);
  const microseconds = Math.floor((milliseconds % 1000) * 1000);
  if (sizeOfLong === 8) {
    value.writeBigInt64LE(BigInt(seconds), 0);
    value.writeBigInt64LE(BigInt(microseconds), 8);
  } else {
    value.writeInt32LE(Math.min(seconds, 0x7fffffff), 0);
    value.writeInt32LE(microseconds, 4);
  }
  return value;
}

/** struct timespec of 64-bit systems: seconds 8, nanoseconds 8. */
export const TIMESPEC_SIZE = 16;

export function writeTimespec(value: Buffer, milliseconds: number): void {
  value.writeBigInt64LE(BigInt(Math.floor(milliseconds / 1000)), 0);
  value.writeBigInt64LE(BigInt(Math.floor((milliseconds % 1000) * 1_000_000)), 8);
}

/** struct linger: on 4, seconds 4. On Windows (`isShort`): on 2, seconds 2. */
export function linger(seconds: number | null, isShort = false): Buffer {
  const value = Buffer.alloc(isShort ? 4 : 8);
  if (seconds === null) return value;
  if (isShort) {
    value.writeUInt16LE(1, 0);
    value.writeUInt16LE(seconds, 2);
  } else {
    value.writeInt32LE(1, 0);
    value.writeInt32LE(seconds, 4);
  }
  return value;
}

/** The seconds of a struct linger; null when it is off. */
export function lingerSeconds(value: Buffer, isShort = false): number | null {
  // (Compared with 0 and not with 1: on the BSDs an option that is on comes as its own bit.)
  if (isShort) return value.readUInt16LE(0) === 0 ? null : value.readUInt16LE(2);
  return value.readInt32LE(0) === 0 ? null : value.readInt32LE(4);
}

/** struct ip_mreq (ip(7)): the group 4, the interface's address 4. */
export function ipMembership(group: Uint8Array, local: Uint8Array): Buffer {
  return Buffer.concat([group, local]);
}

/** struct ipv6_mreq (ipv6(7)): the group 16, the interface's number 4. */
export function ipv6Membership(group: Uint8Array, interfaceIndex: number): Buffer {
  const request = Buffer.alloc(20);
  request.set(group);
  request.writeUInt32LE(interfaceIndex, 16);
  return request;
}

/**
 * struct epoll_event (epoll_ctl(2)), in words of four bytes: events 1, data 2. There is no gap between them on x86-64, and one
 * word elsewhere.
 */
export function epollEvent(architecture: string): { readonly words: number; readonly data: number } {
  return architecture === "x64" ? { words: 3, data: 1 } : { words: 4, data: 2 };
}

/** struct kevent of macOS (kqueue(2)): ident 8, filter 2, flags 2, fflags 4, data 8, udata 8. */
export const KEVENT = { size: 32, ident: 0, filter: 8, flags: 10, fflags: 12, data: 16, udata: 24 } as const;

/** The members of struct addrinfo (getaddrinfo(3)) in their order. koffi knows how much room lies between them. */
export function addrinfo({ layout }: System): Record<string, string> {
  const pointers = layout.canonnameComesFirst
    ? { ai_canonname: "void *", ai_addr: "void *" }
    : { ai_addr: "void *", ai_canonname: "void *" };
  return {
    ai_flags: "int",
    ai_family: "int",
    ai_socktype: "int",
    ai_protocol: "int",
    ai_addrlen: "uint32_t",
    ...pointers,
    ai_next: "void *",
  };
}

/** struct gaicb of 64-bit glibc (getaddrinfo_a(3)): name, service, hints and result pointers, return int, 5 reserved ints. */
export const GAICB = { size: 56, name: 0, request: 16, result: 24 } as const;

/**
 * uv_getaddrinfo_t of 64-bit libuv 1.x (uv.h, uv/unix.h and uv/threadpool.h): data 8, type 4 and a gap of 4, six reserved pointers,
 * loop 8, struct uv__work (work, done, loop, two pointers), cb 8, hints 8, hostname 8, service 8, addrinfo 8, retcode 4. Programs
 * have it in memory of their own, so its size and places are part of libuv's ABI.
 */
export const UV_GETADDRINFO = {
  size: 160,
  type: 8,
  loop: 64,
  work: 72,
  workLoop: 88,
  callback: 112,
  hints: 120,
  hostname: 128,
  service: 136,
  addrinfo: 144,
  retcode: 152,
} as const;

/**
 * The part of uv_loop_t (as above) that ends with the queue `wq` and the mutex `wq_mutex`: data 8, active handles 4 and a gap of 4, a queue of two
 * pointers, active requests 8, internal 8, stop flag 4 and a gap of 4, flags 8, backend 4 and a gap of 4, two queues, watchers 8, two ints.
 */
export const UV_LOOP = { workQueue: 120, workMutex: 136 } as const;
