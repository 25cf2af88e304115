import { addressText, unixAddress } from "../address.ts";
import type { BindOptions } from "../arguments.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { type Platform, systemReason } from "../sys/index.ts";
import { familyOf, SOCKADDR_ROOM } from "../sys/structs.ts";
import { resolve } from "./resolve.ts";
import { networkPlatform, Socket } from "./socket.ts";

/** From "host:port" text to sockets that are connected or bound, and back from a socket to the text. */

/** What to do with a new socket of this family before it is bound, and after: 0, or minus an errno. */
export type Step = (socket: Socket, sys: Platform, family: number) => number;

/**
 * A socket connected to the first address of `text` that accepts, or the text of the last address's error.
 *
 * It ends at the deadline, or `timeout` milliseconds after the name was resolved. An
 * address that does not answer takes no more than its share of that time, so that the next one gets a chance.
 */
export function connectTo(
  text: string,
  deadline: number,
  timeout: number = Number.POSITIVE_INFINITY,
): Socket | string {
  const sys = networkPlatform();
  if (typeof sys === "string") return sys;
  let end: number | undefined;
  return firstOf(sys, text, sys.constants.SOCK_STREAM, deadline, (socket, address, addressesLeft) => {
    const now = monotonicTime();
    end ??= Math.min(deadline, now + timeout);
    return socket.connect(address, addressesLeft === 1 ? end : now + (end - now) / addressesLeft);
  });
}

/** A socket of `type` bound to the first address of `text` that can be, with `prepare` done before and `finish` after. */
export function bindTo(
  text: string,
  type: "SOCK_STREAM" | "SOCK_DGRAM",
  prepare: Step,
  finish: Step,
): Socket | string {
  const sys = networkPlatform();
  if (typeof sys === "string") return sys;
  return firstOf(sys, text, sys.constants[type], Number.POSITIVE_INFINITY, (socket, address) => {
    const family = familyOf(sys.constants, address);
    const failure = prepare(socket, sys, family);
    if (failure < 0) return failure;
    if (sys.bind(socket.descriptor, address, address.length) < 0) return -sys.errno();
    return finish(socket, sys, family);
  });
}

/** A stream socket connected to the Unix socket at `path`, or the text of the error. */
export function connectUnix(path: string, deadline: number): Socket | string {
  return unixSocket("SOCK_STREAM", path, (socket, address) => socket.connectUnix(address, deadline));
}

/** A Unix socket of `type` bound to `path`, with `finish` done after, or the text of the error. */
export function bindUnix(path: string, type: "SOCK_STREAM" | "SOCK_DGRAM", finish: Step): Socket | string {
  return unixSocket(type, path, (socket, address) => {
    const { sys } = socket;
    if (sys.bind(socket.descriptor, address, address.length) < 0) return -sys.errno();
    return finish(socket, sys, sys.constants.AF_UNIX);
  });
}

function unixSocket(
  type: "SOCK_STREAM" | "SOCK_DGRAM",
  path: string,
  attempt: (socket: Socket, address: Buffer) => number,
): Socket | string {
  const sys = networkPlatform();
  if (typeof sys === "string") return sys;
  const address = unixAddress(sys.constants, path);
  if (typeof address === "string") return address;
  const socket = Socket.create(sys, sys.constants.AF_UNIX, sys.constants[type]);
  if (typeof socket === "number") return systemReason(sys, -socket);
  const failure = attempt(socket, address);
  if (failure >= 0) return socket;
  const reason = socket.reason(failure);
  socket.close();
  return reason;
}

function firstOf(
  sys: Platform,
  text: string,
  type: number,
  deadline: number,
  attempt: (socket: Socket, address: Buffer, addressesLeft: number) => number,
): Socket | string {
  const addresses = resolve(sys, text, type, deadline);
  if (typeof addresses === "string") return addresses;
  let reason = "";
  let addressesLeft = addresses.length;
  for (const address of addresses) {
    const socket = Socket.create(sys, familyOf(sys.constants, address), type);
    if (typeof socket === "number") {
      reason = systemReason(sys, -socket);
      addressesLeft--;
      continue;
    }
    const failure = attempt(socket, address, addressesLeft--);
    if (failure >= 0) return socket;
    reason = socket.reason(failure);
    socket.close();
    // The user wants to get back to the event loop, not on to the next address.
    if (failure === -sys.constants.EINTR) break;
  }
  return reason;
}

// For the answers of getsockname and getpeername; nobody looks at it after the call.
const room = Buffer.alloc(SOCKADDR_ROOM);
const roomLength = new Uint32Array(1);

/** The socket's own address as text, or minus an errno. */
export function localAddress(socket: Socket): string | number {
  roomLength[0] = SOCKADDR_ROOM;
  if (socket.sys.getsockname(socket.descriptor, room, roomLength) < 0) return -socket.sys.errno();
  return addressText(socket.sys.constants, room, roomLength[0]!);
}

/** The peer's address as text, or minus an errno. */
export function peerAddress(socket: Socket): string | number {
  roomLength[0] = SOCKADDR_ROOM;
  if (socket.sys.getpeername(socket.descriptor, room, roomLength) < 0) return -socket.sys.errno();
  return addressText(socket.sys.constants, room, roomLength[0]!);
}

/** The address family of a socket, bound or not; -1 when the system does not tell. */
export function socketFamily(socket: Socket): number {
  roomLength[0] = SOCKADDR_ROOM;
  if (socket.sys.getsockname(socket.descriptor, room, roomLength) < 0) return -1;
  return familyOf(socket.sys.constants, room);
}

/** Sets the options on a socket that is not bound yet. */
export function beforeBind({ reusePort, ipv6Only }: BindOptions): Step {
  return (socket, { constants }, family) => {
    if (reusePort) {
      const failure = socket.setOption(constants.SOL_SOCKET, constants.SO_REUSEPORT, 1);
      if (failure < 0) return failure;
    }
    if (ipv6Only === undefined || family !== constants.AF_INET6) return 0;
    return socket.setOption(constants.IPPROTO_IPV6, constants.IPV6_V6ONLY, ipv6Only ? 1 : 0);
  };
}
