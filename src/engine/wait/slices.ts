import { isMainThread } from "node:worker_threads";
import { onlyOnce } from "../../runtime/once-per-process.ts";
import { sharedMemory } from "../../runtime/shared-memory.ts";

/**
 * How long one wait inside the kernel may last. A wait that may last longer is made of several slices, and between two of
 * them the thread is in JavaScript.
 */

export const FOREVER = Number.POSITIVE_INFINITY;

/** How long a worker waits at a time, in milliseconds. Node stops its workers one after the other, so that they add up. */
export const WORKER_SLICE = 50;
/** The same for the main thread, once a signal has a listener. */
export const LISTENER_SLICE = 250;
/** The same once the process is about to end, so that it takes hardly longer with many workers than with one. */
const LAST_SLICE = 1;

/**
 * Waits that are limited to more than this go in slices of it, whatever their limit. So a socket whose timeout ends the slices is told
 * once, and its next call with another limit finds it right. To come back once a second costs a waiting program nothing.
 */
export const LIMITED_SLICE = 1000;

/** What poll(2)'s int of milliseconds can hold, 24 days: a longer wait simply goes on after it. */
const LONGEST_TIMEOUT = 0x7fffffff;

/**
 * The longest single wait inside the kernel, in milliseconds. The main thread may wait for ever, until a signal has a
 * listener. A worker must come back to JavaScript now and then, because `worker.terminate()` and `process.exit()` can only
 * stop it there.
 */
export let longestSlice = isMainThread ? FOREVER : WORKER_SLICE;

/** For the main thread, once a signal has a listener. */
export function waitInListenerSlices(): void {
  longestSlice = LISTENER_SLICE;
}

/** Not 0 once the main thread is at its end: a number that all threads share. */
const ending = new Int32Array(sharedMemory("ending", Int32Array.BYTES_PER_ELEMENT));
if (isMainThread) {
  onlyOnce("end", () => process.on("exit", () => Atomics.store(ending, 0, 1)));
}

/**
 * A JavaScript call between two waits. V8 looks for a termination request on entering a function; a bare loop around
 * an FFI call was measured to miss it for two seconds.
 */
export function comeBackToJavaScript(): void {
  calls = (calls + 1) | 0;
  if (!isMainThread && Atomics.load(ending, 0) !== 0) longestSlice = LAST_SLICE;
}
let calls = 0;

/** Milliseconds as poll(2) takes them: -1 is for ever. A part of a millisecond is one, so that the wait is not a busy one. */
export function pollTimeout(milliseconds: number): number {
  if (milliseconds === FOREVER) return -1;
  return Math.max(0, Math.min(Math.ceil(milliseconds), LONGEST_TIMEOUT));
}
