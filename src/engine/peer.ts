import type { Platform } from "../sys/index.ts";
import { SOCKADDR_ROOM } from "../sys/structs.ts";

/** What getpeername(2) and shutdown(2) tell of a socket's peer, on systems that do not agree about it. */

/** Whether the socket's peer has this address. */
export function isPeer(sys: Platform, descriptor: number, address: Uint8Array): boolean {
  const room = Buffer.alloc(SOCKADDR_ROOM);
  const length = Uint32Array.of(room.length);
  if (sys.getpeername(descriptor, room, length) < 0) return false;
  return room.subarray(0, length[0]).equals(address);
}

/** Whether the socket has or had a peer: XNU's getpeername says EINVAL of a connection that is over. */
export function wasConnected(sys: Platform, descriptor: number): boolean {
  const room = Buffer.alloc(SOCKADDR_ROOM);
  if (sys.getpeername(descriptor, room, Uint32Array.of(room.length)) === 0) return true;
  return sys.errno() === sys.constants.EINVAL;
}

/** Whether a stream socket is a listener. Where the system does not tell, one that never had a peer is taken for one. */
export function listens(sys: Platform, descriptor: number): boolean {
  if (!sys.behaviour.tellsListening) return !wasConnected(sys, descriptor);
  const { SOL_SOCKET, SO_ACCEPTCONN } = sys.constants;
  const value = Buffer.alloc(4);
  const result = sys.getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, value, Uint32Array.of(value.length));
  return result === 0 && value.readInt32LE(0) !== 0;
}

/** shutdown(2): 0, or minus an errno. */
export function shutDown(sys: Platform, descriptor: number, how: "read" | "write" | "both"): number {
  const { SHUT_RD, SHUT_WR, SHUT_RDWR, ENOTCONN } = sys.constants;
  const end = (side: number): number => (sys.shutdown(descriptor, side) < 0 ? -sys.errno() : 0);
  if (sys.behaviour.shutsDownBoth) {
    return end(how === "read" ? SHUT_RD : how === "write" ? SHUT_WR : SHUT_RDWR);
  }
  // XNU says ENOTCONN of a side that is at its end already, and stops there. The writing side is the one that matters.
  const failures: number[] = [];
  if (how !== "read") failures.push(end(SHUT_WR));
  if (how !== "write") failures.push(end(SHUT_RD));
  const failure = failures.find((each) => each < 0 && each !== -ENOTCONN);
  if (failure !== undefined) return failure;
  // (One side was ended: so it is connected, or was until now.)
  return failures.includes(0) || wasConnected(sys, descriptor) ? 0 : -ENOTCONN;
}
