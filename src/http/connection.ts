/**
 * A connection that the client owns: from "where to" to a transport that requests can be sent on. What lies between
 * (TLS, a proxy's tunnel) is dealt with here; everything above the byte stream is the same for http and https.
 */
import { connectTo } from "../endpoint.ts";
import type { Socket } from "../socket.ts";
import type { Transport } from "../stream.ts";
import { type ClientTls, startClient } from "../tls/index.ts";

/** Where a request goes: everything that tells apart two connections that must not be taken for each other. */
export interface Route {
  /** The pool's key: equal for routes that may share a connection. */
  readonly key: string;
  /** "host:port" to connect to. */
  readonly address: string;
  /** How to speak TLS with the server, and under which name it is known; null for http. */
  readonly tls: { readonly client: ClientTls; readonly host: string; readonly origin: string } | null;
}

export class Connection {
  readonly transport: Transport;
  readonly #socket: Socket;

  constructor(transport: Transport, socket: Socket) {
    this.transport = transport;
    this.#socket = socket;
  }

  /**
   * Whether a connection that rests can serve another request: nothing has come since the last answer's end. An end
   * of stream means that the server is gone, and bytes would be taken for the next request's answer.
   */
  isQuiet(): boolean {
    const { transport } = this;
    if (transport === this.#socket) return this.#socket.isQuiet();
    if (transport.pending() > 0) return false;
    if (this.#socket.isQuiet()) return true;
    // What came may be no more than TLS's own (session tickets, a key update). TLS takes that in when it is asked for
    // a byte, and then it would have to wait for one.
    if (transport.setNonblocking(true) < 0) return false;
    const count = transport.peek(lookScratch, 1, Number.POSITIVE_INFINITY);
    return count < 0 && transport.wouldBlock(count) && transport.setNonblocking(false) >= 0;
  }

  close(): void {
    this.transport.close();
  }
}

const lookScratch = Buffer.allocUnsafeSlow(128);

/** A new connection, or the reason why there is none. Ends at the deadline, or `connectTimeout` after name resolution. */
export function openConnection(route: Route, deadline: number, connectTimeout: number): Connection | string {
  const socket = connectTo(route.address, deadline, connectTimeout);
  if (typeof socket === "string") return performance.now() >= deadline ? "timed out" : socket;
  if (route.tls === null) return new Connection(socket, socket);

  // The last flight of a TLS handshake and the request follow each other without an answer between them, and a large
  // body goes out record by record: Nagle's algorithm would hold back the second of two small segments until the
  // first is acknowledged (RFC 1122, 4.2.3.4), which the server may put off. Plain HTTP sends a request with one call.
  const { IPPROTO_TCP, TCP_NODELAY } = socket.sys.constants;
  socket.setOption(IPPROTO_TCP, TCP_NODELAY, 1);
  const { client, host, origin } = route.tls;
  const session = startClient(client, socket, host, origin, deadline);
  if (typeof session !== "string") return new Connection(session, socket);
  return performance.now() >= deadline ? "timed out" : `tls handshake failed: ${session}`;
}
