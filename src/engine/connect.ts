import type { BindOptions } from "../arguments.ts";
import { Failure } from "../error.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { type Platform, systemReason } from "../sys/index.ts";
import { familyOf } from "../sys/structs.ts";
import { connectToFirst } from "./connect-blocking.ts";
import { alternateFamilies } from "./connect-race.ts";
import { connectUnixWaiting } from "./connect-waiting.ts";
import { networkPlatform } from "./permission.ts";
import { numericOrName, resolve, withPort } from "./resolve.ts";
import { Socket } from "./socket.ts";
import { notSupported, unixAddress } from "./socket-address.ts";
import { setFlag } from "./socket-options.ts";
import { CONNECT_TIMED_OUT } from "./transport.ts";
import { FOREVER } from "./wait/slices.ts";

/** From text to sockets that are connected or bound. */

/**
 * A socket connected to the address of `text` that accepts first, or why the last address to fail did not.
 *
 * It ends at the deadline, or `timeout` milliseconds after the name was resolved. With `names`, each name is looked up once.
 */
export function connectTo(
  text: string,
  deadline: number,
  timeout: number = FOREVER,
  names: KnownNames | null = null,
): Socket | Failure {
  const sys = networkPlatform();
  if (sys instanceof Failure) return sys;
  const addresses =
    names === null
      ? resolve(sys, text, sys.constants.SOCK_STREAM, deadline)
      : resolveOnce(sys, text, deadline, names);
  if (addresses instanceof Failure) return addresses;
  return connectToFirst(
    sys,
    alternateFamilies(sys, addresses),
    Math.min(deadline, monotonicTime() + timeout),
  );
}

/** The addresses of the names that were looked up. */
export type KnownNames = Map<string, readonly Buffer[]>;

function resolveOnce(sys: Platform, text: string, deadline: number, names: KnownNames): Buffer[] | Failure {
  const parsed = numericOrName(sys, text);
  if (parsed instanceof Failure || Array.isArray(parsed)) return parsed;
  const known = names.get(parsed.host);
  if (known !== undefined) return withPort(known, parsed.port);
  const addresses = resolve(sys, text, sys.constants.SOCK_STREAM, deadline);
  if (!(addresses instanceof Failure)) names.set(parsed.host, addresses);
  return addresses;
}

/** A listener on the first address of `text` that can be bound. */
export function listenOn(text: string, options: BindOptions): Socket | Failure {
  const sys = networkPlatform();
  if (sys instanceof Failure) return sys;
  return firstOf(sys, text, sys.constants.SOCK_STREAM, (socket, address) => {
    // Another listener's connections in TIME_WAIT keep the port from no one.
    const reuseAddress = options.reuseAddress ?? sys.behaviour.reuseAddressIsSafe;
    return bindAs(socket, address, { ...options, reuseAddress }) || socket.listen(options.backlog);
  });
}

/** A datagram socket on the first address of `text` that can be bound. */
export function bindDatagrams(text: string, options: BindOptions): Socket | Failure {
  const sys = networkPlatform();
  if (sys instanceof Failure) return sys;
  return firstOf(sys, text, sys.constants.SOCK_DGRAM, (socket, address) => bindAs(socket, address, options));
}

/** Sets the options, and binds: 0, or minus an errno. */
function bindAs(socket: Socket, address: Buffer, { reusePort, reuseAddress, ipv6Only }: BindOptions): number {
  const { sys } = socket;
  if (reuseAddress) {
    const failure = setFlag(socket, "reuse_address", true);
    if (failure < 0) return failure;
  }
  if (reusePort) {
    const failure = setFlag(socket, "reuse_port", true);
    if (failure < 0) return failure;
  }
  // Of [::] users expect that it takes IPv4 too, as on Linux.
  const only = ipv6Only ?? (sys.behaviour.ipv6OnlyByDefault ? false : undefined);
  if (only !== undefined && familyOf(sys, address) === sys.constants.AF_INET6) {
    const failure = setFlag(socket, "ipv6_only", only);
    if (failure < 0) return failure;
  }
  return bind(socket, address);
}

function bind({ sys, descriptor }: Socket, address: Buffer): number {
  return sys.bind(descriptor, address, address.length) < 0 ? -sys.errno() : 0;
}

/** A stream socket connected to the Unix socket at `path`. */
export function connectUnix(path: string, deadline: number): Socket | Failure {
  return unixSocket("stream", path, (socket, address) => connectUnixWaiting(socket, address, deadline));
}

/** How long a connection to a Unix socket takes at most, milliseconds. */
const MOMENT = 10;

/**
 * The same without waiting, in non-blocking mode: null where the listener's backlog is full. Nothing has begun then, and nothing but
 * another try tells when there is room (unix(7), connect(2): EAGAIN).
 */
export function tryConnectUnix(path: string): Socket | Failure | null {
  let isFull = false;
  const socket = unixSocket("stream", path, (made, address) => {
    // (On Windows the connection takes a moment.)
    const limit = made.sys.behaviour.kernelEndsWaits ? 0 : monotonicTime() + MOMENT;
    const failure = made.setNonblocking(true) || connectUnixWaiting(made, address, limit);
    isFull = failure === CONNECT_TIMED_OUT;
    return failure;
  });
  return isFull ? null : socket;
}

export function listenOnUnix(path: string, backlog: number): Socket | Failure {
  return unixSocket("stream", path, (socket, address) => bind(socket, address) || socket.listen(backlog));
}

export function bindUnixDatagrams(path: string): Socket | Failure {
  return unixSocket("datagram", path, bind);
}

/** A Unix datagram socket without an address. */
export function unboundUnixDatagrams(): Socket | Failure {
  return unixSocket("datagram", null, () => 0);
}

/** Two connected Unix sockets. */
export function unixPair(type: "stream" | "datagram"): [Socket, Socket] | Failure {
  const sys = networkPlatform();
  if (sys instanceof Failure) return sys;
  if (!sys.behaviour.hasUnixPairs) return notSupported(sys);
  const pair = Socket.pair(sys, typeNumber(sys, type));
  return typeof pair === "number" ? new Failure(systemReason(sys, -pair)) : pair;
}

function typeNumber({ constants }: Platform, type: "stream" | "datagram"): number {
  return type === "stream" ? constants.SOCK_STREAM : constants.SOCK_DGRAM;
}

function unixSocket(
  type: "stream" | "datagram",
  path: string | null,
  attempt: (socket: Socket, address: Buffer) => number,
): Socket | Failure {
  const sys = networkPlatform();
  if (sys instanceof Failure) return sys;
  if (type === "datagram" && !sys.behaviour.hasUnixDatagrams) return notSupported(sys);
  const address = path === null ? Buffer.alloc(0) : unixAddress(sys, path);
  if (address instanceof Failure) return address;
  const socket = Socket.create(sys, sys.constants.AF_UNIX, typeNumber(sys, type));
  if (typeof socket === "number") return new Failure(systemReason(sys, -socket));
  const failure = attempt(socket, address);
  if (failure >= 0) return socket;
  const reason = socket.reason(failure);
  socket.close();
  return new Failure(reason);
}

function firstOf(
  sys: Platform,
  text: string,
  type: number,
  attempt: (socket: Socket, address: Buffer) => number,
): Socket | Failure {
  const addresses = resolve(sys, text, type);
  if (addresses instanceof Failure) return addresses;
  let reason = "";
  for (const address of addresses) {
    const socket = Socket.create(sys, familyOf(sys, address), type);
    if (typeof socket === "number") {
      reason = systemReason(sys, -socket);
      continue;
    }
    const failure = attempt(socket, address);
    if (failure >= 0) return socket;
    reason = socket.reason(failure);
    socket.close();
  }
  return new Failure(reason);
}
