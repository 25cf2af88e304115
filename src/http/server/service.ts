import { writeSync } from "node:fs";
import { inspect } from "node:util";
import type { PollSet } from "../../engine/poll-set.ts";
import { lastingBuffer } from "../../engine/scratch.ts";
import type { Socket } from "../../engine/socket.ts";
import { longestSlice } from "../../engine/wait/slices.ts";
import { Failure } from "../../error.ts";
import type { ByteStream } from "../../net/byte-stream.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { MOST_SURPLUS } from "../wire/limits.ts";
import type { Refusal } from "./refusal.ts";
import { defaultConnections, type ServedRequest, type ServeSettings } from "./serve-options.ts";
import { ServedClient } from "./served-client.ts";
import { ServedListener } from "./served-listener.ts";
import type { MakeStream, Server } from "./serving.ts";

/** A listener's socket, and how to make the streams of its connections. */
export interface Source {
  readonly socket: Socket;
  readonly makeStream: MakeStream;
}

/** How many bytes of a client are received at once. */
const WINDOW = 16 * 1024;
/** How long the requests have that are under way when the server stops, in milliseconds. */
const STOP_TIME = 1000;
/** The least time between two looks at all deadlines, in milliseconds. */
const BETWEEN_LOOKS = 20;
/** How often the memory is looked at through which another thread stops the server, in milliseconds. */
const STOP_LOOK = 100;
/** How many connections are taken off the backlog when the server stops. */
const MOST_LAST = 4096;

/** One run of `http.serve`: a thread that has the clients of some listeners, and gives each a turn when it is ready. */
export class Service implements Server<ServedClient> {
  readonly settings: ServeSettings;
  readonly window = lastingBuffer(WINDOW);
  now = monotonicTime();
  isStopping = false;
  readonly #poll: PollSet;
  readonly #listeners: ServedListener[] = [];
  /** By their tokens, which follow those of the listeners. */
  readonly #clients = new Map<number, ServedClient>();
  readonly #maxConnections: number;
  #surplus = 0;
  #nextToken = 1;
  /** The tokens of what is ready. */
  #ready: number[] = [];
  #again: ServedClient[] = [];
  #nextLook = Number.POSITIVE_INFINITY;
  #lastLook = 0;
  #stopEnd = Number.POSITIVE_INFINITY;

  constructor(poll: PollSet, sources: readonly Source[], settings: ServeSettings) {
    this.settings = settings;
    this.#poll = poll;
    for (const { socket, makeStream } of sources) {
      this.#listeners.push(new ServedListener(poll, socket, this.#nextToken++, makeStream));
    }
    this.#maxConnections = Number.isFinite(settings.maxConnections)
      ? settings.maxConnections
      : defaultConnections(poll.sys.mostDescriptors());
  }

  /** Serves until a listener is closed or a signal comes: null, or why it could not. */
  run(): Failure | null {
    try {
      for (const listener of this.#listeners) {
        const failure = listener.listen();
        if (failure < 0) return new Failure(this.#poll.reason(failure));
      }
      return this.#serve();
    } finally {
      for (const listener of this.#listeners) listener.letGo();
      for (const client of this.#clients.values()) client.close();
      this.#poll.close();
    }
  }

  #serve(): Failure | null {
    for (;;) {
      this.#lookWhetherToStop();
      if (this.isStopping && (this.#clients.size === 0 || this.now >= this.#stopEnd)) return null;
      const again = this.#again;
      this.#again = [];
      const count = this.#poll.wait(again.length > 0 ? 0 : this.#longestWait(), this.#note);
      this.now = monotonicTime();
      if (count < 0) {
        if (count !== -this.#poll.sys.constants.EINTR) return new Failure(this.#poll.reason(count));
        this.#stop();
      }
      this.#giveTurns(again);
      if (this.now >= this.#nextLook) this.#lookAtDeadlines();
      for (const listener of this.#listeners) listener.resume(this.now);
    }
  }

  readonly #note = (token: number): void => {
    this.#ready.push(token);
  };

  #giveTurns(again: readonly ServedClient[]): void {
    const ready = this.#ready;
    this.#ready = [];
    for (const token of ready) {
      const client = this.#clients.get(token);
      if (client !== undefined) client.goOn();
      else this.#listeners[token - 1]?.accept(this.now, this.#admit);
    }
    for (const client of again) client.goOn();
  }

  #lookWhetherToStop(): void {
    if (this.isStopping) return;
    const { stop } = this.settings;
    if (
      this.#listeners.every((listener) => !listener.open) ||
      (stop !== null && Atomics.load(stop, 0) !== 0) ||
      // Under load no wait ever begins that a signal could interrupt. And one may have ended a call of the handler's.
      this.#poll.signalWaits()
    ) {
      this.#stop();
    }
  }

  /** No more connections, and no more requests but those under way. */
  #stop(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    for (const listener of this.#listeners) listener.acceptLast(MOST_LAST, this.#admit);
    this.now = monotonicTime();
    this.#stopEnd = this.now + STOP_TIME;
    for (const client of this.#clients.values()) client.lastCall();
  }

  readonly #admit = (socket: Socket, { makeStream }: ServedListener): void => {
    const isSurplus = this.#clients.size - this.#surplus >= this.#maxConnections;
    if (isSurplus && this.#surplus >= MOST_SURPLUS) {
      socket.close();
      return;
    }
    const client = new ServedClient(this, socket, this.#nextToken++, makeStream, isSurplus);
    if (isSurplus) this.#surplus++;
    this.#clients.set(client.token, client);
    client.begin();
  };

  #longestWait(): number {
    let until = Math.min(this.#nextLook, this.#stopEnd);
    for (const { restsUntil } of this.#listeners) if (restsUntil > 0) until = Math.min(until, restsUntil);
    // (With a signal's listener the longest slice is a moment; else it can be for ever.)
    const longest = Math.min(longestSlice, this.settings.stop === null ? longestSlice : STOP_LOOK);
    return until === Number.POSITIVE_INFINITY ? longest : Math.min(longest, Math.max(0, until - this.now));
  }

  #lookAtDeadlines(): void {
    this.#lastLook = this.now;
    this.#nextLook = Number.POSITIVE_INFINITY;
    for (const client of this.#clients.values()) {
      if (this.now >= client.until) client.expire();
      else this.noteDeadline(client.until);
    }
  }

  wait(client: ServedClient, interest: number): number {
    const { socket, token, interest: before } = client;
    const failure =
      before === 0
        ? this.#poll.add(socket, token, interest)
        : this.#poll.modify(socket, token, interest, before);
    if (failure === 0) client.interest = interest;
    return failure;
  }

  again(client: ServedClient): void {
    this.#again.push(client);
  }

  noteDeadline(until: number): void {
    if (until < this.#nextLook) this.#nextLook = Math.max(until, this.#lastLook + BETWEEN_LOOKS);
  }

  gone(client: ServedClient): void {
    if (client.interest !== 0) this.#poll.remove(client.socket, client.interest);
    if (!this.#clients.delete(client.token)) return;
    if (client.isSurplus) this.#surplus--;
  }

  lookAtClock(): void {
    this.now = monotonicTime();
  }

  refused({ status, reason }: Refusal, stream: () => ByteStream): void {
    const { onRefusal } = this.settings;
    if (onRefusal !== null) callback(() => onRefusal(status, reason, stream()));
  }

  report(error: unknown, request: ServedRequest): void {
    const { onError } = this.settings;
    if (onError !== null) callback(() => onError(error, request));
    else print(error);
  }
}

/** Calls the program. What it throws must not end the server. */
function callback(call: () => void): void {
  try {
    call();
  } catch (thrown) {
    print(thrown);
  }
}

/** Prints on standard error. At once, because a worker's stream would keep it until its event loop turns. */
function print(error: unknown): void {
  try {
    writeSync(2, `${inspect(error)}\n`);
  } catch {
    // Nobody reads it, or reads it too slowly.
  }
}
