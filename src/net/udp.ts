import { parseIpv4, parseIpv6 } from "../address.ts";
import { bindOptions, type UdpBindOptions } from "../arguments.ts";
import { bindDatagrams } from "../engine/connect.ts";
import { datagramDestination } from "../engine/datagram-destination.ts";
import type { Socket } from "../engine/socket.ts";
import { type GroupV4Name, type GroupV6Name, setGroupV4, setGroupV6 } from "../engine/socket-options.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import { DatagramSocket } from "./datagram-socket.ts";
import { UDP_SOCKET as UDP } from "./error-words.ts";
import {
  cloneOf,
  fromFd,
  getFlag,
  getNumber,
  memberFailed,
  type Shape,
  setFlag,
  setNumber,
} from "./socket-members.ts";
import { TRANSPORT } from "./socket-object.ts";

const UDP_SHAPE: Shape = {
  what: "udp socket",
  families: ["AF_INET", "AF_INET6"],
  type: "datagram",
  listening: false,
};

/**
 * A UDP socket: it sends datagrams to any address and receives them from any.
 *
 * @example
 * ```ts
 * import { UdpSocket } from "std-net";
 *
 * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
 * socket.send_to("hello", socket.local_addr().unwrap());
 * const [payload, sender] = socket.recv_from(1500).unwrap();
 * console.log(payload.toString(), "from", sender); // hello from 127.0.0.1:45678
 * socket.close();
 * ```
 */
export class UdpSocket extends DatagramSocket {
  /** @internal */
  constructor(socket: Socket) {
    super(socket, UDP, datagramDestination);
  }

  /**
   * Binds a new UDP socket. Blocks only while a name is resolved.
   *
   * @param addr the local address, such as `"0.0.0.0:5353"`; `"127.0.0.1:0"` lets the system pick a port
   * @param options see {@link UdpBindOptions}
   * @returns Errors: `expected string`; `expected bool` and `options must be an object` for the options; `udp bind failed: `
   * with `invalid socket address`, `invalid port value`, `failed to lookup address information: ...` or the system's
   * reason. Source: bind(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * console.log("bound to", socket.local_addr().unwrap()); // bound to 127.0.0.1:45678
   * socket.close();
   * const wrong = UdpSocket.bind("127.0.0.1");
   * if (wrong.isErr) console.log(wrong.error); // such as udp bind failed: invalid socket address: no port is given
   * ```
   */
  static override bind(addr: string, options?: UdpBindOptions): Result<UdpSocket, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const checked = bindOptions(options);
    if (checked instanceof Failure) return Result.err(checked.reason);
    const socket = bindDatagrams(addr, checked);
    if (socket instanceof Failure) return failed(UDP.prefix("bind"), socket.reason);
    return Result.ok(new UdpSocket(socket));
  }

  /**
   * Takes over the descriptor of a UDP socket: from `into_fd` of this thread or another one, or from other code that has made
   * it. From now on it belongs to this object. It becomes close-on-exec, and keeps its blocking or non-blocking mode. Does not
   * block.
   *
   * @param fd the number of a descriptor
   * @returns Errors: `expected int`; `udp from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with `not a udp
   * socket`, or because another object of this thread owns it. After an error the descriptor is unchanged. Source:
   * getsockopt(2), SO_TYPE.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const fd = UdpSocket.bind("127.0.0.1:0").andThen((socket) => socket.into_fd()).unwrap();
   * // Here, or in another thread that has the number:
   * const socket = UdpSocket.from_fd(fd).unwrap();
   * console.log(socket.local_addr().unwrap()); // 127.0.0.1:45678
   * socket.close();
   * ```
   */
  static from_fd(fd: number): Result<UdpSocket, string> {
    return fromFd(fd, UDP, UDP_SHAPE).map((socket) => new UdpSocket(socket));
  }

  /**
   * A second descriptor of the same socket, with the same timeouts. Each datagram goes to one of the two. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`; `udp try_clone failed: ` with the system's reason (`EMFILE`).
   * Source: fcntl(2), F_DUPFD_CLOEXEC.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const clone = socket.try_clone().unwrap();
   * socket.send_to("to the first receiver", socket.local_addr().unwrap());
   * console.log(clone.recv(1500).unwrap().toString()); // to the first receiver
   * socket.close();
   * clone.close();
   * ```
   */
  try_clone(): Result<UdpSocket, string> {
    return cloneOf(this[TRANSPORT], UDP).map((socket) => new UdpSocket(socket));
  }

  /**
   * Sets how many routers a datagram may pass. Does not block.
   *
   * @param ttl 1 to 255
   * @returns Errors: `invalid udp socket` after `close`, `expected int`, `udp set_ttl failed: ` with the system's reason (`EINVAL`).
   * Source: ip(7), IP_TTL; ipv6(7), IPV6_UNICAST_HOPS.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("0.0.0.0:0").unwrap();
   * socket.set_ttl(1).unwrap(); // as traceroute begins: the first router reports itself
   * console.log(socket.ttl().unwrap()); // 1
   * socket.close();
   * ```
   */
  set_ttl(ttl: number): Result<Unit, string> {
    return setNumber(this[TRANSPORT], UDP, "ttl", ttl);
  }

  /**
   * How many routers a datagram may pass: the system's default (64 on Linux), or what `set_ttl` set. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`, `udp ttl failed: ` with the system's reason. Source: ip(7), IP_TTL;
   * ipv6(7), IPV6_UNICAST_HOPS.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * socket.set_ttl(12);
   * console.log(socket.ttl().unwrap()); // 12
   * socket.close();
   * ```
   */
  ttl(): Result<number, string> {
    return getNumber(this[TRANSPORT], UDP, "ttl");
  }

  /**
   * With true, datagrams may go to broadcast addresses. Without it, they are `EACCES` errors. Does not block.
   *
   * @param enabled true, or false, the default
   * @returns Errors: `invalid udp socket` after `close`, `expected bool`, `udp set_broadcast failed: ` with the system's reason.
   * Source: socket(7), SO_BROADCAST.
   *
   * @example
   * ```ts
   * import { error_code, UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const everybody = "127.255.255.255:9";
   * const refused = socket.send_to("hello", everybody);
   * if (refused.isErr) console.log(error_code(refused.error)); // EACCES
   * socket.set_broadcast(true).unwrap();
   * console.log(socket.send_to("hello", everybody).unwrap()); // 5
   * ```
   */
  set_broadcast(enabled: boolean): Result<Unit, string> {
    return setFlag(this[TRANSPORT], UDP, "broadcast", enabled);
  }

  /**
   * What `set_broadcast` set; false by default. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`, `udp broadcast failed: ` with the system's reason. Source: socket(7),
   * SO_BROADCAST.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * console.log(socket.broadcast().unwrap()); // false
   * socket.close();
   * ```
   */
  broadcast(): Result<boolean, string> {
    return getFlag(this[TRANSPORT], UDP, "broadcast");
  }

  /**
   * Joins an IPv4 multicast group: from now on the socket receives its datagrams too. Does not block.
   *
   * @param group the group's address, such as `"224.0.0.251"`
   * @param interface_address the address of the local interface to join on; `"0.0.0.0"` lets the system choose
   * @returns Errors: `invalid udp socket` after `close`, `expected string`; `udp join_multicast_v4 failed: ` with `invalid IPv4
   * address` or the system's reason (`EINVAL` for an address that is not a group, `ENODEV` for an unknown interface). Source: ip(7),
   * IP_ADD_MEMBERSHIP.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * // Devices announce themselves there (mDNS). Other programs may listen too, if they set the same options.
   * const socket = UdpSocket.bind("0.0.0.0:5353", { reuse_address: true, reuse_port: true });
   * const joined = socket.andThen((open) => open.join_multicast_v4("224.0.0.251", "127.0.0.1"));
   * console.log(joined.isOk ? "listening" : joined.error); // such as listening
   * ```
   */
  join_multicast_v4(group: string, interface_address: string): Result<Unit, string> {
    return this.#membershipV4("join_multicast_v4", group, interface_address);
  }

  /**
   * Leaves an IPv4 multicast group. Does not block.
   *
   * @param group the group's address, as it was joined
   * @param interface_address the address of the local interface, as it was joined on
   * @returns Errors: as for `join_multicast_v4`, under its own name (`EADDRNOTAVAIL` when it was not joined). Source: ip(7),
   * IP_DROP_MEMBERSHIP.
   *
   * @example
   * ```ts
   * import { error_code, UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("0.0.0.0:0").unwrap();
   * const wrong = socket.leave_multicast_v4("224.0.0.251", "127.0.0.1"); // it was never joined
   * if (wrong.isErr) console.log(error_code(wrong.error)); // EADDRNOTAVAIL
   * socket.close();
   * ```
   */
  leave_multicast_v4(group: string, interface_address: string): Result<Unit, string> {
    return this.#membershipV4("leave_multicast_v4", group, interface_address);
  }

  #membershipV4(member: GroupV4Name, group: string, local: string): Result<Unit, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(UDP.invalid);
    if (typeof group !== "string" || typeof local !== "string") return Result.err("expected string");
    const [groupBytes, localBytes] = [parseIpv4(group), parseIpv4(local)];
    if (groupBytes === null || localBytes === null) {
      return failed(UDP.prefix(member), "invalid IPv4 address");
    }
    const failure = setGroupV4(socket, member, groupBytes, localBytes);
    return failure < 0 ? memberFailed(socket, UDP, member, failure) : Result.ok();
  }

  /**
   * Joins an IPv6 multicast group: from now on the socket receives its datagrams too. Does not block.
   *
   * @param group the group's address, such as `"ff02::fb"`
   * @param interface_index the number of the local interface to join on; 0 lets the system choose
   * @returns Errors: `invalid udp socket` after `close`, `expected string`, `expected int`; `udp join_multicast_v6 failed: ` with
   * `invalid IPv6 address` or the system's reason (`ENODEV` for no interface). Source: ipv6(7), IPV6_ADD_MEMBERSHIP.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("[::]:0");
   * const joined = socket.andThen((open) => open.join_multicast_v6("ff02::fb", 0));
   * console.log(joined.isOk ? "joined" : joined.error); // such as joined; an error where there is no IPv6
   * ```
   */
  join_multicast_v6(group: string, interface_index: number): Result<Unit, string> {
    return this.#membershipV6("join_multicast_v6", group, interface_index);
  }

  /**
   * Leaves an IPv6 multicast group. Does not block.
   *
   * @param group the group's address, as it was joined
   * @param interface_index the number of the local interface, as it was joined on
   * @returns Errors: as for `join_multicast_v6`, under its own name (`EADDRNOTAVAIL` when it was not joined). Source: ipv6(7),
   * IPV6_DROP_MEMBERSHIP.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("[::]:0");
   * const left = socket.andThen((open) =>
   *   open.join_multicast_v6("ff02::fb", 0).andThen(() => open.leave_multicast_v6("ff02::fb", 0)),
   * );
   * console.log(left.isOk ? "joined and left" : left.error); // such as joined and left; an error where there is no IPv6
   * ```
   */
  leave_multicast_v6(group: string, interface_index: number): Result<Unit, string> {
    return this.#membershipV6("leave_multicast_v6", group, interface_index);
  }

  #membershipV6(member: GroupV6Name, group: string, index: number): Result<Unit, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(UDP.invalid);
    if (typeof group !== "string") return Result.err("expected string");
    if (!Number.isInteger(index)) return Result.err("expected int");
    const groupBytes = parseIpv6(group);
    if (groupBytes === null) return failed(UDP.prefix(member), "invalid IPv6 address");
    const failure = setGroupV6(socket, member, groupBytes, index);
    return failure < 0 ? memberFailed(socket, UDP, member, failure) : Result.ok();
  }

  /**
   * With true, the default, members of an IPv4 group on this host also receive what this host sends to the group.
   * Does not block.
   *
   * @param enabled true, the default, or false
   * @returns Errors: `invalid udp socket` after `close`, `expected bool`, `udp set_multicast_loop_v4 failed: ` with the system's
   * reason. Source: ip(7), IP_MULTICAST_LOOP.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("0.0.0.0:0").unwrap();
   * socket.set_multicast_loop_v4(false).unwrap(); // only other hosts receive what this program sends
   * console.log(socket.multicast_loop_v4().unwrap()); // false
   * socket.close();
   * ```
   */
  set_multicast_loop_v4(enabled: boolean): Result<Unit, string> {
    return setFlag(this[TRANSPORT], UDP, "multicast_loop_v4", enabled);
  }

  /**
   * What `set_multicast_loop_v4` set; true by default. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`, `udp multicast_loop_v4 failed: ` with the system's reason.
   * Source: ip(7), IP_MULTICAST_LOOP.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("0.0.0.0:0").unwrap();
   * console.log(socket.multicast_loop_v4().unwrap()); // true
   * socket.close();
   * ```
   */
  multicast_loop_v4(): Result<boolean, string> {
    return getFlag(this[TRANSPORT], UDP, "multicast_loop_v4");
  }

  /**
   * Sets how many routers a datagram to an IPv4 group may pass. With 1, the default, it stays in the local network. Does not
   * block.
   *
   * @param ttl 0 to 255
   * @returns Errors: `invalid udp socket` after `close`, `expected int`, `udp set_multicast_ttl_v4 failed: ` with the system's
   * reason (`EINVAL`). Source: ip(7), IP_MULTICAST_TTL.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("0.0.0.0:0").unwrap();
   * socket.set_multicast_ttl_v4(4).unwrap(); // as far as the fourth router
   * console.log(socket.multicast_ttl_v4().unwrap()); // 4
   * socket.close();
   * ```
   */
  set_multicast_ttl_v4(ttl: number): Result<Unit, string> {
    return setNumber(this[TRANSPORT], UDP, "multicast_ttl_v4", ttl);
  }

  /**
   * What `set_multicast_ttl_v4` set; 1 by default. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`, `udp multicast_ttl_v4 failed: ` with the system's reason. Source: ip(7),
   * IP_MULTICAST_TTL.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("0.0.0.0:0").unwrap();
   * console.log(socket.multicast_ttl_v4().unwrap()); // 1
   * socket.close();
   * ```
   */
  multicast_ttl_v4(): Result<number, string> {
    return getNumber(this[TRANSPORT], UDP, "multicast_ttl_v4");
  }
}
