import type { Socket } from "../engine/socket.ts";
import { Failure } from "../error.ts";
import { monotonicTime } from "../runtime/clock.ts";
import type { Context } from "./context.ts";
import { handshakeReason, takeReason, UNEXPECTED_EOF } from "./errors.ts";
import { Wire } from "./memory-bio.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import * as o from "./openssl.ts";
import { CONNECTION, disown, own } from "./owned.ts";
import type { ServerName } from "./server-name.ts";

/** The server that a client wants: the name for SNI and for the check of the certificate, and whose sessions to resume. */
export interface Peer {
  readonly serverName: ServerName;
  readonly origin: string;
}

/** A connection after its handshake: what a session is made of. */
export interface Connection {
  readonly ssl: OpenSsl;
  /** OpenSSL's object for this connection (SSL). */
  readonly pointer: Pointer;
  readonly wire: Wire;
  readonly socket: Socket;
  readonly context: Context;
  /** The key under which the context keeps this connection's session; null on a server. */
  readonly origin: string | null;
}

/** The reason when the deadline passed during the handshake. */
const TIMED_OUT = "timed out";

/**
 * The handshake of a client (with a peer) or of a server (null). Takes the socket over and closes it after a failure.
 *
 * It waits in non-blocking mode too, because nobody can use half a handshake.
 */
export function shakeHands(
  ssl: OpenSsl,
  context: Context,
  socket: Socket,
  peer: Peer | null,
  deadline: number,
): Connection | Failure {
  const made = connectionOn(ssl, context, socket, peer);
  if (made instanceof Failure) {
    socket.close();
    return made;
  }
  const failure = prepare(made, peer) ?? completeBlocking(made, deadline);
  if (failure === null) return made;
  freeConnection(ssl, made.pointer);
  socket.close();
  return failure;
}

/** Frees OpenSSL's part of a connection. SSL_free(3) makes no system call here. */
export function freeConnection(ssl: OpenSsl, pointer: Pointer): void {
  disown(pointer);
  ssl.SSL_free(pointer);
  ssl.ERR_clear_error();
}

/** When a call ends at the latest. The timeout counts once for a call, even when a record comes in many parts. */
export function limitOf(deadline: number, timeout: number): number {
  return timeout === Number.POSITIVE_INFINITY ? deadline : Math.min(deadline, monotonicTime() + timeout);
}

function connectionOn(
  ssl: OpenSsl,
  context: Context,
  socket: Socket,
  peer: Peer | null,
): Connection | Failure {
  ssl.ERR_clear_error();
  const pointer = ssl.SSL_new(context.pointer);
  if (pointer === null) return new Failure(takeReason(ssl, "out of memory"));
  const wire = Wire.between(ssl, pointer, socket);
  if (wire === null) {
    ssl.SSL_free(pointer);
    return new Failure(takeReason(ssl, "out of memory"));
  }
  own(CONNECTION, pointer);
  return { ssl, pointer, wire, socket, context, origin: peer?.origin ?? null };
}

/** What OpenSSL must know before the handshake: null, or the failure. */
function prepare(connection: Connection, peer: Peer | null): Failure | null {
  const { ssl, pointer, context, socket } = connection;
  // Nagle's algorithm would hold the first request back until the peer has acknowledged the last message of the
  // handshake, and the peer delays this acknowledgement by 40 ms (RFC 9293, 3.7.4). Each write is one record anyway, so
  // Nagle has nothing to join.
  socket.sendAtOnce();
  if (peer === null) {
    ssl.SSL_set_accept_state(pointer);
    return null;
  }
  ssl.SSL_set_connect_state(pointer);
  // Without the name in place, nothing would be checked. Then there must be no connection.
  if (!setServerName(connection, peer.serverName)) {
    return new Failure(takeReason(ssl, "invalid server name"));
  }
  const session = context.takeSession(peer.origin);
  if (session !== null) {
    ssl.SSL_set_session(pointer, session);
    ssl.SSL_SESSION_free(session);
    ssl.ERR_clear_error();
  }
  return null;
}

/** Sets the name that the certificate must be for, and SNI; false when OpenSSL refuses it. */
function setServerName({ ssl, pointer }: Connection, { kind, text }: ServerName): boolean {
  const parameters = ssl.SSL_get0_param(pointer);
  ssl.X509_VERIFY_PARAM_set_hostflags(
    parameters,
    o.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | o.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
  );
  if (kind === "address") return ssl.X509_VERIFY_PARAM_set1_ip_asc(parameters, text) === 1;
  const name = Buffer.from(`${text}\0`);
  return (
    ssl.X509_VERIFY_PARAM_set1_host(parameters, text, 0) === 1 &&
    allowWildcard(ssl, parameters, text) &&
    ssl.SSL_ctrl(pointer, o.SSL_CTRL_SET_TLSEXT_HOSTNAME, o.TLSEXT_NAMETYPE_host_name, name) === 1
  );
}

/**
 * Lets a wildcard match a name whose first label has an underscore, such as `my_bucket`. OpenSSL's wildcard matches only
 * letters, digits and hyphens; in Node and elsewhere it matches any label. So the certificate may also be for a second name,
 * whose first label is random: no certificate names it, and only a wildcard matches it.
 */
function allowWildcard(ssl: OpenSsl, parameters: Pointer, name: string): boolean {
  const [label, ...others] = name.split(".");
  if (!label!.includes("_")) return true;
  const { randomBytes } = process.getBuiltinModule("node:crypto");
  const random = [randomBytes(20).toString("hex"), ...others].join(".");
  return ssl.X509_VERIFY_PARAM_add1_host(parameters, random, 0) === 1;
}

/** As `complete`, with the socket in blocking mode until it is over. */
function completeBlocking(connection: Connection, deadline: number): Failure | null {
  const { socket } = connection;
  if (!socket.nonblocking) return complete(connection, deadline);
  socket.setNonblocking(false);
  const failure = complete(connection, deadline);
  socket.setNonblocking(true);
  return failure;
}

/** Makes the handshake: null, or the failure. */
function complete(connection: Connection, deadline: number): Failure | null {
  const { wire, socket } = connection;
  const limit = limitOf(deadline, socket.readTimeout);
  for (;;) {
    const step = oneStep(connection);
    // After a failure too: the alert tells the peer why.
    const sent = wire.flush(limit);
    if (step instanceof Failure) return step;
    if (sent < 0) return failureOf(socket, sent, deadline);
    if (step === "done") return null;
    // The socket never waits for a peer that never stops sending.
    if (limit !== Number.POSITIVE_INFINITY && monotonicTime() >= limit) {
      return failureOf(socket, -socket.sys.constants.EAGAIN, deadline);
    }
    const received = wire.receive(limit);
    if (received === 0) return new Failure(UNEXPECTED_EOF);
    if (received < 0) return failureOf(socket, received, deadline);
  }
}

/** Has OpenSSL go on with what was received. What it says to the peer is still to be sent. */
function oneStep({ ssl, pointer }: Connection): "done" | "more" | Failure {
  ssl.ERR_clear_error();
  const result = ssl.SSL_do_handshake(pointer);
  if (result === 1) return "done";
  if (ssl.SSL_get_error(pointer, result) === o.SSL_ERROR_WANT_READ) return "more";
  return new Failure(handshakeReason(ssl, pointer, "handshake failure"));
}

/** A handshake on a non-blocking socket, which goes on whenever the socket is ready. */
export class HandshakeSteps {
  readonly #connection: Connection;
  #step: "done" | "more" | Failure = "more";

  private constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Of a client (with a peer) or of a server (null). Takes the socket over and closes it after a failure. */
  static begin(ssl: OpenSsl, context: Context, socket: Socket, peer: Peer | null): HandshakeSteps | Failure {
    const connection = connectionOn(ssl, context, socket, peer);
    if (connection instanceof Failure) {
      socket.close();
      return connection;
    }
    const steps = new HandshakeSteps(connection);
    const failure = prepare(connection, peer);
    if (failure !== null) return steps.#fail(failure);
    // A client speaks first.
    if (peer !== null) steps.#step = oneStep(connection);
    return steps;
  }

  /** Goes on as far as it can: the connection; what it waits for; or the failure, after which the socket is closed. */
  goOn(): Connection | "readable" | "writable" | Failure {
    const { wire, socket } = this.#connection;
    const now = monotonicTime();
    // A peer sends a few messages. One that never stops makes no handshake.
    for (let received = 0; received < MOST_RECEIVED; ) {
      const sent = wire.flush(now);
      if (sent < 0) {
        if (socket.wouldBlock(sent) && !(this.#step instanceof Failure)) return "writable";
        return this.#fail(this.#step instanceof Failure ? this.#step : new Failure(socket.reason(sent)));
      }
      if (this.#step instanceof Failure) return this.#fail(this.#step);
      if (this.#step === "done") return this.#connection;
      const count = wire.receive(now);
      if (count === 0) return this.#fail(new Failure(UNEXPECTED_EOF));
      if (count < 0) {
        return socket.wouldBlock(count) ? "readable" : this.#fail(new Failure(socket.reason(count)));
      }
      received += count;
      this.#step = oneStep(this.#connection);
    }
    return this.#fail(new Failure("handshake failure"));
  }

  #fail(failure: Failure): Failure {
    this.abandon();
    return failure;
  }

  /** Gives it up, and closes the socket. */
  abandon(): void {
    freeConnection(this.#connection.ssl, this.#connection.pointer);
    this.#connection.socket.close();
  }
}

/** The most that one step of a handshake can take: a chain of certificates has some kilobytes. */
const MOST_RECEIVED = 1024 * 1024;

function failureOf(socket: Socket, failure: number, deadline: number): Failure {
  const isLate = socket.wouldBlock(failure) && monotonicTime() >= deadline;
  return new Failure(isLate ? TIMED_OUT : socket.reason(failure));
}
