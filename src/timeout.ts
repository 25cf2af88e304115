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
