/**
 * A connection that the client owns: from "where to" to a transport that requests can be sent on. What lies between
 * (a proxy's tunnel, TLS) is decided here; everything above the byte stream is the same for http and https.
 */
import { connectTo } from "../endpoint.ts";
import type { Socket } from "../socket.ts";
import type { Transport } from "../stream.ts";

/** Where a request goes: everything that tells apart two connections that must not be taken for each other. */
export interface Route {
  /** The pool's key: equal for routes that may share a connection. */
  readonly key: string;
  /** "host:port" to connect to. */
  readonly address: string;
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
    if (this.#socket.isQuiet()) return true;
    if (this.transport === this.#socket) return false;
    // What came may be no more than TLS's own (session tickets, a key update). TLS takes that in when it is asked for
    // a byte, and then it would have to wait for one.
    const { transport } = this;
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
  if (typeof socket !== "string") return new Connection(socket, socket);
  return performance.now() >= deadline ? "timed out" : socket;
}
