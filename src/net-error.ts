import { inspect } from "node:util";
import { error_code } from "./error-code.ts";

/**
 * What `unwrap` and `expect` throw for an error result: an `Error` whose `message` is the error text.
 *
 * @example
 * ```ts
 * import { NetError, TcpStream } from "std-net";
 *
 * try {
 *   TcpStream.connect("127.0.0.1:1").unwrap();
 * } catch (error) {
 *   if (error instanceof NetError) console.log(error.message, error.code);
 *   // prints: failed to connect: Connection refused (os error 111) ECONNREFUSED
 * }
 * ```
 */
export class NetError extends Error {
  /**
   * What `error_code` says of the text: `"ECONNREFUSED"`, `"ETIMEDOUT"` and so on, or null. Does not block.
   * Source: errno(3).
   *
   * @example
   * ```ts
   * import { NetError } from "std-net";
   *
   * console.log(new NetError("http request failed: timed out").code); // ETIMEDOUT
   * console.log(new NetError("invalid buffer size").code); // null
   * ```
   */
  readonly code: string | null;

  /**
   * @param message an error of this library
   * @param caller the function whose caller the stack begins with; where it is left out, the stack begins at `new`
   */
  constructor(message: string, caller?: Call) {
    super(message);
    this.code = error_code(message);
    Error.captureStackTrace(this, caller ?? NetError);
  }
}

type Call = (...args: never[]) => unknown;

// Not a field: the other classes of errors have none either, and it would show beside `code`.
Object.defineProperty(NetError.prototype, "name", { value: "NetError", writable: true, configurable: true });

/** The error of an error result, with `what` before its text, as an Error whose stack begins where `caller` was called. */
export function netErrorOf(error: unknown, what: string, caller?: Call): NetError {
  if (typeof error === "string") return new NetError(what + error, caller);
  // A program's own Result may hold whatever the program likes.
  const text = error instanceof Error ? error.message : inspect(error);
  const thrown = new NetError(what + text, caller);
  return Object.defineProperty(thrown, "cause", { value: error, writable: true, configurable: true });
}
