/**
 * Which proxy a request goes through: the caller's, or the environment's by Node's own rules (Node's documentation,
 * http, "Built-in Proxy Support"). Pure, save that the environment is read once.
 */
import { parseIpv4 } from "../../address.ts";
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
  /** The entries of NO_PROXY, in lower case. */
  readonly exceptions: readonly string[];
}

let environment: ProxyEnvironment | null | undefined;

/** The proxy that the environment of this process asks for; null for none, or the text of an error. */
export function environmentProxy(target: Target): ProxyServer | null | string {
  if (environment === undefined) environment = readEnvironment(process.env);
  return environment === null ? null : proxyFor(target, environment);
}

/** Null where the environment has no say: without NODE_USE_ENV_PROXY=1. The names in lower case come first. */
export function readEnvironment(env: NodeJS.ProcessEnv): ProxyEnvironment | null {
  if (env.NODE_USE_ENV_PROXY !== "1") return null;
  const exceptions = (env.no_proxy || env.NO_PROXY || "").toLowerCase().split(",");
  return {
    http: env.http_proxy || env.HTTP_PROXY,
    https: env.https_proxy || env.HTTPS_PROXY,
    exceptions: exceptions.map((entry) => entry.trim()).filter((entry) => entry !== ""),
  };
}

export function proxyFor(
  target: Target,
  { http, https, exceptions }: ProxyEnvironment,
): ProxyServer | null | string {
  const url = target.secure ? https : http;
  if (url === undefined || url === "" || exceptions.some((entry) => isException(entry, target))) return null;
  // Not to go round a proxy that was meant and misspelt.
  return parseProxy(url) ?? `${target.secure ? "HTTPS_PROXY" : "HTTP_PROXY"} is not a valid http proxy URL`;
}

/**
 * Whether an entry of NO_PROXY is about this target: `*`, `example.com`, `example.com:8080`, `.example.com` (itself, as
 * in Node and curl, and the names below it), `*.example.com` (the names below it alone), `192.168.1.1-192.168.1.100`.
 */
function isException(entry: string, { host, port }: Target): boolean {
  const bare = host.startsWith("[") ? host.slice(1, -1) : host;
  if (entry === "*" || entry === host || entry === bare || entry === `${host}:${port}`) return true;
  if (entry.startsWith(".")) return host.endsWith(entry) || host === entry.slice(1);
  if (entry.startsWith("*.")) return host.endsWith(entry.slice(1));
  const [first, last, ...more] = entry.split("-").map((end) => ipv4Number(end.trim()));
  const address = ipv4Number(host);
  if (first === undefined || last === undefined || more.length > 0) return false;
  return first !== null && last !== null && address !== null && first <= address && address <= last;
}

function ipv4Number(text: string): number | null {
  const bytes = parseIpv4(text);
  return bytes === null ? null : Buffer.from(bytes).readUInt32BE(0);
}
