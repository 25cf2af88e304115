import type { Constants } from "./constants.ts";
import type { Selector } from "./selector.ts";

/**
 * What a platform must offer: the BSD socket calls under their own names, thin to the last one. A call that fails
 * gives -1, and `errno()` straight after it says why (so no other call may come between).
 *
 * Nothing is checked here: every length is at most that of its buffer, and every descriptor is one that the caller
 * owns. A descriptor is a number that only this folder understands.
 */
export interface Platform {
  readonly constants: Constants;
  /** The errno of the call that failed just now. */
  errno(): number;
  /** strerror(3): the text of an errno. */
  strerror(errno: number): string;
  /** gai_strerror(3): the text of what getaddrinfo(3) returned. */
  gaiStrerror(code: number): string;
  /** socket(2), close-on-exec and without SIGPIPE. */
  socket(family: number, type: number, protocol: number): number;
  /** socketpair(2), close-on-exec and without SIGPIPE: the two descriptors go into `pair`. */
  socketpair(family: number, type: number, protocol: number, pair: Int32Array): number;
  bind(descriptor: number, address: Uint8Array, length: number): number;
  listen(descriptor: number, backlog: number): number;
  connect(descriptor: number, address: Uint8Array, length: number): number;
  /** accept(2), close-on-exec and without SIGPIPE; the peer's address is not asked for. */
  accept(descriptor: number): number;
  recv(descriptor: number, buffer: Uint8Array, length: number, flags: number): number;
  send(descriptor: number, buffer: Uint8Array, length: number, flags: number): number;
  /** `addressLength`: the room in `address` going in, the length of what was stored coming out. */
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
  shutdown(descriptor: number, how: number): number;
  close(descriptor: number): number;
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
  /** poll(2): `descriptors` is an array of `count` pollfd. */
  poll(descriptors: Uint8Array, count: number, timeout: number): number;
  /** fcntl(2) with an int argument. */
  fcntl(descriptor: number, command: number, argument: number): number;
  /** siginterrupt(3): with `flag` 1, a blocked call returns EINTR after this signal's handler ran. */
  siginterrupt(signal: number, flag: number): number;
  /** pthread_sigmask(3): whether this thread leaves a signal to the others. */
  maskSignal(signal: number, masked: boolean): void;
  /** The signals that wait for the event loop to hear of them; null where that cannot be found out. */
  queuedSignals(): number[] | null;
  /** if_nametoindex(3): 0 when there is no such interface. */
  interfaceIndex(name: string): number;
  /** getaddrinfo(3) for sockets of this type: socket addresses in its order, or its error code. */
  getaddrinfo(host: string, port: number, type: number): Buffer[] | number;
  /**
   * Lets the allocator keep some memory that was freed, for a program that will soon want as much again: giving it
   * back and getting it anew costs a page fault for each page.
   */
  keepFreedMemory(): void;
  /** The same in slices, where the system can (see lookup.ts); else null. */
  readonly lookup: {
    start(host: string, type: number): bigint | null;
    wait(handle: bigint, milliseconds: number): boolean;
    finish(handle: bigint, port: number): Buffer[] | number;
    abandon(handle: bigint): void;
  } | null;
  /** Opens a selector: the system's best, or the one that every system has. Minus an errno when it cannot. */
  selector(portable: boolean): Selector | number;
  /** SO_RCVTIMEO's and SO_SNDTIMEO's value for this many milliseconds. */
  timeval(milliseconds: number): Uint8Array;
}
