import { lastingBuffer } from "../../engine/scratch.ts";
import type { Socket } from "../../engine/socket.ts";
import type { Transport } from "../../engine/transport.ts";
import { error_code } from "../../error-code.ts";
import { TcpStream } from "../../net/tcp.ts";
import { TlsStream } from "../../net/tls.ts";
import { UnixStream } from "../../net/unix.ts";
import type { TlsSession } from "../../tls/index.ts";
import type { Line } from "./large-request.ts";

/**
 * A connection that the client owns: a byte stream that requests can be sent on. What is below it (TLS, a proxy's tunnel) makes
 * no difference to what is above.
 */
export class Connection implements Line {
  readonly transport: Transport;
  readonly socket: Socket;
  /** Who has it in non-blocking mode, and alone may take it out of the pool: a batch; null for none. */
  holder: object | null = null;
  readonly #session: TlsSession | null;

  constructor(socket: Socket, session: TlsSession | null = null) {
    this.transport = session ?? socket;
    this.socket = socket;
    this.#session = session;
  }

  /**
   * Whether nothing else had come when the last bytes of a response came. `hadRoom` says that the call that received them had
   * room for more.
   */
  tookAll(hadRoom: boolean): boolean {
    return this.#session === null ? hadRoom : this.#session.tookAll;
  }

  /**
   * Whether an idle connection can serve another request: nothing has come since the last response's end. An end
   * of stream means that the server is gone, and bytes would be taken for the next request's response.
   */
  isQuiet(): boolean {
    const session = this.#session;
    if (session === null) return this.socket.isQuiet();
    if (session.pending() > 0) return false;
    if (this.socket.isQuiet()) return true;
    // What came may be no more than TLS's own (session tickets, a key update). TLS takes that in when it is asked for
    // a byte, and then it would have to wait for one.
    const { nonblocking } = session;
    if (!nonblocking && session.setNonblocking(true) < 0) return false;
    const count = session.peek(lookScratch, 1, Number.POSITIVE_INFINITY);
    const hasNone = count < 0 && session.wouldBlock(count);
    // Also of a connection that is not quiet: a response that comes early is still to be received.
    const isAsBefore = nonblocking || session.setNonblocking(false) >= 0;
    return hasNone && isAsBefore;
  }

  /** Whether it is quiet, and nothing comes up to the deadline either. Waits for that. */
  staysQuiet(deadline: number): boolean {
    const { transport } = this;
    const count = transport.peek(lookScratch, 1, deadline);
    return count < 0 && (transport.wouldBlock(count) || error_code(transport.reason(count)) === "EINTR");
  }

  /** Whether bytes have come, of a connection that is not quiet; else it is at its end. Does not wait. */
  hasBytes(): boolean {
    return this.transport.peek(lookScratch, 1, 0) > 0;
  }

  /** The connection as a stream of the caller's. `rest`: bytes that have come and were not used. */
  intoStream(isUnix: boolean, rest: Uint8Array): TcpStream | UnixStream | TlsStream {
    if (rest.length > 0) this.transport.unreceive(rest);
    if (this.#session !== null) return new TlsStream(this.#session);
    return isUnix ? new UnixStream(this.socket) : new TcpStream(this.socket);
  }

  /** From now on it is closed should it be dropped without `close`. */
  closeWhenDropped(): void {
    this.socket.closeWhenDropped();
  }

  close(): void {
    this.transport.close();
  }

  /**
   * Closes it after a failure. TLS's farewell would wait for room in the send buffer, and for what comes of a server that
   * has not responded: here the time may be over, and nothing is left that would have to arrive.
   */
  abandon(): void {
    if (this.#session !== null) this.#session.setNonblocking(true);
    this.transport.close();
  }
}

const lookScratch = lastingBuffer(128);
