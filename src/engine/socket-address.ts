import { formatIpv4, formatIpv6 } from "../address.ts";
import { Failure } from "../error.ts";
import type { System } from "../sys/constants.ts";
import type { Platform } from "../sys/index.ts";
import { lasting } from "../sys/pinned-memory.ts";
import {
  encodeUnixAddress,
  familyOf,
  ipOffset,
  portOf,
  SOCKADDR_ROOM,
  scopeOf,
  unixName,
} from "../sys/structs.ts";
import { unixNameBytes, unixNameText } from "./unix-name.ts";

/** Between the text that users write and read, and the socket addresses of the system. */

/** The reason of a call that this system does not have. */
export function notSupported(system: System): Failure {
  return new Failure(`not supported on ${system.label}`);
}

/** The socket address of a Unix socket's path. */
export function unixAddress(system: System, path: string): Buffer | Failure {
  const isAbstract = path.startsWith("\0");
  if (path === "" || (!isAbstract && path.includes("\0"))) return new Failure("invalid socket path");
  if (isAbstract && !system.behaviour.hasAbstractNames) return notSupported(system);
  const name = unixNameBytes(path);
  if (name === null) return new Failure("invalid socket path");
  return encodeUnixAddress(system, name) ?? new Failure("socket path too long");
}

/** The text of a socket address of `length` bytes: "host:port", or a Unix socket's path; "" of any other. */
export function addressText(system: System, address: Buffer, length: number = address.length): string {
  if (length <= 2) return "";
  const { AF_UNIX, AF_INET } = system.constants;
  const family = familyOf(system, address);
  if (family === AF_UNIX) return unixNameText(unixName(system, address, length));
  const at = ipOffset(system, family);
  if (at < 0) return "";
  const port = portOf(address);
  return family === AF_INET ? formatIpv4(address, at, port) : formatIpv6(address, at, port, scopeOf(address));
}

/** Where a datagram's sender goes, of the thread: nobody looks at it after the call. */
export const sender = {
  address: lasting(Buffer.alloc(SOCKADDR_ROOM)),
  /** The room going in, the length of what was stored coming out. */
  length: lasting(new Uint32Array(1)),
};

/** The last sender of a socket as the system stored it, and the text that it made: most datagrams come from one peer. */
export class LastAddress {
  readonly #address = Buffer.alloc(SOCKADDR_ROOM);
  #length = -1;
  #text = "";

  textOf(system: System, address: Buffer, length: number): string {
    if (length !== this.#length || !sameBytes(address, this.#address, length)) {
      address.copy(this.#address);
      this.#length = length;
      this.#text = addressText(system, address, length);
    }
    return this.#text;
  }
}

function sameBytes(a: Buffer, b: Buffer, length: number): boolean {
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return false;
  return true;
}

// For what getsockname and getpeername give; nobody looks at it after the call.
const room = Buffer.alloc(SOCKADDR_ROOM);
const roomLength = new Uint32Array(1);

/** The socket's own address as text, or minus an errno. */
export function localAddress({ sys, descriptor }: Named): string | number {
  roomLength[0] = SOCKADDR_ROOM;
  if (sys.getsockname(descriptor, room, roomLength) < 0) return -sys.errno();
  return addressText(sys, room, roomLength[0]!);
}

/** The peer's address as text, or minus an errno. */
export function peerAddress({ sys, descriptor }: Named): string | number {
  roomLength[0] = SOCKADDR_ROOM;
  if (sys.getpeername(descriptor, room, roomLength) < 0) return -sys.errno();
  return addressText(sys, room, roomLength[0]!);
}

/** The address family of a socket, bound or not; -1 when the system does not tell. */
export function socketFamily({ sys, descriptor }: Named): number {
  roomLength[0] = SOCKADDR_ROOM;
  if (sys.getsockname(descriptor, room, roomLength) < 0) return -1;
  return familyOf(sys, room);
}

interface Named {
  readonly sys: Platform;
  readonly descriptor: number;
}
