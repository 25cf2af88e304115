/**
 * Connections at rest, for the next request to the same place. One for each key: calls block, so a thread never has
 * two under way. They hold no handle of the event loop and keep no process alive.
 */
import { isMainThread } from "node:worker_threads";
import type { Connection } from "./connection.ts";

interface Idle {
  readonly connection: Connection;
  /** In the milliseconds of `performance.now()`. */
  readonly expires: number;
}

/** How long a connection may rest when the server does not say, in milliseconds. */
const LONGEST_REST = 60_000;
const MOST_IDLE = 64;

/** The one that rests longest comes first. */
const idle = new Map<string, Idle>();

/** The connection at rest for this key, if there is one that still is in order. It leaves the pool. */
export function takeIdle(key: string, now: number): Connection | undefined {
  const entry = idle.get(key);
  if (entry === undefined) return undefined;
  idle.delete(key);
  if (entry.expires > now && entry.connection.isQuiet()) return entry.connection;
  entry.connection.close();
  return undefined;
}

/** Keeps a connection for at most `lifetime` milliseconds. */
export function keepIdle(key: string, connection: Connection, lifetime: number): void {
  if (lifetime <= 0) {
    connection.close();
    return;
  }
  // Another one is there when two calls overlapped: one was made from a listener that ran while the other waited.
  if (idle.size > 0) drop(key);
  if (idle.size >= MOST_IDLE) drop(idle.keys().next().value as string);
  idle.set(key, { connection, expires: performance.now() + Math.min(lifetime, LONGEST_REST) });
  watchExpiry();
}

/**
 * How long a connection may rest by the answer's Keep-Alive field, "timeout=5, max=100" (RFC 2068, 19.7.1.1). A second
 * less, or half of it, than the server says: a request must not be under way when it closes.
 */
export function lifetimeOf(keepAlive: string | undefined): number {
  if (keepAlive === undefined) return LONGEST_REST;
  if (/(?:^|[,\s])max=0(?:$|[,\s])/i.test(keepAlive)) return 0;
  const seconds = /(?:^|[,\s])timeout=(\d{1,9})(?:$|[,\s])/i.exec(keepAlive)?.[1];
  if (seconds === undefined) return LONGEST_REST;
  const milliseconds = Number(seconds) * 1000;
  return milliseconds - Math.min(1000, milliseconds / 2);
}

function drop(key: string): void {
  const entry = idle.get(key);
  if (entry === undefined) return;
  idle.delete(key);
  entry.connection.close();
}

let isWatching = false;

/** Sees to it that connections do not rest for ever in a program that makes no further request. */
function watchExpiry(): void {
  if (isWatching) return;
  isWatching = true;
  // Where the event loop never turns, the timer does no harm; it does not keep the process alive either.
  setTimeout(closeExpired, LONGEST_REST).unref();
  // A worker's descriptors are the process's, and outlive the worker.
  if (!isMainThread) process.once("exit", closeAll);
}

function closeExpired(): void {
  isWatching = false;
  const now = performance.now();
  for (const [key, entry] of idle) {
    if (entry.expires <= now) drop(key);
  }
  if (idle.size > 0) watchExpiry();
}

function closeAll(): void {
  for (const key of idle.keys()) drop(key);
}
