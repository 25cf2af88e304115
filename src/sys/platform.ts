import type { System } from "./constants.ts";
import type { Selector } from "./selector.ts";

/**
 * What a platform must offer: the socket calls under their BSD names, and functions for what each system does in its own way. Each
 * system has a folder (posix/, windows/) with one implementation of this interface. Nothing above src/sys/ knows which.
 *
 * A call that fails gives -1, and `errno()` straight after it says why. No other call may come between.
 *
 * Nothing is checked here. Every length is at most that of its buffer, and every descriptor is one that the caller
 * owns. A descriptor is a number that only this folder understands (on Windows a SOCKET).
 *
 * **Whether a call waits.** Where `behaviour.kernelEndsWaits` is true, a new socket is in blocking mode, a call waits for at most as
 * long as `limitReceive` and `limitSend` have set, and fails with EAGAIN then. Where it is false, a new socket is non-blocking
 * underneath, no call ever waits, and the engine waits with `waitFor`. Two sorts of sockets are in another mode: those that `adopt` took
 * over, which are left in the mode that they have, and those for which the engine called `setNonblocking`.
 */
export interface Platform extends System {
  /** The errno of the call that failed just now. */
  errno(): number;
  /** strerror(3): the text of an errno. */
  strerror(errno: number): string;
  /** gai_strerror(3): the text of what getaddrinfo(3) returned. */
  gaiStrerror(code: number): string;

  /** socket(2), not inherited by child processes, without SIGPIPE, and with room for the largest datagram. */
  socket(family: number, type: number, protocol: number): number;
  /** socketpair(2), as `socket`: the two descriptors go into `pair`. Fails with EOPNOTSUPP where there is none. */
  socketpair(family: number, type: number, protocol: number, pair: Int32Array): number;
  bind(descriptor: number, address: Uint8Array, length: number): number;
  listen(descriptor: number, backlog: number): number;
  /** connect(2). EINPROGRESS or EAGAIN: the connection is being made, and the socket is writable when that is over. */
  connect(descriptor: number, address: Uint8Array, length: number): number;
  /** accept(2): the new socket is as one of `socket`, whatever the listener's mode is. The peer's address is not taken. */
  accept(descriptor: number): number;
  /** recv(2); 0 also after this side's own shutdown of reading. */
  recv(descriptor: number, buffer: Uint8Array, length: number, flags: number): number;
  /** send(2): may take less than it was given. EPIPE after this side's own shutdown of writing. */
  send(descriptor: number, buffer: Uint8Array, length: number, flags: number): number;
  /**
   * recvfrom(2): a datagram that is longer than `length` is cut, which is no failure. `addressLength`: the room in `address` going
   * in, the length of what was stored coming out.
   */
  recvfrom(
    descriptor: number,
    buffer: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: Uint32Array,
  ): number;
  sendto(
    descriptor: number,
    buffer: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ): number;
  /** As `send`, of several buffers that follow each other, at most MOST_PARTS: lengths[i] bytes of parts[i]. */
  sendParts(
    descriptor: number,
    parts: readonly Uint8Array[],
    lengths: readonly number[],
    flags: number,
  ): number;
  /** One byte with a descriptor, as `send`. Only called where `behaviour.unixCarriesDescriptors` is true, and so are the next two. */
  sendDescriptor(descriptor: number, carried: number, flags: number): number;
  /**
   * Receives one byte, and the descriptor that came with it, close-on-exec: the descriptor, NO_DESCRIPTOR when the byte has
   * none, END_OF_STREAM, or -1.
   */
  receiveDescriptor(descriptor: number, flags: number): number;
  /** The peer of a Unix stream; null is a failure. */
  peerCredentials(descriptor: number): PeerCredentials | null;
  /** Several datagrams in one call; null where the system has no such calls. */
  manyDatagrams(): PlatformDatagrams | null;
  shutdown(descriptor: number, how: number): number;
  /** close(2). EAGAIN: SO_LINGER is set and something is still to be sent, so the descriptor is still open. */
  close(descriptor: number): number;
  /** How many descriptors the process may have, now (getrlimit(2), RLIMIT_NOFILE); Infinity for no limit. */
  mostDescriptors(): number;
  getsockname(descriptor: number, address: Uint8Array, addressLength: Uint32Array): number;
  getpeername(descriptor: number, address: Uint8Array, addressLength: Uint32Array): number;
  getsockopt(
    descriptor: number,
    level: number,
    option: number,
    value: Uint8Array,
    length: Uint32Array,
  ): number;
  setsockopt(descriptor: number, level: number, option: number, value: Uint8Array, length: number): number;

  /** Takes over an open socket: not inherited by child processes and without SIGPIPE from now on. -1 when it is none. */
  adopt(descriptor: number): number;
  /** A second descriptor of the same socket, not inherited by child processes. */
  duplicate(descriptor: number): number;
  /**
   * The mode, which belongs to the socket and not to the descriptor: every duplicate has it too. Where a mode cannot be read back from the
   * system (Windows), it is the platform's own note of it.
   */
  isNonblocking(descriptor: number): boolean;
  setNonblocking(descriptor: number, enabled: boolean): number;
  /**
   * How long a call that receives or accepts, and one that sends or connects, may wait, in milliseconds; 0 is for ever. Only called where
   * `behaviour.kernelEndsWaits` is true.
   */
  limitReceive(descriptor: number, milliseconds: number): number;
  limitSend(descriptor: number, milliseconds: number): number;
  /** From now on the socket counts as readable with so many bytes. Only called where `behaviour.canWaitForMore` is true. */
  readableFrom(descriptor: number, bytes: number): number;
  /**
   * Whether the socket has so many bytes, or is at its end: above 0, 0, or -1. As `readableFrom`, a `waitFor` that does not wait, and
   * `readableFrom` back; but a worker that is terminated never ends in between. Only called where `behaviour.canWaitForMore` is true.
   */
  isReadableFrom(descriptor: number, bytes: number): number;
  /** SO_LINGER: seconds, at most `layout.longestLinger`; null for off. */
  setLinger(descriptor: number, seconds: number | null): number;
  /** The same back; -1 is a failure. */
  linger(descriptor: number): number | null;
  /** Above 0 while something waits to be sent or acknowledged, which a `close` that lingers waits for. -1 where nobody tells. */
  unsent(descriptor: number): number;

  /**
   * poll(2) of one descriptor for POLLIN or POLLOUT or both, at most so many milliseconds (-1: for ever): the events that
   * came, 0 for none, or -1. A connection that could not be made counts as writable.
   */
  waitFor(descriptor: number, events: number, milliseconds: number): number;
  /** Waits so many milliseconds. A signal may end it early. */
  pause(milliseconds: number): void;

  /** A blocked call returns EINTR after this signal's handler ran (siginterrupt(3)). */
  interruptible(signal: number): void;
  /** Whether this thread leaves a signal to the others (pthread_sigmask(3)). */
  maskSignal(signal: number, masked: boolean): void;
  /** The signals that wait for the event loop to hear of them; null where that cannot be found out. */
  queuedSignals(): number[] | null;

  /** if_nametoindex(3): 0 when there is no such interface. */
  interfaceIndex(name: string): number;
  /** getaddrinfo(3) for sockets of this type: socket addresses in its order, or its error code. */
  getaddrinfo(host: string, port: number, type: number): Buffer[] | number;
  /** The same in slices, where the system can; else null. */
  readonly lookup: PlatformLookup | null;

  /** Opens a selector: the system's best, or the one that every system has. Minus an errno when it cannot. */
  selector(portable: boolean): Selector | number;
  /**
   * Lets the allocator keep some memory that was freed, for a program that will soon want as much again: giving it
   * back and getting it anew costs a page fault for each page.
   */
  keepFreedMemory(): void;
}

/** Calls for several datagrams, MOST_DATAGRAMS at most. */
export interface PlatformDatagrams {
  /** sendmmsg(2): how many were sent, at least one, or -1. */
  send(descriptor: number, datagrams: readonly OutgoingDatagram[], flags: number): number;
  /** recvmmsg(2): waits for the first, and gives how many came. Each has `size` bytes of room in `target`, which never moves. */
  receive(descriptor: number, target: Buffer, size: number, count: number, flags: number): number;
  /** The datagram of this index, of the last `receive`. */
  received(index: number): {
    readonly length: number;
    readonly address: Buffer;
    readonly addressLength: number;
  };
}

export interface OutgoingDatagram {
  readonly bytes: Uint8Array;
  readonly length: number;
  /** The socket address that it goes to. */
  readonly address: Buffer;
}

/** What one call takes, and its tables have room for. */
export const MOST_DATAGRAMS = 64;

/** The most buffers of one call (IOV_MAX of Linux and macOS). */
export const MOST_PARTS = 1024;

/** What `receiveDescriptor` gives in place of a descriptor. No errno is so far below 0. */
export const NO_DESCRIPTOR = -100_000;
export const END_OF_STREAM = -100_001;

/**
 * Who a Unix stream's peer was when it connected or listened.
 *
 * @example
 * ```ts
 * import { type PeerCredentials, UnixStream } from "std-net";
 *
 * const [near] = UnixStream.pair().unwrap();
 * const peer: PeerCredentials = near.peer_cred().unwrap();
 * console.log(peer.gid === process.getgid?.()); // true
 * ```
 */
export interface PeerCredentials {
  /** The process. */
  readonly pid: number;
  /** Its user. */
  readonly uid: number;
  /** Its group. */
  readonly gid: number;
}

/** A lookup that goes on while its caller waits in slices. */
export interface PlatformLookup {
  /** Begins; gives a handle, or null where there is no thread or memory for it. */
  start(host: string, type: number): bigint | null;
  /** Waits until the result is there (true), for so many milliseconds or until a signal (false). */
  wait(handle: bigint, milliseconds: number): boolean;
  /** Ends it: as `getaddrinfo`. */
  finish(handle: bigint, port: number): Buffer[] | number;
  /** Gives it up. */
  abandon(handle: bigint): void;
}
