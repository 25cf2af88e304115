import { part } from "../arguments.ts";
import type { HeldBytes } from "./pushback.ts";

/**
 * What a connection must be able to do for the public stream classes and for http to stand on it. `Socket`
 * (socket.ts) is one, a TLS session is another; nothing above this line knows which.
 *
 * A call gives a count of bytes, or a negative number: a failure, whose text `reason` gives. Deadlines are
 * absolute, in the milliseconds of `monotonicTime()`; `Infinity` waits for ever. A timeout that was set on the
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
  /** Puts a copy of these bytes back: the next to be received, before all others. */
  unreceive(bytes: Uint8Array): void;
  /** As `unreceive`, without a copy. */
  hold(bytes: HeldBytes): void;
  /** Takes what was given back, if it is so many bytes, with the memory that it lies in; else null. */
  takeHeld(least: number, most: number): HeldBytes | null;
  /** How many bytes were given back. */
  readonly heldLength: number;
  /** Whether these were too few twice: nobody need be told of them before more have come. */
  readonly hasTooFew: boolean;
  /** Whether somebody who reads messages off this stream keeps a part of one, and would go on with it. */
  isReadInPart: boolean;
  /** How many bytes can be received although the kernel knows nothing of them: given back, or already decrypted. */
  pending(): number;
  /**
   * Waits until `peek` shows more than the `seen` bytes it showed: 0, or a failure. It is also 0, and `peek` shows no
   * more, where it cannot wait for that: at the end of the stream, when the kernel has no room for more, or when there
   * are `pending` bytes. Left out where nothing can ever wait for that.
   */
  readonly waitBeyond?: ((seen: number, deadline: number) => number) | undefined;
  /** Sends at most `length` bytes from the start of `source`; gives how many were taken. */
  send(source: Uint8Array, length: number, deadline: number): number;
  /** From now on every send goes out at once, also while the peer has not acknowledged the last (TCP's Nagle). */
  sendAtOnce?(): void;
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
    const count = transport.send(part(source, sent, length), length - sent, deadline);
    if (count < 0) return count;
    sent += count;
  }
  return sent;
}

// The failures that are no errno. They stand in one list so that no two share a number; no errno is greater than 4095 (the
// kernel's MAX_ERRNO).

/** A socket's `connect` ended at its deadline, while the system would go on trying for longer. */
export const CONNECT_TIMED_OUT = -1_000_000;

/** A TLS session failed, and keeps the text for `reason`. */
export const TLS_FAILURE = -2_000_000;

/** The caller's own parts of a request's body have failed. No transport gives this; what sends them does. */
export const BODY_PARTS_FAILED = -3_000_000;

/**
 * A deadline is past, but no wait has ended at it: a peer that sends (or reads) a little every millisecond always leaves
 * something to go on with before the wait is over. No transport gives this; those who read messages do.
 */
export const TOO_LATE = Number.NEGATIVE_INFINITY;
