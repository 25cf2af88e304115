import { INVALID_TIMEOUT, timeoutFrom, timeoutTo } from "../arguments.ts";
import { adopted, type Shape } from "../engine/adopt.ts";
import type { Socket } from "../engine/socket.ts";
import { localAddress, peerAddress } from "../engine/socket-address.ts";
import type { FlagName, NumberName } from "../engine/socket-options.ts";
import * as options from "../engine/socket-options.ts";
import type { Transport } from "../engine/transport.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import type { ErrorWords } from "./error-words.ts";

export type { Shape } from "../engine/adopt.ts";

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
  if (how !== "read" && how !== "write" && how !== "both") {
    return Result.err("expected 'read', 'write' or 'both'");
  }
  const failure = socket.shutdown(how);
  return failure < 0 ? memberFailed(socket, words, "shutdown", failure) : Result.ok();
}

export function takeError(socket: Socket, words: ErrorWords): Result<string | null, string> {
  if (!socket.open) return Result.err(words.invalid);
  const error = socket.takeError();
  if (error < 0) return memberFailed(socket, words, "take_error", error);
  return Result.ok(error === 0 ? null : socket.reason(-error));
}

/** An option that is on or off: `set_nodelay` of the option `nodelay`. */
export function setFlag(
  socket: Socket,
  words: ErrorWords,
  name: FlagName,
  enabled: boolean,
): Result<Unit, string> {
  if (!socket.open) return Result.err(words.invalid);
  if (typeof enabled !== "boolean") return Result.err("expected bool");
  const failure = options.setFlag(socket, name, enabled);
  return failure < 0 ? memberFailed(socket, words, `set_${name}`, failure) : Result.ok();
}

export function getFlag(socket: Socket, words: ErrorWords, name: FlagName): Result<boolean, string> {
  if (!socket.open) return Result.err(words.invalid);
  const value = options.getFlag(socket, name);
  return value < 0 ? memberFailed(socket, words, name, value) : Result.ok(value > 0);
}

/** An option that is a number. */
export function setNumber(
  socket: Socket,
  words: ErrorWords,
  name: NumberName,
  value: number,
): Result<Unit, string> {
  if (!socket.open) return Result.err(words.invalid);
  if (!Number.isInteger(value)) return Result.err("expected int");
  const failure = options.setNumber(socket, name, value);
  return failure < 0 ? memberFailed(socket, words, `set_${name}`, failure) : Result.ok();
}

export function getNumber(socket: Socket, words: ErrorWords, name: NumberName): Result<number, string> {
  if (!socket.open) return Result.err(words.invalid);
  const value = options.getNumber(socket, name);
  return value < 0 ? memberFailed(socket, words, name, value) : Result.ok(value);
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

/** Takes over a descriptor that is an open socket of this shape. */
export function fromFd(fd: number, words: ErrorWords, shape: Shape): Result<Socket, string> {
  if (!Number.isInteger(fd)) return Result.err("expected int");
  const socket = adopted(fd, shape);
  return socket instanceof Failure ? failed(words.prefix("from_fd"), socket.reason) : Result.ok(socket);
}
