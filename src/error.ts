import { Result } from "./result.ts";

export { Failure } from "./runtime/failure.ts";

/** An error result: what failed (with its colon and space), then why. */
export function failed<T>(what: string, why: string): Result<T, string> {
  return Result.err(what + why);
}

/** The message of whatever was thrown, without ever throwing itself. */
export function errorText(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown);
  } catch {
    return "unknown error";
  }
}
