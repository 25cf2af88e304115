/**
 * Where a request goes and in which form: straight to the server or through a proxy, over TLS or not.
 */
import { type ClientTls, clientTls } from "../tls/index.ts";
import { environmentProxy, type ProxyServer } from "./proxy.ts";
import type { Target } from "./url.ts";

/** All that tells apart two connections that must not be taken for each other. */
export interface Route {
  /** The pool's key: equal for routes that may share a connection. */
  readonly key: string;
  /** "host:port" to connect to. */
  readonly address: string;
  /** A proxy's tunnel to dig first (RFC 9110, 9.3.6); null for none. */
  readonly tunnel: Tunnel | null;
  /** How to speak TLS with the server, and under which name it is known; null for http. */
  readonly tls: ServerTls | null;
  /** True where a proxy reads the request itself: it wants the whole URL (RFC 9112, 3.2.2). */
  readonly absoluteForm: boolean;
  /** The Proxy-Authorization that goes with the request; null for none. */
  readonly proxyAuthorization: string | null;
}

export interface Tunnel {
  /** "host:port" of the server. */
  readonly address: string;
  readonly authorization: string | null;
}

export interface ServerTls {
  readonly client: ClientTls;
  readonly host: string;
  /** What TLS sessions are kept by. */
  readonly origin: string;
}

/**
 * The route of a request, or the text of why there is none. `proxy` is the caller's: undefined leaves it to the
 * environment, null is none. `proxyAuthorization` is a Proxy-Authorization among the caller's fields.
 */
export function routeOf(
  target: Target,
  proxy: ProxyServer | null | undefined,
  proxyAuthorization: string | null,
  tlsOptions: unknown,
): Route | string {
  const via = proxy === undefined ? environmentProxy(target) : proxy;
  if (typeof via === "string") return via;
  const { address, origin } = target;
  if (!target.secure) {
    if (via === null) {
      return { key: origin, address, tunnel: null, tls: null, absoluteForm: false, proxyAuthorization: null };
    }
    const authorization = proxyAuthorization === null ? via.authorization : null;
    return {
      // Each request says whom it is for and who asks: one connection to the proxy serves all origins.
      key: `proxy ${via.address} ${proxyAuthorization ?? via.authorization}`,
      address: via.address,
      tunnel: null,
      tls: null,
      absoluteForm: true,
      proxyAuthorization: authorization,
    };
  }
  const client = tlsOptions === undefined ? defaultTls() : clientTls(tlsOptions);
  if (typeof client === "string") return `tls handshake failed: ${client}`;
  const tls = { client, host: target.host, origin: address };
  const key = `${origin} ${client.poolKey}`;
  if (via === null) {
    return { key, address, tunnel: null, tls, absoluteForm: false, proxyAuthorization: null };
  }
  const authorization = proxyAuthorization ?? via.authorization;
  return {
    key: `${key} proxy ${via.address} ${authorization}`,
    address: via.address,
    tunnel: { address, authorization },
    tls,
    absoluteForm: false,
    proxyAuthorization: null,
  };
}

let withoutOptions: ClientTls | undefined;

function defaultTls(): ClientTls | string {
  if (withoutOptions !== undefined) return withoutOptions;
  const client = clientTls(undefined);
  if (typeof client !== "string") withoutOptions = client;
  return client;
}
