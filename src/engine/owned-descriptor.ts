import { isMainThread } from "node:worker_threads";
import { byteLength } from "../arguments.ts";
import type { Platform } from "../sys/index.ts";
import { closeInSlices } from "./close-in-slices.ts";
import { disown, own } from "./descriptor-table.ts";
import { closeAtOnce, lingerInSlices } from "./linger.ts";
import { GivenBack } from "./pushback.ts";
import { lastingBuffer } from "./scratch.ts";

interface Dropped {
  readonly sys: Platform;
  readonly descriptor: number;
  clones: Clones | null;
}

/** How many objects of this thread stand for the same socket. */
interface Clones {
  objects: number;
}

const descriptors = new FinalizationRegistry<Dropped>(({ sys, descriptor, clones }) => {
  if (clones !== null) clones.objects--;
  disown(descriptor);
  closeAtOnce(sys, descriptor);
});

/**
 * Whoever wants to know of what happens to a socket: a Poller. This is the one way in which the engine speaks to what stands
 * above it, see docs/inside.md.
 */
export interface Watcher {
  /** The socket is about to be closed, or its descriptor to be given away. */
  beforeEnd(socket: OwnedDescriptor): void;
  /** Bytes may be `pending` from now on that the kernel does not know of. */
  maybePending(socket: OwnedDescriptor): void;
}

/**
 * One descriptor and the object that owns it: closes it, gives it away, and gives it back when the object was dropped. And what the
 * system says of the socket: its options and its state.
 */
export abstract class OwnedDescriptor extends GivenBack {
  readonly sys: Platform;
  #descriptor: number;
  #watchers: Set<Watcher> | null = null;
  #dropped: Dropped | null = null;
  /** Null as long as there is one object. */
  #clones: Clones | null = null;
  /** Whether SO_LINGER may be set, so that close(2) waits. Not read once others may hold the socket. */
  mayLinger = false;

  /** Takes over a descriptor that is open; -1 for none. */
  constructor(sys: Platform, descriptor: number) {
    super();
    this.sys = sys;
    this.#descriptor = descriptor;
    if (descriptor >= 0) own(descriptor);
  }

  /** From now on the descriptor is given back should the socket be dropped without `close`: for those in users' hands. */
  closeWhenDropped(): void {
    if (this.#descriptor < 0 || this.#dropped !== null) return;
    this.#dropped = { sys: this.sys, descriptor: this.#descriptor, clones: this.#clones };
    descriptors.register(this, this.#dropped, this);
  }

  get open(): boolean {
    return this.#descriptor >= 0;
  }

  /** The descriptor, for as long as the socket is open; -1 afterwards. */
  get descriptor(): number {
    return this.#descriptor;
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

  /** Whether others may hold the same socket, such as other threads. */
  abstract readonly isShared: boolean;

  /** This object is a clone of another one of this thread. */
  protected becomeCloneOf(other: OwnedDescriptor): void {
    if (other.#clones === null) other.#setClones({ objects: 1 });
    this.#setClones(other.#clones!);
    other.#clones!.objects++;
  }

  /** This object has the descriptor of another one, which has released it. */
  protected takePlaceOf(other: OwnedDescriptor): void {
    this.mayLinger = other.mayLinger;
    if (other.#clones === null) return;
    this.#setClones(other.#clones);
    other.#clones.objects++;
  }

  #setClones(clones: Clones): void {
    this.#clones = clones;
    if (this.#dropped !== null) this.#dropped.clones = clones;
  }

  close(): void {
    if (!isMainThread && (this.mayLinger || this.isShared)) this.#linger();
    const descriptor = this.release();
    // close(2): on Linux the descriptor is gone whatever close returns; trying again could hit somebody else's. (Windows' is not,
    // when it says EAGAIN.)
    if (descriptor >= 0 && this.sys.close(descriptor) < 0) closeInSlices(this.sys, descriptor);
  }

  /** Before a worker's close(2). Only that of a socket's last descriptor waits. (Of others' descriptors nothing is known.) */
  #linger(): void {
    if (this.open && (this.#clones?.objects ?? 1) === 1)
      lingerInSlices(this.sys, this.#descriptor, this.isShared);
  }

  /** Gives the descriptor away: the socket is closed for this program, the descriptor is not. */
  release(): number {
    const descriptor = this.#descriptor;
    if (descriptor >= 0) {
      if (this.#watchers !== null) for (const watcher of this.#watchers) watcher.beforeEnd(this);
      this.#descriptor = -1;
      disown(descriptor);
      if (this.#dropped !== null) descriptors.unregister(this);
      if (this.#clones !== null) this.#clones.objects--;
    }
    return descriptor;
  }

  /** setsockopt(2) of an int: 0, or minus an errno. */
  setOption(level: number, option: number, value: number): number {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return this.setRawOption(level, option, bytes);
  }

  setRawOption(level: number, option: number, value: Uint8Array): number {
    const result = this.sys.setsockopt(this.descriptor, level, option, value, byteLength(value));
    return result < 0 ? -this.sys.errno() : 0;
  }

  /** getsockopt(2) of any type, with so much room: the bytes that the system gave, or minus an errno. */
  getRawOption(level: number, option: number, room: number): Buffer | number {
    const value = Buffer.alloc(room);
    const length = Uint32Array.of(room);
    const result = this.sys.getsockopt(this.descriptor, level, option, value, length);
    return result < 0 ? -this.sys.errno() : value.subarray(0, Math.min(length[0]!, room));
  }

  /** getsockopt(2) of an int: its value, or minus an errno. (No option that is read here is ever negative.) */
  getOption(level: number, option: number): number {
    const value = Buffer.alloc(4);
    const result = this.sys.getsockopt(this.descriptor, level, option, value, Uint32Array.of(value.length));
    return result < 0 ? -this.sys.errno() : value.readInt32LE(0);
  }

  /** SO_ERROR, which is gone then: an errno, 0 for none, or minus an errno. */
  takeError(): number {
    return this.getOption(this.sys.constants.SOL_SOCKET, this.sys.constants.SO_ERROR);
  }

  /** listen(2): 0, or minus an errno. */
  listen(backlog: number): number {
    return this.sys.listen(this.descriptor, backlog) < 0 ? -this.sys.errno() : 0;
  }

  /** connect(2) of a datagram socket, which has nothing to wait for: 0, or minus an errno. */
  connectDatagrams(address: Uint8Array): number {
    return this.sys.connect(this.descriptor, address, address.length) < 0 ? -this.sys.errno() : 0;
  }

  /**
   * Whether nothing lies there to be received, neither bytes nor the end of the stream: so it is with an idle connection
   * that is in order. Never waits. (Why the call fails is not looked up, which would cost a call more: it is
   * EAGAIN, or an error of the connection, and with that the next send fails before a byte has gone.)
   */
  isQuiet(): boolean {
    const { MSG_PEEK, MSG_DONTWAIT } = this.sys.constants;
    return this.sys.recv(this.descriptor, lookScratch, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
  }

  sendAtOnce(): void {
    // It fails on a Unix socket, where nothing is ever held back.
    this.setOption(this.sys.constants.IPPROTO_TCP, this.sys.constants.TCP_NODELAY, 1);
  }
}

const lookScratch = lastingBuffer(1);
