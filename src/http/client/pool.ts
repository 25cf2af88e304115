/**
 * Idle connections, for the next request to the same place. One for each key: calls block, so a thread never has
 * two under way. They hold no handle of the event loop and keep no process alive.
 */
import { setTimeout } from "node:timers";
import { monotonicTime } from "../../runtime/clock.ts";
import { LONGEST_IDLE, MOST_IDLE_CONNECTIONS } from "../wire/limits.ts";
import type { Connection } from "./connection.ts";

/** The place of a key. It stays when its connection is taken: the next one goes there. */
interface Place {
  connection: Connection | null;
  /** When its last response ended and how long it may stay idle, in the milliseconds of `monotonicTime()`. */
  idleSince: number;
  expires: number;
  /** Whether nothing more had come for sure when its last response ended. */
  wasQuiet: boolean;
  /** What is known of the server: whether it sends anything of its own accord behind a response. */
  server: "unknown" | "quiet" | "noisy";
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

/**
 * The connection idle for this key, if there is one that still is in order. It leaves the pool. `isSafe` says that no
 * harm is done should the server turn out to have closed it; else this may wait for `TRIAL`, but not past the deadline.
 */
export function takeIdle(
  key: string,
  now: number,
  isSafe: boolean,
  deadline: number,
): Connection | undefined {
  const place = places.get(key);
  if (place === undefined || place.connection === null) return undefined;
  const { connection } = place;
  place.connection = null;
  if (place.expires > now) {
    if (isSafe && place.wasQuiet && now - place.idleSince < A_MOMENT) return connection;
    if (connection.isQuiet() && (isSafe || staysQuiet(place, connection, now, deadline))) return connection;
    if (now - place.idleSince < LATE && connection.hasBytes()) place.server = "noisy";
  }
  connection.close();
  return undefined;
}

/** Whether a connection, which is quiet now, and its server can be trusted with a request that may not be sent twice. */
function staysQuiet(place: Place, connection: Connection, now: number, deadline: number): boolean {
  if (place.server === "quiet") return true;
  const end = place.idleSince + TRIAL;
  if (end > now && !connection.staysQuiet(Math.min(end, deadline))) return false;
  if (place.server === "unknown" && end <= deadline) place.server = "quiet";
  return true;
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
    if (places.size >= MOST_IDLE_CONNECTIONS) dropOldest();
    place = { connection: null, idleSince: 0, expires: 0, wasQuiet: false, server: "unknown" };
    places.set(key, place);
  }
  // Another one is there when two calls overlapped: one was made from a listener that ran while the other waited.
  place.connection?.close();
  place.connection = connection;
  const now = monotonicTime();
  place.idleSince = now;
  place.wasQuiet = isQuiet;
  place.expires = now + Math.min(lifetime, LONGEST_IDLE);
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

/** Gives up the place whose connection expires first, or one that has none. */
function dropOldest(): void {
  let oldest: string | undefined;
  let expires = Number.POSITIVE_INFINITY;
  for (const [key, place] of places) {
    const end = place.connection === null ? 0 : place.expires;
    if (end >= expires) continue;
    oldest = key;
    expires = end;
  }
  if (oldest !== undefined) drop(oldest);
}

function drop(key: string): void {
  places.get(key)?.connection?.close();
  places.delete(key);
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
    if (place.connection === null || place.expires <= now) drop(key);
  }
  if (places.size > 0) watchExpiry();
}
