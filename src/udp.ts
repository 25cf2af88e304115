import { Result } from "true-myth/result";
import { Unit } from "true-myth/unit";
import { formatAddress } from "./address.ts";
import { type Bytes, byteLength, copyOut, inPlace, isSize, scratch, toBytes } from "./bytes.ts";
import { bindTo, localAddress, peerAddress } from "./endpoint.ts";
import { failed } from "./error.ts";
import { resolve } from "./resolve.ts";
import { openedSocket, type Socket } from "./socket.ts";
import { TRANSPORT, wording } from "./stream.ts";
import type { Platform } from "./sys/index.ts";
import { familyOf, SOCKADDR_ROOM } from "./sys/sockaddr.ts";

const INVALID_SOCKET = "invalid udp socket";
const BIND_FAILED = "udp bind failed: ";
const SEND_FAILED = "udp send failed: ";
const RECV_FAILED = "udp recv failed: ";

const words = wording("udp", INVALID_SOCKET);

const nothing = (): number => 0;

/**
 * A UDP socket: datagrams to and from anyone.
 *
 * @example
 * ```ts
 * import { UdpSocket } from "std-net";
 *
 * const socket = UdpSocket.bind("127.0.0.1:0").unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * const self = socket.local_addr().unwrapOr("");
 * socket.send_to("hello", self);
 * const [payload, sender] = socket.recv_from(1500).unwrapOrElse((error) => {
 *   throw new Error(error);
 * });
 * console.log(payload.toString(), "from", sender);
 * socket.close();
 * ```
 */
export class UdpSocket {
  /** @internal */
  readonly [TRANSPORT]: Socket;
  // The sender's address as the system stored it, and the text it made last time: most datagrams come from one peer.
  readonly #sender = Buffer.alloc(SOCKADDR_ROOM);
  readonly #senderLength = new Uint32Array(1);
  readonly #lastSender = Buffer.alloc(SOCKADDR_ROOM);
  #lastSenderLength = -1;
  #lastSenderText = "";

  /** @internal */
  constructor(socket: Socket) {
    this[TRANSPORT] = openedSocket(socket);
  }

  /**
   * Binds a new UDP socket. Blocks only while a name is resolved.
   *
   * @param addr the local address, such as `"0.0.0.0:5353"`; `"127.0.0.1:0"` lets the system pick a port
   * @returns Errors: `expected string`; `udp bind failed: ` with `invalid socket address`, `invalid port value`, `failed to
   * lookup address information: ...` or the system's reason. Source: bind(2).
   */
  static bind(addr: string): Result<UdpSocket, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const socket = bindTo(addr, "SOCK_DGRAM", nothing, nothing);
    if (typeof socket === "string") return failed(BIND_FAILED, socket);
    return Result.ok(new UdpSocket(socket));
  }

  /**
   * Sends one datagram. Blocks while a name is resolved, and while the send buffer is full.
   *
   * @param data the payload; no bytes at all make a valid datagram
   * @param addr where to, as for `bind`
   * @returns the number of bytes sent. Errors: `invalid udp socket` after `close`; `expected list of ints`, `bytes list
   * must contain ints`, `byte value out of range`, `expected string`; `udp send failed: ` with `invalid socket address`,
   * `invalid port value`, `failed to lookup address information: ...` or the system's reason (`EMSGSIZE` for more than a
   * datagram can hold). Source: sendto(2).
   */
  send_to(data: Bytes, addr: string): Result<number, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_SOCKET);
    const bytes = toBytes(data);
    if (typeof bytes === "string") return Result.err(bytes);
    if (typeof addr !== "string") return Result.err("expected string");
    const destination = this.#destination(socket, addr);
    if (typeof destination === "string") return failed(SEND_FAILED, destination);
    const length = byteLength(bytes);
    const count = socket.sendTo(inPlace(bytes, length), length, destination);
    if (count < 0) return failed(SEND_FAILED, socket.reason(count));
    return Result.ok(count);
  }

  /**
   * Receives one datagram. Blocks until one arrives.
   *
   * @param size the most to take, in bytes; the rest of a longer datagram is lost
   * @returns the payload (which may be empty) and the sender's address. Errors: `invalid udp socket` after `close`, `invalid
   * buffer size`, `udp recv failed: ` with the system's reason (`EAGAIN` in non-blocking mode when none has come).
   * Source: recvfrom(2).
   */
  recv_from(size: number): Result<readonly [Buffer, string], string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_SOCKET);
    if (!isSize(size)) return Result.err("invalid buffer size");
    const target = scratch(size);
    this.#senderLength[0] = SOCKADDR_ROOM;
    const most = Math.min(size, target.length);
    const count = socket.receiveFrom(target, most, 0, this.#sender, this.#senderLength);
    if (count < 0) return failed(RECV_FAILED, socket.reason(count));
    return Result.ok([copyOut(target, count), this.#senderText(socket)] as const);
  }

  /**
   * The peer's address of a connected socket. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`; `udp peer_addr failed: ` with the system's reason (`ENOTCONN`
   * when the socket is not connected). Source: getpeername(2).
   */
  peer_addr(): Result<string, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_SOCKET);
    const address = peerAddress(socket);
    return typeof address === "string" ? Result.ok(address) : failed(words.peerAddr, socket.reason(address));
  }

  /**
   * The address the socket is bound to, with the port that the system picked. Does not block.
   *
   * @returns Errors: `invalid udp socket` after `close`; `udp local_addr failed: ` with the system's reason.
   * Source: getsockname(2).
   */
  local_addr(): Result<string, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_SOCKET);
    const address = localAddress(socket);
    return typeof address === "string" ? Result.ok(address) : failed(words.localAddr, socket.reason(address));
  }

  /**
   * Turns non-blocking mode on or off.
   *
   * @returns Errors: `invalid udp socket` after `close`, `expected bool`, `udp set_nonblocking failed: ` with the system's
   * reason. Source: fcntl(2), O_NONBLOCK.
   */
  set_nonblocking(enabled: boolean): Result<Unit, string> {
    const socket = this[TRANSPORT];
    if (!socket.open) return Result.err(INVALID_SOCKET);
    if (typeof enabled !== "boolean") return Result.err("expected bool");
    const failure = socket.setNonblocking(enabled);
    if (failure < 0) return failed(words.setNonblocking, socket.reason(failure));
    return Result.ok(Unit);
  }

  /** Closes the socket and gives its descriptor back. Never fails; a second call does nothing. Source: close(2). */
  close(): void {
    this[TRANSPORT].close();
  }

  /** Closes the socket: what `using socket = ...` calls at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** The socket address to send to. */
  #destination(socket: Socket, text: string): Buffer | string {
    const addresses = resolve(socket.sys, text, socket.sys.constants.SOCK_DGRAM);
    if (typeof addresses === "string") return addresses;
    if (addresses.length === 1) return addresses[0]!;
    // "localhost" can be both ::1 and 127.0.0.1: take the one that this socket can reach.
    const family = ownFamily(socket);
    return addresses.find((address) => familyOf(socket.sys.constants, address) === family) ?? addresses[0]!;
  }

  #senderText(socket: Socket): string {
    const length = this.#senderLength[0]!;
    if (length !== this.#lastSenderLength || !sameBytes(this.#sender, this.#lastSender, length)) {
      this.#sender.copy(this.#lastSender);
      this.#lastSenderLength = length;
      this.#lastSenderText = length === 0 ? "" : formatAddress(socket.sys.constants, this.#sender);
    }
    return this.#lastSenderText;
  }
}

function ownFamily(socket: Socket): number {
  const address = Buffer.alloc(SOCKADDR_ROOM);
  const sys: Platform = socket.sys;
  sys.getsockname(socket.descriptor, address, Uint32Array.of(SOCKADDR_ROOM));
  return familyOf(sys.constants, address);
}

function sameBytes(a: Buffer, b: Buffer, length: number): boolean {
  for (let index = 0; index < length; index++) if (a[index] !== b[index]) return false;
  return true;
}
