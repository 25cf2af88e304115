import { isMainThread } from "node:worker_threads";
import { GivenBack } from "./held.ts";
import { disown, isOwned, own } from "./owners.ts";
import {
  longestSlice,
  signalListenerWaits,
  unseenListenerWaits,
  WORKER_SLICE,
  watchSignals,
} from "./signals.ts";
import type { Transport } from "./stream.ts";
import { type Constants, linux } from "./sys/constants.ts";
import { type Platform, platform, systemReason } from "./sys/index.ts";
import { lastingBuffer } from "./sys/memory.ts";

/**
 * Waits that are limited to more than this go in slices of it, whatever their limit: so a socket is told once, and
 * its next call with another limit finds it right. To come back once a second costs a waiting program nothing.
 */
const LIMITED_SLICE = 1000;

/** The timeval made last: nearly all are of the same length. */
let lastTimeval: { milliseconds: number; value: Uint8Array } = { milliseconds: -1, value: new Uint8Array() };

/** The failure of `connect` when the deadline passed first (no errno: the kernel goes on trying for longer). */
export const CONNECT_TIMED_OUT = -1_000_000;

/** What poll(2)'s int of milliseconds can hold, 24 days: a longer wait simply goes on after it. */
const LONGEST_TIMEOUT = 0x7fffffff;

/** How long after a signal a thread that watches for it may take to say that the program is to stop. */
const INTERRUPT_PAUSE = 5;

/** The longest tick of a kernel's clock, in milliseconds: its timeouts can be over so much early. */
const TICK = 10;

/** How long a wait lasts before it is asked whether it can ever end. */
const DEADLOCK_SUSPICION = 1000;

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
 * Waits with `attempt`, which waits for at most so many milliseconds (as poll(2) takes them), until it gives anything
 * but 0: that, -EAGAIN when the limit has come, or -EINTR when a signal's listener waits.
 */
export function waitInSlices(
  sys: Platform,
  limit: number,
  attempt: (milliseconds: number) => number,
): number {
  const { EINTR, EAGAIN } = sys.constants;
  for (;;) {
    const remaining = limit === Number.POSITIVE_INFINITY ? limit : limit - performance.now();
    const result = attempt(pollTimeout(Math.min(remaining, longestSlice)));
    if (result > 0) return result;
    if (result < 0 && (result !== -EINTR || signalListenerWaits())) return result;
    if (result === 0 && unseenListenerWaits()) return -EINTR;
    if (limit !== Number.POSITIVE_INFINITY && performance.now() >= limit) return -EAGAIN;
    comeBackToJavaScript();
  }
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
  /** In milliseconds; Infinity is none. */
  readTimeout = Number.POSITIVE_INFINITY;
  writeTimeout = Number.POSITIVE_INFINITY;
  /** What SO_RCVTIMEO and SO_SNDTIMEO are set to, in milliseconds; Infinity when they were never set. */
  #receiveSlice = Number.POSITIVE_INFINITY;
  #sendSlice = Number.POSITIVE_INFINITY;
  /**
   * Whether others may wait on the same socket. The timeouts belong to the socket, not to the descriptor: a long one
   * that is set here would keep a worker thread there from coming back in time, so waits go in short slices.
   */
  #shared = false;
  #watchers: Set<Watcher> | null = null;
  #isWatchedOver = false;
  /** Whether this thread's own event loop may be the one that has to answer; null until somebody has to know. */
  #suspectsDeadlock: boolean | null = false;
  /** The slices of the present wait that have passed, counted while there is that suspicion. */
  #slicesWaited = 0;
  /** When a limited wait to send was last made ready. */
  #sendArmed = 0;
  /** Whether a signal cut a send short, and the event loop has not turned since. */
  #sendCutShort = false;

  /** Takes over a descriptor that is open and blocking. */
  constructor(sys: Platform, descriptor: number) {
    super();
    this.sys = sys;
    this.#constants = sys.constants;
    this.#descriptor = descriptor;
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
    return descriptor < 0 ? -sys.errno() : new Socket(sys, descriptor);
  }

  /** socketpair(2): two connected Unix sockets, or minus an errno. */
  static pair(sys: Platform, type: number): [Socket, Socket] | number {
    const pair = new Int32Array(2);
    if (sys.socketpair(sys.constants.AF_UNIX, type, 0, pair) < 0) return -sys.errno();
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
    const socket = new Socket(this.sys, descriptor);
    socket.readTimeout = this.readTimeout;
    socket.writeTimeout = this.writeTimeout;
    socket.#nonblocking = this.#isNonblockingInKernel();
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
    socket.#receiveSlice = this.#receiveSlice;
    socket.#sendSlice = this.#sendSlice;
    socket.#suspectsDeadlock = this.#suspectsDeadlock;
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
    const limit = Math.min(deadline, performance.now() + this.readTimeout);
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
    const limit = this.armReceive(deadline);
    this.#slicesWaited = 0;
    for (;;) {
      const count = this.sys.recv(this.#descriptor, target, length, flags);
      if (count >= 0) return count;
      const failure = this.goOnReceiving(this.sys.errno(), limit);
      if (failure < 0) return failure;
    }
  }

  send(source: Uint8Array, length: number, deadline: number): number {
    if (this.#sendCutShort) return this.#sendWithoutWaiting(source, length);
    const limit = this.armSend(deadline);
    for (;;) {
      const count = this.sys.send(this.#descriptor, source, length, this.#constants.MSG_NOSIGNAL);
      if (count >= 0) {
        if (count < length) this.#noticeSignal();
        return count;
      }
      const failure = this.goOnSending(this.sys.errno(), limit);
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
    const isOver = performance.now() - this.#sendArmed >= this.#sendSlice - TICK;
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
    const limit = this.armReceive(Number.POSITIVE_INFINITY);
    const room = addressLength[0]!;
    for (;;) {
      const count = this.sys.recvfrom(this.#descriptor, target, length, flags, address, addressLength);
      if (count >= 0) return count;
      const failure = this.goOnReceiving(this.sys.errno(), limit);
      if (failure < 0) return failure;
      addressLength[0] = room;
    }
  }

  sendTo(source: Uint8Array, length: number, address: Uint8Array): number {
    const limit = this.armSend(Number.POSITIVE_INFINITY);
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
      const failure = this.goOnSending(this.sys.errno(), limit);
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
    const limit = this.armReceive(deadline);
    for (;;) {
      const descriptor = this.sys.accept(this.#descriptor);
      if (descriptor >= 0) {
        // Linux copies the listener's timeouts to a connection, but those it had when the connection was made, which
        // may be before they were set: nothing is assumed about the new socket's.
        return new Socket(this.sys, descriptor);
      }
      const failure = this.goOnReceiving(this.sys.errno(), limit);
      if (failure < 0) return failure;
    }
  }

  /** connect(2) of a Unix stream, waiting at most until the deadline: 0, minus an errno, or CONNECT_TIMED_OUT. */
  connectUnix(address: Uint8Array, deadline: number): number {
    const { EAGAIN, EINTR } = this.#constants;
    for (;;) {
      this.armSend(deadline);
      if (this.sys.connect(this.#descriptor, address, address.length) === 0) return 0;
      const errno = this.sys.errno();
      // It waits for nothing but room among those not yet accepted, SO_SNDTIMEO long; nothing is begun until then.
      if (errno !== EAGAIN && errno !== EINTR) return -errno;
      if (errno === EINTR ? signalListenerWaits() : unseenListenerWaits()) return -EINTR;
      if (performance.now() >= deadline) return CONNECT_TIMED_OUT;
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
    this.armSend(deadline);
    if (this.sys.connect(this.#descriptor, address, address.length) === 0) {
      if (!deadlockWarned && isLoopback(this.#constants, address)) this.#suspectsDeadlock = null;
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
      const remaining = deadline - performance.now();
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
   * Before a call that may wait to receive: sees to it that it comes back in time. Gives the moment at which the
   * caller's deadline or the socket's timeout ends (Infinity: never), for `goOnReceiving`.
   */
  armReceive(deadline: number): number {
    if (this.readTimeout === Number.POSITIVE_INFINITY && deadline === Number.POSITIVE_INFINITY) {
      if (this.#fitsForEver(this.#receiveSlice)) return deadline;
    }
    // (A shared socket's mode can have been changed elsewhere.)
    if (this.#nonblocking && !this.#shared) return deadline;
    const now = performance.now();
    const limit = Math.min(deadline, now + this.readTimeout);
    const slice = this.#fittingSlice(this.#receiveSlice, limit - now);
    if (slice !== this.#receiveSlice) {
      this.#receiveSlice = slice;
      this.#setTimeval(this.#constants.SO_RCVTIMEO, slice);
    }
    return limit;
  }

  /** As `armReceive`, for a call that may wait to send. */
  armSend(deadline: number): number {
    if (this.writeTimeout === Number.POSITIVE_INFINITY && deadline === Number.POSITIVE_INFINITY) {
      // (With a slice, the main thread needs the time for `#noticeSignal`.)
      const isTimed = isMainThread && this.#sendSlice !== Number.POSITIVE_INFINITY;
      if (!isTimed && this.#fitsForEver(this.#sendSlice)) return deadline;
    }
    // (A shared socket's mode can have been changed elsewhere.)
    if (this.#nonblocking && !this.#shared) return deadline;
    const now = performance.now();
    this.#sendArmed = now;
    const limit = Math.min(deadline, now + this.writeTimeout);
    const slice = this.#fittingSlice(this.#sendSlice, limit - now);
    if (slice !== this.#sendSlice) {
      this.#sendSlice = slice;
      this.#setTimeval(this.#constants.SO_SNDTIMEO, slice);
    }
    return limit;
  }

  /** Whether a wait without limit may go in this slice: in the main thread mostly none at all, which nothing ever set. */
  #fitsForEver(slice: number): boolean {
    if (slice === Number.POSITIVE_INFINITY) this.#suspectsDeadlock ??= listensHere();
    return this.#fittingSlice(slice, Number.POSITIVE_INFINITY) === slice;
  }

  /**
   * The slice to wait with: the present one when it ends neither after `remaining` nor needlessly early, so that
   * calls with a like timeout follow each other without a system call; else one that fits.
   */
  #fittingSlice(present: number, remaining: number): number {
    const most = Math.min(remaining, this.#longestSlice());
    if (present <= most && present >= Math.min(most, WORKER_SLICE)) return present;
    // Never back to "for ever" once it was set: another thread may wait on the same socket and rely on its slice.
    if (most === Number.POSITIVE_INFINITY) return WORKER_SLICE;
    return Math.max(1, Math.floor(Math.min(most, LIMITED_SLICE)));
  }

  #longestSlice(): number {
    if (this.#shared) return WORKER_SLICE;
    return this.#suspectsDeadlock ? Math.min(longestSlice, DEADLOCK_SUSPICION) : longestSlice;
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
  goOnReceiving(errno: number, limit: number): number {
    const failure = this.#goOn(errno, limit);
    if (failure === 0) {
      // A wait "for ever" ended: the kernel has a timeout that this object did not set (an accepted connection's).
      if (errno !== this.#constants.EINTR && this.#receiveSlice === Number.POSITIVE_INFINITY)
        this.#receiveSlice = 0;
      this.armReceive(limit);
    }
    return failure;
  }

  goOnSending(errno: number, limit: number): number {
    const failure = this.#goOn(errno, limit);
    if (failure === 0) {
      if (errno !== this.#constants.EINTR && this.#sendSlice === Number.POSITIVE_INFINITY)
        this.#sendSlice = 0;
      this.armSend(limit);
    }
    return failure;
  }

  #goOn(errno: number, limit: number): number {
    if (errno === this.#constants.EAGAIN) {
      const isOver = limit !== Number.POSITIVE_INFINITY && performance.now() >= limit;
      // Somebody else can have changed it: a clone, another process.
      if (!isOver && ((this.#nonblocking && !this.#shared) || this.#isNonblockingInKernel())) return -errno;
      if (unseenListenerWaits()) return -this.#constants.EINTR;
      if (isOver) return -errno;
    } else if (errno === this.#constants.EINTR) {
      if (signalListenerWaits()) return -errno;
      if (limit !== Number.POSITIVE_INFINITY && performance.now() >= limit) return -this.#constants.EAGAIN;
      // Node's prompt (vm's breakOnSigint) has another thread stop the program, a moment after the signal.
      if (isMainThread) this.sys.poll(Buffer.alloc(8), 0, INTERRUPT_PAUSE);
    } else {
      return -errno;
    }
    comeBackToJavaScript();
    if (this.#suspectsDeadlock !== false && errno === this.#constants.EAGAIN) this.#warnOfDeadlock();
    // A listener for the warning can have closed it.
    return this.open ? 0 : -this.#constants.EBADF;
  }

  #warnOfDeadlock(): void {
    this.#slicesWaited++;
    if (this.#slicesWaited * this.#receiveSlice < DEADLOCK_SUSPICION) return;
    this.#suspectsDeadlock = false;
    if (deadlockWarned || !listensHere()) return;
    deadlockWarned = true;
    const warning = new Error(
      "a blocking std-net call has waited for a second on a loopback connection while this thread's own event loop " +
        "listens for connections (TCPServerWrap); the event loop cannot answer while the call blocks it, so the call " +
        "may never end. Put the server or the client into a worker thread or another process.",
    );
    warning.name = "BlockedEventLoopWarning";
    // process.emitWarning would wait for the next tick, which is just what does not come; this is its other half.
    process.emit("warning", warning);
  }
}

/** Milliseconds as poll(2) takes them: -1 is for ever, and a part of a millisecond is one, lest the wait turn busy. */
export function pollTimeout(milliseconds: number): number {
  if (milliseconds === Number.POSITIVE_INFINITY) return -1;
  return Math.max(0, Math.min(Math.ceil(milliseconds), LONGEST_TIMEOUT));
}

/** Given in place of a socket: one that was never open, for objects that were made without their factory. */
const neverOpen = new Socket({ constants: linux } as Platform, -1);

/** The socket that a public class was constructed with; a closed one for whatever else a caller passed. */
export function openedSocket(value: unknown): Socket {
  if (!(value instanceof Socket)) return neverOpen;
  value.closeWhenDropped();
  return value;
}

let deadlockWarned = false;

function listensHere(): boolean {
  return process.getActiveResourcesInfo().includes("TCPServerWrap");
}

/**
 * A JavaScript call between two waits. V8 looks for a termination request on entering a function; a bare loop around
 * an FFI call was measured to miss it for two seconds.
 */
function comeBackToJavaScript(): void {
  calls = (calls + 1) | 0;
}
let calls = 0;

function isLoopback(constants: Constants, address: Uint8Array): boolean {
  if (address.length === 16) return address[4] === 127;
  if (address.length !== 28 || constants.AF_INET6 === 0) return false;
  for (let index = 8; index < 23; index++) if (address[index] !== 0) return false;
  return address[23] === 1;
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
