import { type Bytes, byteLength, isSize, toBytes } from "../arguments.ts";
import { copyOut, inPlace, scratch } from "../engine/buffers.ts";
import { type OutgoingDatagram, receiveMany, sendMany } from "../engine/many-datagrams.ts";
import type { Socket } from "../engine/socket.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import type { ErrorWords } from "./error-words.ts";
import { SocketHandle } from "./socket-handle.ts";
import { getTimeout, memberFailed, peerAddr, setTimeout } from "./socket-members.ts";
import { TRANSPORT, WORDS } from "./socket-object.ts";

const INVALID_DATAGRAMS = "datagrams must be an array of [data, addr]";

/** The socket address that a caller's text stands for. */
type Destination = (socket: Socket, text: string) => Buffer | Failure;

/**
 * What UDP sockets and Unix datagram sockets have in common: each datagram has an address. Error texts are quoted as a
 * UdpSocket gives them. Those of a UnixDatagram have `unix` in place of `udp`.
 */
export abstract class DatagramSocket extends SocketHandle {
  readonly #destination: Destination;

  /** @internal */
  constructor(socket: Socket, words: ErrorWords, destination: Destination) {
    super(socket, words);
    this.#destination = destination;
  }

  /**
   * Connects the socket: `send` sends to this address, and the socket receives only from there. Another call connects it to
   * another address. Blocks only while a name is resolved.
   *
   * @param addr as for `bind`
   * @returns Errors: `invalid udp socket` after `close`, `expected string`; `udp connect failed: ` with `invalid socket
   * address`, `invalid port value`, `failed to lookup address information: ...` or the system's reason. Source: connect(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const server = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const client = UdpSocket.bind("127.0.0.1:0").unwrap();
   * client.connect(server.local_addr().unwrap()).unwrap();
   * client.send("hello");
   * console.log(server.recv(1500).unwrap().toString()); // hello
   * ```
   */
  connect(addr: string): Result<Unit, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(this[WORDS].invalid);
    if (typeof addr !== "string") return Result.err("expected string");
    const address = this.#destination(socket, addr);
    if (address instanceof Failure) return failed(this[WORDS].prefix("connect"), address.reason);
    const failure = socket.connectDatagrams(address);
    return failure < 0 ? memberFailed(socket, this[WORDS], "connect", failure) : Result.ok();
  }

  /**
   * Sends one datagram. Blocks while a name is resolved, and while the send buffer (of a Unix socket: the receiver's
   * queue) is full.
   *
   * @param data the payload: a Uint8Array, a list of integers 0..255, or a string that is sent as UTF-8; a datagram of no
   * bytes is valid
   * @param addr the receiver, as for `bind`
   * @returns the number of bytes sent. Errors: `invalid udp socket` after `close`; `expected list of ints`, `bytes list
   * must contain ints`, `byte value out of range`, `expected string`; `udp send failed: ` with `invalid socket address`,
   * `invalid port value`, `failed to lookup address information: ...` or the system's reason (`EMSGSIZE` for more than a
   * datagram can hold). Source: sendto(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const server = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const client = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const address = server.local_addr().unwrap();
   * console.log(client.send_to("hello", address).unwrap()); // 5
   * console.log(client.send_to([], address).unwrap()); // 0, but it is a datagram
   * ```
   */
  send_to(data: Bytes, addr: string): Result<number, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(this[WORDS].invalid);
    const bytes = toBytes(data);
    if (bytes instanceof Failure) return Result.err(bytes.reason);
    if (typeof addr !== "string") return Result.err("expected string");
    const destination = this.#destination(socket, addr);
    if (destination instanceof Failure) return failed(this[WORDS].prefix("send"), destination.reason);
    const length = byteLength(bytes);
    const count = socket.sendTo(inPlace(bytes, length), length, destination);
    if (count < 0) return failed(this[WORDS].prefix("send"), socket.reason(count));
    return Result.ok(count);
  }

  /**
   * Receives one datagram. Blocks until one arrives.
   *
   * @param size the most to return, in bytes; the rest of a longer datagram is lost
   * @returns the payload (which may be empty) and the sender's address. Errors: `invalid udp socket` after `close`, `invalid
   * buffer size`, `udp recv failed: ` with the system's reason (`EAGAIN` in non-blocking mode when none has come, or
   * after the read timeout). Source: recvfrom(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const server = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const client = UdpSocket.bind("127.0.0.1:0").unwrap();
   * client.send_to("hello", server.local_addr().unwrap());
   * const [payload, sender] = server.recv_from(1500).unwrap();
   * server.send_to(`${payload} yourself`, sender);
   * console.log(client.recv(1500).unwrap().toString()); // hello yourself
   * ```
   */
  recv_from(size: number): Result<readonly [Buffer, string], string> {
    return this.#receiveFrom(size, false);
  }

  /**
   * Returns the next datagram and leaves it on the socket for the next receive. Blocks until one arrives.
   *
   * @param size the most to return, in bytes
   * @returns as `recv_from`. Errors: as for `recv_from`. Source: recvfrom(2), MSG_PEEK.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * socket.send_to("hello", socket.local_addr().unwrap());
   * const [begin, sender] = socket.peek_from(4).unwrap();
   * console.log(begin.toString(), "from", sender); // hell from 127.0.0.1:45678
   * console.log(socket.recv(1500).unwrap().toString()); // hello
   * ```
   */
  peek_from(size: number): Result<readonly [Buffer, string], string> {
    return this.#receiveFrom(size, true);
  }

  /**
   * Sends several datagrams, in their order: on Linux with one system call for up to 64 of them. Blocks until there is room for them.
   *
   * @param datagrams each the bytes and the address that they go to, as for `send_to`
   * @returns how many were sent. It is less than all when one could not be sent; that one's error comes when the rest is sent. Errors, when
   * not even the first was sent: those of `send_to`; `datagrams must be an array of [data, addr]`. Source: sendmmsg(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const address = socket.local_addr().unwrap();
   * console.log(socket.send_many([["one", address], ["two", address]]).unwrap()); // 2
   * for (const [data, from] of socket.recv_many(10, 1500).unwrap()) {
   *   console.log(data.toString(), from === address); // one true, and two true
   * }
   * ```
   */
  send_many(datagrams: readonly (readonly [Bytes, string])[]): Result<number, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(this[WORDS].invalid);
    const outgoing = this.#outgoing(datagrams);
    if (!Array.isArray(outgoing)) return Result.err(outgoing.reason);
    const count = sendMany(socket, outgoing);
    return count < 0 ? failed(this[WORDS].prefix("send"), socket.reason(count)) : Result.ok(count);
  }

  /**
   * Receives several datagrams: waits for the first, and takes those that have come as well. On Linux that is one system call.
   *
   * Blocks until a datagram has come.
   *
   * @param count the most datagrams, a positive integer; one call gives at most 64
   * @param size the room for each, in bytes: a positive integer. The rest of a longer one is lost
   * @returns the datagrams in the order in which they came, each with its sender's address. Errors: `invalid udp socket` after `close`;
   * `invalid buffer size` for either number; `udp recv failed: ` with the system's reason (`EAGAIN` after the read timeout). Source:
   * recvmmsg(2), MSG_WAITFORONE.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const address = socket.local_addr().unwrap();
   * for (const text of ["one", "two", "three"]) socket.send_to(text, address);
   * const received = socket.recv_many(10, 1500).unwrap();
   * console.log(received.map(([data]) => data.toString())); // [ 'one', 'two', 'three' ]
   * ```
   */
  recv_many(count: number, size: number): Result<[Buffer, string][], string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(this[WORDS].invalid);
    if (!isSize(count) || !isSize(size)) return Result.err("invalid buffer size");
    const received = receiveMany(socket, count, size);
    return typeof received === "number"
      ? failed(this[WORDS].prefix("recv"), socket.reason(received))
      : Result.ok(received);
  }

  #receiveFrom(size: number, stays: boolean): Result<readonly [Buffer, string], string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(this[WORDS].invalid);
    if (!isSize(size)) return Result.err("invalid buffer size");
    const target = scratch(size);
    const count = socket.receiveFrom(target, Math.min(size, target.length), stays);
    if (count < 0) return failed(this[WORDS].prefix("recv"), socket.reason(count));
    return Result.ok([copyOut(target, count), socket.senderText()] as const);
  }

  /**
   * Sends one datagram to the peer of `connect`. Blocks while the send buffer is full.
   *
   * @param data as for `send_to`
   * @returns the number of bytes sent. Errors: as for `send_to`; a socket that is not connected gives `EDESTADDRREQ`
   * or `ENOTCONN`, and `ECONNREFUSED` may follow a datagram that nobody has received. Source: send(2).
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * socket.connect(socket.local_addr().unwrap()).unwrap(); // to itself
   * console.log(socket.send([1, 2, 3]).unwrap()); // 3
   * console.log(socket.recv(1500).unwrap().length); // 3
   * ```
   */
  send(data: Bytes): Result<number, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(this[WORDS].invalid);
    const bytes = toBytes(data);
    if (bytes instanceof Failure) return Result.err(bytes.reason);
    const length = byteLength(bytes);
    const count = socket.send(inPlace(bytes, length), length, Number.POSITIVE_INFINITY);
    if (count < 0) return failed(this[WORDS].prefix("send"), socket.reason(count));
    return Result.ok(count);
  }

  /**
   * Receives one datagram without the address of its sender: for a connected socket. Blocks until one arrives.
   *
   * @param size the most to return, in bytes; the rest of a longer datagram is lost
   * @returns the payload, which may be empty. Errors: as for `recv_from` (`ECONNREFUSED` when the peer's host has reported
   * that nobody receives there). Source: recv(2).
   *
   * @example
   * ```ts
   * import { UnixDatagram } from "std-net";
   *
   * const [near, far] = UnixDatagram.pair().unwrap();
   * near.send("a message");
   * near.send("another one");
   * console.log(far.recv(1500).unwrap().toString()); // a message
   * console.log(far.recv(7).unwrap().toString()); // another
   * ```
   */
  recv(size: number): Result<Buffer, string> {
    return this.#receive(size, false);
  }

  /**
   * Returns the next datagram, without the address of its sender, and leaves it on the socket for the next receive. Blocks
   * until one arrives.
   *
   * @param size the most to return, in bytes
   * @returns as `recv`. Errors: as for `recv`. Source: recv(2), MSG_PEEK.
   *
   * @example
   * ```ts
   * import { UnixDatagram } from "std-net";
   *
   * const [near, far] = UnixDatagram.pair().unwrap();
   * near.send("hello");
   * console.log(far.peek(4).unwrap().toString()); // hell
   * console.log(far.recv(1500).unwrap().toString()); // hello
   * ```
   */
  peek(size: number): Result<Buffer, string> {
    return this.#receive(size, true);
  }

  #receive(size: number, stays: boolean): Result<Buffer, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(this[WORDS].invalid);
    if (!isSize(size)) return Result.err("invalid buffer size");
    const target = scratch(size);
    const most = Math.min(size, target.length);
    const forever = Number.POSITIVE_INFINITY;
    const count = stays ? socket.peek(target, most, forever) : socket.receive(target, most, forever);
    if (count < 0) return failed(this[WORDS].prefix("recv"), socket.reason(count));
    return Result.ok(copyOut(target, count));
  }

  /**
   * The address of the peer of `connect`. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`; `udp peer_addr failed: ` with the system's reason (`ENOTCONN`
   * when the socket is not connected). Source: getpeername(2).
   *
   * @example
   * ```ts
   * import { error_code, UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * const none = socket.peer_addr();
   * if (none.isErr) console.log(error_code(none.error)); // ENOTCONN
   * socket.connect("127.0.0.1:9");
   * console.log(socket.peer_addr().unwrap()); // 127.0.0.1:9
   * ```
   */
  peer_addr(): Result<string, string> {
    return peerAddr(this[TRANSPORT], this[WORDS]);
  }

  /**
   * Sets how long one wait for a datagram may last. After that time, the call returns an `EAGAIN` error. Does not block.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: `invalid udp socket` after `close`, `timeout must be a positive number`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { error_code, UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * socket.set_read_timeout(50).unwrap();
   * const received = socket.recv_from(1500); // nobody sends
   * if (received.isErr) console.log(error_code(received.error)); // EAGAIN
   * ```
   */
  set_read_timeout(ms: number | null): Result<Unit, string> {
    return setTimeout(this[TRANSPORT], this[WORDS], "readTimeout", ms);
  }

  /**
   * The read timeout in milliseconds; null, the default, means no timeout. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * console.log(socket.read_timeout().unwrap()); // null
   * socket.set_read_timeout(1500);
   * console.log(socket.read_timeout().unwrap()); // 1500
   * ```
   */
  read_timeout(): Result<number | null, string> {
    return getTimeout(this[TRANSPORT], this[WORDS], "readTimeout");
  }

  /**
   * Sets how long one wait to send may last. After that time, the call returns an `EAGAIN` error. Does not block.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: `invalid udp socket` after `close`, `timeout must be a positive number`. Source: socket(7), SO_SNDTIMEO.
   *
   * @example
   * ```ts
   * import { error_code, UnixDatagram } from "std-net";
   *
   * const [near, far] = UnixDatagram.pair().unwrap();
   * near.set_write_timeout(50).unwrap();
   * let sent = near.send("hello");
   * while (sent.isOk) sent = near.send("hello"); // until the queue of the other side is full, because it receives nothing
   * console.log(error_code(sent.error)); // EAGAIN
   * far.close();
   * ```
   */
  set_write_timeout(ms: number | null): Result<Unit, string> {
    return setTimeout(this[TRANSPORT], this[WORDS], "writeTimeout", ms);
  }

  /**
   * The write timeout in milliseconds; null, the default, means no timeout. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`. Source: socket(7), SO_SNDTIMEO.
   *
   * @example
   * ```ts
   * import { UdpSocket } from "std-net";
   *
   * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
   * socket.set_write_timeout(1500);
   * console.log(socket.write_timeout().unwrap()); // 1500
   * ```
   */
  write_timeout(): Result<number | null, string> {
    return getTimeout(this[TRANSPORT], this[WORDS], "writeTimeout");
  }

  /** Checked, with the socket addresses; or the text of what is wrong with one of them. */
  #outgoing(datagrams: unknown): OutgoingDatagram[] | Failure {
    try {
      if (!Array.isArray(datagrams)) return new Failure(INVALID_DATAGRAMS);
      const outgoing: OutgoingDatagram[] = [];
      for (const datagram of datagrams) {
        if (!Array.isArray(datagram)) return new Failure(INVALID_DATAGRAMS);
        const [data, addr] = datagram;
        const bytes = toBytes(data);
        if (bytes instanceof Failure) return bytes;
        if (typeof addr !== "string") return new Failure("expected string");
        const address = this.#destination(this[TRANSPORT], addr);
        if (address instanceof Failure) return new Failure(this[WORDS].prefix("send") + address.reason);
        outgoing.push({ bytes, length: 0, address });
      }
      // A getter of a later one could have changed a former one's buffer.
      return outgoing.map((one) => ({ ...one, length: byteLength(one.bytes) }));
    } catch {
      return new Failure(INVALID_DATAGRAMS);
    }
  }
}
