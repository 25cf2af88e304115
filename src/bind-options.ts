import type { Step } from "./endpoint.ts";

/**
 * What `UdpSocket.bind` takes beside the address.
 *
 * @example
 * ```ts
 * import { UdpSocket } from "std-net";
 *
 * const one = UdpSocket.bind("127.0.0.1:0", { reuse_port: true }).unwrapOrElse(fail);
 * const address = one.local_addr().unwrapOrElse(fail);
 * const other = UdpSocket.bind(address, { reuse_port: true }).unwrapOrElse(fail);
 * console.log(other.local_addr().unwrapOrElse(fail) === address); // true
 *
 * function fail(error: string): never { throw new Error(error); }
 * ```
 */
export interface UdpBindOptions {
  /** Lets several sockets, in other processes too, bind the same port: SO_REUSEPORT (socket(7)). False when left out. */
  readonly reuse_port?: boolean;
  /** For `[::]`: no IPv4 beside it: IPV6_V6ONLY (ipv6(7)). The system's default when left out. */
  readonly ipv6_only?: boolean;
}

/**
 * What `TcpListener.bind` takes beside the address.
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
  /** How many connections may wait to be accepted (listen(2)): 4096 when left out, or the system's limit if that is less. */
  readonly backlog?: number;
}

/**
 * What `UnixListener.bind` takes beside the path.
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
 * How many connections the kernel may hold that nobody has accepted yet. The kernel takes the smaller of this and
 * its own limit (listen(2): net.core.somaxconn, 4096 since Linux 5.4).
 */
const DEFAULT_BACKLOG = 4096;

interface Checked {
  readonly backlog: number;
  readonly reusePort: boolean;
  /** Undefined: left to the system. */
  readonly ipv6Only: boolean | undefined;
}

/** The options as they are meant, or the text of what is wrong with them. */
export function bindOptions(given: unknown): Checked | string {
  if (given === undefined || given === null) given = {};
  if (typeof given !== "object") return "options must be an object";
  let options: Record<string, unknown>;
  try {
    const { backlog = DEFAULT_BACKLOG, reuse_port = false, ipv6_only } = given as Record<string, unknown>;
    options = { backlog, reuse_port, ipv6_only };
  } catch {
    // A getter or a proxy's trap threw.
    return "options must be an object";
  }
  const { backlog, reuse_port, ipv6_only } = options;
  if (!Number.isInteger(backlog) || (backlog as number) < 0 || (backlog as number) > 0x7fffffff)
    return "expected int";
  if (typeof reuse_port !== "boolean") return "expected bool";
  if (ipv6_only !== undefined && typeof ipv6_only !== "boolean") return "expected bool";
  return { backlog: backlog as number, reusePort: reuse_port, ipv6Only: ipv6_only };
}

/** Sets the options on a socket that is not bound yet. */
export function beforeBind({ reusePort, ipv6Only }: Checked): Step {
  return (socket, { constants }, family) => {
    if (reusePort) {
      const failure = socket.setOption(constants.SOL_SOCKET, constants.SO_REUSEPORT, 1);
      if (failure < 0) return failure;
    }
    if (ipv6Only === undefined || family !== constants.AF_INET6) return 0;
    return socket.setOption(constants.IPPROTO_IPV6, constants.IPV6_V6ONLY, ipv6Only ? 1 : 0);
  };
}
