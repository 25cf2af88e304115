import { inspect } from "node:util";
import { INVALID_TIMEOUT, isWaitTime, wantedEvents } from "../arguments.ts";
import type { OwnedDescriptor, Watcher } from "../engine/owned-descriptor.ts";
import { CLOSED, PollSet, READABLE, WRITABLE } from "../engine/poll-set.ts";
import { Socket } from "../engine/socket.ts";
import type { Transport } from "../engine/transport.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import { ByteStream } from "./byte-stream.ts";
import { POLLER } from "./error-words.ts";
import { SOCKET, SocketObject, TRANSPORT } from "./socket-object.ts";
import type { TcpListener, TcpStream } from "./tcp.ts";
import type { TlsStream } from "./tls.ts";
import type { UdpSocket } from "./udp.ts";
import type { UnixDatagram, UnixListener, UnixStream } from "./unix.ts";

/** The objects that a {@link Poller} can wait for. */
export type Pollable =
  | TcpStream
  | TcpListener
  | UdpSocket
  | UnixStream
  | UnixListener
  | UnixDatagram
  | TlsStream;

/**
 * What to wait for with one socket. A field that is left out is not waited for.
 *
 * @example
 * ```ts
 * import { type Interest, Poller, UdpSocket } from "std-net";
 *
 * const interest: Interest = { readable: true }; // and not for room to write
 * const poller = Poller.create().unwrap();
 * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
 * poller.add(socket, interest).unwrap();
 * console.log(poller.wait(0).unwrap().length); // 0
 * ```
 */
export interface Interest {
  /** There is something to read, to receive or to accept, or the end of the stream. False when left out. */
  readonly readable?: boolean;
  /** There is room to write. False when left out. */
  readonly writable?: boolean;
}

/**
 * One socket that is ready.
 *
 * @example
 * ```ts
 * import { Poller, UnixStream } from "std-net";
 *
 * const poller = Poller.create().unwrap();
 * const [near, far] = UnixStream.pair().unwrap();
 * poller.add(far, { readable: true }, 7);
 * near.close();
 * const [event] = poller.wait(1000).unwrap();
 * console.log(event?.key, event?.readable, event?.closed); // 7 true true
 * ```
 */
export interface PollEvent {
  /** The object that was added. */
  readonly socket: Pollable;
  /** The key that was given to `add`, or undefined. */
  readonly key: unknown;
  /** A read would not wait: there is data, or the end of the stream, or an error. */
  readonly readable: boolean;
  /** A write would not wait: there is room, or an error. */
  readonly writable: boolean;
  /** The peer has ended its side of the connection, or the connection is broken. Bytes that came before can still be read. */
  readonly closed: boolean;
}

interface Registration {
  readonly object: Pollable;
  readonly transport: Transport;
  readonly socket: Socket;
  readonly key: unknown;
  readonly token: number;
  interest: number;
  /** The number of the last wait that found `pending` bytes, and the index of its event there. */
  pendingIn: number;
  place: number;
}

/**
 * Waits for many sockets at once: with `set_nonblocking(true)` on each, one thread serves thousands of connections. It uses
 * epoll(7) on Linux, kqueue(2) on macOS and AFD on Windows. With the environment variable STD_NET_POLLER=poll it uses poll(2) on Linux
 * and WSAPoll on Windows.
 *
 * It is level-triggered: each wait reports a socket for as long as it is ready. A registered socket is kept alive. A socket that
 * is closed or given away (`into_fd`) is removed by itself. Bytes that a `read_exact`, `read_to_end`, `read_until` or
 * `http.read_response` gave back because they were too few make the socket ready. When the next try also finds too few, the
 * socket is ready only after more bytes have come.
 *
 * @example
 * ```ts
 * import { Poller, UdpSocket } from "std-net";
 *
 * const poller = Poller.create().unwrap();
 * const socket = UdpSocket.bind("127.0.0.1:0").unwrap();
 * poller.add(socket, { readable: true }, "my socket");
 * socket.send_to("hello", socket.local_addr().unwrap());
 * for (const event of poller.wait(1000).unwrap()) {
 *   if (event.socket !== socket) continue;
 *   console.log(event.key, "got", socket.recv(100).unwrap().toString()); // my socket got hello
 * }
 * poller.close();
 * socket.close();
 * ```
 */
export class Poller {
  /** Null once it is closed. */
  #opened: PollSet | null;
  readonly #registrations = new Map<OwnedDescriptor, Registration>();
  readonly #byToken = new Map<number, Registration>();
  /** Those that may have bytes which the kernel does not know of: decrypted, or given back. */
  readonly #maybePending = new Set<Registration>();
  #nextToken = 1;
  #waits = 0;
  readonly #watcher: Watcher;

  /** @internal */
  constructor(opened: PollSet) {
    this.#opened = opened instanceof PollSet ? opened : null;
    this.#opened?.belongsTo(this);
    // The sockets know the watcher, but must not keep the poller alive.
    const weak = new WeakRef(this);
    this.#watcher = {
      beforeEnd(socket) {
        const poller = weak.deref();
        if (poller !== undefined) poller.#forget(socket);
      },
      maybePending(socket) {
        const poller = weak.deref();
        if (poller !== undefined) poller.#notePending(socket);
      },
    };
  }

  /**
   * A new poller without sockets. Does not block.
   *
   * @returns Errors: `poller create failed: ` with the system's reason (`EMFILE`). Source: epoll_create1(2).
   *
   * @example
   * ```ts
   * import { Poller } from "std-net";
   *
   * const poller = Poller.create().unwrap();
   * console.log(poller.wait(10).unwrap().length); // 0, because there is nothing to wait for
   * poller.close();
   * ```
   */
  static create(): Result<Poller, string> {
    const opened = PollSet.open();
    if (opened instanceof Failure) return failed(POLLER.prefix("create"), opened.reason);
    return Result.ok(new Poller(opened));
  }

  /**
   * Registers a socket. Does not block.
   *
   * @param socket a TcpStream, TcpListener, UdpSocket, UnixStream, UnixListener, UnixDatagram or TlsStream
   * @param interest what to wait for
   * @param key any value; each event of the socket has it
   * @returns Errors: `invalid poller` after `close`; `expected socket`, `expected interest`, `expected bool`; `poller add
   * failed: ` with the system's reason: `EEXIST` for a socket that is already registered here, `EBADF` for a closed one,
   * `ENOSPC`. Source: epoll_ctl(2).
   *
   * @example
   * ```ts
   * import { error_code, Poller, TcpListener } from "std-net";
   *
   * const poller = Poller.create().unwrap();
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * poller.add(listener, { readable: true }, "listener").unwrap(); // readable: a connection waits
   * const twice = poller.add(listener, { readable: true });
   * if (twice.isErr) console.log(error_code(twice.error)); // EEXIST
   * ```
   */
  add(socket: Pollable, interest: Interest, key?: unknown): Result<Unit, string> {
    // First, because a getter can run any code: it can close the socket or this poller.
    const wanted = flagsOf(interest);
    const found = this.#find(socket, "add");
    if (found instanceof Failure) return Result.err(found.reason);
    if (wanted instanceof Failure) return Result.err(wanted.reason);
    const { opened, socket: below, transport, registration } = found;
    if (registration !== undefined) return this.#failed("add", below, -below.sys.constants.EEXIST);
    const token = this.#nextToken++;
    const failure = opened.add(below, token, wanted);
    if (failure < 0) return this.#failed("add", below, failure);
    const made: Registration = {
      object: socket,
      transport,
      socket: below,
      key,
      token,
      interest: wanted,
      pendingIn: 0,
      place: 0,
    };
    this.#registrations.set(below, made);
    this.#byToken.set(token, made);
    if (transport.pending() > 0) this.#maybePending.add(made);
    below.watch(this.#watcher);
    return Result.ok();
  }

  /**
   * Changes what to wait for with a registered socket. Does not block.
   *
   * @param socket one that was given to `add`
   * @param interest what to wait for from now on
   * @returns Errors: `invalid poller` after `close`; `expected socket`, `expected interest`, `expected bool`; `poller modify
   * failed: ` with `ENOENT` for a socket that is not registered here, `EBADF` for a closed one. Source: epoll_ctl(2).
   *
   * @example
   * ```ts
   * import { Poller, UnixStream } from "std-net";
   *
   * const poller = Poller.create().unwrap();
   * const [near, far] = UnixStream.pair().unwrap();
   * poller.add(near, { readable: true });
   * console.log(poller.wait(0).unwrap().length); // 0
   * poller.modify(near, { readable: true, writable: true }).unwrap(); // there is something to send
   * console.log(poller.wait(0).unwrap()[0]?.writable); // true
   * far.close();
   * ```
   */
  modify(socket: Pollable, interest: Interest): Result<Unit, string> {
    const wanted = flagsOf(interest);
    const found = this.#find(socket, "modify");
    if (found instanceof Failure) return Result.err(found.reason);
    if (wanted instanceof Failure) return Result.err(wanted.reason);
    const { opened, socket: below, registration } = found;
    if (registration === undefined) return this.#failed("modify", below, -below.sys.constants.ENOENT);
    const failure = opened.modify(below, registration.token, wanted, registration.interest);
    if (failure < 0) return this.#failed("modify", below, failure);
    registration.interest = wanted;
    return Result.ok();
  }

  /**
   * Removes a socket from the poller. The socket stays open. Does not block.
   *
   * @param socket one that was given to `add`
   * @returns Errors: `invalid poller` after `close`; `expected socket`; `poller remove failed: ` with `ENOENT` for a socket that
   * is not registered here, `EBADF` for a closed one. Source: epoll_ctl(2).
   *
   * @example
   * ```ts
   * import { Poller, UnixStream } from "std-net";
   *
   * const poller = Poller.create().unwrap();
   * const [near, far] = UnixStream.pair().unwrap();
   * poller.add(far, { readable: true });
   * near.write("hello");
   * console.log(poller.wait(1000).unwrap().length); // 1
   * poller.remove(far).unwrap();
   * console.log(poller.wait(0).unwrap().length); // 0
   * ```
   */
  remove(socket: Pollable): Result<Unit, string> {
    const found = this.#find(socket, "remove");
    if (found instanceof Failure) return Result.err(found.reason);
    const { socket: below, registration } = found;
    if (registration === undefined) return this.#failed("remove", below, -below.sys.constants.ENOENT);
    below.unwatch(this.#watcher);
    this.#forget(below);
    return Result.ok();
  }

  /**
   * Waits until at least one socket is ready. Blocks until then, or until the time is over, or until a signal has come for which
   * the program has a listener.
   *
   * @param ms milliseconds; 0 does not wait, null waits for ever
   * @returns one event for each socket that is ready, at most 1024 of them (the next wait gives the rest); none when the time is
   * over. Errors: `invalid poller` after `close`; `timeout must be a positive number`; `poller wait failed: ` with the
   * system's reason (`EINTR`). Source: epoll_wait(2).
   *
   * @example
   * ```ts
   * import { Poller, UnixStream } from "std-net";
   *
   * const poller = Poller.create().unwrap();
   * const [near, far] = UnixStream.pair().unwrap();
   * poller.add(near, { readable: true }, "near");
   * poller.add(far, { readable: true }, "far");
   * near.write("hello");
   * for (const { key, socket, readable } of poller.wait(1000).unwrap()) {
   *   if (readable) console.log(key, socket === far); // far true
   * }
   * ```
   */
  wait(ms: number | null): Result<PollEvent[], string> {
    if (this.#opened === null) return Result.err(POLLER.invalid);
    const opened = this.#opened;
    if (!isWaitTime(ms)) return Result.err(INVALID_TIMEOUT);
    // Looked for here, because under load a socket is always ready, and a signal then finds no wait to interrupt.
    if (ms !== 0 && opened.takeUnseenSignal())
      return this.#failed("wait", opened, -opened.sys.constants.EINTR);
    this.#waits++;
    const events: PollEvent[] = [];
    for (const registration of this.#maybePending) this.#reportPending(registration, events);
    // A socket with bytes that the kernel does not know of is ready now. Then the wait for the others only looks.
    const longest = events.length > 0 ? 0 : (ms ?? Number.POSITIVE_INFINITY);
    const count = opened.wait(longest, (token, flags) => this.#report(token, flags, events));
    if (count < 0 && events.length === 0) return this.#failed("wait", opened, count);
    return Result.ok(events);
  }

  #reportPending(registration: Registration, events: PollEvent[]): void {
    const { transport } = registration;
    if (transport.hasTooFew || transport.pending() === 0) {
      this.#maybePending.delete(registration);
    } else if ((registration.interest & READABLE) !== 0) {
      registration.pendingIn = this.#waits;
      registration.place = events.length;
      events.push(eventOf(registration, READABLE));
    }
  }

  #report(token: number, flags: number, events: PollEvent[]): void {
    const registration = this.#byToken.get(token);
    if (registration === undefined) return;
    // A closed or broken connection is ready for both: a call returns the error or the end.
    const ready = (flags & CLOSED) !== 0 ? flags | registration.interest : flags;
    if (registration.pendingIn === this.#waits) {
      events[registration.place] = eventOf(registration, ready | READABLE);
    } else {
      events.push(eventOf(registration, ready));
    }
  }

  /**
   * Closes the poller. The sockets stay open. Never fails; a second call does nothing. Does not block. Source: close(2).
   *
   * @example
   * ```ts
   * import { Poller } from "std-net";
   *
   * const poller = Poller.create().unwrap();
   * poller.close();
   * const late = poller.wait(0);
   * if (late.isErr) console.log(late.error); // invalid poller
   * ```
   */
  close(): void {
    if (this.#opened === null) return;
    const opened = this.#opened;
    this.#opened = null;
    for (const socket of this.#registrations.keys()) socket.unwatch(this.#watcher);
    this.#registrations.clear();
    this.#byToken.clear();
    this.#maybePending.clear();
    opened.close();
  }

  /**
   * Closes the poller: `using poller = ...` calls this at the end of the block. Does not block. Source: ECMAScript's explicit
   * resource management.
   *
   * @example
   * ```ts
   * import { Poller } from "std-net";
   *
   * {
   *   using poller = Poller.create().unwrap();
   *   console.log(poller.wait(0).unwrap().length); // 0
   * } // closed here, even after an exception
   * ```
   */
  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * The number of registered sockets, or that the poller is closed. `console.log` shows this too, and so does `String(result)` of
   * a result that holds the poller. Never fails. Does not block. Source: ECMA-262, 7.1.17 (ToString).
   *
   * @example
   * ```ts
   * import { Poller, UdpSocket } from "std-net";
   *
   * const created = Poller.create();
   * console.log(String(created)); // Ok(Poller of 0 sockets)
   * const poller = created.unwrap();
   * poller.add(UdpSocket.bind("127.0.0.1:0").unwrap(), { readable: true });
   * console.log(`${poller}`); // Poller of 1 socket
   * poller.close();
   * console.log(`${poller}`); // Poller (closed)
   * ```
   */
  toString(): string {
    return this.#shown();
  }

  /** @internal */
  [inspect.custom](): string {
    return this.#shown();
  }

  // (A method of its own, because the trace prints a line for each public call, and to print an object is no call.)
  #shown(): string {
    const { name } = this.constructor;
    if (this.#opened === null) return `${name} (closed)`;
    const { size } = this.#registrations;
    return `${name} of ${size} socket${size === 1 ? "" : "s"}`;
  }

  /** The parts of a call's socket. The failure's reason is the whole text of the error. */
  #find(object: unknown, member: string) {
    if (this.#opened === null) return new Failure(POLLER.invalid);
    const opened = this.#opened;
    const parts = partsOf(object);
    if (parts === null) return new Failure("expected socket");
    const { transport, socket } = parts;
    if (!transport.open || !socket.open) {
      return new Failure(POLLER.prefix(member) + opened.reason(-socket.sys.constants.EBADF));
    }
    return { opened, transport, socket, registration: this.#registrations.get(socket) };
  }

  #failed<T>(member: string, at: PollSet | Socket, failure: number): Result<T, string> {
    return failed(POLLER.prefix(member), at.reason(failure));
  }

  #notePending(socket: OwnedDescriptor): void {
    const registration = this.#registrations.get(socket);
    if (registration !== undefined) this.#maybePending.add(registration);
  }

  /**
   * Must be called while the descriptor is still open. epoll(7) removes a descriptor by itself only when all its duplicates are
   * closed, and poll(2) would go on with the next descriptor of that number.
   */
  #forget(socket: OwnedDescriptor): void {
    const registration = this.#registrations.get(socket);
    if (registration === undefined) return;
    this.#opened?.remove(socket, registration.interest);
    this.#registrations.delete(socket);
    this.#byToken.delete(registration.token);
    this.#maybePending.delete(registration);
  }
}

function eventOf(registration: Registration, flags: number): PollEvent {
  return {
    socket: registration.object,
    key: registration.key,
    readable: (flags & READABLE) !== 0,
    writable: (flags & WRITABLE) !== 0,
    // A datagram socket or a listener can only have an error, and the next call returns it.
    closed: (flags & CLOSED) !== 0 && registration.object instanceof ByteStream,
  };
}

/** The transport of an object of this library and the socket below it; null for everything else. */
function partsOf(object: unknown): { transport: Transport; socket: Socket } | null {
  try {
    if (!(object instanceof SocketObject)) return null;
    const { [TRANSPORT]: transport, [SOCKET]: socket } = object;
    return transport !== undefined && socket instanceof Socket ? { transport, socket } : null;
  } catch {
    // A proxy's trap threw.
    return null;
  }
}

function flagsOf(interest: unknown): number | Failure {
  const wanted = wantedEvents(interest);
  if (wanted instanceof Failure) return wanted;
  return (wanted.readable ? READABLE : 0) | (wanted.writable ? WRITABLE : 0);
}
