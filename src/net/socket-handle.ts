import { inspect } from "node:util";
import { openedSocket, type Socket } from "../engine/socket.ts";
import type { Result, Unit } from "../result.ts";
import { TRANSPORT } from "./byte-stream.ts";
import type { ErrorWords } from "./error-words.ts";
import { asFd, inspected, intoFd, localAddr, setNonblocking, takeError } from "./socket-members.ts";

/** What listeners and datagram sockets have in common: one descriptor that is no byte stream. */
export abstract class SocketHandle {
  /** @internal */
  readonly [TRANSPORT]: Socket;
  readonly #words: ErrorWords;

  /** @internal */
  constructor(socket: Socket, words: ErrorWords) {
    this[TRANSPORT] = openedSocket(socket);
    this.#words = words;
  }

  /**
   * The address the socket is bound to, with the port that the system picked. Does not block.
   *
   * @returns Errors: `invalid udp socket` and the like after `close`; `udp local_addr failed: ` and the like with the
   * system's reason. Source: getsockname(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrapOrElse(fail);
   * console.log(socket.local_addr().unwrapOrElse(fail)); // 127.0.0.1:45678
   * socket.close();
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  local_addr(): Result<string, string> {
    return localAddr(this[TRANSPORT], this.#words);
  }

  /**
   * Turns non-blocking mode on or off. In it, a call that would wait gives an `EAGAIN` error at once. (Connections
   * that a listener accepts block all the same.) Does not block.
   *
   * @param enabled true, or false, the default
   * @returns Errors: `invalid udp socket` and the like after `close`, `expected bool`, `udp set_nonblocking failed: ` and the
   * like with the system's reason. Source: fcntl(2), O_NONBLOCK.
   *
   * @example
   * ```ts
   * import { error_code, TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrapOrElse(fail);
   * listener.set_nonblocking(true).unwrapOrElse(fail);
   * const nobody = listener.accept();
   * if (nobody.isErr) console.log(error_code(nobody.error)); // EAGAIN
   * listener.close();
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  set_nonblocking(enabled: boolean): Result<Unit, string> {
    return setNonblocking(this[TRANSPORT], this.#words, enabled);
  }

  /**
   * Takes the error that is pending on the socket, and clears it. Does not block.
   *
   * @returns the error's text, such as `Connection refused (os error 111)`, or null. Errors: `invalid udp socket` and
   * the like after `close`; `udp take_error failed: ` and the like. Source: socket(7), SO_ERROR.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrapOrElse(fail);
   * socket.connect("127.0.0.1:1").unwrapOrElse(fail);
   * socket.send("is anybody there?"); // this host answers at once that nobody is
   * console.log(socket.take_error().unwrapOrElse(fail)); // Connection refused (os error 111)
   * socket.close();
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  take_error(): Result<string | null, string> {
    return takeError(this[TRANSPORT], this.#words);
  }

  /**
   * The number of the descriptor, which stays this object's: only to look at, never to close. To give one away, take
   * `into_fd`, or that of a `try_clone`. Does not block.
   *
   * @returns Errors: `invalid udp socket` and the like after `close`. Source: open(2), of file descriptors.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrapOrElse(fail);
   * const fd = listener.as_fd().unwrapOrElse(fail);
   * console.log(Number.isInteger(fd)); // true
   * listener.close();
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  as_fd(): Result<number, string> {
    return asFd(this[TRANSPORT], this.#words);
  }

  /**
   * Gives the descriptor away: this object is closed, the descriptor is not, and whoever has the number must close it.
   * The timeouts do not go with it. Within this process, the number is all that another thread needs (`from_fd`). Does not
   * block.
   *
   * @returns Errors: `invalid udp socket` and the like after `close`. Source: open(2), of file descriptors.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrapOrElse(fail);
   * const clone = listener.try_clone().unwrapOrElse(fail);
   * const fd = clone.into_fd().unwrapOrElse(fail); // for another thread: worker.postMessage(fd)
   * const other = TcpListener.from_fd(fd).unwrapOrElse(fail); // there; both accept on one port
   * console.log(other.local_addr().unwrapOrElse(fail) === listener.local_addr().unwrapOrElse(fail)); // true
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  into_fd(): Result<number, string> {
    return intoFd(this[TRANSPORT], this.#words);
  }

  /**
   * Closes the socket and gives its descriptor back. Never fails; a second call does nothing. Does not block. Source: close(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrapOrElse(fail);
   * socket.close();
   * const late = socket.recv_from(100);
   * if (late.isErr) console.log(late.error); // invalid udp socket
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  close(): void {
    this[TRANSPORT].close();
  }

  /**
   * Closes the socket: what `using socket = ...` calls at the end of the block. Does not block. Source: ECMAScript's
   * explicit resource management.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * {
   *   using listener = TcpListener.bind("127.0.0.1:0").unwrapOrElse(fail);
   *   console.log(listener.local_addr().unwrapOrElse(fail)); // 127.0.0.1:34567
   * } // closed here, however the block was left
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * What `console.log` shows of it: its class and its addresses, or that it is closed. So does `String(result)` of a result that
   * holds it. Never fails. Does not block. Source: getsockname(2), getpeername(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const bound = UdpSocket.bind("127.0.0.1:0");
   * console.log(String(bound)); // such as Ok(UdpSocket 127.0.0.1:54321)
   * const socket = bound.unwrapOrElse(fail);
   * socket.close();
   * console.log(`${socket}`); // UdpSocket (closed)
   *
   * function fail(error: string): never { throw new Error(error); }
   * ```
   */
  toString(): string {
    return inspected(this, this[TRANSPORT]);
  }

  /** @internal */
  [inspect.custom](): string {
    return inspected(this, this[TRANSPORT]);
  }
}
