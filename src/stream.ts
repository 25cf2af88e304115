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
  /** Receives at most `length` bytes to the start of `target`; 0 is end of stream. */
  receive(target: Uint8Array, length: number, deadline: number): number;
  /** As `receive`, but the bytes stay on the stream for the next call. */
  peek(target: Uint8Array, length: number, deadline: number): number;
  /** Sends at most `length` bytes from the start of `source`; gives how many were taken. */
  send(source: Uint8Array, length: number, deadline: number): number;
  /** The text of a failure: strerror's and the number, or the TLS library's. */
  reason(failure: number): string;
  /** True when the failure says that the call would have had to wait (EAGAIN). */
  wouldBlock(failure: number): boolean;
  close(): void;
}
