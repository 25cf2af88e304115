import { constants } from "node:os";
import { part } from "../arguments.ts";
import { GivenBack } from "../engine/pushback.ts";
import type { Socket } from "../engine/socket.ts";
import { TLS_FAILURE, type Transport } from "../engine/transport.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { closeNotify, endTls } from "./closing.ts";
import { takeReason, UNEXPECTED_EOF } from "./errors.ts";
import { type Connection, freeConnection, limitOf } from "./handshake.ts";
import type { Wire } from "./memory-bio.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import * as o from "./openssl.ts";

/** What one call sends: two full records (RFC 8446, 5.1), because this saves one of two system calls. */
const PIECE = 32 * 1024;

/** How long a receive waits before it tries again to send replies that found no room, in milliseconds. */
const REPLY_WAIT = 100;
/** How many bytes of replies without room are kept before nothing more is received: see `#receiveWhileReplying`. */
const MOST_UNSENT = 256 * 1024;
/**
 * How often a call in non-blocking mode receives without getting a byte of data. After two times at least one whole record
 * was there, because one receive takes as much as two records.
 */
const MOST_FILLS = 2;
/** How long a failure waits for room for its alert, in milliseconds. */
const LONGEST_ALERT = 100;

// The states of the receiving direction: what OpenSSL still holds of the bytes that were received. Only in the states from
// ONE_RECORD to SOME is it worth asking OpenSSL for data; in the others it has none.
/** Nothing at all. */
const EMPTY = 0;
/** At most a part of a record. */
const PART = 1;
/** One whole record and nothing else. */
const ONE_RECORD = 2;
/** Anything: data, the end of the stream, or less than a record. Only asking tells. */
const SOME = 3;
/** Nothing can be received any more, because of `#receiveFailure`. */
const RECEIVING_FAILED = 4;
/** `close` was called: OpenSSL's object is freed. */
const CLOSED = 5;

// The states of the sending direction.
/** No data waits to be sent. */
const READY = 0;
/** `#piece` is to be encrypted and sent. */
const PIECE_IS_PLAIN = 1;
/** `#piece` is encrypted, and only the sending is left. */
const PIECE_IS_ENCRYPTED = 2;
/** Nothing can be sent any more, because of `#sendFailure`. */
const SENDING_FAILED = 3;

// What a connection was used for, so that `close` knows whether a server's first tickets may still come.
const UNUSED = 0;
const SENT_ONLY = 1;
const RECEIVED = 2;

// For connections that were dropped without `close`. The socket has a registry of its own for the descriptor.
const connections = new FinalizationRegistry<{ ssl: OpenSsl; pointer: Pointer }>(({ ssl, pointer }) =>
  freeConnection(ssl, pointer),
);

/**
 * TLS on a socket, after the handshake. OpenSSL makes no system calls: the session hands it what the socket received, and
 * sends what it has to say (see `Wire`). SSL_ERROR_WANT_READ means that it has used up all that was received.
 *
 * A direction fails for good, because SSL_get_error(3) forbids every further call after SSL_ERROR_SSL.
 */
export class TlsSession extends GivenBack implements Transport {
  readonly socket: Socket;
  readonly #ssl: OpenSsl;
  readonly #pointer: Pointer;
  readonly #wire: Wire;
  readonly #connection: Connection;
  #receiving = PART;
  #receiveFailure = "";
  #sending = READY;
  #sendFailure = "";
  /** What a send that could not wait has left: see `send`. */
  #piece: Buffer | null = null;
  #use = UNUSED;
  /** The reason behind the last TLS_FAILURE. */
  #reason = "";

  constructor(connection: Connection) {
    super();
    this.socket = connection.socket;
    this.#ssl = connection.ssl;
    this.#pointer = connection.pointer;
    this.#wire = connection.wire;
    this.#connection = connection;
    connections.register(this, { ssl: connection.ssl, pointer: connection.pointer }, this);
    this.#lookWhatIsLeft();
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
    if (this.#receiving >= RECEIVING_FAILED) return this.#fail(this.#receiveFailure);
    const ssl = this.#ssl;
    const limit = limitOf(deadline, this.socket.readTimeout);
    for (let fills = 0; ; fills++) {
      if (this.#receiving >= ONE_RECORD) {
        ssl.ERR_clear_error();
        const count = ssl.SSL_read(this.#pointer, target, Math.min(length, LARGEST_INT));
        if (count > 0) {
          this.#use = RECEIVED;
          if (count < length) this.#afterRecord();
          else this.#receiving = SOME;
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
    if (this.#receiving >= RECEIVING_FAILED) return this.#fail(this.#receiveFailure);
    const limit = limitOf(deadline, this.socket.readTimeout);
    for (let fills = 0; ; fills++) {
      if (this.#receiving >= ONE_RECORD) {
        const count = this.#peekDecrypted(target, length);
        if (count > 0) return count;
        const failure = this.#afterReceiving(count, limit, fills);
        if (failure <= 0) return failure;
      }
      const failure = this.#fill(limit);
      if (failure < 0) return failure;
    }
  }

  #peekDecrypted(target: Uint8Array, length: number): number {
    this.#ssl.ERR_clear_error();
    const count = this.#ssl.SSL_peek(this.#pointer, target, Math.min(length, LARGEST_INT));
    if (count > 0) this.socket.notePending();
    return count;
  }

  /** Waits for bytes and hands them to OpenSSL: a count, or a failure. */
  #fill(limit: number): number {
    const wasEmpty = this.#receiving === EMPTY;
    const count = this.#wire.hasReplies ? this.#receiveWhileReplying(limit) : this.#wire.receive(limit);
    if (count > 0) {
      this.#receiving = wasEmpty && this.#wire.isOneRecord ? ONE_RECORD : SOME;
      return count;
    }
    if (count === 0) {
      this.#failSending(UNEXPECTED_EOF);
      return this.#failReceiving(UNEXPECTED_EOF);
    }
    return this.#mayTryAgain(count) ? count : this.#failReceiving(this.socket.reason(count));
  }

  /**
   * As `Wire.receive`, while OpenSSL's replies are sent. Neither of the two waits for the other, or else both sides of the
   * connection could wait for each other. But a peer that asks for new keys again and again, and receives none of the
   * replies, must not fill the memory with them.
   */
  #receiveWhileReplying(limit: number): number {
    const wire = this.#wire;
    for (;;) {
      const tooMany = wire.unsent > MOST_UNSENT;
      const failure = this.#flush(tooMany ? limit : monotonicTime());
      if (failure === -this.socket.sys.constants.EINTR) return failure;
      // (Not EAGAIN in non-blocking mode: a Poller would report the socket as readable again and again.)
      if (tooMany && wire.hasReplies) return this.nonblocking ? -constants.errno.ENOBUFS : failure;
      // When nothing can be sent any more, what the peer said before can still be read.
      if (!wire.hasReplies) return wire.receive(limit);
      const count = wire.receive(Math.min(limit, monotonicTime() + REPLY_WAIT));
      if (!this.socket.wouldBlock(count) || this.socket.nonblocking || monotonicTime() >= limit) return count;
    }
  }

  /**
   * After the data of a record was taken out to its end. In the usual case it was the only record, and then OpenSSL need
   * not be read: it held nothing before and was given just this record, which turned out to be one of data.
   */
  #afterRecord(): void {
    if (this.#receiving === ONE_RECORD) this.#receiving = EMPTY;
    else this.#lookWhatIsLeft();
  }

  #lookWhatIsLeft(): void {
    const isLeft = this.#ssl.SSL_has_pending(this.#pointer) === 1 || this.#wire.hasUnread;
    this.#receiving = isLeft ? SOME : EMPTY;
    this.#wire.lookForReplies();
  }

  /** What the result of SSL_read or SSL_peek means: GO_ON, 0 for the end of the stream, or a failure. */
  #afterReceiving(count: number, limit: number, fills: number): number {
    switch (this.#ssl.SSL_get_error(this.#pointer, count)) {
      case o.SSL_ERROR_ZERO_RETURN:
        return 0;
      case o.SSL_ERROR_WANT_READ:
        this.#receiving = PART;
        this.#wire.lookForReplies();
        // The socket never waits for a peer that never stops sending, even if it never sends a byte of data. Before that many
        // receives, a part of a record alone was there, and the rest of it may be there as well.
        return fills >= MOST_FILLS &&
          (this.nonblocking || (limit !== Number.POSITIVE_INFINITY && monotonicTime() >= limit))
          ? -this.socket.sys.constants.EAGAIN
          : GO_ON;
      default:
        return this.#breakOff();
    }
  }

  /**
   * Sends at most two records. When the system has no room for a piece, the piece is kept, encrypted, and only the same
   * bytes can follow (SSL_write(3): the caller must repeat the call with the same arguments). So other bytes are refused.
   */
  send(source: Uint8Array, length: number, deadline: number): number {
    if (this.#sending === SENDING_FAILED) return this.#fail(this.#sendFailure);
    let count = Math.min(length, PIECE);
    if (this.#piece !== null) {
      count = this.#piece.length;
      if (length < count || this.#piece.compare(part(source, 0, count)) !== 0) {
        return this.#fail("a write that would have had to wait must be repeated with the same data");
      }
    } else if (length === 0) {
      return 0;
    }
    const limit = limitOf(deadline, this.socket.writeTimeout);
    let failure = this.#sending === PIECE_IS_ENCRYPTED ? 0 : this.#encrypt(source, count, limit);
    const isEncrypted = failure === 0;
    if (isEncrypted) failure = this.#flush(limit);
    if (failure === 0) {
      if (this.#use === UNUSED) this.#use = SENT_ONLY;
      this.#piece = null;
      this.#sending = READY;
      return count;
    }
    if (this.#mayTryAgain(failure)) {
      this.#piece ??= Buffer.from(part(source, 0, count));
      this.#sending = isEncrypted ? PIECE_IS_ENCRYPTED : PIECE_IS_PLAIN;
    }
    return failure;
  }

  /** Has OpenSSL encrypt a piece: 0, or a failure. It waits only when the peer wanted to renegotiate (TLS 1.2). */
  #encrypt(source: Uint8Array, length: number, limit: number): number {
    const ssl = this.#ssl;
    for (;;) {
      ssl.ERR_clear_error();
      const count = ssl.SSL_write(this.#pointer, source, length);
      if (count > 0) return 0;
      if (ssl.SSL_get_error(this.#pointer, count) !== o.SSL_ERROR_WANT_READ) return this.#breakOff();
      this.#wire.hasReplies = true;
      const failure = this.#fill(limit);
      if (failure < 0) return failure;
      if (this.#sending === SENDING_FAILED) return this.#fail(this.#sendFailure);
    }
  }

  /** Sends what OpenSSL has to say: 0, or a failure. */
  #flush(limit: number): number {
    const failure = this.#wire.flush(limit);
    const mayTryAgain = failure < 0 && this.#mayTryAgain(failure);
    this.#wire.hasReplies = mayTryAgain;
    if (failure === 0 || mayTryAgain) return failure;
    // Receiving goes on: the peer may have sent an alert that tells why, before it went.
    return this.#failSending(this.socket.reason(failure));
  }

  #mayTryAgain(failure: number): boolean {
    const { EAGAIN, EINTR } = this.socket.sys.constants;
    return failure === -EAGAIN || failure === -EINTR;
  }

  #fail(reason: string): number {
    this.#reason = reason;
    return TLS_FAILURE;
  }

  #failReceiving(reason: string): number {
    // (CLOSED stays: OpenSSL's object must not be freed twice.)
    if (this.#receiving !== CLOSED) this.#receiving = RECEIVING_FAILED;
    this.#receiveFailure = reason;
    return this.#fail(reason);
  }

  #failSending(reason: string): number {
    this.#sending = SENDING_FAILED;
    this.#sendFailure = reason;
    return this.#fail(reason);
  }

  /** After SSL_ERROR_SSL: nothing more can be read or written. */
  #breakOff(): number {
    const reason = takeReason(this.#ssl, "protocol error");
    // The alert that tells the peer why.
    this.#wire.flush(monotonicTime() + LONGEST_ALERT);
    this.#failSending(reason);
    return this.#failReceiving(reason);
  }

  /** Whether everything that had come with the last bytes was taken out, so that nothing is left here or in the system. */
  get tookAll(): boolean {
    return this.#receiving === EMPTY && this.#wire.hadRoom;
  }

  pending(): number {
    if (this.held !== null) return this.held.length;
    if (this.#receiving < ONE_RECORD || this.#receiving >= RECEIVING_FAILED || !this.open) return 0;
    const decrypted = this.#ssl.SSL_pending(this.#pointer);
    if (decrypted > 0) return decrypted;
    // OpenSSL may hold the next record, whole or in part. Only trying tells which.
    const found = this.#peekDecrypted(lookScratch, 1);
    // The end of the stream, or a failure, is something to be received too.
    return found > 0 || this.#afterReceiving(found, Number.POSITIVE_INFINITY, 0) <= 0
      ? Math.max(1, found)
      : 0;
  }

  /** `TLSv1.3` or `TLSv1.2`. */
  get protocol(): string {
    return this.#ssl.SSL_get_version(this.#pointer);
  }

  /** The protocol that ALPN agreed on; null for none. */
  get alpnProtocol(): string | null {
    return this.#ssl.SSL_get0_alpn_selected(this.#pointer);
  }

  /** The peer's certificate in DER; null when it showed none. */
  get peerCertificate(): Buffer | null {
    const certificate = this.#ssl.SSL_get1_peer_certificate(this.#pointer);
    if (certificate === null) return null;
    const der = this.#ssl.i2d_X509(certificate);
    this.#ssl.X509_free(certificate);
    this.#ssl.ERR_clear_error();
    return der;
  }

  /** Ends this side's direction (close_notify, and the socket's own end): the peer knows that it has all. The peer may still send. */
  endSending(): void {
    if (!this.open || this.#sending === SENDING_FAILED) return;
    if (this.#sending === READY) closeNotify(this.#connection);
    this.#failSending(this.socket.reason(-constants.errno.EPIPE));
    this.socket.shutdown("write");
  }

  close(): void {
    if (this.#receiving === CLOSED) return;
    const inOrder = this.#receiving !== RECEIVING_FAILED && this.#sending === READY;
    // A getter among the arguments of a call can close the stream in the middle of this call: then the call goes on here.
    const closed = this.socket.reason(-this.socket.sys.constants.EBADF);
    this.#failSending(closed);
    this.#failReceiving(closed);
    this.#receiving = CLOSED;
    if (this.socket.open) endTls(this.#connection, inOrder, this.#use === SENT_ONLY);
    connections.unregister(this);
    freeConnection(this.#ssl, this.#pointer);
    this.socket.close();
    this.held = null;
  }
}

const GO_ON = 1;
const lookScratch = Buffer.allocUnsafeSlow(128);
const LARGEST_INT = 0x7fffffff;
