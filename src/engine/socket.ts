import { setImmediate } from "node:timers";
import { monotonicTime } from "../runtime/clock.ts";
import { thisWorker, workerOf } from "../runtime/ownership.ts";
import { systemCalled } from "../sys/constants.ts";
import { type Platform, systemReason } from "../sys/index.ts";
import { isOwned } from "./descriptor-table.ts";
import { OwnedDescriptor } from "./owned-descriptor.ts";
import { isPeer, shutDown } from "./peer.ts";
import { acceptShared, sendShared } from "./shared-calls.ts";
import { LastAddress, sender } from "./socket-address.ts";
import { CONNECT_TIMED_OUT, type Transport } from "./transport.ts";
import { Suspicion } from "./wait/blocked-event-loop.ts";
import { waitForBytes } from "./wait/for-bytes.ts";
import { kernelTimeout, wasCutShort } from "./wait/kernel-timeout.ts";
import { pollLoop } from "./wait/poll-loop.ts";
import { takeUnseenSignal } from "./wait/signals.ts";
import { FOREVER, LISTENER_SLICE, longestSlice, pollTimeout } from "./wait/slices.ts";
import { Direction, TRY, type WaitingSocket, type WaitStrategy } from "./wait/strategy.ts";

/** What a new connection's send buffer has room for in any case (tcp(7): tcp_wmem). */
const SMALL_SEND = 4096;

/**
 * A socket: makes the call and, when it would have to wait, asks the wait strategy. Calls give 0 or a count, or minus an errno.
 */
export class Socket extends OwnedDescriptor implements Transport, WaitingSocket {
  readonly #receiving = new Direction(true);
  readonly #sending = new Direction(false);
  #strategy: WaitStrategy;
  /** What the user set. Not read once the socket is shared. */
  #nonblocking = false;
  /**
   * Whether others hold the same socket: clones, descriptors in other threads and processes. Timeouts and mode belong to
   * the socket, so then nothing of it is changed, and the mode is what the others see: the kernel's.
   */
  #shared = false;
  #suspicion: Suspicion | null = null;
  /** Whether a signal cut a send short, and the event loop has not turned since. */
  #sendCutShort = false;
  #lastSender: LastAddress | null = null;

  /** Takes over a descriptor that is as `Platform.socket` makes it. */
  constructor(sys: Platform, descriptor: number) {
    super(sys, descriptor);
    this.#strategy = sys.behaviour.kernelEndsWaits ? kernelTimeout : pollLoop;
  }

  /** socket(2): the socket, or minus an errno. */
  static create(sys: Platform, family: number, type: number): Socket | number {
    const descriptor = sys.socket(family, type, 0);
    if (descriptor < 0) return -sys.errno();
    workerOf[descriptor] = thisWorker;
    return new Socket(sys, descriptor);
  }

  /** socketpair(2): two connected Unix sockets, or minus an errno. */
  static pair(sys: Platform, type: number): [Socket, Socket] | number {
    const pair = new Int32Array(2);
    if (sys.socketpair(sys.constants.AF_UNIX, type, 0, pair) < 0) return -sys.errno();
    workerOf[pair[0]!] = workerOf[pair[1]!] = thisWorker;
    return [new Socket(sys, pair[0]!), new Socket(sys, pair[1]!)];
  }

  /**
   * Takes over a descriptor that came from elsewhere, in whatever mode it is: the socket, minus an errno when it is
   * no open socket, or null when another object of this thread owns it.
   */
  static adopt(sys: Platform, descriptor: number): Socket | number | null {
    if (isOwned(descriptor)) return null;
    if (sys.adopt(descriptor) < 0) return -sys.errno();
    const socket = new Socket(sys, descriptor);
    socket.#shared = true;
    socket.#strategy = pollLoop;
    socket.mayLinger = (sys.linger(descriptor) ?? 0) > 0;
    return socket;
  }

  /** A second descriptor of the same socket, with the same timeouts; or minus an errno. */
  clone(): Socket | number {
    this.share();
    const descriptor = this.sys.duplicate(this.descriptor);
    if (descriptor < 0) return -this.sys.errno();
    workerOf[descriptor] = thisWorker;
    const socket = new Socket(this.sys, descriptor);
    socket.readTimeout = this.readTimeout;
    socket.writeTimeout = this.writeTimeout;
    socket.#suspicion = this.#suspicion;
    socket.#shared = true;
    socket.#strategy = pollLoop;
    socket.becomeCloneOf(this);
    return socket;
  }

  get isShared(): boolean {
    return this.#shared;
  }

  /** From now on others may hold the same socket through a descriptor of their own, in other threads and processes too. */
  share(): void {
    if (this.#shared) return;
    this.#asOthersExpectIt();
    this.#shared = true;
    this.#strategy = pollLoop;
  }

  /** As `release`, for others to use. */
  giveAway(): number {
    if (!this.#shared) this.#asOthersExpectIt();
    return this.release();
  }

  /**
   * Takes back what this library has set on the socket: whoever else has it expects a socket without timeouts, in blocking mode
   * unless the user wanted another.
   */
  #asOthersExpectIt(): void {
    const { sys, descriptor } = this;
    if (this.#strategy.neverBlocks) sys.setNonblocking(descriptor, this.#nonblocking);
    if (!sys.behaviour.kernelEndsWaits) return;
    // (In any case: an accepted connection can have its listener's.)
    sys.limitReceive(descriptor, 0);
    sys.limitSend(descriptor, 0);
    this.#receiving.slice = this.#sending.slice = FOREVER;
  }

  /** The same socket under a new owner, timeouts and mode included; for the former one it is closed. */
  moved(): Socket {
    const socket = new Socket(this.sys, this.release());
    socket.takePlaceOf(this);
    socket.readTimeout = this.readTimeout;
    socket.writeTimeout = this.writeTimeout;
    socket.#nonblocking = this.#nonblocking;
    socket.held = this.held;
    socket.#shared = this.#shared;
    socket.#strategy = this.#strategy;
    socket.#receiving.slice = this.#receiving.slice;
    socket.#sending.slice = this.#sending.slice;
    socket.#suspicion = this.#suspicion;
    return socket;
  }

  /** In milliseconds; Infinity is none. */
  get readTimeout(): number {
    return this.#receiving.timeout;
  }

  set readTimeout(milliseconds: number) {
    this.#receiving.timeout = milliseconds;
  }

  get writeTimeout(): number {
    return this.#sending.timeout;
  }

  set writeTimeout(milliseconds: number) {
    this.#sending.timeout = milliseconds;
  }

  get nonblocking(): boolean {
    return this.#shared ? this.sys.isNonblocking(this.descriptor) : this.#nonblocking;
  }

  /** 0, or minus an errno. */
  setNonblocking(enabled: boolean): number {
    // Where the socket is non-blocking underneath, the mode is a matter of this object, until others hold the socket too.
    const isOwn = !this.#shared && this.#strategy.neverBlocks;
    if (!isOwn && this.sys.setNonblocking(this.descriptor, enabled) < 0) return -this.sys.errno();
    this.#nonblocking = enabled;
    return 0;
  }

  get suspicion(): Suspicion | null {
    return this.#suspicion;
  }

  dropSuspicion(): void {
    this.#suspicion = null;
  }

  reason(failure: number): string {
    if (failure === CONNECT_TIMED_OUT) return "connection timed out";
    return systemReason(this.sys, -failure);
  }

  wouldBlock(failure: number): boolean {
    return failure === -this.sys.constants.EAGAIN;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    if (this.held !== null) return this.receiveHeld(this.held, target, length);
    return this.#receive(target, length, 0, deadline);
  }

  peek(target: Uint8Array, length: number, deadline: number): number {
    if (this.held !== null) return this.held.copyTo(target, length);
    return this.#receive(target, length, this.sys.constants.MSG_PEEK, deadline);
  }

  #receive(target: Uint8Array, length: number, flags: number, deadline: number): number {
    const { sys, descriptor } = this;
    this.#suspicion?.begin();
    let limit = this.#strategy.begin(this, this.#receiving, deadline, true);
    for (;;) {
      const count = sys.recv(descriptor, target, length, flags | this.#dontWait(limit));
      if (count >= 0) return count;
      limit = this.#strategy.goOn(this, this.#receiving, sys.errno(), limit, deadline);
      if (limit < 0) return limit;
    }
  }

  /** The flag for a call that must not wait, or 0. */
  #dontWait(limit: number): number {
    return limit === TRY || this.#strategy.neverBlocks ? this.sys.constants.MSG_DONTWAIT : 0;
  }

  pending(): number {
    return this.held === null ? 0 : this.held.length;
  }

  /** Left out where the system cannot wait for more than there is. */
  get waitBeyond(): Socket["waitForMore"] | undefined {
    return this.sys.behaviour.canWaitForMore ? this.waitForMore : undefined;
  }

  waitForMore(seen: number, deadline: number): number {
    if (this.held !== null) return 0;
    if (this.nonblocking) return -this.sys.constants.EAGAIN;
    const limit = Math.min(deadline, monotonicTime() + this.readTimeout);
    return waitForBytes(this.sys, this.descriptor, seen + 1, limit, this.#shared);
  }

  send(source: Uint8Array, length: number, deadline: number): number {
    if (this.#sendCutShort) return this.#sendWithoutWaiting(source, length);
    const { sys, descriptor } = this;
    const { MSG_NOSIGNAL } = sys.constants;
    let limit = this.#strategy.begin(this, this.#sending, deadline, length <= SMALL_SEND);
    for (;;) {
      let count: number;
      let errno = 0;
      if (this.#shared && !sys.behaviour.sendHasDontwait) {
        count = sendShared(sys, descriptor, source, length);
        errno = -count;
      } else {
        count = sys.send(descriptor, source, length, MSG_NOSIGNAL | this.#dontWait(limit));
        if (count < 0) errno = sys.errno();
      }
      if (count >= 0) {
        if (count < length && !this.#strategy.neverBlocks) this.#noticeSignal();
        return count;
      }
      limit = this.#strategy.goOn(this, this.#sending, errno, limit, deadline);
      if (limit < 0) return limit;
    }
  }

  /**
   * After a send that took less than it was given: it can have been a signal, and whoever sends the rest would wait on. So the next
   * call reports it, unless the event loop has turned by then.
   */
  #noticeSignal(): void {
    if (this.nonblocking || !wasCutShort(this.#sending)) return;
    this.#sendCutShort = true;
    setImmediate(() => {
      this.#sendCutShort = false;
    });
  }

  #sendWithoutWaiting(source: Uint8Array, length: number): number {
    const { MSG_NOSIGNAL, MSG_DONTWAIT, EAGAIN, EINTR } = this.sys.constants;
    const count = this.sys.send(this.descriptor, source, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return count;
    const errno = this.sys.errno();
    if (errno !== EAGAIN || this.nonblocking) return -errno;
    // Told once: the listener itself may run before the event loop has turned, and may want to wait.
    this.#sendCutShort = false;
    return -EINTR;
  }

  /**
   * A call of another form that sends: `call` makes it with these flags, and gives a count or -1. A count, or minus an errno.
   */
  sendBy(call: (flags: number) => number, deadline: number): number {
    const { sys, descriptor } = this;
    const { MSG_NOSIGNAL, POLLOUT, EAGAIN } = sys.constants;
    let limit = this.#strategy.begin(this, this.#sending, deadline, true);
    for (;;) {
      // (Where send knows no MSG_DONTWAIT, poll(2) says whether it would wait. See `sendShared`.)
      const isFull =
        this.#shared && !sys.behaviour.sendHasDontwait && sys.waitFor(descriptor, POLLOUT, 0) === 0;
      const count = isFull ? -1 : call(MSG_NOSIGNAL | this.#dontWait(limit));
      if (count >= 0) return count;
      limit = this.#strategy.goOn(this, this.#sending, isFull ? EAGAIN : sys.errno(), limit, deadline);
      if (limit < 0) return limit;
    }
  }

  /** The same of a call that receives. It gives -1 for a failure, and other numbers as they are. */
  receiveBy(call: (flags: number) => number): number {
    this.#suspicion?.begin();
    let limit = this.#strategy.begin(this, this.#receiving, FOREVER, true);
    for (;;) {
      const result = call(this.#dontWait(limit));
      if (result !== -1) return result;
      limit = this.#strategy.goOn(this, this.#receiving, this.sys.errno(), limit, FOREVER);
      if (limit < 0) return limit;
    }
  }

  /** recvfrom(2): a datagram; `senderText` says who sent it. With `stays` it is left to be received again. */
  receiveFrom(target: Uint8Array, length: number, stays: boolean): number {
    const { sys, descriptor } = this;
    const flags = stays ? sys.constants.MSG_PEEK : 0;
    let limit = this.#strategy.begin(this, this.#receiving, FOREVER, true);
    for (;;) {
      sender.length[0] = sender.address.length;
      const count = sys.recvfrom(
        descriptor,
        target,
        length,
        flags | this.#dontWait(limit),
        sender.address,
        sender.length,
      );
      if (count >= 0) return count;
      limit = this.#strategy.goOn(this, this.#receiving, sys.errno(), limit, FOREVER);
      if (limit < 0) return limit;
    }
  }

  /** The address of the datagram that the last `receiveFrom` of the thread has received. */
  senderText(): string {
    this.#lastSender ??= new LastAddress();
    return this.#lastSender.textOf(this.sys, sender.address, sender.length[0]!);
  }

  sendTo(source: Uint8Array, length: number, address: Uint8Array): number {
    const { sys, descriptor } = this;
    const { MSG_NOSIGNAL, EISCONN } = sys.constants;
    let limit = this.#strategy.begin(this, this.#sending, FOREVER, true);
    for (;;) {
      const flags = MSG_NOSIGNAL | this.#dontWait(limit);
      const count = sys.sendto(descriptor, source, length, flags, address, address.length);
      if (count >= 0) return count;
      const errno = sys.errno();
      if (
        errno === EISCONN &&
        !sys.behaviour.sendsElsewhereWhenConnected &&
        isPeer(sys, descriptor, address)
      ) {
        return this.send(source, length, FOREVER);
      }
      limit = this.#strategy.goOn(this, this.#sending, errno, limit, FOREVER);
      if (limit < 0) return limit;
    }
  }

  /** shutdown(2): 0, or minus an errno. */
  shutdown(how: "read" | "write" | "both"): number {
    return shutDown(this.sys, this.descriptor, how);
  }

  /** accept(2): the connection, or minus an errno. Waits at most until the deadline and the read timeout. */
  accept(deadline: number): Socket | number {
    // Under load no wait ever begins that a signal could interrupt.
    if (longestSlice === LISTENER_SLICE && !this.nonblocking && takeUnseenSignal()) {
      return -this.sys.constants.EINTR;
    }
    if (deadline !== FOREVER || this.readTimeout !== FOREVER || longestSlice !== FOREVER) {
      const failure = this.#acceptWithoutTimeouts();
      if (failure < 0) return failure;
    }
    let limit = this.#strategy.begin(this, this.#receiving, deadline, false);
    for (;;) {
      const made = this.#accept(true);
      if (typeof made !== "number") return made;
      limit = this.#strategy.goOn(this, this.#receiving, -made, limit, deadline);
      if (limit < 0) return limit;
    }
  }

  /**
   * accept(2) for who waits for many sockets at once: a connection that has arrived, or minus an errno. It never waits, whatever the
   * listener's mode is. For the connection, too, the mode is a matter of its object: to change it costs no system call.
   */
  acceptNow(): Socket | number {
    const made = this.#acceptWithoutTimeouts() || this.#accept(false);
    if (typeof made !== "number") made.#strategy = pollLoop;
    return made;
  }

  /**
   * Before the first wait for a connection that must end. Linux copies a listener's timeouts to the connections that arrive, and
   * another program may accept those later. So a listener never gets any: from now on it is non-blocking underneath.
   */
  #acceptWithoutTimeouts(): number {
    if (this.#strategy.neverBlocks) return 0;
    if (this.sys.setNonblocking(this.descriptor, true) < 0) return -this.sys.errno();
    this.#strategy = pollLoop;
    return 0;
  }

  #accept(mayPause: boolean): Socket | number {
    const { sys, descriptor } = this;
    const made = this.#shared ? acceptShared(sys, descriptor, mayPause) : sys.accept(descriptor);
    if (made < 0) return this.#shared ? made : -sys.errno();
    workerOf[made] = thisWorker;
    // Linux copies the listener's options to a connection, those of other programs too: nothing is assumed about the new
    // socket's timeouts.
    const connection = new Socket(sys, made);
    connection.mayLinger = this.mayLinger;
    return connection;
  }

  /** Before a call that connects, which may wait until the deadline. Gives whether it must not wait by itself. */
  beginConnect(deadline: number): boolean {
    // On Linux SO_SNDTIMEO limits connect as well: it gives EINPROGRESS then (socket(7)).
    this.#strategy.begin(this, this.#sending, deadline, false);
    return this.#strategy.neverBlocks;
  }

  /** It is connected to this address, by who has called connect(2) on it. Gives 0. */
  connected(address: Buffer): 0 {
    this.#suspicion = Suspicion.of(this.sys, address);
    return 0;
  }

  /** poll(2) on this one descriptor: the events that came, 0 when none came in `milliseconds` (or a signal did). */
  waitFor(events: number, milliseconds: number): number {
    return Math.max(0, this.sys.waitFor(this.descriptor, events, pollTimeout(milliseconds)));
  }
}

/** Given in place of a socket: one that was never open, for objects that were made without their factory. */
const neverOpen = new Socket(systemCalled("linux") as Platform, -1);

/** The socket that a public class was constructed with; a closed one for whatever else a caller passed. */
export function openedSocket(value: unknown): Socket {
  if (!(value instanceof Socket)) return neverOpen;
  value.closeWhenDropped();
  return value;
}
