/**
 * Idle connections, for the next requests to the same place. They hold no handle of the event loop and keep no process alive.
 */
import { setTimeout } from "node:timers";
import { monotonicTime } from "../../runtime/clock.ts";
import { LONGEST_IDLE, MOST_IDLE_CONNECTIONS, MOST_IDLE_PLACES } from "../wire/limits.ts";
import type { Connection } from "./connection.ts";

/** The place of a key. It stays when its connections are taken: the next ones go there. */
interface Place {
  /** The one that became idle last stands at the end, and is taken first. */
  readonly idle: Idle[];
  /** What is known of the server: whether it sends anything of its own accord behind a response. */
  server: "unknown" | "quiet" | "noisy";
}

interface Idle {
  readonly connection: Connection;
  /** When its last response ended and how long it may stay idle, in the milliseconds of `monotonicTime()`. */
  readonly since: number;
  readonly expires: number;
  /** Whether nothing more had come for sure when its last response ended. */
  readonly wasQuiet: boolean;
}

/**
 * A connection that was quiet less than so many milliseconds ago is not looked at where a request may be sent again: what
 * would be found comes a moment later as easily as in these, and to look costs as much as all else that a request needs.
 */
const A_MOMENT = 0.02;

/**
 * Bytes that a server sends of its own accord behind a response look like the next request's, once that is on its way: HTTP/1.1
 * has nothing to tell them apart by. So a request that may not be sent twice goes over a used connection only when nothing came
 * for so many milliseconds behind a response: for that it waits once for each server, and each time for one that did send
 * something.
 */
const TRIAL = 20;
/** What comes later than this behind a response is a server's farewell (408, say) to a connection that was idle for too long. */
const LATE = 1000;

const places = new Map<string, Place>();
/** How many connections there are in all places. */
let count = 0;

/**
 * A connection idle for this key, if there is one that still is in order: it leaves the pool. `isSafe` says that no
 * harm is done should the server turn out to have closed it; else it can be one that is to be tried first. `holder`: who takes it, where
 * that is a batch.
 */
export function takeIdle(
  key: string,
  now: number,
  isSafe: boolean,
  holder: object | null = null,
): Connection | Trial | undefined {
  const place = places.get(key);
  if (place === undefined) return undefined;
  for (let index = place.idle.length - 1; index >= 0; index--) {
    const idle = place.idle[index]!;
    const { connection, expires, since, wasQuiet } = idle;
    if (connection.holder !== null && connection.holder !== holder) continue;
    if (index === place.idle.length - 1) place.idle.pop();
    else place.idle.splice(index, 1);
    count--;
    if (expires > now) {
      if (isSafe && wasQuiet && now - since < A_MOMENT) return connection;
      if (connection.isQuiet()) {
        return isSafe || place.server === "quiet" ? connection : new Trial(place, connection, since);
      }
      noteNoise(place, connection, since, now);
    }
    connection.close();
  }
  return undefined;
}

/** Something has come on an idle connection: bytes, or its end. */
function noteNoise(place: Place, connection: Connection, since: number, now: number): void {
  if (now - since < LATE && connection.hasBytes()) place.server = "noisy";
}

/**
 * A connection, which is quiet now, for a request that may not be sent twice: whether it and its server can be trusted with it. Who has
 * it waits until `end` or until something comes, and then sees what `outcome` gives.
 */
export class Trial {
  readonly connection: Connection;
  readonly end: number;
  readonly #place: Place;
  readonly #since: number;

  constructor(place: Place, connection: Connection, since: number) {
    this.connection = connection;
    this.end = since + TRIAL;
    this.#place = place;
    this.#since = since;
  }

  /** Waits, at most up to the deadline: the connection, or undefined; it is closed then. */
  wait(deadline: number): Connection | undefined {
    const limit = Math.min(this.end, deadline);
    const isQuiet = limit <= monotonicTime() || this.connection.staysQuiet(limit);
    return isQuiet ? this.#pass(deadline) : this.#fail();
  }

  /** As `wait`, but null in place of waiting. */
  outcome(deadline: number): Connection | undefined | null {
    if (!this.connection.isQuiet()) return this.#fail();
    return monotonicTime() >= Math.min(this.end, deadline) ? this.#pass(deadline) : null;
  }

  #pass(deadline: number): Connection {
    if (this.#place.server === "unknown" && this.end <= deadline) this.#place.server = "quiet";
    return this.connection;
  }

  #fail(): undefined {
    noteNoise(this.#place, this.connection, this.#since, monotonicTime());
    this.connection.close();
  }
}

/** Something came behind a response, together with it. */
export function noteUnexpected(key: string): void {
  const place = places.get(key);
  if (place !== undefined) place.server = "noisy";
}

/**
 * Keeps a connection for at most `lifetime` milliseconds. `isQuiet` says that all that had come was taken: what a server sends
 * behind its response must not be the next one's.
 */
export function keepIdle(key: string, connection: Connection, lifetime: number, isQuiet: boolean): void {
  if (lifetime <= 0) {
    connection.close();
    return;
  }
  let place = places.get(key);
  if (place === undefined) {
    if (places.size >= MOST_IDLE_PLACES) dropOldestPlace();
    place = { idle: [], server: "unknown" };
    places.set(key, place);
  }
  const now = monotonicTime();
  const expires = now + Math.min(lifetime, LONGEST_IDLE);
  place.idle.push({ connection, since: now, expires, wasQuiet: isQuiet });
  if (++count > MOST_IDLE_CONNECTIONS) dropOldest();
  if (!isWatching) watchExpiry();
}

/**
 * How long a connection may stay idle by the response's Keep-Alive field, "timeout=5, max=100" (RFC 2068, 19.7.1.1). A second
 * less, or half of it, than the server says: a request must not be under way when it closes. Of several times (a server's and
 * a gateway's, on two lines) the shortest holds.
 */
export function lifetimeOf(keepAlive: string | undefined): number {
  if (keepAlive === undefined) return LONGEST_IDLE;
  if (keepAlive !== lastField.keepAlive) lastField = { keepAlive, lifetime: readLifetime(keepAlive) };
  return lastField.lifetime;
}

/** A server mostly says the same again. */
let lastField = { keepAlive: "", lifetime: LONGEST_IDLE };

function readLifetime(keepAlive: string): number {
  if (/(?:^|[,\s])max=0(?:$|[,\s])/i.test(keepAlive)) return 0;
  let shortest = LONGEST_IDLE;
  for (const [, seconds] of keepAlive.matchAll(/(?:^|[,\s])timeout=(\d{1,9})(?=$|[,\s])/gi)) {
    const milliseconds = Number(seconds) * 1000;
    shortest = Math.min(shortest, milliseconds - Math.min(1000, milliseconds / 2));
  }
  return shortest;
}

/** Gives up the place whose connections expire first, or one that has none. */
function dropOldestPlace(): void {
  let oldest: string | undefined;
  let expires = Number.POSITIVE_INFINITY;
  for (const [key, { idle }] of places) {
    const end = idle.at(-1)?.expires ?? 0;
    if (end >= expires) continue;
    oldest = key;
    expires = end;
  }
  if (oldest === undefined) return;
  closeWhere(places.get(oldest)!, () => true);
  places.delete(oldest);
}

/** Closes the connection that has been idle for longest. */
function dropOldest(): void {
  let oldest: Place | undefined;
  for (const place of places.values()) {
    const first = place.idle[0];
    if (first !== undefined && (oldest === undefined || first.since < oldest.idle[0]!.since)) oldest = place;
  }
  count--;
  oldest?.idle.shift()?.connection.close();
}

/** Closes all of them, so that their descriptors can be used. Gives whether there were any. */
export function closeIdle(): boolean {
  const before = count;
  for (const place of places.values()) closeWhere(place, () => true);
  return before > 0;
}

function closeWhere(place: Place, isOver: (idle: Idle) => boolean): void {
  const over = place.idle.filter(isOver);
  if (over.length === 0) return;
  const rest = place.idle.filter((idle) => !over.includes(idle));
  place.idle.splice(0, place.idle.length, ...rest);
  count -= over.length;
  for (const { connection } of over) connection.close();
}

let isWatching = false;

/** Sees to it that connections do not stay open for ever in a program that makes no further request. */
function watchExpiry(): void {
  isWatching = true;
  // Where the event loop never turns, the timer does no harm; it does not keep the process alive either.
  setTimeout(closeExpired, LONGEST_IDLE).unref();
}

function closeExpired(): void {
  isWatching = false;
  const now = monotonicTime();
  for (const [key, place] of places) {
    closeWhere(place, ({ expires }) => expires <= now);
    if (place.idle.length === 0) places.delete(key);
  }
  if (places.size > 0) watchExpiry();
}
