import type { Platform } from "../sys/index.ts";
import { disown, own } from "./descriptor-table.ts";
import { GivenBack } from "./pushback.ts";

const descriptors = new FinalizationRegistry<{ sys: Platform; descriptor: number }>(({ sys, descriptor }) => {
  disown(descriptor);
  sys.close(descriptor);
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
 * One descriptor and the object that owns it: closes it, gives it away, and gives it back when the object was dropped. And the socket's
 * options as the system has them.
 */
export abstract class OwnedDescriptor extends GivenBack {
  readonly sys: Platform;
  #descriptor: number;
  #watchers: Set<Watcher> | null = null;
  #isWatchedOver = false;

  /** Takes over a descriptor that is open; -1 for none. */
  constructor(sys: Platform, descriptor: number) {
    super();
    this.sys = sys;
    this.#descriptor = descriptor;
    if (descriptor >= 0) own(descriptor);
  }

  /** From now on the descriptor is given back should the socket be dropped without `close`: for those in users' hands. */
  closeWhenDropped(): void {
    if (this.#descriptor < 0 || this.#isWatchedOver) return;
    this.#isWatchedOver = true;
    descriptors.register(this, { sys: this.sys, descriptor: this.#descriptor }, this);
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

  close(): void {
    const descriptor = this.release();
    // close(2): on Linux the descriptor is gone whatever close returns; trying again could hit somebody else's.
    if (descriptor >= 0) this.sys.close(descriptor);
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

  /** setsockopt(2) of an int: 0, or minus an errno. */
  setOption(level: number, option: number, value: number): number {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    return this.setRawOption(level, option, bytes);
  }

  setRawOption(level: number, option: number, value: Uint8Array): number {
    const result = this.sys.setsockopt(this.descriptor, level, option, value, value.length);
    return result < 0 ? -this.sys.errno() : 0;
  }

  /** getsockopt(2) of an int: its value, or minus an errno. (No option that is asked for is ever negative.) */
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

  sendAtOnce(): void {
    // It fails on a Unix socket, where nothing is ever held back.
    this.setOption(this.sys.constants.IPPROTO_TCP, this.sys.constants.TCP_NODELAY, 1);
  }
}
