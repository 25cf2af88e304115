import { constants } from "node:os";
import { part } from "../arguments.ts";
import { scratch } from "../engine/buffers.ts";
import { GivenBack } from "../engine/pushback.ts";
import type { Socket } from "../engine/socket.ts";
import type { Transport } from "../engine/transport.ts";
import { monotonicTime } from "../runtime/clock.ts";
import type { Context } from "./context.ts";
import { handshakeReason, takeReason, UNEXPECTED_EOF } from "./errors.ts";
import { Wire } from "./memory-bio.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import * as o from "./openssl.ts";
import { CONNECTION, disown, own } from "./owned.ts";
import type { ServerName } from "./server-name.ts";

/** A failure whose text the session keeps: no errno. */
const TLS_FAILURE = -2_000_000;

/** What one call sends: two full records (RFC 8446, 5.1), for that takes a system call less than one and one. */
const PIECE = 32 * 1024;

/** How long `close` waits for room in the send buffer, in milliseconds: see `#closeNotify`. */
const LONGEST_FAREWELL = 5000;
/** How long `close` waits for a server's first tickets, in milliseconds: see `#awaitTickets`. */
const LONGEST_TICKET_WAIT = 100;
/** How long a receive waits before it tries again to send an answer that found no room, in milliseconds. */
const PATIENCE = 100;
/** How many bytes of answers without room are kept before nothing more is received: see `#receiveWhileReplying`. */
const MOST_UNSENT = 256 * 1024;
/**
 * How often a call that does not wait receives, without a byte of data to give: after the second time there was a whole
 * record in any case (a record is half as long as what is received at once).
 */
const MOST_FILLS = 2;
/** How long a failure waits for room for its alert, in milliseconds. */
const LONGEST_ALERT = 100;

// Connections that were dropped without `close`: their descriptors are given back by the socket's own registry.
// SSL_free(3) makes no system call here.
const connections = new FinalizationRegistry<{ ssl: OpenSsl; connection: Pointer }>(({ ssl, connection }) => {
  disown(connection);
  ssl.SSL_free(connection);
  ssl.ERR_clear_error();
});

/** Whom to talk to, for a client: what SNI and the certificate's check go by, and whose sessions to resume. */
export interface Peer {
  readonly serverName: ServerName;
  readonly origin: string;
}

/**
 * TLS on a socket. OpenSSL makes no system calls: it is given what the socket received, and what it has to say is sent
 * (see `Wire`). SSL_ERROR_WANT_READ means that it has used up all that was received.
 */
export class TlsSession extends GivenBack implements Transport {
  readonly #ssl: OpenSsl;
  readonly #connection: Pointer;
  readonly #context: Context;
  readonly #origin: string | null;
  readonly #wire: Wire;
  readonly socket: Socket;
  #freed = false;
  #established = false;
  #received = false;
  #sent = false;
  /** Whether OpenSSL may have bytes to give without another being received: asking it would not be in vain. */
  #buffered = false;
  /** Whether OpenSSL holds nothing at all of what was received, not even a part of a record. */
  #drained = false;
  /** Whether OpenSSL may have something to say that did not come from `send`: an answer to a wish for new keys. */
  #replies = false;
  /** Once a direction has failed for good: why. SSL_get_error(3) forbids to go on after SSL_ERROR_SSL, SSL_free(3) at all. */
  #receiveFailure: string | null = null;
  #sendFailure: string | null = null;
  /** The reason behind the last TLS_FAILURE. */
  #reason = "";
  /** What a send that would have had to wait left half sent: see `send`. */
  #unsent: Buffer | null = null;
  /** Whether `#unsent` is encrypted, and only the sending is left to do. */
  #encrypted = false;

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
    const wire = Wire.between(ssl, connection, socket);
    if (wire === null) {
      ssl.SSL_free(connection);
      socket.close();
      return takeReason(ssl, "out of memory");
    }
    const session = new TlsSession(ssl, connection, context, socket, wire, peer);
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
    wire: Wire,
    peer: Peer | null,
  ) {
    super();
    this.#ssl = ssl;
    this.#wire = wire;
    this.#connection = connection;
    this.#context = context;
    this.#origin = peer?.origin ?? null;
    this.socket = socket;
    own(CONNECTION, connection);
    connections.register(this, { ssl, connection }, this);
  }

  /** What has to be known before the handshake: null, or the text of an error. */
  #prepare(peer: Peer | null): string | null {
    const ssl = this.#ssl;
    const connection = this.#connection;
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
          this.#alsoByWildcard(parameters, text) &&
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

  /**
   * OpenSSL's wildcard stands for letters, digits and hyphens only; Node's, and everybody else's, for any label, such as
   * the `my_bucket` of a server's name. So the certificate may also be for a label that nobody can have put into one: only
   * a wildcard matches that.
   */
  #alsoByWildcard(parameters: Pointer, name: string): boolean {
    const [label, ...others] = name.split(".");
    if (!label!.includes("_")) return true;
    const { randomBytes } = process.getBuiltinModule("node:crypto");
    const unheardOf = [randomBytes(20).toString("hex"), ...others].join(".");
    return this.#ssl.X509_VERIFY_PARAM_add1_host(parameters, unheardOf, 0) === 1;
  }

  /** Null, or the text of the failure. It waits in non-blocking mode too: half a handshake is of no use to anybody. */
  #handshake(deadline: number): string | null {
    const { socket } = this;
    if (!socket.nonblocking) return this.#shakeHands(deadline);
    socket.setNonblocking(false);
    const failure = this.#shakeHands(deadline);
    socket.setNonblocking(true);
    return failure;
  }

  #shakeHands(deadline: number): string | null {
    const ssl = this.#ssl;
    const limit = this.#limit(deadline, this.socket.readTimeout);
    for (;;) {
      ssl.ERR_clear_error();
      const result = ssl.SSL_do_handshake(this.#connection);
      let reason: string | null = null;
      if (result !== 1 && ssl.SSL_get_error(this.#connection, result) !== o.SSL_ERROR_WANT_READ) {
        reason = handshakeReason(ssl, this.#connection, "handshake failure");
      }
      // After a failure, too: the alert that tells the peer why.
      const sent = this.#wire.flush(limit);
      if (reason !== null) return reason;
      if (sent < 0) return this.#whyNoHandshake(sent, deadline);
      if (result === 1) {
        this.#established = true;
        this.#lookWhatIsLeft();
        return null;
      }
      // A peer that never stops sending never makes the socket wait.
      if (limit !== Number.POSITIVE_INFINITY && monotonicTime() >= limit) {
        return this.#whyNoHandshake(-this.socket.sys.constants.EAGAIN, deadline);
      }
      const received = this.#wire.receive(limit);
      if (received === 0) return UNEXPECTED_EOF;
      if (received < 0) return this.#whyNoHandshake(received, deadline);
    }
  }

  #whyNoHandshake(failure: number, deadline: number): string {
    const { socket } = this;
    return socket.wouldBlock(failure) && monotonicTime() >= deadline ? TIMED_OUT : socket.reason(failure);
  }

  /** When a call ends at the latest. The timeout is for a call, however many parts of a record come one by one. */
  #limit(deadline: number, timeout: number): number {
    return timeout === Number.POSITIVE_INFINITY ? deadline : Math.min(deadline, monotonicTime() + timeout);
  }

  get below(): Transport {
    return this.socket;
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

  notePending(): void {
    this.socket.notePending();
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    if (this.held !== null) return this.receiveHeld(this.held, target, length);
    if (this.#receiveFailure !== null) return this.#failAgain(this.#receiveFailure);
    const ssl = this.#ssl;
    const limit = this.#limit(deadline, this.socket.readTimeout);
    for (let fills = 0; ; fills++) {
      if (this.#buffered) {
        ssl.ERR_clear_error();
        const count = ssl.SSL_read(this.#connection, target, Math.min(length, LARGEST_INT));
        if (count > 0) {
          this.#received = true;
          if (count < length) this.#afterRecord();
          else this.#drained = false;
          this.socket.notePending();
          return count;
        }
        const failure = this.#afterReceiving(count, limit, fills);
        if (failure <= 0) return failure;
      }
      const failure = this.#fill(limit);
      if (failure < 0) return failure;
    }
  }

  peek(target: Uint8Array, length: number, deadline: number): number {
    if (this.held !== null) return this.held.copyTo(target, length);
    if (this.#receiveFailure !== null) return this.#failAgain(this.#receiveFailure);
    const limit = this.#limit(deadline, this.socket.readTimeout);
    for (let fills = 0; ; fills++) {
      if (this.#buffered) {
        const count = this.#peekBuffered(target, length);
        if (count > 0) return count;
        const failure = this.#afterReceiving(count, limit, fills);
        if (failure <= 0) return failure;
      }
      const failure = this.#fill(limit);
      if (failure < 0) return failure;
    }
  }

  #peekBuffered(target: Uint8Array, length: number): number {
    this.#ssl.ERR_clear_error();
    const count = this.#ssl.SSL_peek(this.#connection, target, Math.min(length, LARGEST_INT));
    if (count > 0) this.socket.notePending();
    return count;
  }

  /** Waits for bytes and hands them on to OpenSSL: a count, or a failure. */
  #fill(limit: number): number {
    const wasDrained = this.#drained;
    const count = this.#replies ? this.#receiveWhileReplying(limit) : this.#wire.receive(limit);
    if (count > 0) {
      this.#buffered = true;
      this.#drained = wasDrained && this.#wire.isOneRecord;
      return count;
    }
    if (count === 0) {
      this.#receiveFailure = UNEXPECTED_EOF;
      this.#sendFailure = UNEXPECTED_EOF;
    } else if (this.#mayTryAgain(count)) {
      return count;
    } else {
      this.#receiveFailure = this.socket.reason(count);
    }
    return this.#failAgain(this.#receiveFailure);
  }

  /**
   * As `Wire.receive`, while OpenSSL's answers are sent; neither waits for the other, lest both sides wait for ever. But
   * a peer that asks for new keys again and again, and takes none of the answers, must not fill the memory with them.
   */
  #receiveWhileReplying(limit: number): number {
    for (;;) {
      const tooMany = this.#wire.unsent > MOST_UNSENT;
      const failure = this.#sendReplies(tooMany ? limit : monotonicTime());
      if (failure === -this.socket.sys.constants.EINTR) return failure;
      // (Where nobody waits here, a Poller would go on to call the socket readable, and that without end.)
      if (tooMany && this.#replies) return this.nonblocking ? -constants.errno.ENOBUFS : failure;
      // Where nothing can be sent any more, what the peer said before can still be read.
      if (!this.#replies) return this.#wire.receive(limit);
      const count = this.#wire.receive(Math.min(limit, monotonicTime() + PATIENCE));
      if (!this.socket.wouldBlock(count) || this.socket.nonblocking || monotonicTime() >= limit) return count;
    }
  }

  /**
   * After a record's data was taken out to its end. In the usual case it was all that had come, and OpenSSL need not be
   * asked: it had nothing before, and was given just one record, which by now is known to be one of data.
   */
  #afterRecord(): void {
    if (this.#drained) this.#buffered = false;
    else this.#lookWhatIsLeft();
  }

  #lookWhatIsLeft(): void {
    this.#buffered = this.#ssl.SSL_has_pending(this.#connection) === 1 || this.#wire.hasUnread;
    this.#drained = !this.#buffered;
    this.#replies = this.#wire.hasUnsent;
  }

  /** What SSL_read's or SSL_peek's result means: GO_ON, 0 for the end of the stream, or a failure. */
  #afterReceiving(count: number, limit: number, fills: number): number {
    switch (this.#ssl.SSL_get_error(this.#connection, count)) {
      case o.SSL_ERROR_ZERO_RETURN:
        return 0;
      case o.SSL_ERROR_WANT_READ:
        this.#buffered = false;
        this.#drained = false;
        this.#replies = this.#wire.hasUnsent;
        // A peer that never stops sending, though never a byte of data, never makes the socket wait.
        return (fills >= MOST_FILLS && this.nonblocking) ||
          (limit !== Number.POSITIVE_INFINITY && monotonicTime() >= limit)
          ? -this.socket.sys.constants.EAGAIN
          : GO_ON;
      default:
        return this.#breakOff();
    }
  }

  /**
   * At most two records a call. What found no room is kept, encrypted, and only the same bytes can follow
   * (SSL_write(3): the call must be repeated with the same arguments); so other bytes are refused.
   */
  send(source: Uint8Array, length: number, deadline: number): number {
    if (this.#sendFailure !== null) return this.#failAgain(this.#sendFailure);
    let piece = Math.min(length, PIECE);
    if (this.#unsent !== null) {
      piece = this.#unsent.length;
      if (length < piece || this.#unsent.compare(part(source, 0, piece)) !== 0) {
        return this.#failAgain("a write that would have had to wait must be repeated with the same data");
      }
    } else if (length === 0) {
      return 0;
    }
    const limit = this.#limit(deadline, this.socket.writeTimeout);
    let failure = this.#encrypted ? 0 : this.#encrypt(source, piece, limit);
    if (failure === 0) failure = this.#sendReplies(limit);
    if (failure === 0) {
      this.#sent = true;
      this.#unsent = null;
      this.#encrypted = false;
      return piece;
    }
    if (this.#mayTryAgain(failure)) this.#unsent ??= Buffer.from(part(source, 0, piece));
    return failure;
  }

  /** Has OpenSSL encrypt a piece: 0, or a failure. It waits only where the peer wanted to negotiate anew (TLS 1.2). */
  #encrypt(source: Uint8Array, piece: number, limit: number): number {
    const ssl = this.#ssl;
    for (;;) {
      ssl.ERR_clear_error();
      const count = ssl.SSL_write(this.#connection, source, piece);
      if (count > 0) {
        this.#encrypted = true;
        return 0;
      }
      if (ssl.SSL_get_error(this.#connection, count) !== o.SSL_ERROR_WANT_READ) return this.#breakOff();
      this.#replies = true;
      const failure = this.#fill(limit);
      if (failure < 0) return failure;
    }
  }

  /** Sends what OpenSSL has to say: 0, or a failure. */
  #sendReplies(limit: number): number {
    const failure = this.#wire.flush(limit);
    this.#replies = failure < 0 && this.#mayTryAgain(failure);
    if (failure === 0 || this.#replies) return failure;
    // What the peer said before it went (an alert that tells why) can still be read.
    this.#sendFailure = this.socket.reason(failure);
    return this.#failAgain(this.#sendFailure);
  }

  #mayTryAgain(failure: number): boolean {
    const { EAGAIN, EINTR } = this.socket.sys.constants;
    return failure === -EAGAIN || failure === -EINTR;
  }

  #failAgain(reason: string): number {
    this.#reason = reason;
    return TLS_FAILURE;
  }

  /** After SSL_ERROR_SSL: nothing more can be read or written. */
  #breakOff(): number {
    const reason = takeReason(this.#ssl, "protocol error");
    // The alert that tells the peer why.
    this.#wire.flush(monotonicTime() + LONGEST_ALERT);
    this.#receiveFailure = reason;
    this.#sendFailure = reason;
    return this.#failAgain(reason);
  }

  /** Whether all that had come when the last bytes were received was taken out, so that nothing lies here or in the system. */
  get tookAll(): boolean {
    return this.#drained && !this.#buffered && this.#wire.hadRoom;
  }

  pending(): number {
    if (this.held !== null) return this.held.length;
    if (!this.#buffered || !this.open || this.#receiveFailure !== null) return 0;
    const decrypted = this.#ssl.SSL_pending(this.#connection);
    if (decrypted > 0) return decrypted;
    // OpenSSL may hold the next record, whole or in part; only trying tells which.
    const found = this.#peekBuffered(lookScratch, 1);
    // The end of the stream, or a failure, is to be had as well.
    return found > 0 || this.#afterReceiving(found, Number.POSITIVE_INFINITY, 0) <= 0
      ? Math.max(1, found)
      : 0;
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
    disown(this.#connection);
    this.#ssl.SSL_free(this.#connection);
    this.#ssl.ERR_clear_error();
    this.socket.close();
    // An accessor among a call's arguments can close the stream when the call has begun.
    const closed = this.socket.reason(-this.socket.sys.constants.EBADF);
    this.held = null;
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
    this.#ssl.ERR_clear_error();
    if (this.#ssl.SSL_shutdown(this.#connection) >= 0) this.#wire.flush(monotonicTime() + LONGEST_FAREWELL);
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
    const bin = scratch(PIECE);
    // Not without end: a peer that goes on sending to a closed stream is to be told so by a reset.
    for (let round = 0; round < 64; round++) {
      if (sys.recv(descriptor, bin, bin.length, MSG_DONTWAIT) <= 0) return;
    }
  }
}

/** What a deadline that passed during the handshake reads like. */
export const TIMED_OUT = "timed out";

const GO_ON = 1;
const lookScratch = Buffer.allocUnsafeSlow(128);
const LARGEST_INT = 0x7fffffff;
