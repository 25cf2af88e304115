import { domainToASCII } from "node:url";
import { parseIpv4, parseIpv6 } from "../address.ts";
import { Failure } from "../error.ts";

/** The server that a client wants: a DNS name, which goes into SNI and must be in the certificate; or an address. */
export interface ServerName {
  readonly kind: "name" | "address";
  /** A name in A-labels without a trailing dot, in lower case; or an address as text, without brackets and scope. */
  readonly text: string;
}

/**
 * The server's name as it goes into SNI and into the check of the certificate.
 *
 * For SSL_set1_host(3), a leading dot means any subdomain, so a name with one must not reach it. The same is true of names
 * that cannot be compared safely with those of a certificate: names with `*`, NUL, spaces and other signs.
 */
export function serverName(given: unknown): ServerName | Failure {
  if (typeof given !== "string") return new Failure("expected string");
  // What is not ASCII becomes A-labels first: a full-width "１２７.0.0.1" turns out to be an address.
  let name = /[^\x00-\x7f]/.test(given) ? domainToASCII(given) : given;
  // RFC 6066, 3: SNI has no trailing dot. Certificates have none either. So "127.0.0.1." is an address, and not a name that
  // a wildcard in a certificate could match.
  if (name.endsWith(".")) name = name.slice(0, -1);
  const address = withoutBracketsAndScope(name);
  if (parseIpv4(address) !== null || parseIpv6(address) !== null) return { kind: "address", text: address };
  name = name.toLowerCase();
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) || name.length > LONGEST_NAME)
    return new Failure("invalid server name");
  return { kind: "name", text: name };
}

/** RFC 1035, 3.1: 255 octets with the length octets of the first label and of the root. */
const LONGEST_NAME = 253;

function withoutBracketsAndScope(text: string): string {
  const inner = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const percent = inner.indexOf("%");
  return percent < 0 ? inner : inner.slice(0, percent);
}
