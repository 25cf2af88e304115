import { parseAddress } from "./address.ts";
import type { Platform } from "./sys/index.ts";
import { encodeAddress } from "./sys/sockaddr.ts";

/** The longest name that getnameinfo(3) can give (NI_MAXHOST); nothing longer can resolve. */
const LONGEST_NAME = 1025;

// The last numeric address: programs use one again and again, and to parse it takes longer than to send to it.
let known: { text: string; addresses: Buffer[] } | undefined;

/**
 * The socket addresses that "host:port" text stands for, in the resolver's order and at least one; or the text of
 * the error. A numeric address is answered here; for a name the system's resolver is asked, which blocks.
 */
export function resolve(sys: Platform, text: string, type: number): Buffer[] | string {
  if (text === known?.text) return known.addresses;
  const parsed = parseAddress(text);
  if (typeof parsed === "string") return parsed;
  if (parsed.ip !== null) {
    const scope = scopeId(sys, parsed.scope);
    if (typeof scope === "string") return scope;
    const addresses = [encodeAddress(sys.constants, parsed.ip, parsed.port, scope)];
    // The number behind an interface's name can change.
    if (parsed.scope === "" || isScopeNumber(parsed.scope)) known = { text, addresses };
    return addresses;
  }
  if (parsed.host.length > LONGEST_NAME) return "failed to lookup address information: name too long";
  const found = sys.getaddrinfo(parsed.host, parsed.port, type);
  if (typeof found === "number") {
    const why = found === sys.constants.EAI_SYSTEM ? sys.strerror(sys.errno()) : sys.gaiStrerror(found);
    return `failed to lookup address information: ${why}`;
  }
  return found.length > 0 ? found : "failed to lookup address information: no address of a known family";
}

/** The number of an IPv6 scope that was given as an interface's name or number; or the text of the error. */
function scopeId(sys: Platform, scope: string): number | string {
  if (scope === "") return 0;
  if (isScopeNumber(scope)) {
    const number = Number(scope);
    return number <= 0xffffffff ? number : "invalid socket address";
  }
  const index = sys.interfaceIndex(scope);
  return index > 0 ? index : `${sys.strerror(sys.errno())} (os error ${sys.errno()})`;
}

function isScopeNumber(scope: string): boolean {
  return /^[0-9]{1,10}$/.test(scope);
}
