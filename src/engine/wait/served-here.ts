import { workerOf } from "../../runtime/ownership.ts";
import type { Platform } from "../../sys/index.ts";
import { familyOf, ipOffset, portOf, SOCKADDR_ROOM } from "../../sys/structs.ts";
import { isOwned } from "../descriptor-table.ts";
import { listens } from "../peer.ts";

/**
 * Whether this thread's event loop is the server at an address. The system tells which addresses this process listens on. To which
 * thread a listener belongs only Node knows.
 */
export function isServedHere(sys: Platform, address: Buffer): boolean {
  const peer = endpointIn(sys, address);
  if (peer === null) return false;
  const ports = portsOfThread();
  if (ports !== null && !ports.has(peer.port)) return false;
  const { SOL_SOCKET, SO_TYPE, SOCK_STREAM } = sys.constants;
  // Every number is tried, because not every system has a folder that lists the open ones.
  for (let descriptor = 0; descriptor < workerOf.length; descriptor++) {
    if (option(sys, descriptor, SOL_SOCKET, SO_TYPE) !== SOCK_STREAM || !listens(sys, descriptor)) continue;
    // The library's own listeners do not depend on the event loop.
    if (isOwned(descriptor) || workerOf[descriptor] !== 0) continue;
    const listener = endpointOf(sys, descriptor);
    if (listener !== null && accepts(sys, descriptor, listener, peer)) return true;
  }
  return false;
}

/**
 * The ports on which this thread's event loop listens; null where that cannot be found out. (Node does not document its function
 * for that. Where there is none, each listener of the process counts that is not this library's.)
 */
function portsOfThread(): Set<number> | null {
  const ports = new Set<number>();
  try {
    const { _getActiveHandles } = process as { _getActiveHandles?: () => unknown[] };
    for (const handle of _getActiveHandles?.call(process) ?? []) {
      const server = handle as { listening?: unknown; address?(): { port?: number } | string | null } | null;
      if (server?.listening !== true) continue;
      const address = server.address?.();
      if (typeof address === "object" && typeof address?.port === "number") ports.add(address.port);
    }
  } catch {
    return null;
  }
  return ports.size > 0 ? ports : null;
}

interface Endpoint {
  /** Four bytes or sixteen. An IPv4 address in IPv6 (mapped) is four. */
  readonly ip: Buffer;
  readonly port: number;
}

const MAPPED = Buffer.from("00000000000000000000ffff", "hex");

function endpointOf(sys: Platform, descriptor: number): Endpoint | null {
  const address = Buffer.alloc(SOCKADDR_ROOM);
  if (sys.getsockname(descriptor, address, Uint32Array.of(SOCKADDR_ROOM)) < 0) return null;
  return endpointIn(sys, address);
}

/** What a socket address says; null when it is neither IPv4 nor IPv6. */
function endpointIn(sys: Platform, address: Buffer): Endpoint | null {
  const family = familyOf(sys, address);
  const at = ipOffset(sys, family);
  if (at < 0) return null;
  const ip = address.subarray(at, at + (family === sys.constants.AF_INET ? 4 : 16));
  return { ip: ip.indexOf(MAPPED) === 0 ? ip.subarray(12) : ip, port: portOf(address) };
}

/** Whether a connection to `peer` comes to the listener at this address. */
function accepts(sys: Platform, descriptor: number, listener: Endpoint, peer: Endpoint): boolean {
  if (listener.port !== peer.port) return false;
  if (listener.ip.equals(peer.ip)) return true;
  if (listener.ip.some((byte) => byte !== 0)) return false;
  if (listener.ip.length === peer.ip.length) return true;
  // "[::]" takes IPv4 too, unless it was told not to (ipv6(7)).
  const { IPPROTO_IPV6, IPV6_V6ONLY } = sys.constants;
  return listener.ip.length === 16 && option(sys, descriptor, IPPROTO_IPV6, IPV6_V6ONLY) === 0;
}

/** The number that getsockopt(2) gives, or -1. */
function option(sys: Platform, descriptor: number, level: number, name: number): number {
  const value = Buffer.alloc(4);
  return sys.getsockopt(descriptor, level, name, value, Uint32Array.of(4)) < 0 ? -1 : value.readInt32LE(0);
}
