// kqueue(2) for Linux, over poll(2), with the rules of XNU's filters for sockets: filt_soread_common and
// filt_sowrite_common in bsd/kern/uipc_socket.c, kevent_register and knote_touch in bsd/kern/kern_event.c (XNU 11417). So
// src/sys/posix/kqueue.ts runs where there is no macOS.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import koffi from "koffi";
import { isWindows } from "./system-errors.ts";

// sys/event.h of XNU.
const EVFILT_READ = -1;
const EVFILT_WRITE = -2;
const EV_ADD = 0x1;
const EV_DELETE = 0x2;
const EV_CLEAR = 0x20;
const EV_EOF = 0x8000;
const NOTE_LOWAT = 0x1;
const KEVENT_SIZE = 32;
/** errno's numbers of macOS, and Linux's where the library reads them on this system. */
const XNU_ECONNRESET = 54;
const ENOENT = 2;
const EBADF = 9;
const EINVAL = 22;

// Linux.
const POLLIN = 0x1;
const POLLOUT = 0x4;
const POLLERR = 0x8;
const POLLHUP = 0x10;
const POLLNVAL = 0x20;
const POLLRDHUP = 0x2000;
const F_GETFD = 1;
const FIONREAD = 0x541b;
const IPPROTO_TCP = 6;
const TCP_INFO = 11;
/** tcp_states.h: FIN_WAIT1, FIN_WAIT2, TIME_WAIT, CLOSE, LAST_ACK, CLOSING. This side sends no more. */
const SENDS_NO_MORE = [4, 5, 6, 7, 9, 11];
/** Stands for the receive buffer's size (sb_hiwat). */
const HIGH_WATER = 16 * 1024;
const SLICE = 2;

/** (Windows has none of these functions. The file is loaded there, and nothing of it is called.) */
const libc = isWindows
  ? ({ func: () => () => -1 } as unknown as ReturnType<typeof koffi.load>)
  : koffi.load(null);
const ppoll = libc.func("int ppoll(void *, unsigned long, void *, void *)");
const fcntl = libc.func("int fcntl(int, int, ...)");
const ioctl = libc.func("int ioctl(int, unsigned long, ...)");
const getsockopt = libc.func("int getsockopt(int, int, int, void *, void *)");
const getpeername = libc.func("int getpeername(int, void *, void *)");
const epoll_create1 = libc.func("int epoll_create1(int)");

/** poll(2) as Linux has it, also under xnu/xnu.c, which has another one. */
function poll(entries: Buffer | null, count: number, milliseconds: number): number {
  const time = Buffer.alloc(16);
  time.writeBigInt64LE(BigInt(milliseconds) * 1_000_000n, 8);
  return ppoll(entries, count, time, null);
}

interface Knote {
  readonly ident: number;
  readonly filter: number;
  /** EV_CLEAR stays as it was at the first EV_ADD. */
  readonly isClear: boolean;
  fflags: number;
  data: number;
  udata: bigint;
  /** What was so when it fired last; with EV_CLEAR it fires again only when something has happened since. */
  seen: string | null;
}

interface Fired {
  readonly knote: Knote;
  readonly isAtEnd: boolean;
  readonly error: number;
  readonly data: number;
}

/** By the queue's descriptor. (A closed one is no danger: its number's next queue begins anew.) */
const queues = new Map<number, Map<string, Knote>>();

function failWith(errno: number): number {
  koffi.errno(errno);
  return -1;
}

/** The descriptor stands for the queue, so that it can be counted and closed. */
function kqueue(): number {
  const queue: number = epoll_create1(0);
  if (queue >= 0) queues.set(queue, new Map());
  return queue;
}

function kevent(
  queue: number,
  changes: Buffer | null,
  changeCount: number,
  events: Buffer | null,
  room: number,
  timeout: Buffer | null,
): number {
  const knotes = queues.get(queue);
  if (knotes === undefined) return failWith(EBADF);
  for (let at = 0; at < changeCount * KEVENT_SIZE; at += KEVENT_SIZE) {
    const errno = register(knotes, changes!.subarray(at, at + KEVENT_SIZE));
    if (errno !== 0) return failWith(errno);
  }
  if (events === null || room === 0) return 0;
  const end =
    timeout === null
      ? Number.POSITIVE_INFINITY
      : performance.now() +
        Number(timeout.readBigInt64LE(0)) * 1000 +
        Number(timeout.readBigInt64LE(8)) / 1_000_000;
  for (;;) {
    const fired = scan(knotes, room);
    if (fired === null) return -1;
    if (fired.length > 0) {
      fired.forEach((each, index) => {
        put(events, index * KEVENT_SIZE, each);
      });
      return fired.length;
    }
    const left = end - performance.now();
    if (left <= 0) return 0;
    // (A signal ends it with EINTR.)
    if (poll(null, 0, Math.ceil(Math.min(left, SLICE))) < 0) return -1;
  }
}

function register(knotes: Map<string, Knote>, change: Buffer): number {
  const ident = Number(change.readBigUInt64LE(0));
  const filter = change.readInt16LE(8);
  const flags = change.readUInt16LE(10);
  const key = `${ident} ${filter}`;
  const before = knotes.get(key);
  if (fcntl(ident, F_GETFD, "int", 0) < 0) return EBADF;
  assert.ok(filter === EVFILT_READ || filter === EVFILT_WRITE);
  if ((flags & EV_DELETE) !== 0) return knotes.delete(key) ? 0 : ENOENT;
  if ((flags & EV_ADD) === 0) return before === undefined ? ENOENT : 0;
  const knote = before ?? {
    ident,
    filter,
    isClear: (flags & EV_CLEAR) !== 0,
    fflags: 0,
    data: 0,
    udata: 0n,
    seen: null,
  };
  knote.fflags = change.readUInt32LE(12);
  knote.data = Number(change.readBigInt64LE(16));
  knote.udata = change.readBigUInt64LE(24);
  knotes.set(key, knote);
  return 0;
}

/** Those that fire now; null when poll(2) failed. What was reported goes to the queue's end, so that each has its turn. */
function scan(knotes: Map<string, Knote>, room: number): Fired[] | null {
  const all = [...knotes];
  const entries = Buffer.alloc(all.length * 8);
  all.forEach(([, { ident, filter }], index) => {
    entries.writeInt32LE(ident, index * 8);
    entries.writeInt16LE(filter === EVFILT_READ ? POLLIN | POLLRDHUP : POLLOUT, index * 8 + 4);
  });
  if (poll(entries, all.length, 0) < 0) return null;
  const fired: Fired[] = [];
  for (const [index, [key, knote]] of all.entries()) {
    const found = entries.readInt16LE(index * 8 + 6);
    if (found === 0 || fired.length === room) continue;
    if ((found & POLLNVAL) !== 0) {
      // A closed descriptor takes its knotes with it (knote_fdclose).
      knotes.delete(key);
      continue;
    }
    const event = knote.filter === EVFILT_READ ? readFilter(knote, found) : writeFilter(knote, found);
    if (event === null) continue;
    if (knote.isClear) {
      const now = `${found} ${event.data}`;
      if (knote.seen === now) continue;
      knote.seen = now;
    }
    fired.push(event);
    knotes.delete(key);
    knotes.set(key, knote);
  }
  return fired;
}

/** filt_soread_common. */
function readFilter(knote: Knote, found: number): Fired | null {
  const data = readableBytes(knote.ident);
  const error = (found & POLLERR) !== 0 ? XNU_ECONNRESET : 0;
  // SS_CANTRCVMORE.
  if ((found & (POLLRDHUP | POLLHUP)) !== 0) return { knote, isAtEnd: true, error, data };
  // A datagram socket's error.
  if (error !== 0) return { knote, isAtEnd: false, error: 0, data };
  // (poll(2) obeys SO_RCVLOWAT as this does.)
  if ((found & POLLIN) === 0) return null;
  const lowWater = (knote.fflags & NOTE_LOWAT) === 0 ? 0 : Math.min(knote.data, HIGH_WATER);
  return isListener(knote.ident) || data >= lowWater ? { knote, isAtEnd: false, error: 0, data } : null;
}

/** filt_sowrite_common. */
function writeFilter(knote: Knote, found: number): Fired | null {
  const error = (found & POLLERR) !== 0 ? XNU_ECONNRESET : 0;
  // SS_CANTSENDMORE, whoever did it.
  if ((found & POLLHUP) !== 0 || sendsNoMore(knote.ident)) return { knote, isAtEnd: true, error, data: 0 };
  if (error !== 0) return { knote, isAtEnd: false, error: 0, data: 0 };
  return (found & POLLOUT) !== 0 ? { knote, isAtEnd: false, error: 0, data: 1 } : null;
}

function put(events: Buffer, at: number, { knote, isAtEnd, error, data }: Fired): void {
  events.writeBigUInt64LE(BigInt(knote.ident), at);
  events.writeInt16LE(knote.filter, at + 8);
  events.writeUInt16LE(EV_ADD | (knote.isClear ? EV_CLEAR : 0) | (isAtEnd ? EV_EOF : 0), at + 10);
  events.writeUInt32LE(error, at + 12);
  events.writeBigInt64LE(BigInt(data), at + 16);
  events.writeBigUInt64LE(knote.udata, at + 24);
}

function readableBytes(descriptor: number): number {
  const bytes = new Int32Array(1);
  return ioctl(descriptor, FIONREAD, "void *", bytes) < 0 ? 0 : bytes[0]!;
}

/** A listener has no bytes: FIONREAD is EINVAL. */
function isListener(descriptor: number): boolean {
  return ioctl(descriptor, FIONREAD, "void *", new Int32Array(1)) < 0;
}

function sendsNoMore(descriptor: number): boolean {
  const info = Buffer.alloc(1);
  return (
    getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, Uint32Array.of(1)) === 0 &&
    SENDS_NO_MORE.includes(info[0]!)
  );
}

/** getpeername in bsd/kern/uipc_syscalls.c: EINVAL when both directions are at their end. */
function peerName(descriptor: number, address: Buffer, length: Uint32Array): number {
  const entry = Buffer.alloc(8);
  entry.writeInt32LE(descriptor, 0);
  if (poll(entry, 1, 0) > 0 && (entry.readInt16LE(6) & POLLHUP) !== 0) return failWith(EINVAL);
  return getpeername(descriptor, address, length);
}

const FUNCTIONS: Readonly<Record<string, unknown>> = {
  "int kqueue()": kqueue,
  "int kevent(int, void *, int, void *, int, void *)": kevent,
  "int getpeername(int, void *, void *)": peerName,
};

let isMacos = false;
let declared = 0;

/** Gives the library these functions in the place of libc's while it believes to be on macOS. Before its first call. */
export function offerKqueue(): void {
  const require = createRequire(import.meta.url);
  // The one that the library loads (src/sys/koffi.ts).
  const used: typeof koffi = require(`@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`);
  const { load } = used;
  used.load = ((...args: Parameters<typeof load>) => {
    const library = load(...args);
    const declare = library.func.bind(library) as (...declaration: unknown[]) => unknown;
    const func = (...declaration: unknown[]): unknown => {
      const own = isMacos ? FUNCTIONS[String(declaration[0])] : undefined;
      if (own === undefined) return declare(...declaration);
      declared++;
      return own;
    };
    return { func, symbol: library.symbol.bind(library) } as unknown as typeof library;
  }) as typeof load;
}

/** Runs it on a system that says it is macOS: the first Poller of a process chooses its mechanism. */
export function onMacos<T>(run: () => T): T {
  const platform = Object.getOwnPropertyDescriptor(process, "platform")!;
  isMacos = true;
  Object.defineProperty(process, "platform", { ...platform, value: "darwin" });
  try {
    return run();
  } finally {
    Object.defineProperty(process, "platform", platform);
    isMacos = false;
    assert.equal(declared, Object.keys(FUNCTIONS).length, "kqueue.ts has taken each of these functions");
  }
}
