/** Timeouts as callers give them: milliseconds, null for none. Inside, none is Infinity. */

export const INVALID_TIMEOUT = "timeout must be a positive number";

/** The milliseconds of a timeout, Infinity for null; or undefined for what is no timeout. */
export function timeoutFrom(milliseconds: unknown): number | undefined {
  if (milliseconds === null) return Number.POSITIVE_INFINITY;
  return typeof milliseconds === "number" && milliseconds > 0 ? milliseconds : undefined;
}

/** What a getter answers. */
export function timeoutTo(milliseconds: number): number | null {
  return milliseconds === Number.POSITIVE_INFINITY ? null : milliseconds;
}

/**
 * In place of a transport's failure: a deadline is past, though no wait has ended at it. With a peer that sends (or reads)
 * a little every millisecond there is always something to go on with before the wait is over, for ever.
 */
export const TOO_LATE = Number.NEGATIVE_INFINITY;
