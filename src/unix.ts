import { Result } from "true-myth/result";
import type { Unit } from "true-myth/unit";
import { unixAddress } from "./address.ts";
import { bindOptions, type UnixBindOptions } from "./bind-options.ts";
import { DatagramSocket } from "./datagram.ts";
import { bindUnix, connectUnix } from "./endpoint.ts";
import { failed } from "./error.ts";
import { SocketHandle } from "./handle.ts";
import { cloneOf, fromFd, getTimeout, type Kind, type Shape, setTimeout, shutdown } from "./members.ts";
import { networkPlatform, Socket } from "./socket.ts";
import { SocketStream } from "./socket-stream.ts";
import { TRANSPORT } from "./stream.ts";
import { systemReason } from "./sys/index.ts";
import { INVALID_TIMEOUT, timeoutFrom } from "./timeout.ts";

const CONNECT_FAILED = "unix connect failed: ";

const STREAM: Kind = { name: "unix", invalid: "invalid unix stream" };
const STREAM_SHAPE: Shape = {
  what: "unix stream",
  families: ["AF_UNIX"],
  type: "SOCK_STREAM",
  listening: false,
};

const LISTENER: Kind = { name: "unix listener", invalid: "invalid unix listener" };
const LISTENER_SHAPE: Shape = { ...STREAM_SHAPE, what: "unix listener", listening: true };

const DATAGRAM: Kind = { name: "unix", invalid: "invalid unix datagram" };
const DATAGRAM_SHAPE: Shape = { ...STREAM_SHAPE, what: "unix datagram", type: "SOCK_DGRAM" };

/**
 * A connection to another process on this machine, by a path in the file system: bytes in order, both ways, without
 * a network. Everything that a {@link TcpStream} does that makes sense here; errors begin with `unix `.
 *
 * @example
 * ```ts
 * import { UnixStream } from "std-net";
 *
 * const [near, far] = UnixStream.pair().unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * near.write_all("hello\n");
 * console.log(far.read_until("\n").map(String)); // Ok("hello\n")
 * near.close();
 * far.close();
 * ```
 */
export class UnixStream extends SocketStream {
  /** @internal */
  constructor(socket: Socket) {
    super(socket, STREAM);
  }

  /**
   * Connects to a listener. Blocks while as many connections wait to be accepted as it allows.
   *
   * @param path a path in the file system, of at most 107 bytes on Linux and 103 on macOS; on Linux also `"\0name"`, an
   * abstract name, which is no file
   * @returns Errors: `expected string`; `unix connect failed: ` with `invalid socket path` (an empty one, or one with a
   * NUL elsewhere), `socket path too long` or the system's reason (`ENOENT`, `ECONNREFUSED`). Source: unix(7), connect(2).
   */
  static connect(path: string): Result<UnixStream, string> {
    return UnixStream.connect_timeout(path, null);
  }

  /**
   * As `connect`, but gives up after a time.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: as for `connect`; `timeout must be a positive number`; `unix connect failed: connection timed out`.
   */
  static connect_timeout(path: string, ms: number | null): Result<UnixStream, string> {
    if (typeof path !== "string") return Result.err("expected string");
    const timeout = timeoutFrom(ms);
    if (timeout === undefined) return Result.err(INVALID_TIMEOUT);
    const socket = connectUnix(path, performance.now() + timeout);
    if (typeof socket === "string") return failed(CONNECT_FAILED, socket);
    return Result.ok(new UnixStream(socket));
  }

  /**
   * Two streams that are connected to each other: for a worker thread, say, which gets the `into_fd` of one. Does not
   * block.
   *
   * @returns Errors: `unix pair failed: ` with the system's reason (`EMFILE`). Source: socketpair(2).
   */
  static pair(): Result<readonly [UnixStream, UnixStream], string> {
    return pairOf("SOCK_STREAM").map(([one, other]) => [new UnixStream(one), new UnixStream(other)] as const);
  }

  /**
   * Takes over a descriptor: from `into_fd`, of this thread or another one, or from whoever else has connected or
   * accepted it. It is this object's from now on, close-on-exec, in the mode it is in. Does not block.
   *
   * @returns Errors: `expected int`; `unix from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with `not a
   * unix stream`, or because another object of this thread owns it. The descriptor stays as it was then.
   */
  static from_fd(fd: number): Result<UnixStream, string> {
    return fromFd(fd, STREAM, STREAM_SHAPE).map((socket) => new UnixStream(socket));
  }

  /**
   * A second descriptor of the same connection, as with a TcpStream. Does not block.
   *
   * @returns Errors: `invalid unix stream` after `close`; `unix try_clone failed: ` with the system's reason (`EMFILE`).
   * Source: fcntl(2), F_DUPFD_CLOEXEC.
   */
  try_clone(): Result<UnixStream, string> {
    return cloneOf(this[TRANSPORT], STREAM).map((socket) => new UnixStream(socket));
  }
}

/**
 * A socket that accepts connections at a path in the file system.
 *
 * @example
 * ```ts
 * import { rmSync } from "node:fs";
 * import { UnixListener, UnixStream } from "std-net";
 *
 * const listener = UnixListener.bind("example.sock").unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * const client = UnixStream.connect("example.sock");
 * const server = listener.accept();
 * console.log(server.andThen((stream) => stream.local_addr())); // Ok("example.sock")
 * for (const stream of [client, server]) if (stream.isOk) stream.value.close();
 * listener.close();
 * rmSync("example.sock");
 * ```
 */
export class UnixListener extends SocketHandle {
  /** @internal */
  constructor(socket: Socket) {
    super(socket, LISTENER);
  }

  /**
   * Binds a listener. The path must not be there yet; it stays there after `close`, for the program to remove. Does
   * not block.
   *
   * @param path as for `UnixStream.connect`
   * @param options see {@link UnixBindOptions}
   * @returns Errors: `expected string`; `expected int` and `options must be an object` for the options; `unix listener bind
   * failed: ` with `invalid socket path`, `socket path too long` or the system's reason (`EADDRINUSE` when the path is
   * there). Source: unix(7), bind(2), listen(2).
   */
  static override bind(path: string, options?: UnixBindOptions): Result<UnixListener, string> {
    if (typeof path !== "string") return Result.err("expected string");
    const checked = bindOptions(options);
    if (typeof checked === "string") return Result.err(checked);
    const socket = bindUnix(path, "SOCK_STREAM", (made) => made.listen(checked.backlog));
    if (typeof socket === "string") return failed("unix listener bind failed: ", socket);
    return Result.ok(new UnixListener(socket));
  }

  /**
   * Takes over the descriptor of a listener, as with a TcpListener. Does not block.
   *
   * @returns Errors: `expected int`; `unix listener from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with
   * `not a unix listener`, or because another object of this thread owns it. The descriptor stays as it was then.
   */
  static from_fd(fd: number): Result<UnixListener, string> {
    return fromFd(fd, LISTENER, LISTENER_SHAPE).map((socket) => new UnixListener(socket));
  }

  /**
   * Takes the next connection. Blocks until one arrives. Several threads may wait on one listener.
   *
   * @returns the connection, in blocking mode whatever the listener's is. Errors: `invalid unix listener` after `close`;
   * `unix listener accept failed: ` with the system's reason (`EAGAIN` in non-blocking mode when none waits, or past the
   * accept timeout). Source: accept(2).
   */
  accept(): Result<UnixStream, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(LISTENER.invalid);
    const accepted = socket.accept(Number.POSITIVE_INFINITY);
    if (typeof accepted === "number") return failed("unix listener accept failed: ", socket.reason(accepted));
    return Result.ok(new UnixStream(accepted));
  }

  /**
   * The connections, one after another and without end: each step is an `accept`. An error does not end it, for the
   * next connection may be a good one; only the listener's `close` does.
   */
  *incoming(): Generator<Result<UnixStream, string>, void, undefined> {
    do {
      yield this.accept();
    } while (this[TRANSPORT].open);
  }

  /**
   * A second descriptor of the same listener, with the same timeout. Does not block.
   *
   * @returns Errors: `invalid unix listener` after `close`; `unix listener try_clone failed: ` with the system's reason
   * (`EMFILE`). Source: fcntl(2), F_DUPFD_CLOEXEC.
   */
  try_clone(): Result<UnixListener, string> {
    return cloneOf(this[TRANSPORT], LISTENER).map((socket) => new UnixListener(socket));
  }

  /**
   * Sets how long `accept` may wait; past it, it is an `EAGAIN` error.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: `invalid unix listener` after `close`, `timeout must be a positive number`. Source: socket(7), SO_RCVTIMEO.
   */
  set_accept_timeout(ms: number | null): Result<Unit, string> {
    return setTimeout(this[TRANSPORT], LISTENER, "readTimeout", ms);
  }

  /** The accept timeout in milliseconds, or null. Errors: `invalid unix listener` after `close`. */
  accept_timeout(): Result<number | null, string> {
    return getTimeout(this[TRANSPORT], LISTENER, "readTimeout");
  }
}

/**
 * Datagrams between processes on this machine, by paths in the file system: none is lost on the way, and they stay in
 * order. Addresses are paths, `""` for a socket without one; errors begin with `unix `.
 *
 * @example
 * ```ts
 * import { UnixDatagram } from "std-net";
 *
 * const [near, far] = UnixDatagram.pair().unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * near.send("one");
 * near.send("");
 * console.log(far.recv(100).map(String), far.recv(100).map(String)); // Ok("one") Ok("")
 * near.close();
 * far.close();
 * ```
 */
export class UnixDatagram extends DatagramSocket {
  /** @internal */
  constructor(socket: Socket) {
    super(socket, DATAGRAM, destination);
  }

  /**
   * Binds a new datagram socket, which others can send to. The path must not be there yet; it stays there after
   * `close`, for the program to remove. Does not block.
   *
   * @param path as for `UnixStream.connect`
   * @returns Errors: `expected string`; `unix bind failed: ` with `invalid socket path`, `socket path too long` or the
   * system's reason (`EADDRINUSE` when the path is there). Source: unix(7), bind(2).
   */
  static override bind(path: string): Result<UnixDatagram, string> {
    if (typeof path !== "string") return Result.err("expected string");
    const socket = bindUnix(path, "SOCK_DGRAM", () => 0);
    if (typeof socket === "string") return failed("unix bind failed: ", socket);
    return Result.ok(new UnixDatagram(socket));
  }

  /**
   * A datagram socket without an address: it can send, and nobody can answer. Does not block.
   *
   * @returns Errors: `unix unbound failed: ` with the system's reason (`EMFILE`). Source: socket(2).
   */
  static unbound(): Result<UnixDatagram, string> {
    const sys = networkPlatform();
    if (typeof sys === "string") return failed("unix unbound failed: ", sys);
    const socket = Socket.create(sys, sys.constants.AF_UNIX, sys.constants.SOCK_DGRAM);
    if (typeof socket === "number") return failed("unix unbound failed: ", systemReason(sys, -socket));
    return Result.ok(new UnixDatagram(socket));
  }

  /**
   * Two datagram sockets that are connected to each other. Does not block.
   *
   * @returns Errors: `unix pair failed: ` with the system's reason (`EMFILE`). Source: socketpair(2).
   */
  static pair(): Result<readonly [UnixDatagram, UnixDatagram], string> {
    return pairOf("SOCK_DGRAM").map(
      ([one, other]) => [new UnixDatagram(one), new UnixDatagram(other)] as const,
    );
  }

  /**
   * Takes over the descriptor of a Unix datagram socket, as with a UdpSocket. Does not block.
   *
   * @returns Errors: `expected int`; `unix from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with `not a
   * unix datagram`, or because another object of this thread owns it. The descriptor stays as it was then.
   */
  static from_fd(fd: number): Result<UnixDatagram, string> {
    return fromFd(fd, DATAGRAM, DATAGRAM_SHAPE).map((socket) => new UnixDatagram(socket));
  }

  /**
   * A second descriptor of the same socket, with the same timeouts: a datagram goes to one of them. Does not block.
   *
   * @returns Errors: `invalid unix datagram` after `close`; `unix try_clone failed: ` with the system's reason (`EMFILE`).
   * Source: fcntl(2), F_DUPFD_CLOEXEC.
   */
  try_clone(): Result<UnixDatagram, string> {
    return cloneOf(this[TRANSPORT], DATAGRAM).map((socket) => new UnixDatagram(socket));
  }

  /**
   * Ends one direction, or both; the socket stays open (`close` is still to be called). Does not block.
   *
   * @returns Errors: `invalid unix datagram` after `close`, `expected 'read', 'write' or 'both'`, `unix shutdown failed: `
   * with the system's reason (`ENOTCONN`). Source: shutdown(2).
   */
  shutdown(how: "read" | "write" | "both"): Result<Unit, string> {
    return shutdown(this[TRANSPORT], DATAGRAM, how);
  }
}

function destination(socket: Socket, path: string): Buffer | string {
  return unixAddress(socket.sys.constants, path);
}

function pairOf(type: "SOCK_STREAM" | "SOCK_DGRAM"): Result<[Socket, Socket], string> {
  const sys = networkPlatform();
  if (typeof sys === "string") return failed("unix pair failed: ", sys);
  const pair = Socket.pair(sys, sys.constants[type]);
  return typeof pair === "number" ? failed("unix pair failed: ", systemReason(sys, -pair)) : Result.ok(pair);
}
