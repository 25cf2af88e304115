import { inspect } from "node:util";
import type { Result } from "true-myth/result";
import type { Unit } from "true-myth/unit";
import { asFd, inspected, intoFd, type Kind, localAddr, setNonblocking, takeError } from "./members.ts";
import { openedSocket, type Socket } from "./socket.ts";
import { TRANSPORT } from "./stream.ts";

/** What listeners and datagram sockets have in common: one descriptor that is no byte stream. */
export abstract class SocketHandle {
  /** @internal */
  readonly [TRANSPORT]: Socket;
  readonly #kind: Kind;

  /** @internal */
  constructor(socket: Socket, kind: Kind) {
    this[TRANSPORT] = openedSocket(socket);
    this.#kind = kind;
  }

  /**
   * The address the socket is bound to, with the port that the system picked. Does not block.
   *
   * @returns Errors: `invalid udp socket` and the like after `close`; `udp local_addr failed: ` and the like with the
   * system's reason. Source: getsockname(2).
   */
  local_addr(): Result<string, string> {
    return localAddr(this[TRANSPORT], this.#kind);
  }

  /**
   * Turns non-blocking mode on or off. In it, a call that would wait gives an `EAGAIN` error at once. (Connections
   * that a listener accepts block all the same.)
   *
   * @returns Errors: `invalid udp socket` and the like after `close`, `expected bool`, `udp set_nonblocking failed: ` and the
   * like with the system's reason. Source: fcntl(2), O_NONBLOCK.
   */
  set_nonblocking(enabled: boolean): Result<Unit, string> {
    return setNonblocking(this[TRANSPORT], this.#kind, enabled);
  }

  /**
   * Takes the error that is pending on the socket, and clears it. Does not block.
   *
   * @returns the error's text, such as `Connection refused (os error 111)`, or null. Errors: `invalid udp socket` and
   * the like after `close`; `udp take_error failed: ` and the like. Source: socket(7), SO_ERROR.
   */
  take_error(): Result<string | null, string> {
    return takeError(this[TRANSPORT], this.#kind);
  }

  /**
   * The number of the descriptor, which stays this object's: only to look at, never to close. To give one away, take
   * `into_fd`, or that of a `try_clone`.
   *
   * @returns Errors: `invalid udp socket` and the like after `close`.
   */
  as_fd(): Result<number, string> {
    return asFd(this[TRANSPORT], this.#kind);
  }

  /**
   * Gives the descriptor away: this object is closed, the descriptor is not, and whoever has the number must close it.
   * The timeouts do not go with it. Within this process, the number is all that another thread needs (`from_fd`).
   *
   * @returns Errors: `invalid udp socket` and the like after `close`.
   */
  into_fd(): Result<number, string> {
    return intoFd(this[TRANSPORT], this.#kind);
  }

  /** Closes the socket and gives its descriptor back. Never fails; a second call does nothing. Source: close(2). */
  close(): void {
    this[TRANSPORT].close();
  }

  /** Closes the socket: what `using socket = ...` calls at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** @internal */
  [inspect.custom](): string {
    return inspected(this, this[TRANSPORT]);
  }
}
