/**
 * Where a request goes and in which form: straight to the server or through a proxy, over TLS or not.
 */
import { Failure } from "../../error.ts";
import { type ClientTls, clientTls } from "../../tls/index.ts";
import type { Target } from "../wire/url.ts";
import { environmentProxy, type ProxyServer } from "./proxy.ts";

/** All that tells apart two connections that must not be taken for each other. */
export interface Route {
  /** The pool's key: equal for routes that may share a connection. */
  readonly key: string;
  /** "host:port" to connect to; or the path of a Unix socket. */
  readonly address: string;
  readonly isUnix: boolean;
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

/** What the caller says about the way, by `socket_path` and `proxy`. */
export interface Way {
  /** The path of a Unix socket that everything goes over, redirects to anywhere too; null for none. */
  readonly socketPath: string | null;
  /** Undefined leaves it to the environment, null is none. */
  readonly proxy: ProxyServer | null | undefined;
}

/**
 * The route of a request, or why there is none. `proxyAuthorization` is a Proxy-Authorization among the
 * caller's fields.
 */
export function routeOf(
  target: Target,
  { socketPath, proxy }: Way,
  proxyAuthorization: string | null,
  tlsOptions: unknown,
): Route | Failure {
  const via = socketPath !== null ? null : proxy === undefined ? environmentProxy(target) : proxy;
  if (via instanceof Failure) return via;
  let tls: ServerTls | null = null;
  let key = target.origin;
  if (target.secure) {
    const client = tlsOptions === undefined ? defaultTls() : clientTls(tlsOptions);
    if (client instanceof Failure) return new Failure(`tls handshake failed: ${client.reason}`);
    tls = { client, host: target.host, origin: target.address };
    key = secureKey(key, client.poolKey);
  }
  if (via === null) {
    const isUnix = socketPath !== null;
    return {
      key: isUnix ? `${key} unix ${socketPath}` : key,
      address: isUnix ? socketPath : target.address,
      isUnix,
      tunnel: null,
      tls,
      absoluteForm: false,
      proxyAuthorization: null,
    };
  }
  const authorization = proxyAuthorization ?? via.authorization;
  const isTunnel = tls !== null;
  return {
    // Over http each request says whom it is for: one connection to the proxy serves all servers.
    key: `${isTunnel ? key : ""} proxy ${via.address} ${authorization}`,
    address: via.address,
    isUnix: false,
    tunnel: isTunnel ? { address: target.address, authorization } : null,
    tls,
    absoluteForm: !isTunnel,
    proxyAuthorization: isTunnel || proxyAuthorization !== null ? null : via.authorization,
  };
}

/** Made anew only where it differs from the call's before: a string that was put together is to be hashed again. */
function secureKey(origin: string, poolKey: string): string {
  if (origin !== lastKey.origin || poolKey !== lastKey.poolKey) {
    lastKey = { origin, poolKey, key: `${origin} ${poolKey}` };
  }
  return lastKey.key;
}

let lastKey = { origin: "", poolKey: "", key: "" };
let withoutOptions: ClientTls | undefined;

function defaultTls(): ClientTls | Failure {
  if (withoutOptions !== undefined) return withoutOptions;
  const client = clientTls(undefined);
  if (!(client instanceof Failure)) withoutOptions = client;
  return client;
}
