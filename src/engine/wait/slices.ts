import { monotonicTime } from "../../runtime/clock.ts";
import type { Platform } from "../../sys/index.ts";
import {
  hurryAtTheEnd,
  longestSlice,
  signalListenerWaits,
  unseenListenerWaits,
  WORKER_SLICE,
} from "./signals.ts";

/**
 * Waits that are limited to more than this go in slices of it, whatever their limit: so a socket is told once, and
 * its next call with another limit finds it right. To come back once a second costs a waiting program nothing.
 */
const LIMITED_SLICE = 1000;

/** What poll(2)'s int of milliseconds can hold, 24 days: a longer wait simply goes on after it. */
const LONGEST_TIMEOUT = 0x7fffffff;

/**
 * One direction of a socket, receiving or sending, and how long a call in it may wait. All in milliseconds; Infinity is
 * none.
 */
export class Direction {
  /** SO_RCVTIMEO or SO_SNDTIMEO. */
  readonly option: number;
  /** The user's timeout for a wait. */
  timeout = Number.POSITIVE_INFINITY;
  /** What the option is set to; Infinity when it was never set. */
  slice = Number.POSITIVE_INFINITY;
  /** When a limited wait was last made ready, on monotonicTime()'s clock. */
  armedAt = 0;

  constructor(option: number) {
    this.option = option;
  }

  /**
   * The slice to wait with: the present one when it ends neither after `remaining` nor needlessly early, so that
   * calls with a like timeout follow each other without a system call; else one that fits.
   */
  sliceFor(remaining: number, longest: number): number {
    const most = Math.min(remaining, longest);
    if (this.slice <= most && this.slice >= Math.min(most, WORKER_SLICE)) return this.slice;
    // Never back to "for ever" once it was set: another thread may wait on the same socket and rely on its slice.
    if (most === Number.POSITIVE_INFINITY) return WORKER_SLICE;
    return Math.max(1, Math.floor(Math.min(most, LIMITED_SLICE)));
  }
}

/** Milliseconds as poll(2) takes them: -1 is for ever, and a part of a millisecond is one, lest the wait turn busy. */
export function pollTimeout(milliseconds: number): number {
  if (milliseconds === Number.POSITIVE_INFINITY) return -1;
  return Math.max(0, Math.min(Math.ceil(milliseconds), LONGEST_TIMEOUT));
}

/**
 * Waits with `attempt`, which waits for at most so many milliseconds (as poll(2) takes them), until it gives anything
 * but 0: that, -EAGAIN when the limit has come, or -EINTR when a signal's listener waits.
 */
export function waitInSlices(
  sys: Platform,
  limit: number,
  attempt: (milliseconds: number) => number,
): number {
  const { EINTR, EAGAIN } = sys.constants;
  for (;;) {
    const remaining = limit === Number.POSITIVE_INFINITY ? limit : limit - monotonicTime();
    const result = attempt(pollTimeout(Math.min(remaining, longestSlice)));
    if (result > 0) return result;
    if (result < 0 && (result !== -EINTR || signalListenerWaits())) return result;
    if (result === 0 && unseenListenerWaits()) return -EINTR;
    if (limit !== Number.POSITIVE_INFINITY && monotonicTime() >= limit) return -EAGAIN;
    comeBackToJavaScript();
  }
}

/**
 * A JavaScript call between two waits. V8 looks for a termination request on entering a function; a bare loop around
 * an FFI call was measured to miss it for two seconds.
 */
export function comeBackToJavaScript(): void {
  calls = (calls + 1) | 0;
  hurryAtTheEnd();
}
let calls = 0;
