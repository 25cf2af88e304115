/**
 * "host:port" text to and from addresses. Pure: nothing is looked up here.
 *
 *   address = host ":" port
 *   host    = name | IPv4 | "[" IPv6 [ "%" scope ] "]"
 *   port    = 1*5DIGIT, 0..65535
 */

/** An address as written: either a numeric address in bytes (4 or 16 of them), or a name still to be resolved. */
export interface ParsedAddress {
  /** The host as written, without brackets and scope. */
  readonly host: string;
  readonly port: number;
  /** The bytes of a numeric host in network order; null for a name. */
  readonly ip: Uint8Array | null;
  /** An IPv6 scope: interface name or number; "" for none. */
  readonly scope: string;
}

const INVALID_ADDRESS = "invalid socket address";
/** The host is good, and nothing follows it. */
const NO_PORT = 'invalid socket address: no port is given, as in "localhost:80" or "[::1]:80"';
const INVALID_PORT = "invalid port value";

/** The parts of "host:port", or the text of the error. */
export function parseAddress(text: string): ParsedAddress | string {
  if (text.includes("\0")) return INVALID_ADDRESS;
  let host: string;
  let portText: string;
  let ip: Uint8Array | null;
  let scope = "";
  if (text.startsWith("[")) {
    const end = text.indexOf("]");
    if (end === text.length - 1 && parseIpv6(text.slice(1, end).replace(/%[^%]+$/, "")) !== null)
      return NO_PORT;
    if (end < 0 || text[end + 1] !== ":") return INVALID_ADDRESS;
    host = text.slice(1, end);
    portText = text.slice(end + 2);
    const percent = host.indexOf("%");
    if (percent >= 0) {
      scope = host.slice(percent + 1);
      host = host.slice(0, percent);
      if (scope === "") return INVALID_ADDRESS;
    }
    ip = parseIpv6(host);
    if (ip === null) return INVALID_ADDRESS;
  } else {
    const colon = text.lastIndexOf(":");
    if (colon < 0) return text === "" || /[[\]]/.test(text) ? INVALID_ADDRESS : NO_PORT;
    host = text.slice(0, colon);
    portText = text.slice(colon + 1);
    // An empty host, an IPv6 address without brackets, stray brackets.
    if (host === "" || /[:[\]]/.test(host)) return INVALID_ADDRESS;
    ip = parseIpv4(host);
  }
  const port = parsePort(portText);
  if (port === null) return INVALID_PORT;
  return { host, port, ip, scope };
}

/** One to five ASCII digits, 0..65535; else null. */
export function parsePort(text: string): number | null {
  if (!/^[0-9]{1,5}$/.test(text)) return null;
  const port = Number(text);
  return port <= 65535 ? port : null;
}

/** The four bytes of a full dotted quad without leading zeros; null for anything else (the resolver decides then). */
export function parseIpv4(text: string): Uint8Array | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  const bytes = new Uint8Array(4);
  for (let index = 0; index < 4; index++) {
    const part = parts[index]!;
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return null;
    const value = Number(part);
    if (value > 255) return null;
    bytes[index] = value;
  }
  return bytes;
}

/** The sixteen bytes of an IPv6 address in any of the forms of RFC 4291, 2.2; null for anything else. */
export function parseIpv6(text: string): Uint8Array | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const compressed = halves.length === 2;
  const head = groupsOf(halves[0]!, !compressed);
  const tail = compressed ? groupsOf(halves[1]!, true) : [];
  if (head === null || tail === null) return null;
  const count = head.length + tail.length;
  // "::" stands for one group of zeros or more.
  if (compressed ? count > 7 : count !== 8) return null;
  const groups = [...head, ...new Array<number>(8 - count).fill(0), ...tail];
  const bytes = new Uint8Array(16);
  groups.forEach((group, index) => {
    bytes[2 * index] = group >> 8;
    bytes[2 * index + 1] = group & 0xff;
  });
  return bytes;
}

/** The 16-bit groups of "a:b:c"; the last may be a dotted quad when `mayEndInIpv4`. */
function groupsOf(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      const ipv4 = mayEndInIpv4 && index === parts.length - 1 ? parseIpv4(part) : null;
      if (ipv4 === null) return null;
      groups.push((ipv4[0]! << 8) | ipv4[1]!, (ipv4[2]! << 8) | ipv4[3]!);
    }
  }
  return groups;
}

/** "127.0.0.1:80" of four bytes at `offset`. */
export function formatIpv4(bytes: Uint8Array, offset: number, port: number): string {
  return `${bytes[offset]}.${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}:${port}`;
}

/** "[::1]:80" of sixteen bytes at `offset`, in RFC 5952's text. */
export function formatIpv6(bytes: Uint8Array, offset: number, port: number, scope: number): string {
  return `[${ipv6Text(bytes, offset)}${scope === 0 ? "" : `%${scope}`}]:${port}`;
}

function ipv6Text(bytes: Uint8Array, offset: number): string {
  const groups: number[] = [];
  for (let index = 0; index < 8; index++) {
    groups.push((bytes[offset + 2 * index]! << 8) | bytes[offset + 2 * index + 1]!);
  }
  // RFC 5952, 5: an IPv4-mapped address shows its dotted quad.
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) {
    return `::ffff:${bytes[offset + 12]}.${bytes[offset + 13]}.${bytes[offset + 14]}.${bytes[offset + 15]}`;
  }
  // RFC 5952, 4.2: the longest run of two or more zero groups is shortened, the first of equals.
  let start = -1;
  let length = 1;
  for (let index = 0; index < 8; index++) {
    let run = 0;
    while (index + run < 8 && groups[index + run] === 0) run++;
    if (run > length) {
      start = index;
      length = run;
    }
    index += run;
  }
  const hex = groups.map((group) => group.toString(16));
  if (start < 0) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}
