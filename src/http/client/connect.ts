/**
 * A connection that the client owns: from "where to" to a transport that requests can be sent on. What lies between
 * (TLS, a proxy's tunnel) is dealt with here; everything above the byte stream is the same for http and https.
 */

import { connectTo, connectUnix } from "../../engine/connect.ts";
import { lastingBuffer } from "../../engine/scratch.ts";
import type { Socket } from "../../engine/socket.ts";
import type { Transport } from "../../engine/transport.ts";
import { Failure } from "../../error.ts";
import { error_code } from "../../error-code.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { startClient, type TlsSession } from "../../tls/index.ts";
import { encode } from "../message/encode.ts";
import { ExchangeFailure, type Inbox, type Line, readHead, sendRequest } from "./exchange.ts";
import type { Route, ServerTls, Tunnel } from "./route.ts";

export class Connection implements Line {
  readonly transport: Transport;
  readonly #socket: Socket;
  readonly #session: TlsSession | null;

  constructor(socket: Socket, session: TlsSession | null = null) {
    this.transport = session ?? socket;
    this.#socket = socket;
    this.#session = session;
  }

  /**
   * Whether nothing else had come when the last bytes of an answer came. `hadRoom` says that the call that received them had
   * room for more.
   */
  tookAll(hadRoom: boolean): boolean {
    return this.#session === null ? hadRoom : this.#session.tookAll;
  }

  /**
   * Whether a connection that rests can serve another request: nothing has come since the last answer's end. An end
   * of stream means that the server is gone, and bytes would be taken for the next request's answer.
   */
  isQuiet(): boolean {
    const session = this.#session;
    if (session === null) return this.#socket.isQuiet();
    if (session.pending() > 0) return false;
    if (this.#socket.isQuiet()) return true;
    // What came may be no more than TLS's own (session tickets, a key update). TLS takes that in when it is asked for
    // a byte, and then it would have to wait for one.
    if (session.setNonblocking(true) < 0) return false;
    const count = session.peek(lookScratch, 1, Number.POSITIVE_INFINITY);
    return count < 0 && session.wouldBlock(count) && session.setNonblocking(false) >= 0;
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

  close(): void {
    this.transport.close();
  }

  /**
   * Closes it after a failure. TLS's farewell would wait for room in the send buffer, and for what comes of a server that
   * has not answered: here the time may be over, and nothing is left that would have to arrive.
   */
  abandon(): void {
    if (this.#session !== null) this.#session.setNonblocking(true);
    this.transport.close();
  }
}

const lookScratch = lastingBuffer(128);

/**
 * A new connection, or the reason why there is none. Ends at the deadline; and the connection may take
 * `connectTimeout` from when the name was resolved, and what is agreed on it (tunnel, TLS) as much again.
 */
export function openConnection(
  route: Route,
  inbox: Inbox,
  deadline: number,
  connectTimeout: number,
): Connection | string {
  const socket = route.isUnix
    ? connectUnix(route.address, Math.min(deadline, monotonicTime() + connectTimeout))
    : connectTo(route.address, deadline, connectTimeout);
  if (socket instanceof Failure) return monotonicTime() >= deadline ? "timed out" : socket.reason;
  if (route.tls === null) return new Connection(socket);
  const agreed = agree(
    route.tls,
    route.tunnel,
    socket,
    inbox,
    Math.min(deadline, monotonicTime() + connectTimeout),
  );
  return typeof agreed === "string" && monotonicTime() >= deadline ? "timed out" : agreed;
}

function agree(
  tls: ServerTls,
  tunnel: Tunnel | null,
  socket: Socket,
  inbox: Inbox,
  deadline: number,
): Connection | string {
  if (tunnel !== null) {
    const failure = digTunnel(tunnel, socket, inbox, deadline);
    if (failure !== undefined) {
      socket.close();
      return failure;
    }
  }
  const session = startClient(tls.client, socket, tls.host, tls.origin, deadline);
  return session instanceof Failure
    ? `tls handshake failed: ${session.reason}`
    : new Connection(socket, session);
}

/** Asks a proxy for a tunnel to the server: undefined, or the text of why there is none. */
function digTunnel(tunnel: Tunnel, socket: Socket, inbox: Inbox, deadline: number): string | undefined {
  const { address, authorization } = tunnel;
  const credentials = authorization === null ? "" : `Proxy-Authorization: ${authorization}\r\n`;
  const head = `CONNECT ${address} HTTP/1.1\r\nHost: ${address}\r\n${credentials}\r\n`;
  const source = sendRequest(new Connection(socket), encode(head, ""), deadline);
  const answer = source instanceof ExchangeFailure ? source : readHead(source, inbox, false, deadline);
  if (answer instanceof ExchangeFailure) return `proxy CONNECT failed: ${answer.reason}`;
  if (answer.status >= 300) return `proxy refused CONNECT: ${`${answer.status} ${answer.reason}`.trim()}`;
  // The server waits for the client's first TLS message: whatever has come by now is not its own.
  return inbox.start === inbox.end ? undefined : "proxy CONNECT failed: unexpected bytes in the tunnel";
}
