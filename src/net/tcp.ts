import { bindOptions, INVALID_TIMEOUT, isWaitTime, type TcpBindOptions, timeoutFrom } from "../arguments.ts";
import { connectTo, listenOn } from "../engine/connect.ts";
import type { Socket } from "../engine/socket.ts";
import { getLinger, setLinger } from "../engine/socket-options.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { TCP_LISTENER as LISTENER, TCP_STREAM as STREAM } from "./error-words.ts";
import { SocketHandle } from "./socket-handle.ts";
import {
  cloneOf,
  fromFd,
  getFlag,
  getNumber,
  getTimeout,
  memberFailed,
  type Shape,
  setFlag,
  setNumber,
  setTimeout,
} from "./socket-members.ts";
import { TRANSPORT } from "./socket-object.ts";
import { SocketStream } from "./socket-stream.ts";

const STREAM_SHAPE: Shape = {
  what: "tcp stream",
  families: ["AF_INET", "AF_INET6"],
  type: "stream",
  listening: false,
};

const LISTENER_SHAPE: Shape = { ...STREAM_SHAPE, what: "tcp listener", listening: true };

/**
 * A TCP connection: bytes in order, in both directions.
 *
 * @example
 * ```ts
 * import { TcpStream } from "std-net";
 *
 * const stream = TcpStream.connect("127.0.0.1:6379").unwrap(); // Redis
 * stream.write_all("PING\r\n").unwrap();
 * console.log(stream.read(1024).unwrap().toString().trimEnd()); // +PONG
 * stream.close();
 * ```
 */
export class TcpStream extends SocketStream {
  /** @internal */
  constructor(socket: Socket) {
    super(socket, STREAM);
  }

  /**
   * Connects to a TCP server.
   *
   * Blocks while the name is resolved and until the server has accepted or refused. A name's addresses race, IPv6 and IPv4 in turn: the
   * next one is tried too when the one before has failed or has not connected within 250 milliseconds, and the first that connects wins. When all
   * have failed, the error is that of the last one to fail.
   *
   * @param addr `"127.0.0.1:80"`, `"[::1]:80"`, `"[fe80::1%eth0]:80"` or `"name:80"`
   * @returns Errors: `expected string`; `failed to connect: ` with `invalid socket address`, `invalid port value`,
   * `failed to lookup address information: ...` or the system's reason. Source: getaddrinfo(3), connect(2), RFC 8305.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const address = listener.local_addr().unwrap();
   * const stream = TcpStream.connect(address).unwrap();
   * console.log("connected to", stream.peer_addr().unwrap()); // connected to 127.0.0.1:34567
   * stream.close();
   *
   * const refused = TcpStream.connect("127.0.0.1:1");
   * if (refused.isErr) console.log(refused.error); // failed to connect: Connection refused (os error 111)
   * ```
   */
  static connect(addr: string): Result<TcpStream, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const socket = connectTo(addr, Number.POSITIVE_INFINITY);
    if (socket instanceof Failure) return failed(STREAM.prefix("connect"), socket.reason);
    return Result.ok(new TcpStream(socket));
  }

  /**
   * As `connect`, but stops after a time.
   *
   * Blocks while the name is resolved and until the server has accepted or refused, or the time is over. The time is that of all of a name's
   * addresses together.
   *
   * @param addr as for `connect`
   * @param ms milliseconds, more than 0; null waits for as long as the system tries
   * @returns Errors: as for `connect`; `timeout must be a positive number`; `failed to connect: connection timed out`.
   * Source: getaddrinfo(3), connect(2).
   *
   * @example
   * ```ts
   * import { TcpStream } from "std-net";
   *
   * const probe = TcpStream.connect_timeout("127.0.0.1:9", 500);
   * console.log(probe.isOk ? "open" : probe.error);
   * ```
   */
  static connect_timeout(addr: string, ms: number | null): Result<TcpStream, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const timeout = timeoutFrom(ms);
    if (timeout === undefined) return Result.err(INVALID_TIMEOUT);
    const socket = connectTo(addr, monotonicTime() + timeout);
    if (socket instanceof Failure) return failed(STREAM.prefix("connect"), socket.reason);
    return Result.ok(new TcpStream(socket));
  }

  /**
   * Takes over a descriptor: from `into_fd` of this thread or another one, or from other code that has connected or accepted
   * it. From now on it belongs to this object. It becomes close-on-exec, and keeps its blocking or non-blocking mode. Does not
   * block.
   *
   * For the descriptor of a `net.Socket` of node:net, call `try_clone` and use the clone, because the `net.Socket` closes its
   * own.
   *
   * @param fd the number of a descriptor
   * @returns Errors: `expected int`; `tcp from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with `not a
   * tcp stream`, or because another object of this thread owns it. After an error the descriptor is unchanged. Source:
   * getsockopt(2), SO_TYPE and SO_ACCEPTCONN.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const address = listener.local_addr().unwrap();
   * const fd = TcpStream.connect(address).andThen((stream) => stream.into_fd()).unwrap();
   * // Here, or in another thread that has the number:
   * const stream = TcpStream.from_fd(fd).unwrap();
   * console.log(stream.write("hello").unwrap()); // 5
   * ```
   */
  static from_fd(fd: number): Result<TcpStream, string> {
    return fromFd(fd, STREAM, STREAM_SHAPE).map((socket) => new TcpStream(socket));
  }

  /**
   * A second descriptor of the same connection, with the same timeouts. What one of them reads, the other does not. They share
   * options and non-blocking mode, and the connection ends when both are closed. (Bytes that a failed read gave back stay with
   * the first.) Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp try_clone failed: ` with the system's reason (`EMFILE`).
   * Source: fcntl(2), F_DUPFD_CLOEXEC.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * const clone = stream.try_clone().unwrap();
   * stream.write("one, ");
   * stream.close(); // the connection goes on: the clone still has it
   * clone.write("two");
   * clone.close();
   * console.log(listener.accept().andThen((server) => server.read_to_end()).unwrap().toString()); // one, two
   * ```
   */
  try_clone(): Result<TcpStream, string> {
    return cloneOf(this[TRANSPORT], STREAM).map((socket) => new TcpStream(socket));
  }

  /**
   * With true, small writes are sent at once. With false, the system's default, they may wait until the peer has acknowledged
   * earlier ones (Nagle's algorithm, RFC 896). Does not block.
   *
   * @param enabled true or false
   * @returns Errors: `invalid tcp stream` after `close`, `expected bool`, `tcp set_nodelay failed: ` with the system's reason.
   * Source: tcp(7), TCP_NODELAY.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * stream.set_nodelay(true).unwrap();
   * for (const key of "ls\n") stream.write(key); // each key at once, as over ssh
   * console.log(listener.accept().andThen((server) => server.read_exact(3)).unwrap().length); // 3
   * ```
   */
  set_nodelay(enabled: boolean): Result<Unit, string> {
    return setFlag(this[TRANSPORT], STREAM, "nodelay", enabled);
  }

  /**
   * What `set_nodelay` set; false by default. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`, `tcp nodelay failed: ` with the system's reason.
   * Source: tcp(7), TCP_NODELAY.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * console.log(stream.nodelay().unwrap()); // false
   * ```
   */
  nodelay(): Result<boolean, string> {
    return getFlag(this[TRANSPORT], STREAM, "nodelay");
  }

  /**
   * Sets how many routers a packet may pass. Does not block.
   *
   * @param ttl 1 to 255
   * @returns Errors: `invalid tcp stream` after `close`, `expected int`, `tcp set_ttl failed: ` with the system's reason (`EINVAL`).
   * Source: ip(7), IP_TTL; ipv6(7), IPV6_UNICAST_HOPS.
   *
   * @example
   * ```ts
   * import { error_code, TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * stream.set_ttl(1).unwrap(); // not beyond the local network
   * const wrong = stream.set_ttl(256);
   * if (wrong.isErr) console.log(error_code(wrong.error)); // EINVAL
   * ```
   */
  set_ttl(ttl: number): Result<Unit, string> {
    return setNumber(this[TRANSPORT], STREAM, "ttl", ttl);
  }

  /**
   * How many routers a packet may pass: the system's default (64 on Linux), or what `set_ttl` set. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`, `tcp ttl failed: ` with the system's reason. Source: ip(7), IP_TTL;
   * ipv6(7), IPV6_UNICAST_HOPS.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * stream.set_ttl(12);
   * console.log(stream.ttl().unwrap()); // 12
   * ```
   */
  ttl(): Result<number, string> {
    return getNumber(this[TRANSPORT], STREAM, "ttl");
  }

  /**
   * Sets what `close` does with bytes that are not sent yet. By default (null) it returns at once, and the system sends them in
   * the background. With a time, `close` blocks until they are sent, or until the time is over and they are dropped. 0 drops
   * them and resets the connection. A worker that ends meanwhile does not wait, and neither does the garbage collector: the
   * bytes are sent in the background. Does not block itself.
   *
   * @param ms milliseconds from 0 on, rounded up to whole seconds; or null
   * @returns Errors: `invalid tcp stream` after `close`, `timeout must be a positive number` for what is neither,
   * `tcp set_linger failed: ` with the system's reason. Source: socket(7), SO_LINGER.
   *
   * @example
   * ```ts
   * import { error_code, TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const client = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * const server = listener.accept().unwrap();
   * server.set_linger(0).unwrap();
   * server.close(); // resets the connection instead of ending it
   * const end = client.read(100);
   * if (end.isErr) console.log(error_code(end.error)); // ECONNRESET
   * ```
   */
  set_linger(ms: number | null): Result<Unit, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(STREAM.invalid);
    if (!isWaitTime(ms)) return Result.err(INVALID_TIMEOUT);
    const failure = setLinger(socket, ms);
    return failure < 0 ? memberFailed(socket, STREAM, "set_linger", failure) : Result.ok();
  }

  /**
   * What `set_linger` set, in milliseconds as the system holds it (whole seconds), or null. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`, `tcp linger failed: ` with the system's reason. Source: socket(7),
   * SO_LINGER.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * console.log(stream.linger().unwrap()); // null
   * stream.set_linger(1500);
   * console.log(stream.linger().unwrap()); // 2000
   * ```
   */
  linger(): Result<number | null, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(STREAM.invalid);
    const value = getLinger(socket);
    return value !== null && value < 0 ? memberFailed(socket, STREAM, "linger", value) : Result.ok(value);
  }

  /**
   * With true, the system probes a peer that has been silent for long (two hours by default), and ends the connection when the
   * peer does not respond. Does not block.
   *
   * @param enabled true, or false, the default
   * @returns Errors: `invalid tcp stream` after `close`, `expected bool`, `tcp set_keepalive failed: ` with the system's
   * reason. Source: socket(7), SO_KEEPALIVE; tcp(7), tcp_keepalive_time.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * stream.set_keepalive(true).unwrap(); // for a connection that may be silent for days
   * console.log(stream.keepalive().unwrap()); // true
   * ```
   */
  set_keepalive(enabled: boolean): Result<Unit, string> {
    return setFlag(this[TRANSPORT], STREAM, "keepalive", enabled);
  }

  /**
   * What `set_keepalive` set; false by default. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`, `tcp keepalive failed: ` with the system's reason. Source: socket(7),
   * SO_KEEPALIVE.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * console.log(stream.keepalive().unwrap()); // false
   * ```
   */
  keepalive(): Result<boolean, string> {
    return getFlag(this[TRANSPORT], STREAM, "keepalive");
  }
}

/**
 * A socket that accepts TCP connections.
 *
 * @example
 * ```ts
 * import { TcpListener } from "std-net";
 *
 * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
 * console.log("listening on", listener.local_addr().unwrap()); // listening on 127.0.0.1:34567
 * listener.close();
 * ```
 */
export class TcpListener extends SocketHandle {
  /** @internal */
  constructor(socket: Socket) {
    super(socket, LISTENER);
  }

  /**
   * Binds a listener. Blocks only while a name is resolved.
   *
   * SO_REUSEADDR is set, so that a server can start again at once on its port (`reuse_address: false` leaves it out).
   *
   * @param addr `"127.0.0.1:8080"`, or `"[::]:8080"` (IPv6 and, depending on the system, IPv4); with port 0 the system picks a
   * port
   * @param options see {@link TcpBindOptions}
   * @returns Errors: `expected string`; `expected int`, `expected bool` and `options must be an object` for the options;
   * `tcp listener bind failed: ` with `invalid socket address`, `invalid port value`, `failed to lookup address
   * information: ...` or the system's reason. Source: bind(2), listen(2).
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0", { backlog: 16 }).unwrap();
   * const address = listener.local_addr().unwrap();
   * console.log("listening on", address); // listening on 127.0.0.1:34567
   * const again = TcpListener.bind(address);
   * if (again.isErr) console.log(again.error); // tcp listener bind failed: Address already in use (os error 98)
   * listener.close();
   * ```
   */
  static override bind(addr: string, options?: TcpBindOptions): Result<TcpListener, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const checked = bindOptions(options);
    if (checked instanceof Failure) return Result.err(checked.reason);
    const socket = listenOn(addr, checked);
    if (socket instanceof Failure) return failed(LISTENER.prefix("bind"), socket.reason);
    return Result.ok(new TcpListener(socket));
  }

  /**
   * Takes over the descriptor of a listener: from `into_fd` of this thread or another one, or from other code that has made it.
   * From now on it belongs to this object. It becomes close-on-exec, and keeps its blocking or non-blocking mode. Does not
   * block.
   *
   * @param fd the number of a descriptor
   * @returns Errors: `expected int`; `tcp listener from_fd failed: ` with the system's reason (`EBADF`, `ENOTSOCK`), with `not a
   * tcp listener`, or because another object of this thread owns it. After an error the descriptor is unchanged. Source:
   * getsockopt(2), SO_TYPE and SO_ACCEPTCONN.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const fd = TcpListener.bind("127.0.0.1:0").andThen((listener) => listener.into_fd()).unwrap();
   * // Here, or in another thread that has the number:
   * const listener = TcpListener.from_fd(fd).unwrap();
   * console.log(listener.local_addr().unwrap()); // 127.0.0.1:34567
   * const wrong = TcpListener.from_fd(1_000_000);
   * if (wrong.isErr) console.log(wrong.error); // tcp listener from_fd failed: Bad file descriptor (os error 9)
   * ```
   */
  static from_fd(fd: number): Result<TcpListener, string> {
    return fromFd(fd, LISTENER, LISTENER_SHAPE).map((socket) => new TcpListener(socket));
  }

  /**
   * Accepts the next connection. Blocks until one arrives. Several threads may wait on one listener (`try_clone`,
   * `into_fd`, `from_fd`): each connection goes to one of them.
   *
   * @returns the connection, in blocking mode even when the listener is not. Errors: `invalid tcp listener` after `close`;
   * `tcp listener accept failed: ` with the system's reason (`EAGAIN` in non-blocking mode when no connection waits, or after
   * the accept timeout). Source: accept(2).
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const client = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * const stream = listener.accept().unwrap();
   * stream.write_all("welcome");
   * console.log(client.read(100).unwrap().toString()); // welcome
   * ```
   */
  accept(): Result<TcpStream, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(LISTENER.invalid);
    const accepted = socket.accept(Number.POSITIVE_INFINITY);
    if (typeof accepted === "number") return failed(LISTENER.prefix("accept"), socket.reason(accepted));
    return Result.ok(new TcpStream(accepted));
  }

  /**
   * The connections, one after another and without end: each step is an `accept`. Only `close` ends it. An error does not,
   * because the next connection may succeed. Blocks, at each step, until a connection arrives.
   *
   * @returns the connections. Errors: those of `accept`, at each step. Source: accept(2).
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const client = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * client.write("hello");
   * for (const accepted of listener.incoming()) {
   *   if (accepted.isErr) break;
   *   console.log(accepted.value.read(100).unwrap().toString()); // hello
   *   accepted.value.close();
   *   break; // a server would go on
   * }
   * ```
   */
  *incoming(): Generator<Result<TcpStream, string>, void, undefined> {
    do {
      yield this.accept();
    } while (this[TRANSPORT].open);
  }

  /**
   * A second descriptor of the same listener, with the same timeout. Does not block.
   *
   * @returns Errors: `invalid tcp listener` after `close`; `tcp listener try_clone failed: ` with the system's reason
   * (`EMFILE`). Source: fcntl(2), F_DUPFD_CLOEXEC.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const clone = listener.try_clone().unwrap();
   * listener.close(); // the port stays open: the clone still has it
   * console.log(clone.local_addr().unwrap()); // 127.0.0.1:34567
   * clone.close();
   * ```
   */
  try_clone(): Result<TcpListener, string> {
    return cloneOf(this[TRANSPORT], LISTENER).map((socket) => new TcpListener(socket));
  }

  /**
   * Sets how long `accept` may wait. After that time, it returns an `EAGAIN` error. Does not block.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: `invalid tcp listener` after `close`, `timeout must be a positive number`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { error_code, TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * listener.set_accept_timeout(50).unwrap();
   * const nobody = listener.accept();
   * if (nobody.isErr) console.log(error_code(nobody.error)); // EAGAIN
   * listener.close();
   * ```
   */
  set_accept_timeout(ms: number | null): Result<Unit, string> {
    return setTimeout(this[TRANSPORT], LISTENER, "readTimeout", ms);
  }

  /**
   * The accept timeout in milliseconds; null, the default, means no timeout. Does not block.
   *
   * @returns Errors: `invalid tcp listener` after `close`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * listener.set_accept_timeout(1500);
   * console.log(listener.accept_timeout().unwrap()); // 1500
   * listener.close();
   * ```
   */
  accept_timeout(): Result<number | null, string> {
    return getTimeout(this[TRANSPORT], LISTENER, "readTimeout");
  }

  /**
   * Sets how many routers a packet may pass, also for the connections that are accepted from now on. Does not block.
   *
   * @param ttl 1 to 255
   * @returns Errors: `invalid tcp listener` after `close`, `expected int`, `tcp listener set_ttl failed: ` with the system's
   * reason (`EINVAL`). Source: ip(7), IP_TTL; ipv6(7), IPV6_UNICAST_HOPS.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * listener.set_ttl(1).unwrap(); // no response reaches beyond the local network
   * const client = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * console.log(listener.accept().andThen((stream) => stream.ttl()).unwrap()); // 1
   * client.close();
   * ```
   */
  set_ttl(ttl: number): Result<Unit, string> {
    return setNumber(this[TRANSPORT], LISTENER, "ttl", ttl);
  }

  /**
   * How many routers a packet may pass: the system's default (64 on Linux), or what `set_ttl` set. Does not block.
   *
   * @returns Errors: `invalid tcp listener` after `close`, `tcp listener ttl failed: ` with the system's reason. Source: ip(7),
   * IP_TTL; ipv6(7), IPV6_UNICAST_HOPS.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * listener.set_ttl(12);
   * console.log(listener.ttl().unwrap()); // 12
   * listener.close();
   * ```
   */
  ttl(): Result<number, string> {
    return getNumber(this[TRANSPORT], LISTENER, "ttl");
  }
}
