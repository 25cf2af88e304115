/**
 * Which proxy a request goes through: the caller's, or the environment's by Node's own rules (Node's documentation,
 * http, "Built-in Proxy Support"). Pure, save that the environment is read once.
 */
import { parseIpv4, parseIpv6 } from "../../address.ts";
import { Failure } from "../../error.ts";
import { basicCredentials, parseUrl, type Target } from "../wire/url.ts";

export interface ProxyServer {
  /** "host:port". */
  readonly address: string;
  /** The value of Proxy-Authorization; null where the URL has no user. */
  readonly authorization: string | null;
}

/** `http://[user:password@]host:port`; null for anything else. */
export function parseProxy(text: string): ProxyServer | null {
  const url = parseUrl(text);
  if (url === null || url.protocol !== "http:") return null;
  return {
    address: `${url.hostname}:${url.port === "" ? 80 : url.port}`,
    authorization: basicCredentials(url),
  };
}

/** What the environment says about proxies. */
export interface ProxyEnvironment {
  readonly http: string | undefined;
  readonly https: string | undefined;
  readonly exceptions: readonly Exception[];
}

/** An entry of NO_PROXY: which hosts it is about, and at which port (null: at any). */
interface Exception {
  /** `host` is in the form of `comparable`. */
  matches(host: string): boolean;
  readonly port: number | null;
}

let environment: ProxyEnvironment | null | undefined;

/** The proxy that the environment of this process asks for; null for none, or what is wrong with it. */
export function environmentProxy(target: Target): ProxyServer | null | Failure {
  if (environment === undefined) environment = readEnvironment(process.env);
  return environment === null ? null : proxyFor(target, environment);
}

/** Null where the environment has no say: without NODE_USE_ENV_PROXY=1. The names in lower case come first. */
export function readEnvironment(env: NodeJS.ProcessEnv): ProxyEnvironment | null {
  if (env.NODE_USE_ENV_PROXY !== "1") return null;
  const entries = (env.no_proxy || env.NO_PROXY || "").split(",").map((entry) => entry.trim());
  return {
    http: env.http_proxy || env.HTTP_PROXY,
    https: env.https_proxy || env.HTTPS_PROXY,
    exceptions: entries.map(exceptionOf).filter((exception) => exception !== null),
  };
}

export function proxyFor(
  target: Target,
  { http, https, exceptions }: ProxyEnvironment,
): ProxyServer | null | Failure {
  const url = target.secure ? https : http;
  if (url === undefined || url === "" || isExcepted(target, exceptions)) return null;
  // Not to go round a proxy that was meant and misspelt.
  const name = target.secure ? "HTTPS_PROXY" : "HTTP_PROXY";
  return parseProxy(url) ?? new Failure(`${name} is not a valid http proxy URL`);
}

function isExcepted(target: Target, exceptions: readonly Exception[]): boolean {
  if (exceptions.length === 0) return false;
  const host = comparable(target.host);
  return exceptions.some(({ matches, port }) => (port === null || port === target.port) && matches(host));
}

/**
 * What an entry of NO_PROXY is about: `*`, `example.com`, `.example.com` (itself, as in Node and curl, and the names below
 * it), `*.example.com` (the names below it alone), each with a port behind it or without; `192.168.1.1-192.168.1.100`.
 * Null for what can be no host.
 */
function exceptionOf(entry: string): Exception | null {
  const range = addressRange(entry);
  if (range !== null) return range;
  const [, text = "", digits] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [entry, entry];
  const port = digits === undefined ? null : Number(digits);
  if (text === "*") return { matches: () => true, port };
  const includesItself = text.startsWith(".");
  if (includesItself || text.startsWith("*.")) {
    const rest = text.slice(text.indexOf(".") + 1);
    const name = hostOf(rest);
    if (name === null) return null;
    const end = `.${name}`;
    return { matches: (host) => host.endsWith(end) || (includesItself && host === name), port };
  }
  const name = hostOf(text);
  return name === null ? null : { matches: (host) => host === name, port };
}

/** `192.168.1.1-192.168.1.100`; null for what is no such range. */
function addressRange(entry: string): Exception | null {
  const [first, last, ...more] = entry.split("-").map((end) => ipv4Number(end.trim()));
  if (first == null || last == null || more.length > 0) return null;
  return {
    matches(host) {
      const address = ipv4Number(host);
      return address !== null && first <= address && address <= last;
    },
    port: null,
  };
}

/** The host that a text spells, in the form of `comparable`; null for what is no host. */
function hostOf(text: string): string | null {
  if (/[/\\?#@]/.test(text)) return null; // what ends the host in a URL, or comes before it
  const url = parseUrl(`http://${text.includes(":") && !text.startsWith("[") ? `[${text}]` : text}`);
  return url === null ? null : comparable(url.hostname);
}

/**
 * The one form of a host out of a URL, whose standard has done most of it: lower case, A-labels, IPv4 as four numbers, IPv6 at
 * its shortest. What is left: the dot that ends a complete name (RFC 1034, 3.1), brackets, and an IPv4 address inside an IPv6
 * one (RFC 4291, 2.5.5.2), which connects to the same.
 */
function comparable(hostname: string): string {
  if (!hostname.startsWith("[")) return hostname.endsWith(".") ? hostname.slice(0, -1) : hostname;
  const address = hostname.slice(1, -1);
  const bytes = parseIpv6(address);
  const isMapped = bytes !== null && IPV4_MAPPED.every((byte, at) => byte === bytes[at]);
  return isMapped ? bytes.subarray(IPV4_MAPPED.length).join(".") : address;
}

/** ::ffff:0:0/96 */
const IPV4_MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

function ipv4Number(text: string): number | null {
  const bytes = parseIpv4(text);
  return bytes === null ? null : Buffer.from(bytes).readUInt32BE(0);
}
