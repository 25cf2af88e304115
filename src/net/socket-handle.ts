import { openedSocket, type Socket } from "../engine/socket.ts";
import type { Result } from "../result.ts";
import type { ErrorWords } from "./error-words.ts";
import { asFd, intoFd, takeError } from "./socket-members.ts";
import { SOCKET, SocketObject, WORDS } from "./socket-object.ts";

/** What listeners and datagram sockets have in common: one descriptor that is not a byte stream. */
export abstract class SocketHandle extends SocketObject {
  /** @internal */
  constructor(value: Socket, words: ErrorWords) {
    const socket = openedSocket(value);
    super(socket, socket, words);
  }

  /**
   * Returns the pending error of the socket and clears it. Does not block.
   *
   * @returns the error's text, such as `Connection refused (os error 111)`, or null. Errors: `invalid udp socket` and
   * the like after `close`; `udp take_error failed: ` and the like. Source: socket(7), SO_ERROR.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * socket.connect("127.0.0.1:1").unwrap();
   * socket.send("is anybody there?"); // the system reports at once that nobody is
   * console.log(socket.take_error().unwrap()); // Connection refused (os error 111)
   * socket.close();
   * ```
   */
  take_error(): Result<string | null, string> {
    return takeError(this[SOCKET], this[WORDS]);
  }

  /**
   * The number of the descriptor. The descriptor still belongs to this object, so never close it. To give a descriptor away,
   * use `into_fd`, or `into_fd` of a `try_clone`. A child process can inherit it (`stdio` of node:child_process). It finds no
   * timeouts, and blocking mode unless `set_nonblocking` was called. This object's own timeouts still hold. Does not block.
   *
   * @returns Errors: `invalid udp socket` and the like after `close`. Source: open(2), of file descriptors.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const fd = listener.as_fd().unwrap();
   * console.log(Number.isInteger(fd)); // true
   * listener.close();
   * ```
   */
  as_fd(): Result<number, string> {
    return asFd(this[SOCKET], this[WORDS]);
  }

  /**
   * Gives the descriptor away. This object is closed, but the descriptor is not: the code that gets the number must close it.
   * The timeouts do not go with it. Within this process, another thread needs only the number (`from_fd`). Does not block.
   *
   * @returns Errors: `invalid udp socket` and the like after `close`. Source: open(2), of file descriptors.
   *
   * @example
   * ```ts
   * import { TcpListener } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const clone = listener.try_clone().unwrap();
   * const fd = clone.into_fd().unwrap(); // for another thread: worker.postMessage(fd)
   * const other = TcpListener.from_fd(fd).unwrap(); // there; both accept on one port
   * console.log(other.local_addr().unwrap() === listener.local_addr().unwrap()); // true
   * ```
   */
  into_fd(): Result<number, string> {
    return intoFd(this[SOCKET], this[WORDS]);
  }
}
