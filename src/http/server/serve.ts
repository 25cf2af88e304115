/**
 * `http.serve`: any number of clients in one thread.
 */
import { PollSet } from "../../engine/poll-set.ts";
import type { Socket } from "../../engine/socket.ts";
import type { Transport } from "../../engine/transport.ts";
import { Failure, failed } from "../../error.ts";
import type { Json } from "../../json.ts";
import { SOCKET } from "../../net/socket-object.ts";
import { TcpListener, TcpStream } from "../../net/tcp.ts";
import { TlsStream } from "../../net/tls.ts";
import { UnixListener, UnixStream } from "../../net/unix.ts";
import { Result, type Unit } from "../../result.ts";
import { TlsSession } from "../../tls/index.ts";
import { type ServeHandler, type ServeOptions, serveSettings } from "./serve-options.ts";
import { Service, type Source } from "./service.ts";

/**
 * Serves HTTP, or https with `tls`: accepts the clients of one listener or of several, reads their requests, has `handler` respond, and
 * keeps the connections.
 *
 * Blocks until a listener is closed in the handler (the last one, where there are several), or a signal comes that has a listener.
 * Then it accepts no more connections, finishes what is under way, within a second, closes listeners and connections, and returns. No
 * client delays another one, be it slow or silent; but the handler blocks the thread while it runs. When it waits itself (for a
 * database, say) or computes for long, let several threads serve one listener (`try_clone`, `into_fd`, `from_fd`).
 *
 * The handler gets a request that is whole, and the stream that it came on, in blocking mode. It gives the response, which keeps
 * the connection unless its headers say `connection: close`; or null when it has responded itself (`start_response`,
 * `write_response`) or has taken the stream over (WebSocket). With its response sent whole, the connection goes on to be served;
 * else the stream is the handler's, who closes it. When the handler throws, the client gets a 500 and `on_error` the error.
 *
 * What is no proper request is refused, and the connection ends: 400, 408 (too late), 413 (body too large), 417 (an expectation but
 * `100-continue`), 431 (head too large), 501 (a transfer coding but chunked), 505 (another version of HTTP); 503 beyond
 * `max_connections`. The body of such a response is `{"error": "..."}`.
 *
 * @param listener a TcpListener or UnixListener, or several
 * @param handler called for each request
 * @param options limits, timeouts, TLS, and what the bodies become
 * @returns Ok when it has stopped. Errors: `expected listener`; `invalid tcp listener` and `invalid unix listener` after `close`; `expected
 * function`; and what is wrong with an option, with `tls handshake failed: ` before it for those of `tls`; `http serve failed: ` and the
 * system's reason (`EMFILE`). Source: RFC 9112; RFC 9110, 15; epoll_wait(2).
 *
 * @example
 * ```ts
 * import { Worker } from "node:worker_threads";
 * import { http, TcpListener } from "std-net";
 *
 * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
 * const client = `require("std-net").http.request({ method: "GET", url: "http://${listener.local_addr().unwrap()}/hello" })`;
 * new Worker(client, { eval: true });
 * const ended = http.serve(listener, ({ method, path }) => {
 *   console.log(method, path); // GET /hello
 *   listener.close(); // a real server goes on until a signal comes
 *   return { status: 200, body_text: "hello\n" };
 * });
 * console.log(ended.isOk); // true
 * ```
 */
export function serve(
  listener: TcpListener | UnixListener | readonly (TcpListener | UnixListener)[],
  handler: ServeHandler<Buffer>,
  options: ServeOptions<Buffer> & { decode_body: "bytes" },
): Result<Unit, string>;
export function serve<T = Json>(
  listener: TcpListener | UnixListener | readonly (TcpListener | UnixListener)[],
  handler: ServeHandler<T>,
  options?: ServeOptions<T>,
): Result<Unit, string>;
export function serve(
  listener: TcpListener | UnixListener | readonly (TcpListener | UnixListener)[],
  handler: unknown,
  options?: unknown,
): Result<Unit, string> {
  const sources = sourcesFrom(listener);
  if (sources instanceof Failure) return Result.err(sources.reason);
  const settings = serveSettings(handler, options);
  if (settings instanceof Failure) return Result.err(settings.reason);
  // (A getter among the options can have closed one.)
  if (!sources.every(({ socket }) => socket.open)) return Result.err("invalid tcp listener");
  const poll = PollSet.open();
  const failure = poll instanceof Failure ? poll : new Service(poll, sources, settings).run();
  return failure === null ? Result.ok() : failed("http serve failed: ", failure.reason);
}

function sourcesFrom(given: unknown): Source[] | Failure {
  try {
    const listeners: unknown[] = Array.isArray(given) ? [...given] : [given];
    const sources = new Map<Socket, Source>();
    for (const each of listeners) {
      const isTcp = each instanceof TcpListener;
      if (!isTcp && !(each instanceof UnixListener)) return new Failure("expected listener");
      const socket = each[SOCKET];
      if (!socket.open) return new Failure(isTcp ? "invalid tcp listener" : "invalid unix listener");
      sources.set(socket, { socket, makeStream: isTcp ? tcpStream : unixStream });
    }
    return sources.size === 0 ? new Failure("expected listener") : [...sources.values()];
  } catch {
    // A proxy's trap threw.
    return new Failure("expected listener");
  }
}

function tcpStream(transport: Transport): TcpStream | TlsStream {
  return transport instanceof TlsSession ? new TlsStream(transport) : new TcpStream(transport as Socket);
}

function unixStream(transport: Transport): UnixStream | TlsStream {
  return transport instanceof TlsSession ? new TlsStream(transport) : new UnixStream(transport as Socket);
}
