/**
 * getaddrinfo(3) that can be waited for in slices, because another thread asks.
 *
 * The plain call blocks for as long as a name server keeps silent (resolv.conf(5): 5 seconds, twice for each server),
 * and neither a deadline nor a signal nor the end of a worker thread gets through to it.
 */
export interface Lookup {
  /** Begins; gives a handle, or null where there is no thread or memory for it. `hints` is a struct addrinfo. */
  start(host: string, hints: Buffer): bigint | null;
  /** Waits until the result is there (true), or for so long, or until a signal (false). */
  wait(handle: bigint, milliseconds: number): boolean;
  /** Ends it: the error (0 for none) and the list of addresses, which the caller frees. */
  finish(handle: bigint): { code: number; list: bigint };
  /** Gives it up: its memory is freed when its thread has done with it. */
  abandon(handle: bigint): void;
}
