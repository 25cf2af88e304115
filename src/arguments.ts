/** Every check of a caller's argument. The types forbid most wrong values, but nothing may reach the FFI unchecked. */
import { isUint8Array } from "node:util/types";
import { Failure } from "./error.ts";

/** What every call accepts as bytes: raw bytes, a list of integers 0..255, or text that is sent as UTF-8. */
export type Bytes = Uint8Array | readonly number[] | string;

// Lengths are read with the getters of the JavaScript engine. A getter of a subclass could return any number, and the system
// would then read past the end of the buffer.
const byteLengthOf = ownGetter<number>("byteLength");
const byteOffsetOf = ownGetter<number>("byteOffset");
const bufferOf = ownGetter<ArrayBufferLike>("buffer");

function ownGetter<T>(name: string): (this: Uint8Array) => T {
  const typedArray: object = Object.getPrototypeOf(Uint8Array.prototype);
  return Object.getOwnPropertyDescriptor(typedArray, name)?.get as (this: Uint8Array) => T;
}

/** The number of bytes in a caller's Uint8Array. */
export function byteLength(bytes: Uint8Array): number {
  return byteLengthOf.call(bytes);
}

/** As `subarray`, of a caller's Uint8Array. */
export function part(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bufferOf.call(bytes), byteOffsetOf.call(bytes) + start, end - start);
}

/** The bytes that a caller gave. */
export function toBytes(data: unknown): Uint8Array | Failure {
  if (isUint8Array(data)) return data;
  if (typeof data === "string") return Buffer.from(data);
  try {
    if (Array.isArray(data)) return listToBytes(data);
  } catch {
    // A proxy or an accessor among the elements threw: no list of ints.
  }
  return new Failure("expected list of ints");
}

/** The greatest length of an array. A proxy can claim any. */
const LONGEST_LIST = 2 ** 32 - 1;
/** The room for the bytes of a list at first. It grows with the elements, because a proxy can claim a length that it has not. */
const FIRST_ROOM = 4096;

// Each element is read once, because a getter could give another value the second time.
function listToBytes(list: readonly unknown[]): Uint8Array | Failure {
  const length = list.length;
  if (!Number.isInteger(length) || length > LONGEST_LIST) return new Failure("expected list of ints");
  let bytes = Buffer.allocUnsafeSlow(Math.min(length, FIRST_ROOM));
  for (let index = 0; index < length; index++) {
    const element = list[index];
    if (typeof element !== "number") return new Failure("bytes list must contain ints");
    if (!(Number.isInteger(element) && element >= 0 && element <= 255))
      return new Failure("byte value out of range");
    if (index === bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(length, 2 * index));
      larger.set(bytes);
      bytes = larger;
    }
    bytes[index] = element;
  }
  return bytes;
}

/** The bytes of each of several buffers that a caller gave. Empty ones are left out. */
export function toParts(buffers: unknown): Uint8Array[] | Failure {
  try {
    if (!Array.isArray(buffers)) return new Failure("buffers must be an array");
    const parts: Uint8Array[] = [];
    for (const buffer of buffers) {
      const bytes = toBytes(buffer);
      if (bytes instanceof Failure) return bytes;
      if (byteLength(bytes) > 0) parts.push(bytes);
    }
    return parts;
  } catch {
    return new Failure("buffers must be an array");
  }
}

/** True for a positive safe integer, which is a valid number of bytes to read. */
export function isSize(size: unknown): size is number {
  return Number.isSafeInteger(size) && (size as number) > 0;
}

// A caller gives a timeout in milliseconds, or null for none. Inside the library, none is Infinity.

export const INVALID_TIMEOUT = "timeout must be a positive number";

/** The milliseconds of a timeout, Infinity for null; undefined for anything else. */
export function timeoutFrom(milliseconds: unknown): number | undefined {
  if (milliseconds === null) return Number.POSITIVE_INFINITY;
  return typeof milliseconds === "number" && milliseconds > 0 ? milliseconds : undefined;
}

/** True for what `Poller.wait` and the like take: milliseconds from 0 on, or null for no end. */
export function isWaitTime(milliseconds: unknown): milliseconds is number | null {
  return milliseconds === null || (typeof milliseconds === "number" && milliseconds >= 0);
}

/** The option `timeout_ms`: milliseconds, or Infinity when it is left out. */
export function timeoutOption(options: unknown): number | Failure {
  try {
    const given: unknown = (options as { timeout_ms?: unknown } | null | undefined)?.timeout_ms ?? null;
    return timeoutFrom(given) ?? new Failure(INVALID_TIMEOUT);
  } catch {
    // A getter or a proxy's trap threw.
    return new Failure("options cannot be read");
  }
}

/** A timeout as a getter returns it. */
export function timeoutTo(milliseconds: number): number | null {
  return milliseconds === Number.POSITIVE_INFINITY ? null : milliseconds;
}

/**
 * The options of `UdpSocket.bind`.
 *
 * @example
 * ```ts
 * import { UdpSocket } from "std-net";
 *
 * const one = UdpSocket.bind("127.0.0.1:0", { reuse_port: true }).unwrap();
 * const address = one.local_addr().unwrap();
 * const other = UdpSocket.bind(address, { reuse_port: true }).unwrap();
 * console.log(other.local_addr().unwrap() === address); // true
 * ```
 */
export interface UdpBindOptions {
  /** Lets several sockets, in other processes too, bind the same port: SO_REUSEPORT (socket(7)). False when left out. */
  readonly reuse_port?: boolean;
  /**
   * Lets several sockets bind the same port, if each of them says so: SO_REUSEADDR (socket(7)). A program that receives multicast
   * on a well-known port (mDNS, SSDP) needs it, and `reuse_port` beside it where the other programs set both. A datagram to a
   * group goes to all of them, any other to one. False when left out; of a `TcpListener` true, so that a server can start again
   * at once (on Windows false).
   */
  readonly reuse_address?: boolean;
  /** With true, `[::]` accepts no IPv4: IPV6_V6ONLY (ipv6(7)). The system's default when left out. */
  readonly ipv6_only?: boolean;
}

/**
 * The options of `TcpListener.bind`.
 *
 * @example
 * ```ts
 * import { TcpListener } from "std-net";
 *
 * const listener = TcpListener.bind("127.0.0.1:0", { backlog: 16, reuse_port: true });
 * console.log(listener.isOk ? "listening" : listener.error); // listening
 * ```
 */
export interface TcpBindOptions extends UdpBindOptions {
  /**
   * Lets a server start again at once on a port on which old connections are still ending (TIME_WAIT): SO_REUSEADDR (socket(7)). A
   * port on which somebody listens is taken all the same. True when left out.
   */
  readonly reuse_address?: boolean;
  /** How many connections may wait to be accepted (listen(2)): 4096 when left out, or the system's limit if that is less. */
  readonly backlog?: number;
}

/**
 * The options of `UnixListener.bind`.
 *
 * @example
 * ```ts
 * import { rmSync } from "node:fs";
 * import { UnixListener } from "std-net";
 *
 * const listener = UnixListener.bind("options.sock", { backlog: 16 });
 * console.log(listener.isOk ? "listening" : listener.error); // listening
 * rmSync("options.sock");
 * ```
 */
export interface UnixBindOptions {
  /** How many connections may wait to be accepted (listen(2)): 4096 when left out, or the system's limit if that is less. */
  readonly backlog?: number;
}

/**
 * How many connections may wait to be accepted. The kernel takes the smaller of this number and its own limit (listen(2):
 * net.core.somaxconn, 4096 since Linux 5.4).
 */
const DEFAULT_BACKLOG = 4096;

export interface BindOptions {
  readonly backlog: number;
  readonly reusePort: boolean;
  /** Undefined leaves it to the kind of socket. */
  readonly reuseAddress: boolean | undefined;
  /** Undefined leaves it to the system. */
  readonly ipv6Only: boolean | undefined;
}

/** The checked options of `bind`. */
export function bindOptions(given: unknown): BindOptions | Failure {
  if (given === undefined || given === null) given = {};
  if (typeof given !== "object") return new Failure("options must be an object");
  let options: Record<string, unknown>;
  try {
    const {
      backlog = DEFAULT_BACKLOG,
      reuse_port = false,
      reuse_address,
      ipv6_only,
    } = given as Record<string, unknown>;
    options = { backlog, reuse_port, reuse_address, ipv6_only };
  } catch {
    // A getter or a proxy's trap threw.
    return new Failure("options must be an object");
  }
  const { backlog, reuse_port, reuse_address, ipv6_only } = options;
  if (!Number.isInteger(backlog) || (backlog as number) < 0 || (backlog as number) > 0x7fffffff)
    return new Failure("expected int");
  if (typeof reuse_port !== "boolean") return new Failure("expected bool");
  for (const flag of [reuse_address, ipv6_only]) {
    if (flag !== undefined && typeof flag !== "boolean") return new Failure("expected bool");
  }
  return {
    backlog: backlog as number,
    reusePort: reuse_port,
    reuseAddress: reuse_address as boolean | undefined,
    ipv6Only: ipv6_only as boolean | undefined,
  };
}

/** The fields of a Poller's interest. */
export function wantedEvents(interest: unknown): { readable: boolean; writable: boolean } | Failure {
  if (typeof interest !== "object" || interest === null) return new Failure("expected interest");
  try {
    const { readable = false, writable = false } = interest as Record<string, unknown>;
    if (typeof readable !== "boolean" || typeof writable !== "boolean") return new Failure("expected bool");
    return { readable, writable };
  } catch {
    // A getter or a proxy's trap threw.
    return new Failure("expected interest");
  }
}
