/**
 * From a URL's text to what a request needs of it: whom to connect to, what to ask for. Pure.
 *
 * The parsing is the WHATWG URL standard's, as in fetch: by the engine's own URL class, which also turns Unicode names
 * into A-labels (RFC 5891), percent-encodes what a request target cannot hold and drops default ports.
 */

/** An http or https URL, taken apart. */
export interface Target {
  readonly secure: boolean;
  /** The host as in the URL: a name, an IPv4 address, or an IPv6 address in its brackets. */
  readonly host: string;
  readonly port: number;
  /** "host:port", the port always there: the address to connect to, and the target of a CONNECT. */
  readonly address: string;
  /** Scheme, host and port: what tells one server from another (RFC 6454, 4). */
  readonly origin: string;
  /** The value of the Host field: without the scheme's own port (RFC 9110, 7.2). */
  readonly hostField: string;
  /** Path and query, as they stand in the request line; no fragment. */
  readonly path: string;
  /** The value of Authorization that the URL's user and password make; null where there are none. */
  readonly authorization: string | null;
}

/** The parts of a URL; null for what is not a valid http or https URL. `base` is the URL that a relative one stands in. */
export function parseTarget(text: string, base?: Target): Target | null {
  const url = parseUrl(text, base === undefined ? undefined : base.origin + base.path);
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return null;
  const secure = url.protocol === "https:";
  const port = url.port === "" ? (secure ? 443 : 80) : Number(url.port);
  return {
    secure,
    host: url.hostname,
    port,
    address: `${url.hostname}:${port}`,
    origin: url.origin,
    hostField: url.host,
    path: url.pathname + url.search,
    authorization: basicCredentials(url),
  };
}

/** The URL, or null: `URL.parse` of Node 22, for Node 20. */
export function parseUrl(text: string, base?: string): URL | null {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
}

/**
 * The credentials of a URL in the Basic scheme (RFC 7617): the octets that user and password stand for, in UTF-8
 * where they were not percent-encoded otherwise.
 */
export function basicCredentials(url: URL): string | null {
  if (url.username === "" && url.password === "") return null;
  const pair = Buffer.concat([percentDecode(url.username), Buffer.from(":"), percentDecode(url.password)]);
  return `Basic ${pair.toString("base64")}`;
}

/** The octets of a text with its %XX undone; a "%" that begins none stands for itself (URL standard, 1.3). */
function percentDecode(text: string): Buffer {
  const latin1 = Buffer.from(text).toString("latin1");
  return Buffer.from(
    latin1.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
}

/** URLs that were parsed lately: programs ask the same ones again, and parsing costs a third of a local exchange. */
const parsed = new Map<string, Target>();
const MOST_PARSED = 128;
const LONGEST_KEPT = 1024;

/** As `parseTarget`, remembering. */
export function targetOf(text: string): Target | null {
  const known = parsed.get(text);
  if (known !== undefined) return known;
  const target = parseTarget(text);
  if (target !== null && text.length <= LONGEST_KEPT) {
    if (parsed.size >= MOST_PARSED) parsed.clear();
    parsed.set(text, target);
  }
  return target;
}
