import { isMainThread, type Worker } from "node:worker_threads";
import { Failure } from "../error.ts";
import { stopWhenLoaded } from "../runtime/load-guard.ts";
import { onlyOnce } from "../runtime/once-per-process.ts";
import { OwnershipTable, thisWorker, workerOf } from "../runtime/ownership.ts";
import { platform } from "../sys/index.ts";
import { closeAtOnce } from "./linger.ts";

/**
 * Which descriptors this library's objects own: so that none of them is taken over a second time, and to close what a
 * worker thread leaves open.
 */
const owned = new Set<number>();

const table = new OwnershipTable<number>("descriptors", workerOf, {
  takeOut: (descriptor) => descriptor,
  free(descriptor) {
    const sys = platform();
    if (!(sys instanceof Failure)) closeAtOnce(sys, descriptor);
  },
});

onlyOnce("stop-when-loaded", () => process.on("worker", (worker: Worker) => stopWhenLoaded(worker)));
// Should this thread's parent not know the library.
if (!isMainThread) onlyOnce("close-own", () => process.once("exit", () => table.freeAllOf(thisWorker)));

/** An object of this thread owns the descriptor from now on. */
export function own(descriptor: number): void {
  owned.add(descriptor);
  if (!isMainThread && descriptor < workerOf.length) Atomics.store(workerOf, descriptor, thisWorker);
}

/** None does any more. To be said before the descriptor is closed: afterwards its number can be somebody else's. */
export function disown(descriptor: number): void {
  owned.delete(descriptor);
  if (!isMainThread && descriptor < workerOf.length) table.release(descriptor);
}

export function isOwned(descriptor: number): boolean {
  return owned.has(descriptor);
}
