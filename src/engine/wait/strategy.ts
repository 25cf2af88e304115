import type { Platform } from "../../sys/index.ts";
import type { Suspicion } from "./blocked-event-loop.ts";
import { FOREVER } from "./slices.ts";

/**
 * How the calls of a socket wait. There are two ways:
 *
 * - kernel-timeout.ts: the call itself waits, and the socket's timeout (SO_RCVTIMEO, SO_SNDTIMEO) ends a slice. A socket that is ready
 *   costs one system call, and one that is not costs no more. Linux only, and only for sockets that nobody else holds.
 * - poll-loop.ts: the call never waits; when it would have to, poll(2) waits for a slice, and the call is made again. macOS and
 *   Windows, and everywhere sockets that others hold too.
 *
 * Each call of `Socket` is a loop of this form:
 *
 *     let limit = strategy.begin(socket, direction, deadline, true);
 *     for (;;) {
 *       const count = the call, told not to wait if limit is TRY or strategy.neverBlocks;
 *       if (count >= 0) return count;
 *       limit = strategy.goOn(socket, direction, errno, limit, deadline);
 *       if (limit < 0) return limit;
 *     }
 */
export interface WaitStrategy {
  /** Whether every call must be told not to wait, and not the first one alone. */
  readonly neverBlocks: boolean;
  /**
   * Before a call. Gives the moment at which the wait for it ends, on `monotonicTime()`'s clock, or FOREVER. Or TRY, if
   * `mayTry`: nothing is prepared yet, and the call must not wait.
   */
  begin(socket: WaitingSocket, direction: Direction, deadline: number, mayTry: boolean): number;
  /**
   * After a call failed with `errno`. Gives the limit to call again with, when that may help; or minus an errno, the failure to
   * report. EAGAIN is the end of a slice or of the whole wait. EINTR concerns the caller only when a JavaScript listener waits for
   * the event loop.
   */
  goOn(socket: WaitingSocket, direction: Direction, errno: number, limit: number, deadline: number): number;
}

/** In place of a limit: see `begin`. */
export const TRY = 0;

/** A limit is no TRY and no failure: of a deadline that is past, only that counts. */
export function limitOf(deadline: number): number {
  return deadline > LONG_AGO ? deadline : LONG_AGO;
}

/** The earliest limit, a millisecond after the clock's beginning. */
const LONG_AGO = 1;

/** What a strategy knows of the socket that waits. */
export interface WaitingSocket {
  readonly sys: Platform;
  readonly descriptor: number;
  readonly open: boolean;
  /** Whether the user wants no call to wait. */
  readonly nonblocking: boolean;
  /** Null where no wait can be one for this very thread. */
  readonly suspicion: Suspicion | null;
  /** There is no reason for the suspicion (any more). */
  dropSuspicion(): void;
}

/** One direction of a socket, receiving or sending. All in milliseconds; FOREVER is none. */
export class Direction {
  readonly isReceiving: boolean;
  /** The user's timeout for a wait. */
  timeout = FOREVER;
  /** Kernel timeout: what the socket's timeout is set to; FOREVER when it was never set. */
  slice = FOREVER;
  /** Kernel timeout: when a limited wait was last made ready, on monotonicTime()'s clock. */
  armedAt = 0;
  /** Poll loop: how often in a row poll(2) called the socket ready, and the call had to wait all the same. */
  fruitless = 0;

  constructor(isReceiving: boolean) {
    this.isReceiving = isReceiving;
  }
}
