import { inspect } from "node:util";
import type { Bytes } from "../arguments.ts";
import type { Socket } from "../engine/socket.ts";
import type { Transport } from "../engine/transport.ts";
import { failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import type { ErrorWords } from "./error-words.ts";
import { getRawOption, setRawOption } from "./raw-options.ts";
import { describeSocket, localAddr } from "./socket-members.ts";

/** The key under which an object keeps its transport: for http and the poller, not for users. */
export const TRANSPORT: unique symbol = Symbol("std-net.transport");
/** The key of the socket that the transport stands on. Without TLS it is the transport. */
export const SOCKET: unique symbol = Symbol("std-net.socket");
/** The key of how the errors of an object begin. */
export const WORDS: unique symbol = Symbol("std-net.errorWords");

/**
 * What all streams, listeners and datagram sockets have. Error texts are quoted as a UdpSocket gives them. Those of another class
 * have its own name in place of `udp` and `udp socket`.
 */
export abstract class SocketObject<T extends Transport = Socket> {
  /** @internal */
  readonly [TRANSPORT]: T;
  /** @internal */
  readonly [SOCKET]: Socket;
  /** @internal */
  readonly [WORDS]: ErrorWords;

  /** @internal */
  constructor(transport: T, socket: Socket, words: ErrorWords) {
    this[TRANSPORT] = transport;
    this[SOCKET] = socket;
    this[WORDS] = words;
  }

  /**
   * The local address, with the port that the system has picked: `"127.0.0.1:80"` or `"[::1]:80"`. Of a Unix socket it is the
   * path, `""` if it has none. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`; `udp local_addr failed: ` with the system's reason. Source:
   * getsockname(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * console.log(socket.local_addr().unwrap()); // 127.0.0.1:45678
   * socket.close();
   * ```
   */
  local_addr(): Result<string, string> {
    return localAddr(this[SOCKET], this[WORDS]);
  }

  /**
   * Turns non-blocking mode on or off. In this mode, a call that would wait returns an `EAGAIN` error at once. (A connection
   * that a listener accepts is in blocking mode anyway.) Does not block.
   *
   * @param enabled true, or false, the default
   * @returns Errors: `invalid udp socket` after `close`, `expected bool`, `udp set_nonblocking failed: ` with the system's
   * reason. Source: fcntl(2), O_NONBLOCK.
   *
   * @example
   * ```ts
   * import { error_code, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * far.set_nonblocking(true).unwrap();
   * const nothing = far.read(100);
   * if (nothing.isErr) console.log(error_code(nothing.error)); // EAGAIN
   * near.write("hello");
   * console.log(far.read(100).unwrap().toString()); // hello
   * ```
   */
  set_nonblocking(enabled: boolean): Result<Unit, string> {
    const transport = this[TRANSPORT];
    const words = this[WORDS];
    if (!transport.open) return Result.err(words.invalid);
    if (typeof enabled !== "boolean") return Result.err("expected bool");
    const failure = transport.setNonblocking(enabled);
    return failure < 0 ? failed(words.prefix("set_nonblocking"), transport.reason(failure)) : Result.ok();
  }

  /**
   * Sets any option of the socket by its numbers: one for which this class has no member. The numbers are those of the system. Does not
   * block.
   *
   * The library relies on SO_RCVTIMEO, SO_SNDTIMEO and SO_RCVLOWAT. A program that sets these gets waits of another length.
   *
   * @param level the level, an int: SOL_SOCKET, IPPROTO_TCP and so on
   * @param name the option's number, an int
   * @param value an int, or the bytes of another type: text (`"eth0"` for SO_BINDTODEVICE), or a structure
   * @returns Errors: `invalid udp socket` after `close`; `expected int`; `expected list of ints`, `bytes list must contain ints` and `byte
   * value out of range` for a value that is neither; `udp set_option failed: ` with the system's reason (`ENOPROTOOPT`: there is no
   * such option; `EINVAL`, also for a number that is not one of 32 bits). Source: setsockopt(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const [IPPROTO_IP, IP_TOS] = [0, 1]; // on Linux (netinet/in.h)
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * socket.set_option(IPPROTO_IP, IP_TOS, 0x10).unwrap(); // low delay
   * console.log(socket.option(IPPROTO_IP, IP_TOS).unwrap()); // 16
   * ```
   */
  set_option(level: number, name: number, value: number | Bytes): Result<Unit, string> {
    return setRawOption(this[SOCKET], this[WORDS], level, name, value);
  }

  /**
   * Any option of the socket by its numbers, as an int. Does not block.
   *
   * @param level the level, an int: SOL_SOCKET, IPPROTO_TCP and so on
   * @param name the option's number, an int
   * @returns the int. Errors: `invalid udp socket` after `close`; `expected int`; `udp option failed: ` with the system's reason
   * (`ENOPROTOOPT`). Source: getsockopt(2).
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const [SOL_SOCKET, SO_RCVBUF] = [1, 8]; // on Linux (asm-generic/socket.h)
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * console.log(listener.option(SOL_SOCKET, SO_RCVBUF).unwrap()); // such as 131072
   * ```
   */
  option(level: number, name: number): Result<number, string>;
  /**
   * The same as bytes, for options that are text or a structure. Does not block.
   *
   * @param level the level, an int
   * @param name the option's number, an int
   * @param size the room for the value, in bytes: at most 65536
   * @returns the bytes, as many as the system gave. Errors: as above; `invalid buffer size`. Source: getsockopt(2).
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const [IPPROTO_TCP, TCP_CONGESTION] = [6, 13]; // on Linux (netinet/tcp.h)
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * console.log(stream.option(IPPROTO_TCP, TCP_CONGESTION, 16).unwrap().toString()); // such as cubic
   * ```
   */
  option(level: number, name: number, size: number): Result<Buffer, string>;
  option(level: number, name: number, size?: number): Result<number | Buffer, string> {
    return getRawOption(this[SOCKET], this[WORDS], level, name, size);
  }

  /**
   * Closes the object and its descriptor. Never fails; a second call does nothing. Does not block, except after `set_linger`:
   * the system sends written bytes in the background. Source: close(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.close();
   * console.log(far.read(100).unwrap().length); // 0, the end of the stream
   * const late = near.write("too late");
   * if (late.isErr) console.log(late.error); // invalid unix stream
   * ```
   */
  close(): void {
    this[TRANSPORT].close();
  }

  /**
   * Closes the object: `using stream = ...` calls this at the end of the block. Does not block. Source: ECMAScript's explicit
   * resource management.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * {
   *   using listener = TcpListener.bind("127.0.0.1:0").unwrap();
   *   console.log(listener.local_addr().unwrap()); // 127.0.0.1:34567
   * } // closed here, even after an exception
   * ```
   */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * The class with its addresses, or that it is closed. `console.log` shows this too, and so does `String(result)` of a result
   * that holds the object. Never fails. Does not block. Source: getsockname(2), getpeername(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const bound = UdpSocket.bind("127.0.0.1:0");
   * console.log(String(bound)); // such as Ok(UdpSocket 127.0.0.1:54321)
   * const socket = bound.unwrap();
   * socket.close();
   * console.log(`${socket}`); // UdpSocket (closed)
   * ```
   */
  toString(): string {
    return describeSocket(this, this[SOCKET]);
  }

  /** @internal */
  [inspect.custom](): string {
    return describeSocket(this, this[SOCKET]);
  }
}
