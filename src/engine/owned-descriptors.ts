import { isMainThread, type Worker } from "node:worker_threads";
import { stopWhenLoaded } from "../runtime/load-guard.ts";
import { onlyOnce } from "../runtime/once-per-process.ts";
import { thisWorker, workerOf } from "../runtime/ownership.ts";
import { platform } from "../sys/index.ts";

/**
 * Which descriptors this library's objects own: lest one of them be taken over a second time, and to close what a
 * worker thread leaves open. Descriptors belong to the process, and nothing of a worker's is finalized when it ends.
 */
const owned = new Set<number>();

onlyOnce("descriptors", () => {
  process.on("worker", (worker: Worker) => {
    const thread = worker.threadId;
    // Before the program's own listeners, which may want to bind the same port again.
    worker.prependOnceListener("exit", () => closeAllOf(thread));
    stopWhenLoaded(worker);
  });
  // Should this thread's parent not know the library.
  if (!isMainThread) process.once("exit", () => closeAllOf(thisWorker));
});

/** An object of this thread owns the descriptor from now on. */
export function own(descriptor: number): void {
  owned.add(descriptor);
  if (!isMainThread && descriptor < workerOf.length) Atomics.store(workerOf, descriptor, thisWorker);
}

/** None does any more. To be said before the descriptor is closed: afterwards its number can be somebody else's. */
export function disown(descriptor: number): void {
  owned.delete(descriptor);
  if (!isMainThread && descriptor < workerOf.length) Atomics.store(workerOf, descriptor, 0);
}

export function isOwned(descriptor: number): boolean {
  return owned.has(descriptor);
}

function closeAllOf(thread: number): void {
  for (let descriptor = 0; descriptor < workerOf.length; descriptor++) {
    if (workerOf[descriptor] !== thread) continue;
    // Another copy of this library may be about to do the same.
    if (Atomics.compareExchange(workerOf, descriptor, thread, 0) !== thread) continue;
    const sys = platform();
    if (typeof sys !== "string") sys.close(descriptor);
  }
}
