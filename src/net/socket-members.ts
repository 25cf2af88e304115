import { INVALID_TIMEOUT, timeoutFrom, timeoutTo } from "../arguments.ts";
import { localAddress, peerAddress, socketFamily } from "../engine/connect.ts";
import { networkPlatform, Socket } from "../engine/socket.ts";
import type { Transport } from "../engine/transport.ts";
import { failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import { systemReason } from "../sys/index.ts";
import type { ErrorWords } from "./error-words.ts";

/**
 * Members that several classes have, as functions: check, delegate, prefix the error. A base class cannot hold them, because a
 * class has only one.
 */

/** `tcp set_nodelay failed: Invalid argument (os error 22)`. */
export function memberFailed<T>(
  socket: Socket,
  words: ErrorWords,
  member: string,
  failure: number,
): Result<T, string> {
  return failed(words.prefix(member), socket.reason(failure));
}

/** The text of an object for people: its class and its addresses. */
export function describeSocket(self: object, socket: Socket): string {
  const { name } = self.constructor;
  if (!socket.open) return `${name} (closed)`;
  const addresses = [localAddress(socket), peerAddress(socket)];
  return `${name} ${addresses.filter((address) => typeof address === "string" && address !== "").join(" -> ")}`.trimEnd();
}

export function localAddr(socket: Socket, words: ErrorWords): Result<string, string> {
  if (!socket.open) return Result.err(words.invalid);
  const address = localAddress(socket);
  return typeof address === "string"
    ? Result.ok(address)
    : memberFailed(socket, words, "local_addr", address);
}

export function peerAddr(socket: Socket, words: ErrorWords): Result<string, string> {
  if (!socket.open) return Result.err(words.invalid);
  const address = peerAddress(socket);
  return typeof address === "string" ? Result.ok(address) : memberFailed(socket, words, "peer_addr", address);
}

export function setTimeout(
  transport: Transport,
  words: ErrorWords,
  which: "readTimeout" | "writeTimeout",
  ms: number | null,
): Result<Unit, string> {
  if (!transport.open) return Result.err(words.invalid);
  const timeout = timeoutFrom(ms);
  if (timeout === undefined) return Result.err(INVALID_TIMEOUT);
  transport[which] = timeout;
  return Result.ok();
}

export function getTimeout(
  transport: Transport,
  words: ErrorWords,
  which: "readTimeout" | "writeTimeout",
): Result<number | null, string> {
  return transport.open ? Result.ok(timeoutTo(transport[which])) : Result.err(words.invalid);
}

export function shutdown(
  socket: Socket,
  words: ErrorWords,
  how: "read" | "write" | "both",
): Result<Unit, string> {
  if (!socket.open) return Result.err(words.invalid);
  const { SHUT_RD, SHUT_WR, SHUT_RDWR } = socket.sys.constants;
  const number = how === "read" ? SHUT_RD : how === "write" ? SHUT_WR : how === "both" ? SHUT_RDWR : -1;
  if (number < 0) return Result.err("expected 'read', 'write' or 'both'");
  const failure = socket.shutdown(number);
  return failure < 0 ? memberFailed(socket, words, "shutdown", failure) : Result.ok();
}

export function takeError(socket: Socket, words: ErrorWords): Result<string | null, string> {
  if (!socket.open) return Result.err(words.invalid);
  const { SOL_SOCKET, SO_ERROR } = socket.sys.constants;
  const error = socket.getOption(SOL_SOCKET, SO_ERROR);
  if (error < 0) return memberFailed(socket, words, "take_error", error);
  return Result.ok(error === 0 ? null : systemReason(socket.sys, error));
}

/** An option that is on or off. */
export function setFlag(
  socket: Socket,
  words: ErrorWords,
  member: string,
  level: number,
  option: number,
  enabled: boolean,
): Result<Unit, string> {
  if (!socket.open) return Result.err(words.invalid);
  if (typeof enabled !== "boolean") return Result.err("expected bool");
  const failure = socket.setOption(level, option, enabled ? 1 : 0);
  return failure < 0 ? memberFailed(socket, words, member, failure) : Result.ok();
}

export function getFlag(
  socket: Socket,
  words: ErrorWords,
  member: string,
  level: number,
  option: number,
): Result<boolean, string> {
  if (!socket.open) return Result.err(words.invalid);
  const value = socket.getOption(level, option);
  return value < 0 ? memberFailed(socket, words, member, value) : Result.ok(value !== 0);
}

/** An option that is a number. A number outside the range is EINVAL, as the system itself reports for most options. */
export function setNumber(
  socket: Socket,
  words: ErrorWords,
  member: string,
  value: number,
  [least, most]: readonly [number, number],
  set: (value: number) => number,
): Result<Unit, string> {
  if (!socket.open) return Result.err(words.invalid);
  if (!Number.isInteger(value)) return Result.err("expected int");
  const failure = value < least || value > most ? -socket.sys.constants.EINVAL : set(value);
  return failure < 0 ? memberFailed(socket, words, member, failure) : Result.ok();
}

export function getNumber(
  socket: Socket,
  words: ErrorWords,
  member: string,
  get: () => number,
): Result<number, string> {
  if (!socket.open) return Result.err(words.invalid);
  const value = get();
  return value < 0 ? memberFailed(socket, words, member, value) : Result.ok(value);
}

/** How many routers a packet may pass. IPv6 calls them hops (ip(7), ipv6(7)). */
export function setTtl(socket: Socket, words: ErrorWords, ttl: number): Result<Unit, string> {
  const { IPPROTO_IP, IP_TTL, IPPROTO_IPV6, IPV6_UNICAST_HOPS, AF_INET6 } = socket.sys.constants;
  return setNumber(socket, words, "set_ttl", ttl, [1, 255], (value) => {
    if (socketFamily(socket) !== AF_INET6) return socket.setOption(IPPROTO_IP, IP_TTL, value);
    // A dual-stack socket may use IPv4. A failure does not matter: then the system has no dual-stack sockets.
    socket.setOption(IPPROTO_IP, IP_TTL, value);
    return socket.setOption(IPPROTO_IPV6, IPV6_UNICAST_HOPS, value);
  });
}

export function getTtl(socket: Socket, words: ErrorWords): Result<number, string> {
  const { IPPROTO_IP, IP_TTL, IPPROTO_IPV6, IPV6_UNICAST_HOPS, AF_INET6 } = socket.sys.constants;
  return getNumber(socket, words, "ttl", () =>
    socketFamily(socket) === AF_INET6
      ? socket.getOption(IPPROTO_IPV6, IPV6_UNICAST_HOPS)
      : socket.getOption(IPPROTO_IP, IP_TTL),
  );
}

export function asFd(socket: Socket, words: ErrorWords): Result<number, string> {
  if (!socket.open) return Result.err(words.invalid);
  socket.share();
  return Result.ok(socket.descriptor);
}

export function intoFd(socket: Socket, words: ErrorWords): Result<number, string> {
  if (!socket.open) return Result.err(words.invalid);
  if (socket.pending() > 0) {
    return failed(words.prefix("into_fd"), "bytes that a failed read gave back are still to be read");
  }
  if (socket.isReadInPart) {
    return failed(words.prefix("into_fd"), "a part of an HTTP message was read, and the rest is still to be");
  }
  return Result.ok(socket.giveAway());
}

/** A second descriptor of the same socket. */
export function cloneOf(socket: Socket, words: ErrorWords): Result<Socket, string> {
  if (!socket.open) return Result.err(words.invalid);
  const clone = socket.clone();
  return typeof clone === "number" ? memberFailed(socket, words, "try_clone", clone) : Result.ok(clone);
}

/** The kind of socket that a descriptor must be. */
export interface Shape {
  readonly what: string;
  readonly families: readonly ("AF_INET" | "AF_INET6" | "AF_UNIX")[];
  readonly type: "SOCK_STREAM" | "SOCK_DGRAM";
  readonly listening: boolean;
}

/** Takes over a descriptor that is an open socket of this shape. */
export function fromFd(fd: number, words: ErrorWords, shape: Shape): Result<Socket, string> {
  if (!Number.isInteger(fd)) return Result.err("expected int");
  const prefix = words.prefix("from_fd");
  const sys = networkPlatform();
  if (typeof sys === "string") return failed(prefix, sys);
  const { constants } = sys;
  if (fd < 0 || fd > 0x7fffffff) return failed(prefix, systemReason(sys, constants.EBADF));
  const socket = Socket.adopt(sys, fd);
  if (typeof socket === "number") return failed(prefix, systemReason(sys, -socket));
  if (socket === null) return failed(prefix, "the descriptor belongs to another open object of std-net");
  const families = shape.families.map((name) => constants[name]);
  const fits =
    families.includes(socketFamily(socket)) &&
    socket.getOption(constants.SOL_SOCKET, constants.SO_TYPE) === constants[shape.type] &&
    socket.getOption(constants.SOL_SOCKET, constants.SO_ACCEPTCONN) === (shape.listening ? 1 : 0);
  if (fits) return Result.ok(socket);
  // The caller keeps the descriptor, unchanged.
  socket.release();
  return failed(prefix, `not a ${shape.what}`);
}
