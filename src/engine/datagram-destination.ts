import { Failure } from "../error.ts";
import { familyOf } from "../sys/structs.ts";
import { resolve } from "./resolve.ts";
import type { Socket } from "./socket.ts";
import { localAddress, socketFamily } from "./socket-address.ts";
import { getFlag } from "./socket-options.ts";

/**
 * The address that a datagram to "host:port" text goes to: of a name's addresses the first that the socket can reach.
 */
export function datagramDestination(socket: Socket, text: string): Buffer | Failure {
  const addresses = resolve(socket.sys, text, socket.sys.constants.SOCK_DGRAM);
  if (addresses instanceof Failure) return addresses;
  if (addresses.length === 1) return addresses[0]!;
  return addresses.find((address) => isWithinReach(socket, address)) ?? addresses[0]!;
}

/**
 * Whether a socket can send to this address at all: "localhost" can be both ::1 and 127.0.0.1. Of those that it can, the first
 * counts: the resolver puts last what the system has no way to (RFC 6724, 6, rule 1).
 */
function isWithinReach(socket: Socket, address: Buffer): boolean {
  const { AF_INET } = socket.sys.constants;
  const isIpv4 = familyOf(socket.sys, address) === AF_INET;
  if (socketFamily(socket) === AF_INET) return isIpv4;
  const local = localAddress(socket);
  if (typeof local !== "string") return !isIpv4;
  // An IPv6 socket that is bound to an IPv4 address (ipv6(7)), or to none, with IPv4 beside it.
  if (/^\[::ffff:[0-9]+\./.test(local)) return isIpv4;
  return !isIpv4 || (local.startsWith("[::]:") && getFlag(socket, "ipv6_only") === 0);
}
