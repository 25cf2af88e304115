import { domainToASCII } from "node:url";
import { parseIpv4, parseIpv6 } from "../address.ts";

/** Whom a client means to talk to: a DNS name, sent as SNI and looked for in the certificate, or an address. */
export interface ServerName {
  readonly kind: "name" | "address";
  /** A name in A-labels without a trailing dot, in lower case; or an address as text, without brackets and scope. */
  readonly text: string;
}

/**
 * The server's name as it goes into SNI and into the certificate's check, or the text of an error.
 *
 * SSL_set1_host(3) gives a leading dot a meaning of its own (any subdomain), so such a name must not reach it, nor
 * what no certificate's name could be compared with safely: `*`, NUL, spaces and other signs.
 */
export function serverName(given: unknown): ServerName | string {
  if (typeof given !== "string") return "expected string";
  // Whatever is not ASCII becomes A-labels first: a full-width "１２７.0.0.1" turns out to be an address.
  let name = /[^\x00-\x7f]/.test(given) ? domainToASCII(given) : given;
  // RFC 6066, 3: SNI has no trailing dot; certificates have none either. "127.0.0.1." is an address then, and no
  // name that a certificate's wildcard could cover.
  if (name.endsWith(".")) name = name.slice(0, -1);
  const address = withoutBracketsAndScope(name);
  if (parseIpv4(address) !== null || parseIpv6(address) !== null) return { kind: "address", text: address };
  name = name.toLowerCase();
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name) || name.length > LONGEST_NAME) return "invalid server name";
  return { kind: "name", text: name };
}

/** RFC 1035, 3.1: 255 octets with the length octets of the first label and of the root. */
const LONGEST_NAME = 253;

function withoutBracketsAndScope(text: string): string {
  const inner = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
  const percent = inner.indexOf("%");
  return percent < 0 ? inner : inner.slice(0, percent);
}
