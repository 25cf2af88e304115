import { setImmediate } from "node:timers";
import { isMainThread } from "node:worker_threads";
import { monotonicTime } from "../runtime/clock.ts";
import { thisWorker, workerOf } from "../runtime/ownership.ts";
import { type Constants, linux } from "../sys/constants.ts";
import { type Platform, platform, systemReason } from "../sys/index.ts";
import { lastingBuffer } from "../sys/pinned-memory.ts";
import { disown, isOwned, own } from "./owned-descriptors.ts";
import { GivenBack } from "./pushback.ts";
import { CONNECT_TIMED_OUT, type Transport } from "./transport.ts";
import { listensHere, mayBeOwn, SUSPICION, warnIfDeadlocked } from "./wait/blocked-event-loop.ts";
import {
  longestSlice,
  signalListenerWaits,
  unseenListenerWaits,
  WORKER_SLICE,
  watchSignals,
} from "./wait/signals.ts";
import { comeBackToJavaScript, Direction, pollTimeout, waitInSlices } from "./wait/slices.ts";

/** The timeval made last: nearly all are of the same length. */
let lastTimeval: { milliseconds: number; value: Uint8Array } = { milliseconds: -1, value: new Uint8Array() };

/** How long after a signal a thread that watches for it may take to say that the program is to stop. */
const INTERRUPT_PAUSE = 5;

/** What a new connection's send buffer has room for in any case (tcp(7): tcp_wmem). */
const SMALL_SEND = 4096;

/** The longest tick of a kernel's clock, in milliseconds: its timeouts can be over so much early. */
const TICK = 10;

const descriptors = new FinalizationRegistry<{ sys: Platform; descriptor: number }>(({ sys, descriptor }) => {
  disown(descriptor);
  sys.close(descriptor);
});

/** Whoever wants to know of what happens to a socket: a Poller. */
export interface Watcher {
  /** The socket is about to be closed, or its descriptor to be given away. */
  beforeEnd(socket: Socket): void;
  /** Bytes may be `pending` from now on that the kernel does not know of. */
  maybePending(socket: Socket): void;
}

/**
 * One descriptor: the one place that waits, closes and gives descriptors back when their owner was dropped.
 *
 * Calls give 0 or a count, or minus an errno. How they wait: the descriptor is left in blocking mode and the call is
 * simply made, so that a ready socket costs one system call and a wait costs no more. Where a wait must end (a
 * timeout, a deadline, a worker thread's slice), SO_RCVTIMEO and SO_SNDTIMEO end it with EAGAIN (socket(7)); they are
 * set when they do not fit, which in a long run of calls is hardly ever.
 */
export class Socket extends GivenBack implements Transport {
  readonly sys: Platform;
  readonly #constants: Constants;
  #descriptor: number;
  #nonblocking = false;
  readonly #receiving: Direction;
  readonly #sending: Direction;
  /**
   * Whether others may wait on the same socket. The timeouts belong to the socket, not to the descriptor: a long one
   * that is set here would keep a worker thread there from coming back in time, so waits go in short slices.
   */
  #shared = false;
  #watchers: Set<Watcher> | null = null;
  #isWatchedOver = false;
  /** Whether this thread's own event loop may be the one that has to answer. */
  #mayDeadlock = false;
  /** How long the present wait has lasted, counted in whole slices while there is that suspicion. */
  #waited = 0;
  /** Whether a signal cut a send short, and the event loop has not turned since. */
  #sendCutShort = false;

  /** Takes over a descriptor that is open and blocking. */
  constructor(sys: Platform, descriptor: number) {
    super();
    this.sys = sys;
    this.#constants = sys.constants;
    this.#descriptor = descriptor;
    this.#receiving = new Direction(sys.constants.SO_RCVTIMEO);
    this.#sending = new Direction(sys.constants.SO_SNDTIMEO);
    if (descriptor >= 0) own(descriptor);
  }

  /** From now on the descriptor is given back should the socket be dropped without `close`: for those in users' hands. */
  closeWhenDropped(): void {
    if (this.#descriptor < 0 || this.#isWatchedOver) return;
    this.#isWatchedOver = true;
    descriptors.register(this, { sys: this.sys, descriptor: this.#descriptor }, this);
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
    const { F_GETFD, F_SETFD, FD_CLOEXEC, SOL_SOCKET, SO_TYPE, SO_NOSIGPIPE } = sys.constants;
    if (isOwned(descriptor)) return null;
    const flags = sys.fcntl(descriptor, F_GETFD, 0);
    if (
      flags < 0 ||
      sys.getsockopt(descriptor, SOL_SOCKET, SO_TYPE, Buffer.alloc(4), Uint32Array.of(4)) < 0
    ) {
      return -sys.errno();
    }
    if ((flags & FD_CLOEXEC) === 0) sys.fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC);
    const socket = new Socket(sys, descriptor);
    if (SO_NOSIGPIPE !== 0) socket.setOption(SOL_SOCKET, SO_NOSIGPIPE, 1);
    socket.#nonblocking = socket.#isNonblockingInKernel();
    socket.#shared = true;
    return socket;
  }

  /** A second descriptor of the same socket, with the same timeouts; or minus an errno. */
  clone(): Socket | number {
    const descriptor = this.sys.fcntl(this.#descriptor, this.#constants.F_DUPFD_CLOEXEC, 0);
    if (descriptor < 0) return -this.sys.errno();
    workerOf[descriptor] = thisWorker;
    const socket = new Socket(this.sys, descriptor);
    socket.readTimeout = this.readTimeout;
    socket.writeTimeout = this.writeTimeout;
    socket.#nonblocking = this.#isNonblockingInKernel();
    socket.#mayDeadlock = this.#mayDeadlock;
    socket.#shared = true;
    this.#shared = true;
    return socket;
  }

  /** From now on others may wait on the same socket through a descriptor of their own, in other threads too. */
  share(): void {
    this.#shared = true;
  }

  get open(): boolean {
    return this.#descriptor >= 0;
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
    // The mode belongs to the socket: whoever shares it may have changed it.
    if (this.#shared) this.#nonblocking = this.#isNonblockingInKernel();
    return this.#nonblocking;
  }

  /** The descriptor, for as long as the socket is open; -1 afterwards. */
  get descriptor(): number {
    return this.#descriptor;
  }

  reason(failure: number): string {
    if (failure === CONNECT_TIMED_OUT) return "connection timed out";
    return systemReason(this.sys, -failure);
  }

  wouldBlock(failure: number): boolean {
    return failure === -this.#constants.EAGAIN;
  }

  close(): void {
    const descriptor = this.release();
    // close(2): on Linux the descriptor is gone whatever close returns; trying again could hit somebody else's.
    if (descriptor >= 0) this.sys.close(descriptor);
  }

  /** From now on this watcher is told, until the socket's end or `unwatch`. */
  watch(watcher: Watcher): void {
    this.#watchers ??= new Set();
    this.#watchers.add(watcher);
  }

  unwatch(watcher: Watcher): void {
    this.#watchers?.delete(watcher);
  }

  /** Tells the watchers that bytes may be `pending`: for what stands on this socket, too. */
  notePending(): void {
    if (this.#watchers !== null) for (const watcher of this.#watchers) watcher.maybePending(this);
  }

  /** Gives the descriptor away: the socket is closed for this program, the descriptor is not. */
  release(): number {
    const descriptor = this.#descriptor;
    if (descriptor >= 0) {
      if (this.#watchers !== null) for (const watcher of this.#watchers) watcher.beforeEnd(this);
      this.#descriptor = -1;
      disown(descriptor);
      if (this.#isWatchedOver) descriptors.unregister(this);
    }
    return descriptor;
  }

  /** As `release`, for others to use: a timeout that this object set, or its listener, would surprise them. */
  giveAway(): number {
    // But where clones wait on the same socket, they rely on it.
    if (!this.#shared) {
      this.#setTimeval(this.#constants.SO_RCVTIMEO, 0);
      this.#setTimeval(this.#constants.SO_SNDTIMEO, 0);
    }
    return this.release();
  }

  /** shutdown(2): 0, or minus an errno. */
  shutdown(how: number): number {
    return this.sys.shutdown(this.#descriptor, how) < 0 ? -this.sys.errno() : 0;
  }

  /** The same socket under a new owner, timeouts and mode included; for the former one it is closed. */
  moved(): Socket {
    const socket = new Socket(this.sys, this.release());
    socket.readTimeout = this.readTimeout;
    socket.writeTimeout = this.writeTimeout;
    socket.#nonblocking = this.#nonblocking;
    socket.held = this.held;
    socket.#shared = this.#shared;
    socket.#receiving.slice = this.#receiving.slice;
    socket.#sending.slice = this.#sending.slice;
    socket.#mayDeadlock = this.#mayDeadlock;
    return socket;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    if (this.held !== null) return this.receiveHeld(this.held, target, length);
    return this.#receive(target, length, 0, deadline);
  }

  peek(target: Uint8Array, length: number, deadline: number): number {
    if (this.held !== null) return this.held.copyTo(target, length);
    return this.#receive(target, length, this.#constants.MSG_PEEK, deadline);
  }

  pending(): number {
    return this.held === null ? 0 : this.held.length;
  }

  waitBeyond(seen: number, deadline: number): number {
    if (this.held !== null) return 0;
    const { SOL_SOCKET, SO_RCVLOWAT, EAGAIN, POLLIN } = this.#constants;
    if (this.nonblocking) return -EAGAIN;
    // SO_RCVLOWAT makes poll(2) wait for so many bytes, and a TCP socket's receive buffer grow to hold them (tcp(7)
    // and the kernel's tcp_set_rcvlowat). poll also returns when the buffer is full, or the stream at its end; and at
    // once on a Unix socket, which knows no such mark.
    const marked = this.setOption(SOL_SOCKET, SO_RCVLOWAT, Math.min(seen + 1, 0x7fffffff));
    if (marked < 0) return marked;
    const limit = Math.min(deadline, monotonicTime() + this.readTimeout);
    const result = waitInSlices(this.sys, limit, (milliseconds) => this.#poll(POLLIN, milliseconds));
    this.setOption(SOL_SOCKET, SO_RCVLOWAT, 1);
    return Math.min(0, result);
  }

  /**
   * Whether nothing lies there to be received, neither bytes nor the end of the stream: so it is with a connection
   * that rests and is in order. Never waits. (Why the call fails is not asked, which would cost a call more: it is
   * EAGAIN, or an error of the connection, and with that the next send fails before a byte has gone.)
   */
  isQuiet(): boolean {
    const { MSG_PEEK, MSG_DONTWAIT } = this.#constants;
    return this.sys.recv(this.#descriptor, lookScratch, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
  }

  #receive(target: Uint8Array, length: number, flags: number, deadline: number): number {
    this.#waited = 0;
    if (this.#triesFirst(this.#receiving, deadline)) {
      const { MSG_DONTWAIT, EAGAIN } = this.#constants;
      const count = this.sys.recv(this.#descriptor, target, length, flags | MSG_DONTWAIT);
      if (count >= 0) return count;
      const errno = this.sys.errno();
      if (errno !== EAGAIN) return -errno;
    }
    const limit = this.#arm(this.#receiving, deadline);
    for (;;) {
      const count = this.sys.recv(this.#descriptor, target, length, flags);
      if (count >= 0) return count;
      const failure = this.#goOn(this.#receiving, this.sys.errno(), limit);
      if (failure < 0) return failure;
    }
  }

  send(source: Uint8Array, length: number, deadline: number): number {
    if (this.#sendCutShort) return this.#sendWithoutWaiting(source, length);
    const { MSG_NOSIGNAL, MSG_DONTWAIT, EAGAIN } = this.#constants;
    if (length <= SMALL_SEND && this.#triesFirst(this.#sending, deadline)) {
      const count = this.sys.send(this.#descriptor, source, length, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count >= 0) return count;
      const errno = this.sys.errno();
      if (errno !== EAGAIN) return -errno;
    }
    const limit = this.#arm(this.#sending, deadline);
    for (;;) {
      const count = this.sys.send(this.#descriptor, source, length, MSG_NOSIGNAL);
      if (count >= 0) {
        if (count < length) this.#noticeSignal();
        return count;
      }
      const failure = this.#goOn(this.#sending, this.sys.errno(), limit);
      if (failure < 0) return failure;
    }
  }

  /**
   * After a send that took less than it was given. In blocking mode it waited then, until SO_SNDTIMEO was over or a
   * signal came (signal(7)): the count hides the EINTR, and whoever sends the rest would wait on. So the next call
   * reports it, unless the event loop has turned by then.
   */
  #noticeSignal(): void {
    if (this.nonblocking) return;
    const isOver = monotonicTime() - this.#sending.armedAt >= this.#sending.slice - TICK;
    if (!(isOver ? unseenListenerWaits() : signalListenerWaits())) return;
    this.#sendCutShort = true;
    setImmediate(() => {
      this.#sendCutShort = false;
    });
  }

  #sendWithoutWaiting(source: Uint8Array, length: number): number {
    const { MSG_NOSIGNAL, MSG_DONTWAIT, EAGAIN, EINTR } = this.#constants;
    const count = this.sys.send(this.#descriptor, source, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count >= 0) return count;
    const errno = this.sys.errno();
    if (errno !== EAGAIN || this.nonblocking) return -errno;
    // Told once: the listener itself may run before the event loop has turned, and may want to wait.
    this.#sendCutShort = false;
    return -EINTR;
  }

  /** recvfrom(2): the sender goes into `address`, its length into `addressLength` (which has the room going in). */
  receiveFrom(
    target: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: Uint32Array,
  ): number {
    const limit = this.#arm(this.#receiving, Number.POSITIVE_INFINITY);
    const room = addressLength[0]!;
    for (;;) {
      const count = this.sys.recvfrom(this.#descriptor, target, length, flags, address, addressLength);
      if (count >= 0) return count;
      const failure = this.#goOn(this.#receiving, this.sys.errno(), limit);
      if (failure < 0) return failure;
      addressLength[0] = room;
    }
  }

  sendTo(source: Uint8Array, length: number, address: Uint8Array): number {
    const limit = this.#arm(this.#sending, Number.POSITIVE_INFINITY);
    for (;;) {
      const count = this.sys.sendto(
        this.#descriptor,
        source,
        length,
        this.#constants.MSG_NOSIGNAL,
        address,
        address.length,
      );
      if (count >= 0) return count;
      const failure = this.#goOn(this.#sending, this.sys.errno(), limit);
      if (failure < 0) return failure;
    }
  }

  /** listen(2): 0, or minus an errno. */
  listen(backlog: number): number {
    return this.sys.listen(this.#descriptor, backlog) < 0 ? -this.sys.errno() : 0;
  }

  /** accept(2): the connection, or minus an errno. Waits at most until the deadline and the read timeout. */
  accept(deadline: number): Socket | number {
    // Under load no wait ever begins that a signal could interrupt.
    if (!this.#nonblocking && unseenListenerWaits()) return -this.#constants.EINTR;
    const limit = this.#arm(this.#receiving, deadline);
    for (;;) {
      const descriptor = this.sys.accept(this.#descriptor);
      if (descriptor >= 0) {
        workerOf[descriptor] = thisWorker;
        // Linux copies the listener's timeouts to a connection, but those it had when the connection was made, which
        // may be before they were set: nothing is assumed about the new socket's.
        return new Socket(this.sys, descriptor);
      }
      const failure = this.#goOn(this.#receiving, this.sys.errno(), limit);
      if (failure < 0) return failure;
    }
  }

  /** connect(2) of a Unix stream, waiting at most until the deadline: 0, minus an errno, or CONNECT_TIMED_OUT. */
  connectUnix(address: Uint8Array, deadline: number): number {
    const { EAGAIN, EINTR } = this.#constants;
    for (;;) {
      this.#arm(this.#sending, deadline);
      if (this.sys.connect(this.#descriptor, address, address.length) === 0) return 0;
      const errno = this.sys.errno();
      // It waits for nothing but room among those not yet accepted, SO_SNDTIMEO long; nothing is begun until then.
      if (errno !== EAGAIN && errno !== EINTR) return -errno;
      if (errno === EINTR ? signalListenerWaits() : unseenListenerWaits()) return -EINTR;
      if (monotonicTime() >= deadline) return CONNECT_TIMED_OUT;
      comeBackToJavaScript();
    }
  }

  /** connect(2) of a datagram socket, which has nothing to wait for: 0, or minus an errno. */
  connectDatagrams(address: Uint8Array): number {
    return this.sys.connect(this.#descriptor, address, address.length) < 0 ? -this.sys.errno() : 0;
  }

  /** connect(2), waiting at most until the deadline: 0, minus an errno, or CONNECT_TIMED_OUT. */
  connect(address: Uint8Array, deadline: number): number {
    const { EINPROGRESS, EINTR, EAGAIN, EISCONN } = this.#constants;
    // On Linux SO_SNDTIMEO limits connect as well: it gives EINPROGRESS then (socket(7)).
    this.#arm(this.#sending, deadline);
    if (this.sys.connect(this.#descriptor, address, address.length) === 0) {
      this.#mayDeadlock = mayBeOwn(this.#constants, address);
      return 0;
    }
    let errno = this.sys.errno();
    for (;;) {
      if (errno === EISCONN) return 0;
      if (errno === EINTR) {
        if (signalListenerWaits()) return -EINTR;
      } else if (errno !== EINPROGRESS && errno !== EAGAIN) {
        return -errno;
      } else if (this.#nonblocking) {
        return -errno;
      } else if (unseenListenerWaits()) {
        return -EINTR;
      }
      const remaining = deadline - monotonicTime();
      if (remaining <= 0) return CONNECT_TIMED_OUT;
      comeBackToJavaScript();
      // A connection that is being made goes on being made; poll(2) says when connect(2) has an answer.
      const events = this.#poll(this.#constants.POLLOUT, pollTimeout(Math.min(remaining, longestSlice)));
      if (events > 0) {
        const error = this.getOption(this.#constants.SOL_SOCKET, this.#constants.SO_ERROR);
        return error === 0 ? 0 : -Math.abs(error);
      }
      errno = events < 0 ? -events : EINPROGRESS;
    }
  }

  /** poll(2) on this one descriptor: the events that came, 0 when none came in `milliseconds` (or a signal did). */
  waitFor(events: number, milliseconds: number): number {
    return Math.max(0, this.#poll(events, pollTimeout(milliseconds)));
  }

  /** As `waitFor`, with poll(2)'s own milliseconds, and minus an errno for a failure. */
  #poll(events: number, milliseconds: number): number {
    const entry = Buffer.alloc(8);
    entry.writeInt32LE(this.#descriptor, 0);
    entry.writeInt16LE(events, 4);
    const count = this.sys.poll(entry, 1, milliseconds);
    if (count < 0) return -this.sys.errno();
    return count > 0 ? entry.readInt16LE(6) : 0;
  }

  /** fcntl(2): 0, or minus an errno. */
  setNonblocking(enabled: boolean): number {
    const { F_GETFL, F_SETFL, O_NONBLOCK } = this.#constants;
    const flags = this.sys.fcntl(this.#descriptor, F_GETFL, 0);
    if (flags < 0) return -this.sys.errno();
    const wanted = enabled ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
    if (wanted !== flags && this.sys.fcntl(this.#descriptor, F_SETFL, wanted) < 0) return -this.sys.errno();
    this.#nonblocking = enabled;
    return 0;
  }

  #isNonblockingInKernel(): boolean {
    const flags = this.sys.fcntl(this.#descriptor, this.#constants.F_GETFL, 0);
    return flags >= 0 && (flags & this.#constants.O_NONBLOCK) !== 0;
  }

  sendAtOnce(): void {
    // It fails on a Unix socket, where nothing is ever held back.
    this.setOption(this.#constants.IPPROTO_TCP, this.#constants.TCP_NODELAY, 1);
  }

  /** setsockopt(2) of an int: 0, or minus an errno. */
  setOption(level: number, option: number, value: number): number {
    return this.setRawOption(level, option, Int32Array.of(value));
  }

  setRawOption(level: number, option: number, value: Uint8Array | Int32Array): number {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    return this.sys.setsockopt(this.#descriptor, level, option, bytes, bytes.length) < 0
      ? -this.sys.errno()
      : 0;
  }

  /** getsockopt(2) of an int: its value, or minus an errno. (No option that is asked for is ever negative.) */
  getOption(level: number, option: number): number {
    const value = Buffer.alloc(4);
    const failure = this.getRawOption(level, option, value);
    return failure < 0 ? failure : value.readInt32LE(0);
  }

  /** getsockopt(2) into `value`: the length of what was stored, or minus an errno. */
  getRawOption(level: number, option: number, value: Uint8Array): number {
    const length = Uint32Array.of(value.length);
    const result = this.sys.getsockopt(this.#descriptor, level, option, value, length);
    return result < 0 ? -this.sys.errno() : length[0]!;
  }

  /**
   * Before a call that may wait: sees to it that it comes back in time. Gives the moment at which the caller's deadline or
   * the socket's timeout ends (Infinity: never), for `#goOn`.
   */
  #arm(direction: Direction, deadline: number): number {
    if (direction.timeout === Number.POSITIVE_INFINITY && deadline === Number.POSITIVE_INFINITY) {
      // (With a slice, the main thread needs the time for `#noticeSignal`.)
      const isTimed =
        isMainThread && direction === this.#sending && direction.slice !== Number.POSITIVE_INFINITY;
      if (!isTimed && this.#fitsForEver(direction)) return deadline;
    }
    // (A shared socket's mode can have been changed elsewhere.)
    if (this.#nonblocking && !this.#shared) return deadline;
    const now = monotonicTime();
    direction.armedAt = now;
    const limit = Math.min(deadline, now + direction.timeout);
    const slice = direction.sliceFor(limit - now, this.#longestSlice());
    if (slice !== direction.slice) {
      direction.slice = slice;
      this.#setTimeval(direction.option, slice);
    }
    return limit;
  }

  /**
   * Whether a call should be made without waiting first: where a wait would need a slice that was never set. On a new
   * connection what is asked for is often there already, and then that system call is saved.
   */
  #triesFirst(direction: Direction, deadline: number): boolean {
    const forEver = Number.POSITIVE_INFINITY;
    if (direction.slice !== forEver || this.#nonblocking) return false;
    return deadline !== forEver || direction.timeout !== forEver || longestSlice !== forEver;
  }

  /** Whether a wait without limit is right as it is: in the main thread mostly without a slice, which nothing ever set. */
  #fitsForEver(direction: Direction): boolean {
    if (this.#mayDeadlock && direction.slice === Number.POSITIVE_INFINITY) this.#mayDeadlock = listensHere();
    return direction.sliceFor(Number.POSITIVE_INFINITY, this.#longestSlice()) === direction.slice;
  }

  #longestSlice(): number {
    if (this.#shared) return Math.min(longestSlice, WORKER_SLICE);
    return this.#mayDeadlock ? Math.min(longestSlice, SUSPICION) : longestSlice;
  }

  #setTimeval(option: number, milliseconds: number): void {
    if (milliseconds !== lastTimeval.milliseconds) {
      lastTimeval = { milliseconds, value: this.sys.timeval(milliseconds) };
    }
    const { value } = lastTimeval;
    this.sys.setsockopt(this.#descriptor, this.#constants.SOL_SOCKET, option, value, value.length);
  }

  /**
   * After a call failed with `errno`: 0 to make it again, or the failure to report. EAGAIN is the end of a slice
   * or of the whole wait; EINTR concerns the caller only when a JavaScript listener waits for the event loop.
   */
  #goOn(direction: Direction, errno: number, limit: number): number {
    if (errno === this.#constants.EAGAIN) {
      const isOver = limit !== Number.POSITIVE_INFINITY && monotonicTime() >= limit;
      // Somebody else can have changed it: a clone, another process.
      if (!isOver && ((this.#nonblocking && !this.#shared) || this.#isNonblockingInKernel())) return -errno;
      if (unseenListenerWaits()) return -this.#constants.EINTR;
      if (isOver) return -errno;
    } else if (errno === this.#constants.EINTR) {
      if (signalListenerWaits()) return -errno;
      if (limit !== Number.POSITIVE_INFINITY && monotonicTime() >= limit) return -this.#constants.EAGAIN;
      // Node's prompt (vm's breakOnSigint) has another thread stop the program, a moment after the signal.
      if (isMainThread) this.sys.poll(Buffer.alloc(8), 0, INTERRUPT_PAUSE);
    } else {
      return -errno;
    }
    comeBackToJavaScript();
    if (errno === this.#constants.EAGAIN) this.#sliceEnded(direction);
    // A listener for the warning of a deadlock can have closed it.
    if (!this.open) return -this.#constants.EBADF;
    this.#arm(direction, limit);
    return 0;
  }

  #sliceEnded(direction: Direction): void {
    if (this.#mayDeadlock) {
      this.#waited += direction.slice;
      if (this.#waited >= SUSPICION) {
        this.#mayDeadlock = false;
        warnIfDeadlocked();
      }
    }
    // A wait "for ever" ended: the kernel has a timeout that this object did not set (an accepted connection's).
    if (direction.slice === Number.POSITIVE_INFINITY) direction.slice = 0;
  }
}

/** Given in place of a socket: one that was never open, for objects that were made without their factory. */
const neverOpen = new Socket({ constants: linux } as Platform, -1);

/** The socket that a public class was constructed with; a closed one for whatever else a caller passed. */
export function openedSocket(value: unknown): Socket {
  if (!(value instanceof Socket)) return neverOpen;
  value.closeWhenDropped();
  return value;
}

const lookScratch = lastingBuffer(1);

/** The platform, once it is certain that this process may use the network; else the text of the error. */
export function networkPlatform(): Platform | string {
  // Node's permission model knows the network since Node 25; an FFI call would walk round it.
  const permission = (process as { permission?: { has(scope: string): boolean } }).permission;
  if (permission !== undefined && process.allowedNodeEnvironmentFlags.has("--allow-net")) {
    if (!permission.has("net")) return "network access is denied by Node's permission model (--allow-net)";
  }
  const sys = platform();
  if (typeof sys !== "string") watchSignals(sys);
  return sys;
}
