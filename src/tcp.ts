import { Result } from "true-myth/result";
import { Unit } from "true-myth/unit";
import { bindTo, connectTo, localAddress, peerAddress } from "./endpoint.ts";
import { failed } from "./error.ts";
import { openedSocket, type Socket } from "./socket.ts";
import { ByteStream, TRANSPORT, wording } from "./stream.ts";

const INVALID_STREAM = "invalid tcp stream";
const INVALID_LISTENER = "invalid tcp listener";
const FAILED_TO_CONNECT = "failed to connect: ";
const BIND_FAILED = "tcp listener bind failed: ";

const words = wording("tcp", INVALID_STREAM);

/**
 * How many connections the kernel may hold that nobody has accepted yet. The kernel takes the smaller of this and
 * its own limit (listen(2): net.core.somaxconn, 4096 since Linux 5.4).
 */
const BACKLOG = 4096;

/**
 * A TCP connection: bytes in order, both ways.
 *
 * @example
 * ```ts
 * import { TcpStream } from "std-net";
 *
 * const stream = TcpStream.connect("127.0.0.1:6379").unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * stream.write("PING\r\n");
 * console.log(stream.read(1024).map((bytes) => bytes.toString()));
 * stream.close();
 * ```
 */
export class TcpStream extends ByteStream<Socket> {
  /** @internal */
  constructor(socket: Socket) {
    super(openedSocket(socket), words);
  }

  /**
   * Connects to a TCP server.
   *
   * Blocks while the name is resolved and until the server has accepted or refused. A name's addresses are tried in
   * the resolver's order; the last one's error is the one reported.
   *
   * @param addr `"127.0.0.1:80"`, `"[::1]:80"`, `"[fe80::1%eth0]:80"` or `"name:80"`
   * @returns Errors: `expected string`; `failed to connect: ` with `invalid socket address`, `invalid port value`,
   * `failed to lookup address information: ...` or the system's reason. Source: getaddrinfo(3), connect(2).
   */
  static connect(addr: string): Result<TcpStream, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const socket = connectTo(addr, Number.POSITIVE_INFINITY);
    if (typeof socket === "string") return failed(FAILED_TO_CONNECT, socket);
    return Result.ok(new TcpStream(socket));
  }

  /**
   * The remote address, as `"127.0.0.1:80"` or `"[::1]:80"`. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp peer_addr failed: ` with the system's reason
   * (`ENOTCONN` when the connection is gone). Source: getpeername(2).
   */
  peer_addr(): Result<string, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_STREAM);
    const address = peerAddress(socket);
    return typeof address === "string" ? Result.ok(address) : failed(words.peerAddr, socket.reason(address));
  }

  /**
   * The local address, as `"127.0.0.1:54321"`. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp local_addr failed: ` with the system's reason.
   * Source: getsockname(2).
   */
  local_addr(): Result<string, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_STREAM);
    const address = localAddress(socket);
    return typeof address === "string" ? Result.ok(address) : failed(words.localAddr, socket.reason(address));
  }
}

/**
 * A socket that accepts TCP connections.
 *
 * @example
 * ```ts
 * import { TcpListener } from "std-net";
 *
 * const listener = TcpListener.bind("127.0.0.1:0").unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * console.log("listening on", listener.local_addr().unwrapOr("?"));
 * listener.close();
 * ```
 */
export class TcpListener {
  /** @internal */
  readonly [TRANSPORT]: Socket;

  /** @internal */
  constructor(socket: Socket) {
    this[TRANSPORT] = openedSocket(socket);
  }

  /**
   * Binds a listener. Blocks only while a name is resolved.
   *
   * SO_REUSEADDR is set, so that a server can start again at once on its port.
   *
   * @param addr `"127.0.0.1:8080"`, `"[::]:8080"` (both families where the system makes it so), or port 0 for one that the
   * system picks
   * @returns Errors: `expected string`; `tcp listener bind failed: ` with `invalid socket address`, `invalid port
   * value`, `failed to lookup address information: ...` or the system's reason. Source: bind(2), listen(2).
   */
  static bind(addr: string): Result<TcpListener, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const socket = bindTo(
      addr,
      "SOCK_STREAM",
      (made, { constants }) => made.setOption(constants.SOL_SOCKET, constants.SO_REUSEADDR, 1),
      (made, sys) => (sys.listen(made.descriptor, BACKLOG) < 0 ? -sys.errno() : 0),
    );
    if (typeof socket === "string") return failed(BIND_FAILED, socket);
    return Result.ok(new TcpListener(socket));
  }

  /**
   * Takes the next connection. Blocks until one arrives.
   *
   * @returns the connection, in blocking mode whatever the listener's is. Errors: `invalid tcp listener` after
   * `close`; `tcp listener accept failed: ` with the system's reason (`EAGAIN` in non-blocking mode when none waits).
   * Source: accept(2).
   */
  accept(): Result<TcpStream, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_LISTENER);
    const accepted = socket.accept(Number.POSITIVE_INFINITY);
    if (typeof accepted === "number") return failed("tcp listener accept failed: ", socket.reason(accepted));
    return Result.ok(new TcpStream(accepted));
  }

  /**
   * The address the listener is bound to, with the port that the system picked. Does not block.
   *
   * @returns Errors: `invalid tcp listener` after `close`; `tcp listener local_addr failed: ` with the system's
   * reason. Source: getsockname(2).
   */
  local_addr(): Result<string, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_LISTENER);
    const address = localAddress(socket);
    if (typeof address === "string") return Result.ok(address);
    return failed("tcp listener local_addr failed: ", socket.reason(address));
  }

  /**
   * Turns non-blocking mode on or off for `accept`. Connections that were accepted are not concerned.
   *
   * @returns Errors: `invalid tcp listener` after `close`, `expected bool`, `tcp listener set_nonblocking failed: ` with
   * the system's reason. Source: fcntl(2), O_NONBLOCK.
   */
  set_nonblocking(enabled: boolean): Result<Unit, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_LISTENER);
    if (typeof enabled !== "boolean") return Result.err("expected bool");
    const failure = socket.setNonblocking(enabled);
    if (failure < 0) return failed("tcp listener set_nonblocking failed: ", socket.reason(failure));
    return Result.ok(Unit);
  }

  /** Closes the listener and gives its descriptor back. Never fails; a second call does nothing. Source: close(2). */
  close(): void {
    this[TRANSPORT].close();
  }

  /** Closes the listener: what `using listener = ...` calls at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
