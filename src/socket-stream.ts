import { inspect } from "node:util";
import type { Result } from "true-myth/result";
import type { Unit } from "true-myth/unit";
import { asFd, inspected, intoFd, type Kind, localAddr, peerAddr, shutdown, takeError } from "./members.ts";
import { openedSocket, type Socket } from "./socket.ts";
import { ByteStream, TRANSPORT, wording } from "./stream.ts";

/** What TCP and Unix streams have in common beyond their bytes: they are one socket, with nothing in between. */
export abstract class SocketStream extends ByteStream<Socket> {
  readonly #kind: Kind;

  /** @internal */
  constructor(socket: Socket, kind: Kind) {
    super(openedSocket(socket), wording(kind.name, kind.invalid));
    this.#kind = kind;
  }

  /**
   * The remote address: `"127.0.0.1:80"` or `"[::1]:80"`; of a Unix stream the path, `""` where it has none. Does not
   * block.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp peer_addr failed: ` with the system's reason
   * (`ENOTCONN` when the connection is gone). Source: getpeername(2).
   */
  peer_addr(): Result<string, string> {
    return peerAddr(this[TRANSPORT], this.#kind);
  }

  /**
   * The local address, in the same form. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp local_addr failed: ` with the system's reason.
   * Source: getsockname(2).
   */
  local_addr(): Result<string, string> {
    return localAddr(this[TRANSPORT], this.#kind);
  }

  /**
   * Ends one direction of the connection, or both; the stream stays open (`close` is still to be called). After
   * `"write"` the peer reads the end of the stream, and what it sends can still be read. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`, `expected 'read', 'write' or 'both'`, `tcp shutdown failed: `
   * with the system's reason (`ENOTCONN` when the connection is gone). Source: shutdown(2).
   */
  shutdown(how: "read" | "write" | "both"): Result<Unit, string> {
    return shutdown(this[TRANSPORT], this.#kind, how);
  }

  /**
   * Takes the error that is pending on the socket, and clears it. Does not block.
   *
   * @returns the error's text, such as `Connection refused (os error 111)`, or null. Errors: `invalid tcp stream` after
   * `close`; `tcp take_error failed: `. Source: socket(7), SO_ERROR.
   */
  take_error(): Result<string | null, string> {
    return takeError(this[TRANSPORT], this.#kind);
  }

  /**
   * The number of the descriptor, which stays this object's: only to look at, never to close. To give one away, take
   * `into_fd`, or that of a `try_clone`.
   *
   * @returns Errors: `invalid tcp stream` after `close`.
   */
  as_fd(): Result<number, string> {
    return asFd(this[TRANSPORT], this.#kind);
  }

  /**
   * Gives the descriptor away: this object is closed, the connection is not, and whoever has the number must close it.
   * The timeouts do not go with it. Within this process, the number is all that another thread needs (`from_fd`), or
   * `new net.Socket({ fd })` of node:net.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp into_fd failed: ` when a failed read left bytes in this
   * object that are still to be read.
   *
   * @example
   * ```ts
   * import { Worker } from "node:worker_threads";
   * import type { TcpStream } from "std-net";
   *
   * function serve_elsewhere(stream: TcpStream, worker: Worker): void {
   *   const fd = stream.into_fd();
   *   if (fd.isOk) worker.postMessage(fd.value); // there: TcpStream.from_fd(fd)
   * }
   * ```
   */
  into_fd(): Result<number, string> {
    return intoFd(this[TRANSPORT], this.#kind);
  }

  /** @internal */
  [inspect.custom](): string {
    return inspected(this, this[TRANSPORT]);
  }
}
