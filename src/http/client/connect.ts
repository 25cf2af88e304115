/**
 * From "where to" to a connection: connecting, a proxy's tunnel, TLS.
 */
import { connectTo, connectUnix, type KnownNames } from "../../engine/connect.ts";
import type { Socket } from "../../engine/socket.ts";
import { Failure } from "../../error.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { startClient } from "../../tls/index.ts";
import { Connection } from "./connection.ts";
import type { OwnReader } from "./exchange.ts";
import type { Route, ServerTls, Tunnel } from "./route.ts";
import { TunnelRequest } from "./tunnel.ts";

/**
 * A new connection, or the reason why there is none. Ends at the deadline; and the connection may take
 * `connectTimeout` from when the name was resolved, and what is agreed on it (tunnel, TLS) as much again.
 */
export function openConnection(
  route: Route,
  reader: OwnReader,
  deadline: number,
  connectTimeout: number,
  names: KnownNames | null = null,
): Connection | Failure {
  const socket = route.isUnix
    ? connectUnix(route.address, Math.min(deadline, monotonicTime() + connectTimeout))
    : connectTo(route.address, deadline, connectTimeout, names);
  if (socket instanceof Failure) return monotonicTime() >= deadline ? TIMED_OUT : socket;
  if (route.tls === null) return new Connection(socket);
  const end = Math.min(deadline, monotonicTime() + connectTimeout);
  const agreed = agree(route.tls, route.tunnel, socket, reader, end);
  return agreed instanceof Failure && monotonicTime() >= deadline ? TIMED_OUT : agreed;
}

const TIMED_OUT = new Failure("timed out");

function agree(
  tls: ServerTls,
  tunnel: Tunnel | null,
  socket: Socket,
  reader: OwnReader,
  deadline: number,
): Connection | Failure {
  if (tunnel !== null) {
    // The socket is a blocking one, so it goes to the end.
    const failure = new TunnelRequest(tunnel, socket, reader, deadline).advance();
    if (failure instanceof Failure) {
      socket.close();
      return failure;
    }
  }
  const session = startClient(tls.client, socket, tls.host, tls.origin, deadline);
  return session instanceof Failure
    ? new Failure(`tls handshake failed: ${session.reason}`)
    : new Connection(socket, session);
}
