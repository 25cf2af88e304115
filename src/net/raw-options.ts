import { isSize, toBytes } from "../arguments.ts";
import type { Socket } from "../engine/socket.ts";
import { Failure } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import type { ErrorWords } from "./error-words.ts";
import { memberFailed } from "./socket-members.ts";

/** `set_option` and `option`: the options for which there is no member, by the system's own numbers. */

/** More than any option has. Some systems refuse a larger room. */
const MOST_ROOM = 65_536;

export function setRawOption(
  socket: Socket,
  words: ErrorWords,
  level: unknown,
  name: unknown,
  value: unknown,
): Result<Unit, string> {
  if (!socket.open) return Result.err(words.invalid);
  if (!isInt(level) || !isInt(name)) return Result.err("expected int");
  const bytes = typeof value === "number" ? intBytes(value) : toBytes(value);
  if (bytes instanceof Failure) return Result.err(bytes.reason);
  const { EINVAL } = socket.sys.constants;
  const isPossible = bytes !== null && isInt32(level) && isInt32(name);
  const failure = isPossible ? socket.setRawOption(level, name, bytes) : -EINVAL;
  return failure < 0 ? memberFailed(socket, words, "set_option", failure) : Result.ok();
}

export function getRawOption(
  socket: Socket,
  words: ErrorWords,
  level: unknown,
  name: unknown,
  size: unknown,
): Result<number | Buffer, string> {
  if (!socket.open) return Result.err(words.invalid);
  if (!isInt(level) || !isInt(name)) return Result.err("expected int");
  if (size !== undefined && (!isSize(size) || size > MOST_ROOM)) return Result.err("invalid buffer size");
  if (!isInt32(level) || !isInt32(name)) {
    return memberFailed(socket, words, "option", -socket.sys.constants.EINVAL);
  }
  const value = socket.getRawOption(level, name, size ?? 4);
  if (typeof value === "number") return memberFailed(socket, words, "option", value);
  if (size !== undefined) return Result.ok(value);
  // (Some options are shorter than an int: a flag of one byte.)
  const short = value.length === 0 ? 0 : value.readUIntLE(0, Math.min(value.length, 4));
  return Result.ok(short | 0);
}

function isInt(value: unknown): value is number {
  return Number.isInteger(value);
}

/** As setsockopt(2) has it; null for what is no int of 32 bits. Those without a sign are taken too. */
function intBytes(value: number): Uint8Array | Failure | null {
  if (!Number.isInteger(value)) return new Failure("expected int");
  if (value < -0x8000_0000 || value > 0xffff_ffff) return null;
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value | 0);
  return bytes;
}

function isInt32(value: number): boolean {
  return value === (value | 0);
}
