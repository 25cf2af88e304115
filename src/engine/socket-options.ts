import type { Constants } from "../sys/constants.ts";
import { ipMembership, ipv6Membership } from "../sys/structs.ts";
import type { Socket } from "./socket.ts";
import { socketFamily } from "./socket-address.ts";

/**
 * The options of sockets, one row each: here one adds an option. The row's name is that of the public members (`nodelay`,
 * `set_nodelay`), which call the functions below with it. Each function gives 0 or a value, or minus an errno.
 */

type Level = "SOL_SOCKET" | "IPPROTO_IP" | "IPPROTO_TCP" | "IPPROTO_IPV6";
/** The level and the name, as setsockopt(2) has them. */
type Place = readonly [level: Level, option: keyof Constants];

/** Options that are on or off. Sources: socket(7), tcp(7), ip(7), ipv6(7). */
const FLAGS = {
  nodelay: ["IPPROTO_TCP", "TCP_NODELAY"],
  keepalive: ["SOL_SOCKET", "SO_KEEPALIVE"],
  broadcast: ["SOL_SOCKET", "SO_BROADCAST"],
  multicast_loop_v4: ["IPPROTO_IP", "IP_MULTICAST_LOOP"],
  reuse_address: ["SOL_SOCKET", "SO_REUSEADDR"],
  reuse_port: ["SOL_SOCKET", "SO_REUSEPORT"],
  ipv6_only: ["IPPROTO_IPV6", "IPV6_V6ONLY"],
} as const satisfies Record<string, Place>;

/** Options that are a number within a range. */
interface NumberRow {
  readonly place: Place;
  /** The same for an IPv6 socket, where that is another option. */
  readonly ipv6?: Place;
  readonly least: number;
  readonly most: number;
}

const NUMBERS = {
  // How many routers a packet may pass: IPv6 calls it hops.
  ttl: {
    place: ["IPPROTO_IP", "IP_TTL"],
    ipv6: ["IPPROTO_IPV6", "IPV6_UNICAST_HOPS"],
    least: 1,
    most: 255,
  },
  multicast_ttl_v4: { place: ["IPPROTO_IP", "IP_MULTICAST_TTL"], least: 0, most: 255 },
} as const satisfies Record<string, NumberRow>;

/** Multicast groups, which a socket joins and leaves. */
const GROUPS = {
  join_multicast_v4: ["IPPROTO_IP", "IP_ADD_MEMBERSHIP"],
  leave_multicast_v4: ["IPPROTO_IP", "IP_DROP_MEMBERSHIP"],
  join_multicast_v6: ["IPPROTO_IPV6", "IPV6_JOIN_GROUP"],
  leave_multicast_v6: ["IPPROTO_IPV6", "IPV6_LEAVE_GROUP"],
} as const satisfies Record<string, Place>;

export type FlagName = keyof typeof FLAGS;
export type NumberName = keyof typeof NUMBERS;
export type GroupV4Name = "join_multicast_v4" | "leave_multicast_v4";
export type GroupV6Name = "join_multicast_v6" | "leave_multicast_v6";

export function setFlag(socket: Socket, name: FlagName, enabled: boolean): number {
  return set(socket, FLAGS[name], enabled ? 1 : 0);
}

/** 0 is off, more than 0 is on. (On the BSDs a flag that is on comes as its own bit.) */
export function getFlag(socket: Socket, name: FlagName): number {
  return get(socket, FLAGS[name]);
}

/** Outside the range it is EINVAL, as the system says for most of them. */
export function setNumber(socket: Socket, name: NumberName, value: number): number {
  const row: NumberRow = NUMBERS[name];
  if (value < row.least || value > row.most) return -socket.sys.constants.EINVAL;
  if (!isForIpv6(socket, row)) return set(socket, row.place, value);
  // A dual-stack socket may talk IPv4. Where the system knows no such thing, it does not matter.
  set(socket, row.place, value);
  return set(socket, row.ipv6, value);
}

export function getNumber(socket: Socket, name: NumberName): number {
  const row: NumberRow = NUMBERS[name];
  return get(socket, isForIpv6(socket, row) ? row.ipv6 : row.place);
}

function isForIpv6(socket: Socket, row: NumberRow): row is NumberRow & { readonly ipv6: Place } {
  return row.ipv6 !== undefined && socketFamily(socket) === socket.sys.constants.AF_INET6;
}

/** SO_LINGER in milliseconds, rounded up to whole seconds; null for off. */
export function setLinger(socket: Socket, milliseconds: number | null): number {
  const { sys, descriptor } = socket;
  // (The least number there is, divided, would be 0.)
  const seconds = milliseconds ? Math.max(1, Math.ceil(milliseconds / 1000)) : 0;
  const most = Math.min(seconds, sys.layout.longestLinger);
  if (sys.setLinger(descriptor, milliseconds === null ? null : most) < 0) return -sys.errno();
  socket.mayLinger = milliseconds !== null && most > 0;
  return 0;
}

/** The same back, null for off; or minus an errno. */
export function getLinger({ sys, descriptor }: Socket): number | null {
  const seconds = sys.linger(descriptor);
  if (seconds === null) return null;
  return seconds < 0 ? -sys.errno() : seconds * 1000;
}

/** The group and the interface's own address, four bytes each. */
export function setGroupV4(socket: Socket, name: GroupV4Name, group: Uint8Array, local: Uint8Array): number {
  return setBytes(socket, GROUPS[name], ipMembership(group, local));
}

/** The group, sixteen bytes, and the interface's number. */
export function setGroupV6(socket: Socket, name: GroupV6Name, group: Uint8Array, index: number): number {
  if (index < 0 || index > 0xffffffff) return -socket.sys.constants.EINVAL;
  return setBytes(socket, GROUPS[name], ipv6Membership(group, index));
}

function set(socket: Socket, [level, option]: Place, value: number): number {
  return socket.setOption(socket.sys.constants[level], socket.sys.constants[option], value);
}

function setBytes(socket: Socket, [level, option]: Place, value: Uint8Array): number {
  return socket.setRawOption(socket.sys.constants[level], socket.sys.constants[option], value);
}

function get(socket: Socket, [level, option]: Place): number {
  return socket.getOption(socket.sys.constants[level], socket.sys.constants[option]);
}
