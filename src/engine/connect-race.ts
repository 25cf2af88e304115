import { Failure } from "../error.ts";
import { type Platform, systemReason } from "../sys/index.ts";
import { familyOf } from "../sys/structs.ts";
import { Socket } from "./socket.ts";
import { FOREVER } from "./wait/slices.ts";

/** How long an attempt goes on alone, in milliseconds: RFC 8305, section 5, "Connection Attempt Delay". */
export const ATTEMPT_DELAY = 250;

/** What waits until the sockets of a race are writable. */
export interface AttemptWatcher {
  /** From now on. 0, or minus an errno. */
  add(socket: Socket): number;
  /** No longer. The socket is still open. */
  remove(socket: Socket): void;
}

/**
 * The race of a name's addresses for one connection (RFC 8305, section 5). The next attempt begins when the one before has failed or has
 * lasted for ATTEMPT_DELAY. None is given up before the race is over, and the first one that connects wins.
 *
 * It never waits. Who drives it calls `advance`; then waits until `nextAttemptAt`, or until a socket that the watcher was given is
 * writable or closed, and tells `ready` of each such socket; then calls `advance` again. When to give up is also the driver's matter:
 * `close` does it.
 */
export class ConnectRace {
  readonly #sys: Platform;
  readonly #watcher: AttemptWatcher;
  /** Those to which no attempt has begun. */
  readonly #addresses: Buffer[];
  /** The attempts that go on, each with its address. */
  readonly #attempts = new Map<Socket, Buffer>();
  #nextAttemptAt = 0;
  #winner: Socket | null = null;
  #reason = "";

  /** `addresses`: in the order in which they are tried. */
  constructor(sys: Platform, addresses: readonly Buffer[], watcher: AttemptWatcher) {
    this.#sys = sys;
    this.#addresses = [...addresses];
    this.#watcher = watcher;
  }

  /** When `advance` is to be called at the latest, on `monotonicTime()`'s clock; FOREVER when no attempt is left to begin. */
  get nextAttemptAt(): number {
    return this.#addresses.length === 0 ? FOREVER : this.#nextAttemptAt;
  }

  /**
   * Begins the attempts that are due. Gives the connected socket, in non-blocking mode unless it came by `join`; or why the last
   * attempt to fail has failed, when all have; or null: the race goes on.
   */
  advance(now: number): Socket | Failure | null {
    while (this.#winner === null && this.nextAttemptAt <= now) this.#begin(this.#addresses.shift()!, now);
    if (this.#winner !== null) {
      this.close();
      return this.#winner;
    }
    return this.#attempts.size === 0 && this.#addresses.length === 0 ? new Failure(this.#reason) : null;
  }

  /** Takes in an attempt that has begun elsewhere and had its time alone. */
  join(socket: Socket, address: Buffer): void {
    const failure = this.#watcher.add(socket);
    if (failure < 0) {
      this.fail(socket.reason(failure));
      socket.close();
    } else {
      this.#attempts.set(socket, address);
    }
  }

  /** An attempt has failed, which may have begun elsewhere: the next one is due. */
  fail(reason: string): void {
    this.#reason = reason;
    this.#nextAttemptAt = 0;
  }

  /** The socket is writable or closed: its attempt has a result. */
  ready(socket: Socket): void {
    const address = this.#attempts.get(socket);
    // (Another one that was ready at the same time has won.)
    if (address === undefined || this.#winner !== null) return;
    this.#watcher.remove(socket);
    this.#attempts.delete(socket);
    this.#settle(socket, finishConnect(socket, address));
  }

  /** Ends the attempts that still go on. */
  close(): void {
    for (const socket of this.#attempts.keys()) {
      this.#watcher.remove(socket);
      socket.close();
    }
    this.#attempts.clear();
    this.#addresses.length = 0;
  }

  #begin(address: Buffer, now: number): void {
    this.#nextAttemptAt = now + ATTEMPT_DELAY;
    const { SOCK_STREAM, EINPROGRESS } = this.#sys.constants;
    const socket = Socket.create(this.#sys, familyOf(this.#sys, address), SOCK_STREAM);
    if (typeof socket === "number") {
      this.fail(systemReason(this.#sys, -socket));
      return;
    }
    const result = beginConnect(socket, address);
    if (result === -EINPROGRESS) this.join(socket, address);
    else this.#settle(socket, result);
  }

  #settle(socket: Socket, result: number): void {
    if (result === 0) {
      this.#winner = socket;
    } else {
      this.fail(socket.reason(result));
      socket.close();
    }
  }
}

/** connect(2) that does not wait, and leaves the socket in non-blocking mode: 0, -EINPROGRESS, or minus another errno. */
function beginConnect(socket: Socket, address: Buffer): number {
  const { sys } = socket;
  const { EINPROGRESS, EINTR, EAGAIN } = sys.constants;
  const failure = socket.setNonblocking(true);
  if (failure < 0) return failure;
  if (sys.connect(socket.descriptor, address, address.length) === 0) return socket.connected(address);
  const errno = sys.errno();
  return errno === EINTR || errno === EAGAIN ? -EINPROGRESS : -errno;
}

/** What has become of it, once the socket is writable or closed: 0, or minus an errno. */
function finishConnect(socket: Socket, address: Buffer): number {
  return -Math.abs(socket.takeError()) || socket.connected(address);
}

/** IPv6 and IPv4 in turn, beginning with the first address's family, each in its own order (RFC 8305, section 4). */
export function alternateFamilies(sys: Platform, addresses: readonly Buffer[]): readonly Buffer[] {
  if (addresses.length === 1) return addresses;
  const isLikeFirst = (address: Buffer): boolean => familyOf(sys, address) === familyOf(sys, addresses[0]!);
  const first = addresses.filter(isLikeFirst);
  const second = addresses.filter((address) => !isLikeFirst(address));
  return Array.from({ length: Math.max(first.length, second.length) }, (_, index) => [
    ...first.slice(index, index + 1),
    ...second.slice(index, index + 1),
  ]).flat();
}
