import { resolveToText } from "../engine/resolve.ts";
import { Failure, failed } from "../error.ts";
import { Result } from "../result.ts";
import { traced } from "../trace.ts";
import { LOOKUP_HOST_FAILED } from "./error-words.ts";

/**
 * All addresses of a name, in the resolver's order. (`TcpStream.connect` begins with the first, and takes IPv6 and IPv4 in turn.)
 *
 * Blocks while the system's resolver searches.
 *
 * @param addr `"name:80"`; a numeric address gives the same address
 * @returns the addresses, `"127.0.0.1:80"` or `"[::1]:80"`, at least one. Errors: `expected string`; `lookup_host failed: ` with
 * `invalid socket address`, `invalid port value` or `failed to lookup address information: ...`. Source: getaddrinfo(3).
 *
 * @example
 * ```ts
 * import { lookup_host } from "std-net";
 *
 * console.log(lookup_host("127.0.0.1:80").unwrapOr([])); // [ '127.0.0.1:80' ]
 * console.log(lookup_host("localhost:80").unwrapOr([])); // such as [ '[::1]:80', '127.0.0.1:80' ]
 * ```
 */
export function lookup_host(addr: string): Result<string[], string> {
  return lookupTraced(addr);
}

const lookupTraced = traced("lookup_host", lookup);

function lookup(addr: string): Result<string[], string> {
  if (typeof addr !== "string") return Result.err("expected string");
  const addresses = resolveToText(addr);
  return addresses instanceof Failure ? failed(LOOKUP_HOST_FAILED, addresses.reason) : Result.ok(addresses);
}
