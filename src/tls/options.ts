import { isUint8Array } from "node:util/types";
import { Failure } from "../error.ts";
import { protocolList } from "./alpn.ts";
import { nodeTls } from "./node-defaults.ts";
import { TLS1_2_VERSION, TLS1_3_VERSION } from "./openssl.ts";

/** PEM, as text or as bytes. */
export type Pem = string | Uint8Array;

/**
 * How a client connects over TLS, and which certificates it trusts.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { http, type TlsClientOptions } from "std-net";
 *
 * const tls: TlsClientOptions = { ca: readFileSync("ca.pem"), min_version: "TLSv1.3" };
 * const response = http.request({ method: "GET", url: "https://127.0.0.1:8443/", tls });
 * console.log(response.isOk ? response.value.status : response.error); // 200
 * ```
 */
export interface TlsClientOptions {
  /** The name (or address) to request and to find in the certificate. Default: the host of the connection. */
  readonly server_name?: string;
  /** The only certificates to trust. Default: those that Node trusts. */
  readonly ca?: Pem | readonly Pem[];
  /**
   * The client's own certificate, followed by the intermediate ones, for a server that requests one during the handshake or
   * after it (RFC 8446, 4.6.2). Default: none.
   */
  readonly cert?: Pem;
  /** The private key of `cert`. Needed when `cert` is given. */
  readonly key?: Pem;
  /** The password of `key`. Needed when `key` is encrypted; there is no prompt for it. */
  readonly passphrase?: string;
  /** The protocols to offer with ALPN (RFC 7301), the preferred one first. Default: none. */
  readonly alpn?: readonly string[];
  /** The lowest version to accept: `"TLSv1.2"` (the default, unless Node runs with `--tls-min-v1.3`) or `"TLSv1.3"`. */
  readonly min_version?: "TLSv1.2" | "TLSv1.3";
  /** True: any certificate is accepted, so the peer can be anybody. Default false. */
  readonly insecure?: boolean;
}

/**
 * How a server speaks TLS.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { TcpListener, type TlsServerOptions, TlsStream } from "std-net";
 *
 * const options: TlsServerOptions = { cert: readFileSync("cert.pem"), key: readFileSync("key.pem"), alpn: ["http/1.1"] };
 * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
 * listener.set_accept_timeout(50); // a server would wait for ever
 * const stream = listener.accept().andThen((plain) => TlsStream.server(plain, options));
 * console.log(stream.isOk ? "a client" : "nobody"); // nobody
 * ```
 */
export interface TlsServerOptions {
  /** The server's certificate, followed by the intermediate ones. */
  readonly cert: Pem;
  /** The private key of `cert`. */
  readonly key: Pem;
  /** The password of `key`. Needed when `key` is encrypted; there is no prompt for it. */
  readonly passphrase?: string;
  /** Who must have issued the clients' certificates when `request_cert` is true. Default: those that Node trusts. */
  readonly ca?: Pem | readonly Pem[];
  /** True: a client without a certificate that `ca` has issued is refused. Default false. */
  readonly request_cert?: boolean;
  /**
   * The protocols that this server speaks, the preferred one first. A client that offers only others is refused. Default: no
   * protocol is agreed on.
   */
  readonly alpn?: readonly string[];
  /** The lowest version to accept: `"TLSv1.2"` (the default, unless Node runs with `--tls-min-v1.3`) or `"TLSv1.3"`. */
  readonly min_version?: "TLSv1.2" | "TLSv1.3";
}

/** Checked options. Bytes are copies, so that no later change by the caller counts. */
export interface CheckedOptions {
  readonly role: "client" | "server";
  readonly serverName: string | null;
  readonly ca: readonly Buffer[] | null;
  readonly cert: Buffer | null;
  readonly key: Buffer | null;
  readonly passphrase: string | null;
  /** In the form of the wire; empty for none. */
  readonly alpn: Buffer;
  readonly minVersion: number;
  readonly insecure: boolean;
  readonly requestCert: boolean;
}

/** The checked options of a client. */
export function checkClientOptions(options: unknown): CheckedOptions | Failure {
  return check("client", options);
}

/** The checked options of a server. */
export function checkServerOptions(options: unknown): CheckedOptions | Failure {
  const checked = check("server", options);
  if (checked instanceof Failure) return checked;
  if (checked.cert === null) return new Failure("missing option 'cert'");
  if (checked.key === null) return new Failure("missing option 'key'");
  return checked;
}

function check(role: "client" | "server", options: unknown): CheckedOptions | Failure {
  if (options !== undefined && (typeof options !== "object" || options === null))
    return new Failure("options must be an object");
  try {
    const given = (options ?? {}) as Record<string, unknown>;
    return read(role, (name) => given[name] ?? null);
  } catch (error) {
    // A refusal of this file; or a getter or proxy of the caller threw.
    return new Failure(error instanceof Refusal ? error.message : "options cannot be read");
  }
}

class Refusal extends Error {}

function read(role: "client" | "server", option: (name: string) => unknown): CheckedOptions {
  const cert = pem("cert", option("cert"));
  const key = pem("key", option("key"));
  if (cert !== null && key === null) throw new Refusal("missing option 'key'");
  if (key !== null && cert === null) throw new Refusal("missing option 'cert'");
  const isClient = role === "client";
  return {
    role,
    serverName: isClient ? text("server_name", option("server_name")) : null,
    ca: pemList("ca", option("ca")),
    cert,
    key,
    passphrase: text("passphrase", option("passphrase")),
    alpn: protocols(option("alpn")),
    minVersion: version(option("min_version")),
    insecure: isClient && flag("insecure", option("insecure")),
    requestCert: !isClient && flag("request_cert", option("request_cert")),
  };
}

function pem(name: string, value: unknown): Buffer | null {
  if (value === null) return null;
  if (typeof value === "string") return Buffer.from(value);
  if (isUint8Array(value)) return Buffer.from(value);
  throw new Refusal(`option '${name}' must be PEM text or bytes`);
}

function pemList(name: string, value: unknown): readonly Buffer[] | null {
  if (!Array.isArray(value)) {
    const single = pem(name, value);
    return single === null ? null : [single];
  }
  return value.map((element: unknown) => pem(name, element ?? 0)!);
}

function text(name: string, value: unknown): string | null {
  if (value === null || typeof value === "string") {
    // The text reaches C, where a NUL would end it.
    if (value?.includes("\0")) throw new Refusal(`option '${name}' must not contain NUL`);
    return value;
  }
  throw new Refusal(`option '${name}' must be a string`);
}

function flag(name: string, value: unknown): boolean {
  if (value === null) return false;
  if (typeof value === "boolean") return value;
  throw new Refusal(`option '${name}' must be a boolean`);
}

function version(value: unknown): number {
  // --tls-min-v1.3 raises Node's default. Options that lower it do nothing here.
  const wanted = value ?? (nodeTls().DEFAULT_MIN_VERSION === "TLSv1.3" ? "TLSv1.3" : "TLSv1.2");
  if (wanted === "TLSv1.2") return TLS1_2_VERSION;
  if (wanted === "TLSv1.3") return TLS1_3_VERSION;
  throw new Refusal(`option 'min_version' must be "TLSv1.2" or "TLSv1.3"`);
}

function protocols(value: unknown): Buffer {
  const list = value === null ? Buffer.alloc(0) : protocolList(value);
  if (list === null) throw new Refusal("option 'alpn' must be a list of names of 1 to 255 bytes");
  return list;
}
