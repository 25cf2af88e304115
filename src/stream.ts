import { Result } from "true-myth/result";
import { Unit } from "true-myth/unit";
import { type Bytes, byteLength, copyOut, inPlace, isSize, scratch, toBytes } from "./bytes.ts";
import { failed } from "./error.ts";

/**
 * What a connection must be able to do for the public stream classes and for http to stand on it. `Socket`
 * (socket.ts) is one, a TLS session is another; nothing above this line knows which.
 *
 * A call gives a count of bytes, or a negative number: a failure, whose text `reason` gives. Deadlines are
 * absolute, in the milliseconds of `performance.now()`; `Infinity` waits for ever. A timeout that was set on the
 * stream itself (`set_read_timeout`) holds as well, whichever ends first; past either, the failure is EAGAIN, so
 * that a caller with a deadline looks at the clock to know which it was.
 */
export interface Transport {
  /** False once `close` was called, or once the descriptor was given away. */
  readonly open: boolean;
  /** True in non-blocking mode: what would wait fails with EAGAIN at once. */
  readonly nonblocking: boolean;
  /** Milliseconds; Infinity is none. */
  readTimeout: number;
  writeTimeout: number;
  /** Receives at most `length` bytes to the start of `target`; 0 is end of stream. */
  receive(target: Uint8Array, length: number, deadline: number): number;
  /** As `receive`, but the bytes stay on the stream for the next call. */
  peek(target: Uint8Array, length: number, deadline: number): number;
  /** Sends at most `length` bytes from the start of `source`; gives how many were taken. */
  send(source: Uint8Array, length: number, deadline: number): number;
  /** 0, or a failure. */
  setNonblocking(enabled: boolean): number;
  /** The text of a failure: strerror's and the number, or the TLS library's. */
  reason(failure: number): string;
  /** True when the failure says that the call would have had to wait (EAGAIN). */
  wouldBlock(failure: number): boolean;
  close(): void;
}

/** Sends all of `source`: its length, or a failure (some of it may have gone out by then). */
export function sendAll(transport: Transport, source: Uint8Array, length: number, deadline: number): number {
  let sent = transport.send(source, length, deadline);
  if (sent === length || sent < 0) return sent;
  while (sent < length) {
    const rest = source.subarray(sent, length);
    const count = transport.send(rest, rest.length, deadline);
    if (count < 0) return count;
    sent += count;
  }
  return sent;
}

/** The key under which a public stream keeps its transport: for http and the poller, not for users. */
export const TRANSPORT: unique symbol = Symbol("std-net transport");

/** How the errors of one kind of stream begin. */
export interface Wording {
  readonly invalid: string;
  readonly read: string;
  readonly write: string;
  readonly setNonblocking: string;
  readonly localAddr: string;
  readonly peerAddr: string;
}

export function wording(kind: string, invalid: string): Wording {
  return {
    invalid,
    read: `${kind} read failed: `,
    write: `${kind} write failed: `,
    setNonblocking: `${kind} set_nonblocking failed: `,
    localAddr: `${kind} local_addr failed: `,
    peerAddr: `${kind} peer_addr failed: `,
  };
}

/** What TCP, Unix and TLS streams have in common: bytes in order, both ways. */
export abstract class ByteStream<T extends Transport = Transport> {
  /** @internal */
  readonly [TRANSPORT]: T;
  readonly #wording: Wording;

  /** @internal */
  constructor(transport: T, words: Wording) {
    this[TRANSPORT] = transport;
    this.#wording = words;
  }

  /**
   * Reads up to `size` bytes: as many as have come, and at least one.
   *
   * Blocks until a byte has come or the peer has ended the stream.
   *
   * @param size the most to read, in bytes: a positive integer. A large one costs nothing by itself.
   * @returns the bytes; an empty Buffer is end of stream. Errors: `invalid tcp stream` after `close`,
   * `invalid buffer size`, and `tcp read failed: ` with the system's reason (`EAGAIN` in non-blocking mode when
   * nothing has come). Source: recv(2).
   */
  read(size: number): Result<Buffer, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this.#wording.invalid);
    if (!isSize(size)) return Result.err("invalid buffer size");
    const target = scratch(size);
    const count = transport.receive(target, Math.min(size, target.length), Number.POSITIVE_INFINITY);
    if (count < 0) return failed(this.#wording.read, transport.reason(count));
    return Result.ok(copyOut(target, count));
  }

  /**
   * Sends bytes: as many as the system takes, which can be fewer than were given.
   *
   * Blocks while the system's send buffer is full.
   *
   * @param data a Uint8Array, a list of integers 0..255, or a string that is sent as UTF-8
   * @returns the number of bytes taken. Errors: `invalid tcp stream` after `close`; `expected list of ints`, `bytes
   * list must contain ints`, `byte value out of range` for what is no bytes; `tcp write failed: ` with the system's
   * reason (`EPIPE` or `ECONNRESET` when the peer has gone). Source: send(2).
   */
  write(data: Bytes): Result<number, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this.#wording.invalid);
    const bytes = toBytes(data);
    if (typeof bytes === "string") return Result.err(bytes);
    const length = byteLength(bytes);
    const count = transport.send(inPlace(bytes, length), length, Number.POSITIVE_INFINITY);
    if (count < 0) return failed(this.#wording.write, transport.reason(count));
    return Result.ok(count);
  }

  /**
   * Closes the stream and gives its descriptor back. Never fails; a second call does nothing.
   *
   * Does not wait: what was written goes out in the background. Source: close(2).
   */
  close(): void {
    this[TRANSPORT].close();
  }

  /** Closes the stream: what `using stream = ...` calls at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Turns non-blocking mode on or off. In it, a call that would wait gives an `EAGAIN` error at once.
   *
   * @returns Errors: `invalid tcp stream` after `close`, `expected bool`, `tcp set_nonblocking failed: ` with the
   * system's reason. Source: fcntl(2), O_NONBLOCK.
   */
  set_nonblocking(enabled: boolean): Result<Unit, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this.#wording.invalid);
    if (typeof enabled !== "boolean") return Result.err("expected bool");
    const failure = transport.setNonblocking(enabled);
    if (failure < 0) return failed(this.#wording.setNonblocking, transport.reason(failure));
    return Result.ok(Unit);
  }
}

/** The transport of a stream of this library; undefined for everything else. */
export function transportOf(value: unknown): Transport | undefined {
  try {
    return value instanceof ByteStream ? value[TRANSPORT] : undefined;
  } catch {
    // A proxy's trap threw.
    return undefined;
  }
}
