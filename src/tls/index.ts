/**
 * TLS for what stands above: `TlsStream` and http. Nothing outside this folder knows OpenSSL's names.
 *
 *   const tls = clientTls(options);                 // once a request; a string is the text of an error
 *   tls.poolKey                                     // connections of another key must not be shared
 *   startClient(tls, socket, host, origin, deadline) // a Transport, or the text of an error; takes the socket over
 *
 * `options` is what the user gave as `tls` (or undefined), `host` the name to verify unless the options name another
 * (the URL's host, with or without brackets), `origin` what sessions are kept by ("example.com:443"). Error texts
 * come without a prefix: `tls handshake failed: ` goes before them. The first call loads OpenSSL and the trust.
 */
import type { Socket } from "../engine/socket.ts";
import { type Context, contextFor } from "./context.ts";
import { openssl } from "./openssl.ts";
import { checkClientOptions, checkServerOptions, type TlsClientOptions } from "./options.ts";
import { serverName } from "./server-name.ts";
import { TlsSession } from "./session.ts";

export type { TlsClientOptions, TlsServerOptions } from "./options.ts";
export { TlsSession } from "./session.ts";

/** A client's options, checked and made ready for any number of connections. */
export interface ClientTls {
  readonly context: Context;
  readonly serverName: string | null;
  /** Equal for options that mean the same. Holds no secret. */
  readonly poolKey: string;
}

/** A client's options made ready, or the text of an error. */
export function clientTls(options: unknown): ClientTls | string {
  // Read once: an accessor may say something else the next time, and only what was checked may be remembered.
  const values = optionValues(options);
  if (values !== null && lastOptions !== null && areSame(values, lastOptions.values)) return lastOptions.made;
  const checked = checkClientOptions(values ?? options);
  if (typeof checked === "string") return checked;
  if (checked.serverName !== null) {
    const name = serverName(checked.serverName);
    if (typeof name === "string") return name;
  }
  const ssl = openssl();
  if (typeof ssl === "string") return ssl;
  const context = contextFor(ssl, checked);
  if (typeof context === "string") return context;
  const made = {
    context,
    serverName: checked.serverName,
    poolKey: `${context.id} ${checked.serverName ?? ""}`,
  };
  if (values !== null && Object.values(values).every(isPlain)) lastOptions = { values, made };
  return made;
}

/**
 * The options of the call before, where they were plain values: most programs use the same for all calls, and
 * comparing strings that are the same object takes a hundredth of the time of reading a certificate.
 */
let lastOptions: { readonly values: OptionValues; readonly made: ClientTls } | null = null;

type OptionValues = { readonly [option in keyof TlsClientOptions]-?: unknown };

/**
 * The values of the options; null where there are none, or they cannot be read. (Each is read by its name, and not in a
 * loop over the names: http asks for every request, and V8 reads a known name of a known shape many times as quickly.)
 */
function optionValues(options: unknown): OptionValues | null {
  if (typeof options !== "object" || options === null) return null;
  try {
    const { server_name, ca, cert, key, passphrase, alpn, min_version, insecure } = options as OptionValues;
    return { server_name, ca, cert, key, passphrase, alpn, min_version, insecure };
  } catch {
    // An accessor or proxy of the caller's that throws.
    return null;
  }
}

function areSame(one: OptionValues, other: OptionValues): boolean {
  return (
    one.server_name === other.server_name &&
    one.ca === other.ca &&
    one.cert === other.cert &&
    one.key === other.key &&
    one.passphrase === other.passphrase &&
    one.alpn === other.alpn &&
    one.min_version === other.min_version &&
    one.insecure === other.insecure
  );
}

/** An object could have other contents the next time. */
function isPlain(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/**
 * The client's side of a handshake on a connected socket, which is closed when it fails.
 *
 * @param deadline of the handshake, in the milliseconds of `monotonicTime()`; past it the error is `timed out`
 */
export function startClient(
  tls: ClientTls,
  socket: Socket,
  host: string,
  origin: string,
  deadline: number,
): TlsSession | string {
  const name = serverName(tls.serverName ?? host);
  const ssl = openssl();
  if (typeof name === "string" || typeof ssl === "string") {
    socket.close();
    return typeof name === "string" ? name : (ssl as string);
  }
  return TlsSession.start(
    ssl,
    tls.context,
    socket,
    { serverName: name, origin: `${origin} ${name.text}` },
    deadline,
  );
}

/** The server's side of a handshake on a connected socket, which is closed when it fails. */
export function startServer(options: unknown, socket: Socket, deadline: number): TlsSession | string {
  const made = serverSession(options, socket, deadline);
  if (typeof made === "string") socket.close();
  return made;
}

function serverSession(options: unknown, socket: Socket, deadline: number): TlsSession | string {
  const checked = checkServerOptions(options);
  if (typeof checked === "string") return checked;
  const ssl = openssl();
  if (typeof ssl === "string") return ssl;
  const context = contextFor(ssl, checked);
  if (typeof context === "string") return context;
  return TlsSession.start(ssl, context, socket, null, deadline);
}
