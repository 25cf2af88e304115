import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

let names: Map<number, string> | undefined;

/**
 * The symbolic name of the system error at the end of an error text. Does not block.
 *
 * @param message an error of this library, such as `tcp read failed: Resource temporarily unavailable (os error 11)`
 * @returns `"EAGAIN"`, `"ECONNREFUSED"` and so on, or null when the text does not end with a system error's number
 * (or is none). Source: errno(3).
 *
 * @example
 * ```ts
 * import { error_code, TcpStream } from "std-net";
 *
 * const result = TcpStream.connect("127.0.0.1:1");
 * if (result.isErr) console.log(error_code(result.error)); // ECONNREFUSED
 * console.log(error_code("invalid buffer size")); // null
 * ```
 */
export function error_code(message: string): string | null {
  if (typeof message !== "string") return null;
  const found = /\(os error (\d{1,5})\)$/.exec(message);
  if (found === null) return null;
  if (names === undefined) {
    names = new Map();
    // Where two names share a number (EAGAIN and EWOULDBLOCK), the first in this table is the one that is meant.
    for (const [name, number] of Object.entries(constants.errno)) {
      if (!names.has(number)) names.set(number, name);
    }
    // That table leaves some out (ESHUTDOWN, EHOSTDOWN); this one has those too, but few that are not of the network.
    for (const [number, [name]] of getSystemErrorMap()) {
      if (!names.has(-number)) names.set(-number, name);
    }
  }
  return names.get(Number(found[1])) ?? null;
}
