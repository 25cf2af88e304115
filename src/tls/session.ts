import { part, scratch } from "../bytes.ts";
import { HeldBytes } from "../held.ts";
import type { Socket } from "../socket.ts";
import type { Transport } from "../stream.ts";
import type { Context } from "./context.ts";
import type { ServerName } from "./names.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import * as o from "./openssl.ts";
import { handshakeReason, takeReason, UNEXPECTED_EOF } from "./reasons.ts";

/** A failure whose text the session keeps: no errno. */
const TLS_FAILURE = -2_000_000;

/** A record's most (RFC 8446, 5.1): what one call sends. */
const RECORD = 16384;

/** How long `close` waits for room in the send buffer, in milliseconds: see `#closeNotify`. */
const LONGEST_FAREWELL = 5000;
/** How long `close` waits for a server's first tickets, in milliseconds: see `#awaitTickets`. */
const LONGEST_TICKET_WAIT = 100;

// Connections that were dropped without `close`: their descriptors are given back by the socket's own registry.
// SSL_free(3) makes no system call here: SSL_set_fd's BIO does not close its descriptor.
const connections = new FinalizationRegistry<{ ssl: OpenSsl; connection: Pointer }>(({ ssl, connection }) => {
  ssl.SSL_free(connection);
  ssl.ERR_clear_error();
});

/** Whom to talk to, for a client: what SNI and the certificate's check go by, and whose sessions to resume. */
export interface Peer {
  readonly serverName: ServerName;
  readonly origin: string;
}

/**
 * TLS on a socket. OpenSSL makes the system calls itself, on the socket's own descriptor (SSL_set_fd(3)), so that
 * reading costs one call from JavaScript. The socket is left in the mode it is in: where its wait ends (a slice, a
 * deadline, non-blocking mode), recv(2) and send(2) give EAGAIN, OpenSSL gives SSL_ERROR_WANT_READ or _WRITE, and
 * the socket's own rules say whether to go on.
 */
export class TlsSession implements Transport {
  readonly #ssl: OpenSsl;
  readonly #connection: Pointer;
  readonly #context: Context;
  readonly #origin: string | null;
  readonly socket: Socket;
  #freed = false;
  #established = false;
  #received = false;
  #sent = false;
  /** Once a direction has failed for good: why. SSL_get_error(3) forbids to go on after SSL_ERROR_SSL, SSL_free(3) at all. */
  #receiveFailure: string | null = null;
  #sendFailure: string | null = null;
  /** The reason behind the last TLS_FAILURE. */
  #reason = "";
  /** Bytes that were given back, and come before what OpenSSL has. */
  #held: HeldBytes | null = null;
  /** What a send that would have had to wait left half sent inside OpenSSL: see `send`. */
  #unsent: Buffer | null = null;

  /** Takes the socket over, whether it succeeds or not: the session after its handshake, or the text of the error. */
  static start(
    ssl: OpenSsl,
    context: Context,
    socket: Socket,
    peer: Peer | null,
    deadline: number,
  ): TlsSession | string {
    ssl.ERR_clear_error();
    const connection = ssl.SSL_new(context.pointer);
    if (connection === null) {
      socket.close();
      return takeReason(ssl, "out of memory");
    }
    const session = new TlsSession(ssl, connection, context, socket, peer);
    const failure = session.#prepare(peer) ?? session.#handshake(deadline);
    if (failure === null) return session;
    session.close();
    return failure;
  }

  private constructor(
    ssl: OpenSsl,
    connection: Pointer,
    context: Context,
    socket: Socket,
    peer: Peer | null,
  ) {
    this.#ssl = ssl;
    this.#connection = connection;
    this.#context = context;
    this.#origin = peer?.origin ?? null;
    this.socket = socket;
    connections.register(this, { ssl, connection }, this);
  }

  /** What has to be known before the handshake: null, or the text of an error. */
  #prepare(peer: Peer | null): string | null {
    const ssl = this.#ssl;
    const connection = this.#connection;
    if (ssl.SSL_set_fd(connection, this.socket.descriptor) !== 1) return takeReason(ssl, "out of memory");
    // Nagle's algorithm would hold the first request back until the peer, which delays its own acknowledgement by
    // 40 ms, has acknowledged the last message of the handshake (RFC 9293, 3.7.4). Every write is a record of its
    // own anyway.
    this.socket.sendAtOnce();
    if (peer === null) {
      ssl.SSL_set_accept_state(connection);
      return null;
    }
    ssl.SSL_set_connect_state(connection);
    const { kind, text } = peer.serverName;
    const parameters = ssl.SSL_get0_param(connection);
    ssl.X509_VERIFY_PARAM_set_hostflags(
      parameters,
      o.X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | o.X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
    );
    const named =
      kind === "address"
        ? ssl.X509_VERIFY_PARAM_set1_ip_asc(parameters, text) === 1
        : ssl.X509_VERIFY_PARAM_set1_host(parameters, text, 0) === 1 &&
          ssl.SSL_ctrl(
            connection,
            o.SSL_CTRL_SET_TLSEXT_HOSTNAME,
            o.TLSEXT_NAMETYPE_host_name,
            Buffer.from(`${text}\0`),
          ) === 1;
    // Without the name in place nothing would be checked: then there is no connection.
    if (!named) return takeReason(ssl, "invalid server name");

    const session = this.#context.takeSession(peer.origin);
    if (session !== null) {
      ssl.SSL_set_session(connection, session);
      ssl.SSL_SESSION_free(session);
      ssl.ERR_clear_error();
    }
    return null;
  }

  /** Null, or the text of the failure. It waits in non-blocking mode too: half a handshake is of no use to anybody. */
  #handshake(deadline: number): string | null {
    const { socket } = this;
    // OpenSSL reads a message to its end by itself. In blocking mode a peer that sends a byte a millisecond, so that no
    // read ever waits for long enough to time out, would keep it there past every deadline.
    const wasNonblocking = socket.nonblocking;
    if (!wasNonblocking) socket.setNonblocking(true);
    const failure = this.#shakeHands(deadline);
    if (!wasNonblocking) socket.setNonblocking(false);
    return failure;
  }

  #shakeHands(deadline: number): string | null {
    const ssl = this.#ssl;
    const { socket } = this;
    const { POLLIN, POLLOUT } = socket.sys.constants;
    const limit = Math.min(deadline, performance.now() + socket.readTimeout);
    for (;;) {
      ssl.ERR_clear_error();
      const result = ssl.SSL_do_handshake(this.#connection);
      if (result === 1) {
        this.#established = true;
        return null;
      }
      const errno = ssl.errno();
      const error = ssl.SSL_get_error(this.#connection, result);
      let failure: number;
      if (error === o.SSL_ERROR_WANT_READ) failure = socket.waitUntil(POLLIN, limit);
      else if (error === o.SSL_ERROR_WANT_WRITE) failure = socket.waitUntil(POLLOUT, limit);
      else if (error === o.SSL_ERROR_SYSCALL) {
        ssl.ERR_clear_error();
        return errno === 0 ? UNEXPECTED_EOF : socket.reason(-errno);
      } else return handshakeReason(ssl, this.#connection, "handshake failure");
      if (failure < 0) {
        if (socket.wouldBlock(failure) && performance.now() >= deadline) return TIMED_OUT;
        return socket.reason(failure);
      }
    }
  }

  get open(): boolean {
    return this.socket.open;
  }

  get nonblocking(): boolean {
    return this.socket.nonblocking;
  }

  get readTimeout(): number {
    return this.socket.readTimeout;
  }

  set readTimeout(milliseconds: number) {
    this.socket.readTimeout = milliseconds;
  }

  get writeTimeout(): number {
    return this.socket.writeTimeout;
  }

  set writeTimeout(milliseconds: number) {
    this.socket.writeTimeout = milliseconds;
  }

  setNonblocking(enabled: boolean): number {
    return this.socket.setNonblocking(enabled);
  }

  reason(failure: number): string {
    return failure === TLS_FAILURE ? this.#reason : this.socket.reason(failure);
  }

  wouldBlock(failure: number): boolean {
    return this.socket.wouldBlock(failure);
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    if (this.#held !== null) return this.#receiveHeld(this.#held, target, length);
    if (this.#receiveFailure !== null) return this.#failAgain(this.#receiveFailure);
    const ssl = this.#ssl;
    const limit = this.socket.armReceive(deadline);
    for (;;) {
      ssl.ERR_clear_error();
      const count = ssl.SSL_read(this.#connection, target, Math.min(length, LARGEST_INT));
      if (count > 0) {
        this.#received = true;
        this.socket.notePending();
        return count;
      }
      const failure = this.#afterReceiving(count, limit);
      if (failure <= 0) return failure;
    }
  }

  #receiveHeld(held: HeldBytes, target: Uint8Array, length: number): number {
    const count = held.moveTo(target, length);
    if (held.length === 0) {
      this.#held = null;
    } else if (held.tooFew) {
      held.tooFew = false;
      this.socket.notePending();
    }
    return count;
  }

  unreceive(bytes: Uint8Array): void {
    this.hold(HeldBytes.copyOf(bytes, false));
  }

  hold(bytes: HeldBytes): void {
    if (this.#held !== null) bytes.append(this.#held);
    this.#held = bytes;
    if (!bytes.tooFew) this.socket.notePending();
  }

  takeHeld(least: number, most: number): HeldBytes | null {
    const held = this.#held;
    if (held === null || held.length < least || held.length > most || held.memory === null) return null;
    this.#held = null;
    return held;
  }

  get heldLength(): number {
    return this.#held?.length ?? 0;
  }

  get hasTooFew(): boolean {
    return this.#held?.tooFew ?? false;
  }

  peek(target: Uint8Array, length: number, deadline: number): number {
    if (this.#held !== null) return this.#held.copyTo(target, length);
    if (this.#receiveFailure !== null) return this.#failAgain(this.#receiveFailure);
    const ssl = this.#ssl;
    const limit = this.socket.armReceive(deadline);
    for (;;) {
      ssl.ERR_clear_error();
      const count = ssl.SSL_peek(this.#connection, target, Math.min(length, LARGEST_INT));
      if (count > 0) {
        this.socket.notePending();
        return count;
      }
      const failure = this.#afterReceiving(count, limit);
      if (failure <= 0) return failure;
    }
  }

  /** What SSL_read's or SSL_peek's result means: GO_ON, 0 for the end of the stream, or a failure. */
  #afterReceiving(count: number, limit: number): number {
    const errno = this.#ssl.errno();
    const error = this.#ssl.SSL_get_error(this.#connection, count);
    switch (error) {
      case o.SSL_ERROR_ZERO_RETURN:
        return 0;
      case o.SSL_ERROR_WANT_READ:
        return this.socket.goOnReceiving(errno, limit) || GO_ON;
      // An answer to the peer's wish for new keys (RFC 8446, 4.6.3) may have to wait for room.
      case o.SSL_ERROR_WANT_WRITE:
        this.socket.armSend(limit);
        return this.socket.goOnSending(errno, limit) || GO_ON;
      case o.SSL_ERROR_SYSCALL:
        this.#ssl.ERR_clear_error();
        this.#receiveFailure = errno === 0 ? UNEXPECTED_EOF : this.socket.reason(-errno);
        return this.#failAgain(this.#receiveFailure);
      default:
        return this.#breakOff();
    }
  }

  /**
   * At most one record a call. A record that found no room stays inside OpenSSL, encrypted, and only the same bytes
   * can follow (SSL_write(3): the call must be repeated with the same arguments); so other bytes are refused.
   */
  send(source: Uint8Array, length: number, deadline: number): number {
    if (this.#sendFailure !== null) return this.#failAgain(this.#sendFailure);
    let record = Math.min(length, RECORD);
    if (this.#unsent !== null) {
      record = this.#unsent.length;
      if (length < record || this.#unsent.compare(part(source, 0, record)) !== 0) {
        return this.#failAgain("a write that would have had to wait must be repeated with the same data");
      }
    } else if (length === 0) {
      return 0;
    }
    const ssl = this.#ssl;
    const limit = this.socket.armSend(deadline);
    for (;;) {
      ssl.ERR_clear_error();
      const count = ssl.SSL_write(this.#connection, source, record);
      if (count > 0) {
        this.#sent = true;
        this.#unsent = null;
        return count;
      }
      const failure = this.#afterSending(count, limit);
      if (failure < 0) {
        if (this.wouldBlock(failure)) this.#unsent ??= Buffer.from(part(source, 0, record));
        return failure;
      }
    }
  }

  #afterSending(count: number, limit: number): number {
    const errno = this.#ssl.errno();
    const error = this.#ssl.SSL_get_error(this.#connection, count);
    switch (error) {
      case o.SSL_ERROR_WANT_WRITE:
        return this.socket.goOnSending(errno, limit);
      case o.SSL_ERROR_WANT_READ:
        this.socket.armReceive(limit);
        return this.socket.goOnReceiving(errno, limit);
      case o.SSL_ERROR_SYSCALL:
        this.#ssl.ERR_clear_error();
        // What the peer said before it went (an alert that tells why) can still be read.
        this.#sendFailure = errno === 0 ? UNEXPECTED_EOF : this.socket.reason(-errno);
        return this.#failAgain(this.#sendFailure);
      default:
        return this.#breakOff();
    }
  }

  #failAgain(reason: string): number {
    this.#reason = reason;
    return TLS_FAILURE;
  }

  /** After SSL_ERROR_SSL: nothing more can be read or written. */
  #breakOff(): number {
    const reason = takeReason(this.#ssl, "protocol error");
    this.#receiveFailure = reason;
    this.#sendFailure = reason;
    return this.#failAgain(reason);
  }

  pending(): number {
    if (this.#held !== null) return this.#held.length;
    if (!this.open || this.#receiveFailure !== null) return 0;
    if (this.#ssl.SSL_has_pending(this.#connection) !== 1) return 0;
    const decrypted = this.#ssl.SSL_pending(this.#connection);
    if (decrypted > 0) return decrypted;
    // With read-ahead OpenSSL may hold the next record, whole or in part; only trying tells which.
    const { socket } = this;
    const blocking = !socket.nonblocking;
    if (blocking) socket.setNonblocking(true);
    const found = this.peek(Buffer.allocUnsafeSlow(1), 1, Number.POSITIVE_INFINITY);
    if (blocking) socket.setNonblocking(false);
    // The end of the stream, or a failure, is to be had as well.
    return found >= 0 || !this.wouldBlock(found) ? Math.max(1, found) : 0;
  }

  /** `TLSv1.3`, `TLSv1.2`. */
  get protocol(): string {
    return this.#ssl.SSL_get_version(this.#connection);
  }

  /** What ALPN agreed on; null for nothing. */
  get alpnProtocol(): string | null {
    return this.#ssl.SSL_get0_alpn_selected(this.#connection);
  }

  /** True when an earlier session was resumed in place of a full handshake. */
  get resumed(): boolean {
    return this.#ssl.SSL_session_reused(this.#connection) === 1;
  }

  /** The peer's certificate in DER; null when it showed none. */
  get peerCertificate(): Buffer | null {
    const certificate = this.#ssl.SSL_get1_peer_certificate(this.#connection);
    if (certificate === null) return null;
    const der = this.#ssl.i2d_X509(certificate);
    this.#ssl.X509_free(certificate);
    this.#ssl.ERR_clear_error();
    return der;
  }

  close(): void {
    if (this.#freed) return;
    this.#freed = true;
    if (this.#established && this.socket.open) {
      this.#closeNotify();
      this.#keepSession();
      if (this.#origin !== null && !this.#received && this.#sent) this.#awaitTickets();
      this.#takeOffUnread();
    }
    connections.unregister(this);
    this.#ssl.SSL_free(this.#connection);
    this.#ssl.ERR_clear_error();
    this.socket.close();
    // An accessor among a call's arguments can close the stream when the call has begun.
    const closed = this.socket.reason(-this.socket.sys.constants.EBADF);
    this.#held = null;
    this.#receiveFailure = closed;
    this.#sendFailure = closed;
  }

  /**
   * Sends close_notify, without which the peer must take the stream's end for an attack. Not after a failure, nor
   * behind half a record (SSL_shutdown(3)). In blocking mode it waits for room as a write would, though not for ever:
   * after a long write to a slow reader there is none at first.
   */
  #closeNotify(): void {
    if (this.#receiveFailure !== null || this.#sendFailure !== null || this.#unsent !== null) return;
    const ssl = this.#ssl;
    const limit = this.socket.armSend(performance.now() + LONGEST_FAREWELL);
    for (;;) {
      ssl.ERR_clear_error();
      const result = ssl.SSL_shutdown(this.#connection);
      if (result >= 0) return;
      const errno = ssl.errno();
      if (ssl.SSL_get_error(this.#connection, result) !== o.SSL_ERROR_WANT_WRITE) return;
      if (this.socket.goOnSending(errno, limit) < 0) return;
    }
  }

  /**
   * Keeps the session for the next connection to this origin. Done at the end, for TLS 1.3's tickets come at the
   * server's leisure, among the data (RFC 8446, 4.6.1), and after close_notify, for SSL_free(3) forbids the
   * resumption of sessions that were not closed.
   */
  #keepSession(): void {
    if (this.#origin === null || this.#receiveFailure !== null || this.#sendFailure !== null) return;
    const session = this.#ssl.SSL_get1_session(this.#connection);
    if (session === null) return;
    if (this.#ssl.SSL_SESSION_is_resumable(session) === 1) this.#context.keepSession(this.#origin, session);
    else this.#ssl.SSL_SESSION_free(session);
  }

  /**
   * A client that wrote and never read has not met the tickets that a TLS 1.3 server sends first of all. Arriving
   * at a closed socket they make the kernel reset the connection (RFC 1122, 4.2.2.13), and what it had not sent yet
   * is lost. So they are waited for, for a short time.
   */
  #awaitTickets(): void {
    if (this.socket.nonblocking || this.#ssl.SSL_version(this.#connection) !== o.TLS1_3_VERSION) return;
    this.socket.waitFor(this.socket.sys.constants.POLLIN, LONGEST_TICKET_WAIT);
  }

  /** close(2) with unread bytes in the socket resets the connection too, so they are taken off. */
  #takeOffUnread(): void {
    const { sys, descriptor } = this.socket;
    const { MSG_DONTWAIT } = sys.constants;
    const bin = scratch(RECORD);
    // Not without end: a peer that goes on sending to a closed stream is to be told so by a reset.
    for (let round = 0; round < 64; round++) {
      if (sys.recv(descriptor, bin, bin.length, MSG_DONTWAIT) <= 0) return;
    }
  }
}

/** What a deadline that passed during the handshake reads like. */
export const TIMED_OUT = "timed out";

const GO_ON = 1;
const LARGEST_INT = 0x7fffffff;
