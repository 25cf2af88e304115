import type { Constants } from "./constants.ts";

/**
 * sockaddr_in, sockaddr_in6 and sockaddr_un to and from bytes (ip(7), ipv6(7), unix(7)):
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

export function encodeAddress(constants: Constants, ip: Uint8Array, port: number, scope: number): Buffer {
  const isIpv4 = ip.length === 4;
  const address = Buffer.alloc(isIpv4 ? IPV4_LENGTH : IPV6_LENGTH);
  writeFamily(constants, address, isIpv4 ? constants.AF_INET : constants.AF_INET6);
  address.writeUInt16BE(port, 2);
  address.set(ip, isIpv4 ? 4 : 8);
  if (!isIpv4) address.writeUInt32LE(scope, 24);
  return address;
}

/** Puts the family where this system has it (and the length before it). */
export function writeFamily(constants: Constants, address: Buffer, family: number): void {
  if (constants.sockaddrHasLength) {
    address[0] = address.length;
    address[1] = family;
  } else {
    address.writeUInt16LE(family, 0);
  }
}

export function familyOf(constants: Constants, address: Uint8Array): number {
  return constants.sockaddrHasLength ? address[1]! : address[0]! | (address[1]! << 8);
}

/** The socket address of a Unix socket's path; null when the path is too long for it. */
export function encodeUnixAddress(constants: Constants, path: Uint8Array): Buffer | null {
  const room = constants.sockaddrHasLength ? 104 : 108;
  const isAbstract = path[0] === 0;
  // A path ends with a NUL, an abstract name with the address (unix(7)).
  const length = isAbstract ? path.length : path.length + 1;
  if (length > room) return null;
  const address = Buffer.alloc(2 + length);
  writeFamily(constants, address, constants.AF_UNIX);
  address.set(path, 2);
  return address;
}

/** The path of a Unix socket address of `length` bytes: "" of an unnamed socket, a NUL before an abstract name. */
export function unixPath(constants: Constants, address: Buffer, length: number): string {
  const path = address.subarray(2, length);
  // Where there are no abstract names, an unnamed socket may have an address of zeros.
  if (path[0] === 0) return constants.hasAbstractNames ? path.toString() : "";
  const end = path.indexOf(0);
  return path.toString("utf8", 0, end < 0 ? path.length : end);
}
