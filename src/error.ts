import { Result } from "./result.ts";

/** An error result: what failed (with its colon and space), then why. */
export function failed<T>(what: string, why: string): Result<T, string> {
  return Result.err(what + why);
}

/**
 * Why something failed: what a function inside the library gives in place of its value. (A function on the way of a byte
 * gives a negative number instead, see Transport, because an object for each would cost too much there.)
 */
export class Failure {
  /** The text behind the prefix: `Connection refused (os error 111)`. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** The message of whatever was thrown, without ever throwing itself. */
export function errorText(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return "unknown error";
  }
}
