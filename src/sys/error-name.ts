import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";
import { windowsErrorName } from "./windows/errors.ts";

/**
 * The symbolic names of errnos. A module of its own: to ask for a name must not load koffi.
 *
 * On Windows the numbers are those of winerror.h, which Node's tables do not have; windows/errors.ts has them.
 */
let names: Map<number, string> | undefined;

/** `ECONNREFUSED` for 111 on Linux; null for a number without a name. */
export function errorName(errno: number): string | null {
  if (process.platform === "win32") return windowsErrorName(errno);
  names ??= posixNames();
  return names.get(errno) ?? null;
}

function posixNames(): Map<number, string> {
  const found = new Map<number, string>();
  // Where two names share a number (EAGAIN and EWOULDBLOCK), the first in this table is the one that is meant.
  for (const [name, number] of Object.entries(constants.errno)) {
    if (!found.has(number)) found.set(number, name);
  }
  // That table leaves some out (ESHUTDOWN, EHOSTDOWN); this one has those too, but few that are not of the network.
  for (const [number, [name]] of getSystemErrorMap()) {
    if (!found.has(-number)) found.set(-number, name);
  }
  return found;
}
