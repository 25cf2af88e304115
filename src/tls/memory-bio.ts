import { part } from "../arguments.ts";
import type { Socket } from "../engine/socket.ts";
import { lastingBuffer } from "../sys/pinned-memory.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";

/** The most bytes of one receive: two full records (RFC 8446, 5.2), or many small ones. */
const INBOUND = 32 * 1024;
/** The most bytes of one send: more than two records. */
const OUTBOUND = 33 * 1024;
/** The header of a record: type, version, and in its last two bytes how many bytes follow (RFC 8446, 5.1). */
const RECORD_HEAD = 5;
const ENOMEM = 12;

// One for the thread, because no other call can run between the receive and the handover to OpenSSL.
const inbound = lastingBuffer(INBOUND);
// Taken while it is in use, because a listener (of a warning) can run while a send waits, and send on another connection.
let spareOutbound: Buffer | null = null;

/**
 * Carries the encrypted bytes between a socket and OpenSSL. OpenSSL reads them from one piece of memory and writes them to
 * another (BIO_s_mem(3)). It could make the system calls itself, but its functions return only when a record is whole. A
 * peer that sends a byte now and then would then delay every deadline, every signal and the end of a worker thread. So only
 * the socket waits.
 */
export class Wire {
  readonly #ssl: OpenSsl;
  readonly #socket: Socket;
  readonly #toOpenSsl: Pointer;
  readonly #fromOpenSsl: Pointer;
  /** What the socket had no room for. */
  #rest: Buffer | null = null;
  /** Whether OpenSSL may have written bytes that are no data of `send`: replies to the peer, such as new keys. */
  hasReplies = false;

  private constructor(ssl: OpenSsl, socket: Socket, toOpenSsl: Pointer, fromOpenSsl: Pointer) {
    this.#ssl = ssl;
    this.#socket = socket;
    this.#toOpenSsl = toOpenSsl;
    this.#fromOpenSsl = fromOpenSsl;
  }

  /** Between a connection and its socket; null when there is no memory. SSL_free(3) frees the two BIOs. */
  static between(ssl: OpenSsl, connection: Pointer, socket: Socket): Wire | null {
    const toOpenSsl = ssl.BIO_new_mem();
    const fromOpenSsl = ssl.BIO_new_mem();
    if (toOpenSsl === null || fromOpenSsl === null) {
      if (toOpenSsl !== null) ssl.BIO_free(toOpenSsl);
      return null;
    }
    ssl.SSL_set_bio(connection, toOpenSsl, fromOpenSsl);
    return new Wire(ssl, socket, toOpenSsl, fromOpenSsl);
  }

  /** Whether the last receive gave one whole record and nothing else. */
  isOneRecord = false;
  /** Whether the last receive left room: then nothing else had come. */
  hadRoom = false;

  /** Receives and hands the bytes to OpenSSL: their count, 0 at the end of the stream, or a failure of the socket. */
  receive(limit: number): number {
    const count = this.#socket.receive(inbound, INBOUND, limit);
    if (count <= 0) return count;
    this.hadRoom = count < INBOUND;
    this.isOneRecord = count === RECORD_HEAD + (inbound[3]! << 8) + inbound[4]!;
    return this.#ssl.BIO_write(this.#toOpenSsl, inbound, count) === count ? count : -ENOMEM;
  }

  /** Whether OpenSSL has not read some of the received bytes yet. */
  get hasUnread(): boolean {
    return this.#ssl.BIO_pending(this.#toOpenSsl) > 0;
  }

  /** Sets `hasReplies` to whether there are any. */
  lookForReplies(): void {
    this.hasReplies = this.#rest !== null || this.#ssl.BIO_pending(this.#fromOpenSsl) > 0;
  }

  /** How many bytes of OpenSSL are still to be sent. */
  get unsent(): number {
    return (this.#rest?.length ?? 0) + this.#ssl.BIO_pending(this.#fromOpenSsl);
  }

  /** Sends all that OpenSSL has written: 0, or a failure of the socket; another call then sends the rest. */
  flush(limit: number): number {
    if (this.#rest !== null) {
      const rest = this.#rest;
      this.#rest = null;
      const failure = this.#sendAll(rest, rest.length, limit);
      if (failure < 0) return failure;
    }
    const outbound = spareOutbound ?? lastingBuffer(OUTBOUND);
    spareOutbound = null;
    let failure = 0;
    for (let count = OUTBOUND; count === OUTBOUND && failure === 0; ) {
      count = this.#ssl.BIO_read(this.#fromOpenSsl, outbound, OUTBOUND);
      if (count > 0) failure = this.#sendAll(outbound, count, limit);
    }
    spareOutbound = outbound;
    return failure;
  }

  #sendAll(bytes: Uint8Array, length: number, limit: number): number {
    for (let sent = 0; sent < length; ) {
      const left = sent === 0 ? bytes : part(bytes, sent, length);
      const count = this.#socket.send(left, length - sent, limit);
      if (count < 0) {
        this.#rest = Buffer.from(part(bytes, sent, length));
        return count;
      }
      sent += count;
    }
    return 0;
  }
}
