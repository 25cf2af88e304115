import { openedSocket, type Socket } from "../engine/socket.ts";
import type { Result, Unit } from "../result.ts";
import { ByteStream } from "./byte-stream.ts";
import type { ErrorWords } from "./error-words.ts";
import { asFd, intoFd, shutdown, takeError } from "./socket-members.ts";
import { SOCKET, WORDS } from "./socket-object.ts";

/**
 * What TCP and Unix streams have in common beyond their bytes: each is one socket, with nothing in between. Error texts are
 * quoted as a TcpStream gives them. Those of a UnixStream have `unix` in place of `tcp`.
 */
export abstract class SocketStream extends ByteStream<Socket> {
  /** @internal */
  constructor(value: Socket, words: ErrorWords) {
    const socket = openedSocket(value);
    super(socket, socket, words);
  }

  /**
   * Ends one direction of the connection, or both. The stream stays open: the program must still call `close`. After
   * `"write"` the peer reads the end of the stream, and this side can still read what the peer sends. Does not block.
   *
   * @param how which direction: `"read"`, `"write"` or `"both"`
   * @returns Errors: `invalid tcp stream` after `close`, `expected 'read', 'write' or 'both'`, `tcp shutdown failed: `
   * with the system's reason (`ENOTCONN` when the connection is gone). Source: shutdown(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("a request");
   * near.shutdown("write").unwrap(); // nothing more to send; the response can still come
   * console.log(far.read_to_end().unwrap().toString()); // a request
   * far.write_all("a response");
   * console.log(near.read(100).unwrap().toString()); // a response
   * ```
   */
  shutdown(how: "read" | "write" | "both"): Result<Unit, string> {
    return shutdown(this[SOCKET], this[WORDS], how);
  }

  /**
   * Returns the pending error of the socket and clears it. Does not block.
   *
   * @returns the error's text, such as `Connection refused (os error 111)`, or null. Errors: `invalid tcp stream` after
   * `close`; `tcp take_error failed: `. Source: socket(7), SO_ERROR.
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * const server = listener.accept().unwrap();
   * server.set_linger(0);
   * server.close(); // resets the connection
   * console.log(stream.take_error().unwrap()); // Connection reset by peer (os error 104)
   * console.log(stream.take_error().unwrap()); // null
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
   * @returns Errors: `invalid tcp stream` after `close`. Source: open(2), of file descriptors.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [stream] = UnixStream.pair().unwrap();
   * const fd = stream.as_fd().unwrap();
   * console.log(Number.isInteger(fd)); // true
   * ```
   */
  as_fd(): Result<number, string> {
    return asFd(this[SOCKET], this[WORDS]);
  }

  /**
   * Gives the descriptor away. This object is closed, but the connection is not: the code that gets the number must close it.
   * The timeouts do not go with it. Within this process, another thread needs only the number (`from_fd`), and so does
   * `new net.Socket({ fd })` of node:net. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp into_fd failed: ` when this object still has bytes that a
   * failed read gave back. Source: open(2), of file descriptors.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * const fd = near.into_fd().unwrap(); // this number can go to a worker: postMessage(fd)
   * const stream = UnixStream.from_fd(fd).unwrap(); // and becomes a stream again there
   * stream.write_all("hello");
   * console.log(far.read(100).unwrap().toString()); // hello
   * ```
   */
  into_fd(): Result<number, string> {
    return intoFd(this[SOCKET], this[WORDS]);
  }
}
