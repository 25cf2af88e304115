import { inspect } from "node:util";
import type { Socket } from "../engine/socket.ts";
import type { Transport } from "../engine/transport.ts";
import { failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import type { ErrorWords } from "./error-words.ts";
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
