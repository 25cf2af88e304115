/**
 * Many calls at once: one loop over a poll set goes on with each call whose socket is ready or whose time has come.
 */
import { isShortage, Lookups } from "../../engine/lookups.ts";
import type { OwnedDescriptor, Watcher } from "../../engine/owned-descriptor.ts";
import { PollSet, READABLE, WRITABLE } from "../../engine/poll-set.ts";
import type { Socket } from "../../engine/socket.ts";
import { SUSPICION } from "../../engine/wait/blocked-event-loop.ts";
import { Failure } from "../../error.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { Call } from "./call.ts";
import type { Connection } from "./connection.ts";
import { giveBack, type OwnReader, takeReader, type Want } from "./exchange.ts";
import { closeIdle } from "./pool.ts";
import type { Settings } from "./request-options.ts";
import type { ClientResponse } from "./response.ts";
import type { Waits } from "./waits.ts";

const FOREVER = Number.POSITIVE_INFINITY;
const FLAGS: { readonly [want in Want]: number } = {
  readable: READABLE,
  writable: WRITABLE,
  either: READABLE | WRITABLE,
};
/** How long a wait lasts while names are looked up, in milliseconds: no descriptor tells when one is done. */
const LOOKUP_SLICE = 2;

/** A socket of a batch. */
interface Watched {
  readonly socket: Socket;
  readonly token: number;
  /** What the poll set reports; 0: it is not in there. */
  flags: number;
  /** Whom an event concerns; null for a connection that is idle. */
  task: Task | null;
  /** Null for an attempt to connect. */
  connection: Connection | null;
}

export class Batch {
  readonly lookups: Lookups;
  /** When it ends at the latest. */
  readonly deadline: number;
  /** Why it has ended: the clock, or a signal. No call goes on then. */
  ended: Failure | null = null;
  readonly #polls: PollSet;
  readonly #done: (index: number, outcome: ClientResponse | Failure) => void;
  readonly #tasks = new Set<Task>();
  readonly #sockets = new Map<OwnedDescriptor, Watched>();
  readonly #byToken = new Map<number, Watched>();
  #nextToken = 1;
  /** No call wants to be woken up before. It can be too early, since a call that is over is not taken out. */
  #nextWake = FOREVER;
  /** Those that can go on. */
  #awake: Task[] = [];
  /** Those that wait for a descriptor. */
  readonly #starved = new Set<Task>();
  /** The tokens and flags of the events of a wait. */
  readonly #events: number[] = [];
  readonly #note = (token: number): void => {
    this.#events.push(token);
  };
  readonly #watcher: Watcher = {
    beforeEnd: (socket) => this.#forget(socket),
    maybePending: () => {},
  };

  private constructor(
    polls: PollSet,
    deadline: number,
    done: (index: number, outcome: ClientResponse | Failure) => void,
  ) {
    this.#polls = polls;
    polls.belongsTo(this);
    this.lookups = new Lookups(polls.sys);
    this.deadline = deadline;
    this.#done = done;
  }

  /** `done` is told of each call that is over. */
  static open(
    deadline: number,
    done: (index: number, outcome: ClientResponse | Failure) => void,
  ): Batch | Failure {
    let polls = PollSet.open();
    // The way that every system has needs no descriptor.
    if (polls instanceof Failure && isShortage(polls)) polls = PollSet.open(true);
    return polls instanceof Failure ? polls : new Batch(polls, deadline, done);
  }

  /** How many calls are under way. */
  get size(): number {
    return this.#tasks.size;
  }

  /** Begins a call, and goes on with it as far as it can. */
  start(index: number, settings: Settings): void {
    const task = new Task(this, index, settings);
    this.#tasks.add(task);
    this.#advance(task);
  }

  /** Waits until something has come for one call at least, and goes on with those that can. */
  round(): void {
    if (this.#awake.length === 0 && !this.#wait()) return;
    const now = monotonicTime();
    for (const token of this.#events) this.#react(token);
    this.#events.length = 0;
    if (this.lookups.isPending) this.lookups.poll();
    this.#advanceAwake();
    if (now >= this.deadline) this.#end(TIMED_OUT);
    else if (now >= this.#nextWake) this.#advanceLate(now);
  }

  /** Ends all calls, and gives the connections that are idle back to the pool. */
  close(): void {
    for (const task of this.#tasks) {
      task.call.cancel(TIMED_OUT);
      giveBack(task.reader);
    }
    this.#tasks.clear();
    this.lookups.close();
    for (const { socket, connection } of this.#sockets.values()) {
      socket.unwatch(this.#watcher);
      if (connection === null) continue;
      connection.holder = null;
      if (connection.transport.setNonblocking(false) < 0) connection.close();
    }
    this.#sockets.clear();
    this.#byToken.clear();
    this.#polls.close();
  }

  // What a task needs.

  watch(task: Task, socket: Socket, want: Want): number {
    const flags = FLAGS[want];
    const watched = this.#watched(socket);
    watched.task = task;
    const before = watched.flags;
    if (before === flags) return 0;
    watched.flags = flags;
    const { token } = watched;
    return before === 0
      ? this.#polls.add(socket, token, flags)
      : this.#polls.modify(socket, token, flags, before);
  }

  unwatch(socket: Socket): void {
    this.#forget(socket);
    socket.unwatch(this.#watcher);
  }

  hold(connection: Connection): void {
    if (connection.holder === this) return;
    connection.holder = this;
    if (!connection.transport.nonblocking) connection.transport.setNonblocking(true);
    // Should whoever has the batch drop it, in the middle.
    connection.closeWhenDropped();
    this.#watched(connection.socket).connection = connection;
  }

  waitsForDescriptor(task: Task, failure: Failure): boolean {
    if (!isShortage(failure)) return false;
    if (closeIdle()) {
      this.wake(task);
      return true;
    }
    this.#starved.add(task);
    if (this.#tasks.size > this.#starved.size) return true;
    // There is nobody to wait for.
    this.#starved.delete(task);
    return false;
  }

  wake(task: Task): void {
    this.#awake.push(task);
  }

  #watched(socket: Socket): Watched {
    let watched = this.#sockets.get(socket);
    if (watched === undefined) {
      watched = { socket, token: this.#nextToken++, flags: 0, task: null, connection: null };
      this.#sockets.set(socket, watched);
      this.#byToken.set(watched.token, watched);
      socket.watch(this.#watcher);
    }
    return watched;
  }

  #forget(socket: OwnedDescriptor): void {
    const watched = this.#sockets.get(socket);
    if (watched === undefined) return;
    if (watched.flags !== 0) this.#polls.remove(socket, watched.flags);
    this.#sockets.delete(socket);
    this.#byToken.delete(watched.token);
  }

  /** Waits for events. False when a signal has ended that, and with it the batch. */
  #wait(): boolean {
    const until = Math.min(this.deadline, this.#nextWake);
    let limit = until === FOREVER ? FOREVER : Math.max(0, until - monotonicTime());
    limit = Math.min(limit, this.lookups.isPending ? LOOKUP_SLICE : SUSPICION);
    const count = this.#polls.wait(limit, this.#note);
    if (count === 0) this.#suspect(limit);
    if (count >= 0 && !this.#polls.takeUnseenSignal()) return true;
    this.#events.length = 0;
    const failure = count < 0 ? count : -this.#polls.sys.constants.EINTR;
    this.#end(new Failure(this.#polls.reason(failure)));
    return false;
  }

  /** Says of servers that this thread's own event loop would have to run that they cannot respond. */
  #suspect(waited: number): void {
    for (const { socket, task } of this.#sockets.values()) {
      if (task !== null && socket.suspicion?.hasWaited(waited)) socket.dropSuspicion();
    }
  }

  #react(token: number): void {
    // (An event before this one can have closed it.)
    const watched = this.#byToken.get(token);
    if (watched === undefined) return;
    const { task, socket } = watched;
    if (task === null) {
      // Something came on an idle connection. The pool sees that when it is to be used again.
      this.#polls.remove(socket, watched.flags);
      watched.flags = 0;
      return;
    }
    task.call.ready(socket);
    this.#advance(task);
  }

  #advanceAwake(): void {
    const awake = this.#awake;
    this.#awake = [];
    for (const task of awake) this.#advance(task);
  }

  /** Goes on with those whose time has come. */
  #advanceLate(now: number): void {
    this.#nextWake = FOREVER;
    for (const task of this.#tasks) {
      if (task.call.wakeAt <= now) this.#advance(task);
      else this.#nextWake = Math.min(this.#nextWake, task.call.wakeAt);
    }
  }

  #advance(task: Task): void {
    if (!this.#tasks.has(task)) return;
    const { call } = task;
    call.advance();
    if (call.outcome === null) {
      if (call.wakeAt < this.#nextWake) this.#nextWake = call.wakeAt;
    } else {
      this.#finish(task);
    }
  }

  #finish(task: Task): void {
    this.#tasks.delete(task);
    const { index, call, reader, socket } = task;
    if (socket !== null) {
      const watched = this.#sockets.get(socket);
      if (watched?.task === task) watched.task = null;
    }
    giveBack(reader);
    this.#starved.delete(task);
    for (const next of this.#starved) {
      this.#starved.delete(next);
      this.#awake.push(next);
      break;
    }
    this.#done(index, call.outcome as ClientResponse | Failure);
  }

  /** Ends all calls. */
  #end(failure: Failure): void {
    this.ended = failure;
    this.#starved.clear();
    for (const task of this.#tasks) {
      task.call.cancel(failure);
      this.#finish(task);
    }
  }
}

const TIMED_OUT = new Failure("timed out");

/** A call of a batch. */
class Task implements Waits {
  readonly index: number;
  readonly call: Call;
  readonly reader: OwnReader;
  /** What it has watched last. */
  socket: Socket | null = null;
  readonly #batch: Batch;

  constructor(batch: Batch, index: number, settings: Settings) {
    this.#batch = batch;
    this.index = index;
    this.reader = takeReader();
    this.call = new Call(settings, this.reader, false, this);
  }

  get holder(): object {
    return this.#batch;
  }

  get deadline(): number {
    return this.#batch.deadline;
  }

  get lookups(): Lookups {
    return this.#batch.lookups;
  }

  watch(socket: Socket, want: Want): number {
    this.socket = socket;
    return this.#batch.watch(this, socket, want);
  }

  unwatch(socket: Socket): void {
    this.#batch.unwatch(socket);
  }

  hold(connection: Connection): void {
    this.#batch.hold(connection);
  }

  waitsForDescriptor(failure: Failure): boolean {
    return this.#batch.waitsForDescriptor(this, failure);
  }

  wake(): void {
    this.#batch.wake(this);
  }
}
