import { scratch } from "../engine/buffers.ts";
import { monotonicTime } from "../runtime/clock.ts";
import type { Connection } from "./handshake.ts";
import * as o from "./openssl.ts";

/** How long the end waits for room in the send buffer, in milliseconds: see `closeNotify`. */
const LONGEST_FAREWELL = 5000;
/** How long the end waits for a server's first tickets, in milliseconds: see `awaitTickets`. */
const LONGEST_TICKET_WAIT = 100;
/** How much `discardUnread` takes off the socket: 64 times 32 KiB. */
const DISCARD = 32 * 1024;
const MOST_DISCARDS = 64;

/**
 * The end of TLS on a connection whose socket is still open. The caller frees the connection and closes the socket.
 *
 * @param inOrder false after a failure, and when a half-sent record is left
 * @param ticketsMayCome true on a connection that has sent data and has never received any
 */
export function endTls(connection: Connection, inOrder: boolean, ticketsMayCome: boolean): void {
  if (inOrder) {
    closeNotify(connection);
    keepSession(connection);
  }
  if (ticketsMayCome) awaitTickets(connection);
  discardUnread(connection);
}

/**
 * Sends close_notify. Without it, the peer must take the end of the stream for an attack. It must not follow a failure or
 * half a record (SSL_shutdown(3)). In blocking mode it waits for room as a write does, because a long write to a slow
 * reader leaves none at first; but it does not wait for ever.
 */
export function closeNotify({ ssl, pointer, wire }: Connection): void {
  ssl.ERR_clear_error();
  if (ssl.SSL_shutdown(pointer) >= 0) wire.flush(monotonicTime() + LONGEST_FAREWELL);
}

/**
 * Keeps the session for the next connection to this origin. This happens at the end for two reasons: a TLS 1.3 server may
 * send its tickets at any time among the data (RFC 8446, 4.6.1), and SSL_free(3) forbids the resumption of a session for
 * which no close_notify was sent.
 */
function keepSession({ ssl, pointer, context, origin }: Connection): void {
  if (origin === null) return;
  const session = ssl.SSL_get1_session(pointer);
  if (session === null) return;
  if (ssl.SSL_SESSION_is_resumable(session) === 1) context.keepSession(origin, session);
  else ssl.SSL_SESSION_free(session);
}

/**
 * Waits a short time for the tickets that a TLS 1.3 server sends before anything else. A client that wrote and never read
 * has not received them yet. If they reach a closed socket, the kernel resets the connection (RFC 1122, 4.2.2.13), and
 * data that the kernel has not sent yet is lost.
 */
function awaitTickets({ ssl, pointer, socket, origin }: Connection): void {
  if (origin === null || socket.nonblocking || ssl.SSL_version(pointer) !== o.TLS1_3_VERSION) return;
  socket.waitFor(socket.sys.constants.POLLIN, LONGEST_TICKET_WAIT);
}

/** Takes unread bytes off the socket, because close(2) resets the connection as long as there are any. */
function discardUnread({ socket }: Connection): void {
  const { sys, descriptor } = socket;
  const { MSG_DONTWAIT } = sys.constants;
  const bin = scratch(DISCARD);
  // With an end: a peer that goes on sending to a closed stream must learn of it, and a reset tells it.
  for (let round = 0; round < MOST_DISCARDS; round++) {
    if (sys.recv(descriptor, bin, bin.length, MSG_DONTWAIT) <= 0) return;
  }
}
