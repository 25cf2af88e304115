import { bindOptions, INVALID_TIMEOUT, timeoutFrom, type UnixBindOptions } from "../arguments.ts";
import {
  bindUnixDatagrams,
  connectUnix,
  listenOnUnix,
  unboundUnixDatagrams,
  unixPair,
} from "../engine/connect.ts";
import {
  type PeerCredentials,
  peerCredentials,
  receiveDescriptor,
  sendDescriptor,
} from "../engine/descriptor-passing.ts";
import type { Socket } from "../engine/socket.ts";
import { unixAddress } from "../engine/socket-address.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { DatagramSocket } from "./datagram-socket.ts";
import {
  UNIX_DATAGRAM as DATAGRAM,
  UNIX_LISTENER as LISTENER,
  UNIX_STREAM as STREAM,
} from "./error-words.ts";
import { SocketHandle } from "./socket-handle.ts";
import { cloneOf, fromFd, getTimeout, type Shape, setTimeout, shutdown } from "./socket-members.ts";
import { TRANSPORT } from "./socket-object.ts";
import { SocketStream } from "./socket-stream.ts";

const STREAM_SHAPE: Shape = {
  what: "unix stream",
  families: ["AF_UNIX"],
  type: "stream",
  listening: false,
};

const LISTENER_SHAPE: Shape = { ...STREAM_SHAPE, what: "unix listener", listening: true };

const DATAGRAM_SHAPE: Shape = { ...STREAM_SHAPE, what: "unix datagram", type: "datagram" };

/**
 * A connection to another process on this machine, by a path in the file system: bytes in order, in both directions, without
 * a network. It has every member of {@link TcpStream} that makes sense here. Errors begin with `unix `; the descriptions of
 * the members that all streams have quote `tcp `.
 *
 * @example
 * ```ts
 * import { UnixStream } from "std-net";
 *
 * const [near, far] = UnixStream.pair().unwrap();
 * near.write_all("hello\n");
 * console.log(far.read_until("\n").unwrap().toString().trimEnd()); // hello
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
   * Connects to a listener. Blocks while the listener's backlog is full.
   *
   * @param path a path in the file system, of at most 107 bytes on Linux and 103 on macOS; on Linux also `"\0name"`, an
   * abstract name, which is no file. A byte that is not UTF-8 is a lone surrogate, U+DC80 for 0x80 to U+DCFF for 0xff (Python's
   * `surrogateescape`), here and where an address is given back
   * @returns Errors: `expected string`; `unix connect failed: ` with `invalid socket path` (an empty one, or one with a
   * NUL elsewhere or with another lone surrogate), `socket path too long` or the system's reason (`ENOENT`, `ECONNREFUSED`). Source: unix(7), connect(2).
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener, UnixStream } from "std-net";
   *
   * const listener = UnixListener.bind("connect.sock").unwrap();
   * const stream = UnixStream.connect("connect.sock").unwrap();
   * console.log(stream.peer_addr().unwrap()); // connect.sock
   * rmSync("connect.sock");
   * const gone = UnixStream.connect("connect.sock");
   * if (gone.isErr) console.log(gone.error); // unix connect failed: No such file or directory (os error 2)
   * ```
   */
  static connect(path: string): Result<UnixStream, string> {
    return UnixStream.connect_timeout(path, null);
  }

  /**
   * As `connect`, but stops after a time. Blocks while the listener's backlog is full, or until the time is over.
   *
   * @param path as for `connect`
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: as for `connect`; `timeout must be a positive number`; `unix connect failed: connection timed out`.
   * Source: unix(7), connect(2).
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener, UnixStream } from "std-net";
   *
   * const listener = UnixListener.bind("busy.sock", { backlog: 0 }).unwrap();
   * const first = UnixStream.connect("busy.sock").unwrap();
   * const second = UnixStream.connect_timeout("busy.sock", 50); // nobody accepts, and the backlog has room for one
   * if (second.isErr) console.log(second.error); // unix connect failed: connection timed out
   * rmSync("busy.sock");
   * ```
   */
  static connect_timeout(path: string, ms: number | null): Result<UnixStream, string> {
    if (typeof path !== "string") return Result.err("expected string");
    const timeout = timeoutFrom(ms);
    if (timeout === undefined) return Result.err(INVALID_TIMEOUT);
    const socket = connectUnix(path, monotonicTime() + timeout);
    if (socket instanceof Failure) return failed(STREAM.prefix("connect"), socket.reason);
    return Result.ok(new UnixStream(socket));
  }

  /**
   * Two streams that are connected to each other. For example, a worker thread can get the `into_fd` of one. Does not block.
   *
   * @returns Errors: `unix pair failed: ` with the system's reason (`EMFILE`). Source: socketpair(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("hello");
   * console.log(far.read(100).unwrap().toString()); // hello
   * ```
   */
  static pair(): Result<readonly [UnixStream, UnixStream], string> {
    return pairOf("stream").map(([one, other]) => [new UnixStream(one), new UnixStream(other)] as const);
  }

  /**
   * Takes over a descriptor: from `into_fd` of this thread or another one, or from other code that has connected or accepted
   * it. From now on it belongs to this object. It becomes close-on-exec, and keeps its blocking or non-blocking mode. Does not
   * block.
   *
   * @param fd the number of a descriptor
   * @returns Errors: `expected int`; `unix from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with `not a
   * unix stream`, or because another object of this thread owns it. After an error the descriptor is unchanged. Source:
   * getsockopt(2), SO_TYPE and SO_ACCEPTCONN.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * const fd = near.into_fd().unwrap();
   * // Here, or in another thread that has the number:
   * const stream = UnixStream.from_fd(fd).unwrap();
   * stream.write_all("hello");
   * console.log(far.read(100).unwrap().toString()); // hello
   * ```
   */
  static from_fd(fd: number): Result<UnixStream, string> {
    return fromFd(fd, STREAM, STREAM_SHAPE).map((socket) => new UnixStream(socket));
  }

  /**
   * A second descriptor of the same connection, as with a TcpStream. Does not block.
   *
   * @returns Errors: `invalid unix stream` after `close`; `unix try_clone failed: ` with the system's reason (`EMFILE`).
   * Source: fcntl(2), F_DUPFD_CLOEXEC.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * const clone = near.try_clone().unwrap();
   * near.close(); // the connection goes on: the clone still has it
   * clone.write_all("hello");
   * console.log(far.read(100).unwrap().toString()); // hello
   * ```
   */
  try_clone(): Result<UnixStream, string> {
    return cloneOf(this[TRANSPORT], STREAM).map((socket) => new UnixStream(socket));
  }

  /**
   * Sends a descriptor to the peer, with one byte (0) that carries it: a socket, a file, a pipe. The peer gets a descriptor of its own,
   * and this one stays as it is. Python's `socket.recv_fds(s, 1, 1)` receives it. Blocks until there is room for the byte.
   *
   * @param fd the number of an open descriptor: `as_fd` of a socket, or that of a file
   * @returns Errors: `invalid unix stream` after `close`; `expected int`; `unix send_fd failed: ` with the system's reason (`EBADF`,
   * `EPIPE`, `EAGAIN` in non-blocking mode), or `not supported on Windows`. Source: unix(7), SCM_RIGHTS; sendmsg(2).
   *
   * @example
   * ```ts
   * import { TcpListener, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap(); // between two processes, for instance
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * near.send_fd(listener.as_fd().unwrap()).unwrap();
   * const same = far.recv_fd().andThen(TcpListener.from_fd).unwrap();
   * console.log(same.local_addr().unwrap() === listener.local_addr().unwrap()); // true
   * ```
   */
  send_fd(fd: number): Result<Unit, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(STREAM.invalid);
    if (!Number.isInteger(fd)) return Result.err("expected int");
    const failure = sendDescriptor(socket, fd);
    return failure === null ? Result.ok() : failed(STREAM.prefix("send_fd"), failure.reason);
  }

  /**
   * Receives a descriptor, and the one byte that carries it. The descriptor is close-on-exec. It belongs to the program: `from_fd` makes
   * a socket of it, and node:fs reads a file by it. Blocks until the byte has come.
   *
   * @returns the number of the descriptor. Errors: `invalid unix stream` after `close`; `unix recv_fd failed: ` with `the next byte came
   * without a descriptor` (the byte is read then), `end of stream before a descriptor`, `bytes that a failed read gave back are still to be
   * read`, `not supported on Windows`, or the system's reason (`EAGAIN` after the read timeout). Source: unix(7), SCM_RIGHTS; recvmsg(2).
   *
   * @example
   * ```ts
   * import { closeSync, openSync, readFileSync, writeFileSync } from "node:fs";
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * writeFileSync("carried.txt", "hello");
   * const file = openSync("carried.txt", "r");
   * near.send_fd(file).unwrap();
   * closeSync(file);
   * const received = far.recv_fd().unwrap();
   * console.log(readFileSync(received, "utf8")); // hello
   * closeSync(received);
   * ```
   */
  recv_fd(): Result<number, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(STREAM.invalid);
    const received = receiveDescriptor(socket);
    return received instanceof Failure
      ? failed(STREAM.prefix("recv_fd"), received.reason)
      : Result.ok(received);
  }

  /**
   * Which process, user and group is at the other end: of a client, when it connected; of a server, when it listened. The system says so,
   * and the peer cannot choose it. Does not block.
   *
   * @returns the numbers. Errors: `invalid unix stream` after `close`; `unix peer_cred failed: ` with the system's reason, or `not
   * supported on Windows`. Source: unix(7), SO_PEERCRED; on macOS sys/un.h, LOCAL_PEERCRED and LOCAL_PEERPID.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * const { pid, uid } = near.peer_cred().unwrap();
   * console.log(pid === process.pid, uid === process.getuid?.()); // true true
   * far.close();
   * ```
   */
  peer_cred(): Result<PeerCredentials, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(STREAM.invalid);
    const found = peerCredentials(socket);
    return found instanceof Failure ? failed(STREAM.prefix("peer_cred"), found.reason) : Result.ok(found);
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
 * const listener = UnixListener.bind("example.sock").unwrap();
 * const client = UnixStream.connect("example.sock").unwrap();
 * const server = listener.accept().unwrap();
 * console.log(server.local_addr().unwrap()); // example.sock
 * for (const each of [client, server, listener]) each.close();
 * rmSync("example.sock");
 * ```
 */
export class UnixListener extends SocketHandle {
  /** @internal */
  constructor(socket: Socket) {
    super(socket, LISTENER);
  }

  /**
   * Binds a listener. The path must not exist yet. It stays after `close`, and the program must remove it. Does not block.
   *
   * @param path as for `UnixStream.connect`
   * @param options see {@link UnixBindOptions}
   * @returns Errors: `expected string`; `expected int` and `options must be an object` for the options; `unix listener bind
   * failed: ` with `invalid socket path`, `socket path too long` or the system's reason (`EADDRINUSE` when the path is
   * there). Source: unix(7), bind(2), listen(2).
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener } from "std-net";
   *
   * rmSync("bind.sock", { force: true }); // from a former run
   * const listener = UnixListener.bind("bind.sock").unwrap();
   * console.log("listening on", listener.local_addr().unwrap()); // listening on bind.sock
   * listener.close();
   * rmSync("bind.sock");
   * ```
   */
  static override bind(path: string, options?: UnixBindOptions): Result<UnixListener, string> {
    if (typeof path !== "string") return Result.err("expected string");
    const checked = bindOptions(options);
    if (checked instanceof Failure) return Result.err(checked.reason);
    const socket = listenOnUnix(path, checked.backlog);
    if (socket instanceof Failure) return failed(LISTENER.prefix("bind"), socket.reason);
    return Result.ok(new UnixListener(socket));
  }

  /**
   * Takes over the descriptor of a listener, as with a TcpListener. Does not block.
   *
   * @param fd the number of a descriptor
   * @returns Errors: `expected int`; `unix listener from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with
   * `not a unix listener`, or because another object of this thread owns it. After an error the descriptor is unchanged.
   * Source: getsockopt(2), SO_TYPE and SO_ACCEPTCONN.
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener } from "std-net";
   *
   * const fd = UnixListener.bind("from.sock").andThen((listener) => listener.into_fd()).unwrap();
   * // Here, or in another thread that has the number:
   * const listener = UnixListener.from_fd(fd).unwrap();
   * console.log(listener.local_addr().unwrap()); // from.sock
   * listener.close();
   * rmSync("from.sock");
   * ```
   */
  static from_fd(fd: number): Result<UnixListener, string> {
    return fromFd(fd, LISTENER, LISTENER_SHAPE).map((socket) => new UnixListener(socket));
  }

  /**
   * Accepts the next connection. Blocks until one arrives. Several threads may wait on one listener.
   *
   * @returns the connection, in blocking mode even when the listener is not. Errors: `invalid unix listener` after `close`;
   * `unix listener accept failed: ` with the system's reason (`EAGAIN` in non-blocking mode when no connection waits, or after
   * the accept timeout). Source: accept(2).
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener, UnixStream } from "std-net";
   *
   * const listener = UnixListener.bind("accept.sock").unwrap();
   * const client = UnixStream.connect("accept.sock").unwrap();
   * listener.accept().unwrap().write_all("welcome");
   * console.log(client.read(100).unwrap().toString()); // welcome
   * rmSync("accept.sock");
   * ```
   */
  accept(): Result<UnixStream, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(LISTENER.invalid);
    const accepted = socket.accept(Number.POSITIVE_INFINITY);
    if (typeof accepted === "number") return failed(LISTENER.prefix("accept"), socket.reason(accepted));
    return Result.ok(new UnixStream(accepted));
  }

  /**
   * The connections, one after another and without end: each step is an `accept`. Only `close` ends it. An error does not,
   * because the next connection may succeed. Blocks, at each step, until a connection arrives.
   *
   * @returns the connections. Errors: those of `accept`, at each step. Source: accept(2).
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener, UnixStream } from "std-net";
   *
   * const listener = UnixListener.bind("incoming.sock").unwrap();
   * UnixStream.connect("incoming.sock").unwrap().write("hello");
   * for (const accepted of listener.incoming()) {
   *   if (accepted.isErr) break;
   *   console.log(accepted.value.read(100).unwrap().toString()); // hello
   *   accepted.value.close();
   *   break; // a server would go on
   * }
   * rmSync("incoming.sock");
   * ```
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
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener } from "std-net";
   *
   * const listener = UnixListener.bind("clone.sock").unwrap();
   * const clone = listener.try_clone().unwrap();
   * listener.close(); // others can still connect: the clone still has it
   * console.log(clone.local_addr().unwrap()); // clone.sock
   * rmSync("clone.sock");
   * ```
   */
  try_clone(): Result<UnixListener, string> {
    return cloneOf(this[TRANSPORT], LISTENER).map((socket) => new UnixListener(socket));
  }

  /**
   * Sets how long `accept` may wait. After that time, it returns an `EAGAIN` error. Does not block.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: `invalid unix listener` after `close`, `timeout must be a positive number`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { error_code, UnixListener } from "std-net";
   *
   * const listener = UnixListener.bind("timeout.sock").unwrap();
   * listener.set_accept_timeout(50).unwrap();
   * const nobody = listener.accept();
   * if (nobody.isErr) console.log(error_code(nobody.error)); // EAGAIN
   * rmSync("timeout.sock");
   * ```
   */
  set_accept_timeout(ms: number | null): Result<Unit, string> {
    return setTimeout(this[TRANSPORT], LISTENER, "readTimeout", ms);
  }

  /**
   * The accept timeout in milliseconds; null, the default, means no timeout. Does not block.
   *
   * @returns Errors: `invalid unix listener` after `close`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixListener } from "std-net";
   *
   * const listener = UnixListener.bind("timeout.sock").unwrap();
   * listener.set_accept_timeout(1500);
   * console.log(listener.accept_timeout().unwrap()); // 1500
   * rmSync("timeout.sock");
   * ```
   */
  accept_timeout(): Result<number | null, string> {
    return getTimeout(this[TRANSPORT], LISTENER, "readTimeout");
  }
}

/**
 * Datagrams between processes on this machine, by paths in the file system. None is lost, and they stay in order. Addresses
 * are paths, `""` for a socket without one. A byte of a path that is not UTF-8 is a lone surrogate (see {@link UnixStream.connect}).
 * Errors begin with `unix `; the descriptions of the members that all datagram sockets have quote `udp `.
 *
 * @example
 * ```ts
 * import { UnixDatagram } from "std-net";
 *
 * const [near, far] = UnixDatagram.pair().unwrap();
 * near.send("one");
 * near.send("");
 * console.log(far.recv(100).unwrap().toString()); // one
 * console.log(far.recv(100).unwrap().length); // 0, a datagram of no bytes
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
   * Binds a new datagram socket, so that others can send to it. The path must not exist yet. It stays after `close`, and the
   * program must remove it. Does not block.
   *
   * @param path as for `UnixStream.connect`
   * @returns Errors: `expected string`; `unix bind failed: ` with `invalid socket path`, `socket path too long` or the
   * system's reason (`EADDRINUSE` when the path is there). Source: unix(7), bind(2).
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixDatagram } from "std-net";
   *
   * const server = UnixDatagram.bind("server.sock").unwrap();
   * const client = UnixDatagram.bind("client.sock").unwrap();
   * client.send_to("hello", "server.sock");
   * const [payload, sender] = server.recv_from(1500).unwrap();
   * console.log(payload.toString(), "from", sender); // hello from client.sock
   * for (const path of ["server.sock", "client.sock"]) rmSync(path);
   * ```
   */
  static override bind(path: string): Result<UnixDatagram, string> {
    if (typeof path !== "string") return Result.err("expected string");
    const socket = bindUnixDatagrams(path);
    if (socket instanceof Failure) return failed(DATAGRAM.prefix("bind"), socket.reason);
    return Result.ok(new UnixDatagram(socket));
  }

  /**
   * A datagram socket without an address: it can send, but nobody can send to it. Does not block.
   *
   * @returns Errors: `unix unbound failed: ` with the system's reason (`EMFILE`). Source: socket(2).
   *
   * @example
   * ```ts
   * import { rmSync } from "node:fs";
   * import { UnixDatagram } from "std-net";
   *
   * const log = UnixDatagram.bind("log.sock").unwrap();
   * const program = UnixDatagram.unbound().unwrap();
   * program.send_to("<14>something has happened", "log.sock").unwrap();
   * console.log(log.recv(1500).unwrap().toString()); // <14>something has happened
   * rmSync("log.sock");
   * ```
   */
  static unbound(): Result<UnixDatagram, string> {
    const socket = unboundUnixDatagrams();
    if (socket instanceof Failure) return failed(DATAGRAM.prefix("unbound"), socket.reason);
    return Result.ok(new UnixDatagram(socket));
  }

  /**
   * Two datagram sockets that are connected to each other. Does not block.
   *
   * @returns Errors: `unix pair failed: ` with the system's reason (`EMFILE`). Source: socketpair(2).
   *
   * @example
   * ```ts
   * import { UnixDatagram } from "std-net";
   *
   * const [near, far] = UnixDatagram.pair().unwrap();
   * near.send("one");
   * near.send("two");
   * console.log(far.recv(100).unwrap().toString()); // one
   * console.log(far.recv(100).unwrap().toString()); // two
   * ```
   */
  static pair(): Result<readonly [UnixDatagram, UnixDatagram], string> {
    return pairOf("datagram").map(
      ([one, other]) => [new UnixDatagram(one), new UnixDatagram(other)] as const,
    );
  }

  /**
   * Takes over the descriptor of a Unix datagram socket, as with a UdpSocket. Does not block.
   *
   * @param fd the number of a descriptor
   * @returns Errors: `expected int`; `unix from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with `not a
   * unix datagram`, or because another object of this thread owns it. After an error the descriptor is unchanged. Source:
   * getsockopt(2), SO_TYPE.
   *
   * @example
   * ```ts
   * import { UnixDatagram } from "std-net";
   *
   * const [near, far] = UnixDatagram.pair().unwrap();
   * const fd = near.into_fd().unwrap();
   * // Here, or in another thread that has the number:
   * const socket = UnixDatagram.from_fd(fd).unwrap();
   * socket.send("hello");
   * console.log(far.recv(100).unwrap().toString()); // hello
   * ```
   */
  static from_fd(fd: number): Result<UnixDatagram, string> {
    return fromFd(fd, DATAGRAM, DATAGRAM_SHAPE).map((socket) => new UnixDatagram(socket));
  }

  /**
   * A second descriptor of the same socket, with the same timeouts. Each datagram goes to one of the two. Does not block.
   *
   * @returns Errors: `invalid unix datagram` after `close`; `unix try_clone failed: ` with the system's reason (`EMFILE`).
   * Source: fcntl(2), F_DUPFD_CLOEXEC.
   *
   * @example
   * ```ts
   * import { UnixDatagram } from "std-net";
   *
   * const [near, far] = UnixDatagram.pair().unwrap();
   * const clone = far.try_clone().unwrap();
   * near.send("to the first receiver");
   * console.log(clone.recv(100).unwrap().toString()); // to the first receiver
   * far.close();
   * ```
   */
  try_clone(): Result<UnixDatagram, string> {
    return cloneOf(this[TRANSPORT], DATAGRAM).map((socket) => new UnixDatagram(socket));
  }

  /**
   * Ends one direction, or both. The socket stays open: the program must still call `close`. Does not block.
   *
   * @param how which direction: `"read"`, `"write"` or `"both"`
   * @returns Errors: `invalid unix datagram` after `close`, `expected 'read', 'write' or 'both'`, `unix shutdown failed: `
   * with the system's reason (`ENOTCONN`). Source: shutdown(2).
   *
   * @example
   * ```ts
   * import { error_code, UnixDatagram } from "std-net";
   *
   * const [near, far] = UnixDatagram.pair().unwrap();
   * far.shutdown("read").unwrap();
   * const refused = near.send("hello");
   * if (refused.isErr) console.log(error_code(refused.error)); // EPIPE
   * ```
   */
  shutdown(how: "read" | "write" | "both"): Result<Unit, string> {
    return shutdown(this[TRANSPORT], DATAGRAM, how);
  }
}

function destination(socket: Socket, path: string): Buffer | Failure {
  return unixAddress(socket.sys, path);
}

function pairOf(type: "stream" | "datagram"): Result<[Socket, Socket], string> {
  const pair = unixPair(type);
  return pair instanceof Failure ? failed(STREAM.prefix("pair"), pair.reason) : Result.ok(pair);
}
