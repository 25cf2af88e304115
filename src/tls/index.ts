/**
 * TLS for what stands above: `TlsStream` and http. Nothing outside this folder knows OpenSSL's names.
 *
 *   const tls = clientTls(options);                  // once for each request
 *   tls.poolKey                                      // requests with another key must not share a connection
 *   startClient(tls, socket, host, origin, deadline) // a Transport; takes the socket over
 *
 * `options` is what the user gave as `tls` (or undefined). `host` is the name to verify, unless the options give another (the
 * URL's host, with or without brackets). `origin` is the key for kept sessions ("example.com:443"). A Failure's reason has no
 * prefix: `tls handshake failed: ` goes before it. The first call loads OpenSSL and the trusted certificates.
 */
import type { Socket } from "../engine/socket.ts";
import { Failure } from "../error.ts";
import { type Context, contextFor } from "./context.ts";
import { HandshakeSteps, type Peer, shakeHands } from "./handshake.ts";
import { type OpenSsl, openssl } from "./openssl.ts";
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

/** Checks a client's options and makes them ready. */
export function clientTls(options: unknown): ClientTls | Failure {
  // Each option is read once: a getter may give something else the next time, and only checked values may be remembered.
  const values = optionValues(options);
  if (values !== null && lastOptions !== null && areSame(values, lastOptions.values)) return lastOptions.made;
  const checked = checkClientOptions(values ?? options);
  if (checked instanceof Failure) return checked;
  if (checked.serverName !== null) {
    const name = serverName(checked.serverName);
    if (name instanceof Failure) return name;
  }
  const ssl = openssl();
  if (ssl instanceof Failure) return ssl;
  const context = contextFor(ssl, checked);
  if (context instanceof Failure) return context;
  const made = {
    context,
    serverName: checked.serverName,
    poolKey: `${context.id} ${checked.serverName ?? ""}`,
  };
  if (values !== null && Object.values(values).every(isPlain)) lastOptions = { values, made };
  return made;
}

/**
 * The options of the last call, if they were plain values. Most programs use the same options for all calls, and to compare
 * strings that are the same object takes a hundredth of the time of parsing a certificate.
 */
let lastOptions: { readonly values: OptionValues; readonly made: ClientTls } | null = null;

type OptionValues = { readonly [option in keyof TlsClientOptions]-?: unknown };

/**
 * The values of the options; null when there are none, or when reading throws. (Each is read by its name, not in a loop over
 * the names: this runs for every https request, and V8 reads a known name of a known shape many times faster.)
 */
function optionValues(options: unknown): OptionValues | null {
  if (typeof options !== "object" || options === null) return null;
  try {
    const { server_name, ca, cert, key, passphrase, alpn, min_version, insecure } = options as OptionValues;
    return { server_name, ca, cert, key, passphrase, alpn, min_version, insecure };
  } catch {
    // A getter or proxy of the caller threw.
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
 * The client's side of a handshake on a connected socket. The socket is closed when it fails.
 *
 * @param deadline of the handshake, in the milliseconds of `monotonicTime()`; past it the reason is `timed out`
 */
export function startClient(
  tls: ClientTls,
  socket: Socket,
  host: string,
  origin: string,
  deadline: number,
): TlsSession | Failure {
  const ready = serverOf(tls, host, origin);
  if (ready instanceof Failure) {
    socket.close();
    return ready;
  }
  const connection = shakeHands(ready.ssl, tls.context, socket, ready.peer, deadline);
  return connection instanceof Failure ? connection : new TlsSession(connection);
}

function serverOf(tls: ClientTls, host: string, origin: string): { ssl: OpenSsl; peer: Peer } | Failure {
  const name = serverName(tls.serverName ?? host);
  if (name instanceof Failure) return name;
  const ssl = openssl();
  return ssl instanceof Failure ? ssl : { ssl, peer: { serverName: name, origin: `${origin} ${name.text}` } };
}

/** The client's side of a handshake that goes on step by step, on a non-blocking socket. */
export class ClientHandshake {
  readonly #steps: HandshakeSteps;

  private constructor(steps: HandshakeSteps) {
    this.#steps = steps;
  }

  /** Begins it. For the arguments see `startClient`. */
  static begin(tls: ClientTls, socket: Socket, host: string, origin: string): ClientHandshake | Failure {
    const ready = serverOf(tls, host, origin);
    if (ready instanceof Failure) {
      socket.close();
      return ready;
    }
    const steps = HandshakeSteps.begin(ready.ssl, tls.context, socket, ready.peer);
    return steps instanceof Failure ? steps : new ClientHandshake(steps);
  }

  /** Goes on: the session; what it waits for; or the failure, after which the socket is closed. */
  goOn(): TlsSession | "readable" | "writable" | Failure {
    const result = this.#steps.goOn();
    return typeof result === "string" || result instanceof Failure ? result : new TlsSession(result);
  }

  /** Gives it up, and closes the socket. */
  abandon(): void {
    this.#steps.abandon();
  }
}

/** The server's side of a handshake on a connected socket. The socket is closed when it fails. */
export function startServer(options: unknown, socket: Socket, deadline: number): TlsSession | Failure {
  const tls = serverTls(options);
  if (tls instanceof Failure) {
    socket.close();
    return tls;
  }
  const connection = shakeHands(tls.ssl, tls.context, socket, null, deadline);
  return connection instanceof Failure ? connection : new TlsSession(connection);
}

/** A server's options, checked and made ready for any number of connections. */
export interface ServerTls {
  readonly ssl: OpenSsl;
  readonly context: Context;
}

/** Checks a server's options and makes them ready. */
export function serverTls(options: unknown): ServerTls | Failure {
  const checked = checkServerOptions(options);
  if (checked instanceof Failure) return checked;
  const ssl = openssl();
  if (ssl instanceof Failure) return ssl;
  const context = contextFor(ssl, checked);
  return context instanceof Failure ? context : { ssl, context };
}

/** The server's side of a handshake that goes on step by step, on a non-blocking socket. */
export class ServerHandshake {
  readonly #steps: HandshakeSteps;

  private constructor(steps: HandshakeSteps) {
    this.#steps = steps;
  }

  static begin({ ssl, context }: ServerTls, socket: Socket): ServerHandshake | Failure {
    const steps = HandshakeSteps.begin(ssl, context, socket, null);
    return steps instanceof Failure ? steps : new ServerHandshake(steps);
  }

  /** Goes on: the session; what it waits for; or the failure, after which the socket is closed. */
  goOn(): TlsSession | "readable" | "writable" | Failure {
    const result = this.#steps.goOn();
    return typeof result === "string" || result instanceof Failure ? result : new TlsSession(result);
  }

  /** Gives it up, and closes the socket. */
  abandon(): void {
    this.#steps.abandon();
  }
}
