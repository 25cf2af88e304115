import { isMainThread, type Worker } from "node:worker_threads";
import { monotonicTime } from "./clock.ts";
import { isLibuv } from "./is-libuv.ts";
import { onlyOnce } from "./once-per-process.ts";
import { sharedMemory } from "./shared-memory.ts";

/** How long one that loads waits for workers to end that are being stopped, in milliseconds. */
const PATIENCE = 500;
/** How long one that stops a worker waits for loads to end: some milliseconds each, but a scan for viruses may come first. */
const PATIENCE_WITH_LOADS = 5000;

/**
 * A worker that is stopped just while it loads koffi takes the whole process down: what koffi calls fails then, the error
 * that it wants to throw cannot be thrown, and Node-API gives up ("Error::ThrowAsJavaScriptException napi_throw"). Loading
 * takes some milliseconds of a worker's first call. So whoever stops a worker waits until none is loading, and none begins
 * until the stopped one has ended. (Where the parent does not know this library it cannot help.)
 *
 * One number that all threads share: above 0, how many are loading; below 0, how many are being stopped.
 */
const state = new Int32Array(sharedMemory("loading", Int32Array.BYTES_PER_ELEMENT));

/** Loads in a worker, where it may not be stopped meanwhile. */
export function loadUnstopped<T>(load: () => T): T {
  if (isMainThread || !isLibuv || !enter(1)) return load();
  try {
    return load();
  } finally {
    leave(1);
  }
}

/** Sees to it that this worker is not stopped while one loads. */
export function stopWhenLoaded(worker: Worker): void {
  if (!isLibuv) return;
  const { terminate } = worker;
  const terminateWhenLoaded = (...args: []): Promise<number> => {
    if (worker.threadId > 0 && enter(-1)) worker.once("exit", () => leave(-1));
    return terminate.apply(worker, args);
  };
  // Not enumerable, as what it stands in for: nobody is to see it who only looks at a worker.
  Object.defineProperty(worker, "terminate", {
    value: terminateWhenLoaded,
    writable: true,
    configurable: true,
  });
}

if (isMainThread && isLibuv) onlyOnce("loading", () => process.on("exit", () => enter(-1)));

/** Whether this thread is counted on its side (1: loads, -1: stops) now; false when the others did not end in time. */
function enter(side: 1 | -1): boolean {
  const until = monotonicTime() + (side === 1 ? PATIENCE : PATIENCE_WITH_LOADS);
  for (;;) {
    const count = Atomics.load(state, 0);
    if (count * side >= 0) {
      if (Atomics.compareExchange(state, 0, count, count + side) === count) return true;
    } else {
      const left = until - monotonicTime();
      if (left <= 0) return false;
      Atomics.wait(state, 0, count, left);
    }
  }
}

function leave(side: 1 | -1): void {
  Atomics.sub(state, 0, side);
  Atomics.notify(state, 0);
}
