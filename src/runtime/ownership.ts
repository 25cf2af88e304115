import { isMainThread, threadId, type Worker } from "node:worker_threads";
import { onlyOnce } from "./once-per-process.ts";
import { sharedMemory } from "./shared-memory.ts";

/** This thread in the tables. The main thread is 0, which is also "none": what it owns ends with the process. */
export const thisWorker = isMainThread ? 0 : threadId;

/** In place of a thread, while what a place stands for is being freed. */
const BEING_FREED = -1;

/** What a table keeps, and how it is freed. */
export interface Kept<Thing> {
  /** Takes what a place stands for out of it; null when there is nothing. After that the place can be used again. */
  takeOut(place: number): Thing | null;
  free(thing: Thing): void;
}

/**
 * What worker threads own of something that belongs to the whole process: descriptors, and memory of OpenSSL's. It is written down in
 * memory that all threads share. When a worker ends nothing of its own is finalized, and one that is terminated runs nothing
 * more, so its parent frees what it leaves behind. (A worker whose parent has not loaded this library leaves it.)
 */
export class OwnershipTable<Thing> {
  /** For each place the worker thread that owns it; 0 is none. */
  readonly owners: Int32Array;
  readonly #kept: Kept<Thing>;

  constructor(name: string, owners: Int32Array, kept: Kept<Thing>) {
    this.owners = owners;
    this.#kept = kept;
    onlyOnce(name, () => {
      process.on("worker", (worker: Worker) => {
        const thread = worker.threadId;
        // Before the program's own listeners, which may want to bind the same port again.
        worker.prependOnceListener("exit", () => this.freeAllOf(thread));
      });
    });
  }

  /** Whether this thread owns the place from now on. Not when another one does. */
  claim(place: number): boolean {
    return Atomics.compareExchange(this.owners, place, 0, thisWorker) === 0;
  }

  /** Nobody owns the place any more. */
  release(place: number): void {
    Atomics.store(this.owners, place, 0);
  }

  /** Frees all that a thread owns, which is over. */
  freeAllOf(thread: number): void {
    const { owners } = this;
    for (let place = 0; place < owners.length; place++) {
      if (owners[place] !== thread) continue;
      // Another copy of this library may be about to do the same.
      if (Atomics.compareExchange(owners, place, thread, BEING_FREED) !== thread) continue;
      const thing = this.#kept.takeOut(place);
      this.release(place);
      if (thing !== null) this.#kept.free(thing);
    }
  }
}

/** As many descriptors as the table knows; what a worker has beyond them stays open when it is terminated. */
const TABLE_LENGTH = 65_536;

/**
 * The owners of the descriptors, each at its own number. A worker that was told to stop while it waited for a new descriptor
 * ends when it enters the next function. So whoever gets one writes it down here before that, with no function in between.
 */
export const workerOf = new Int32Array(
  sharedMemory("descriptors", TABLE_LENGTH * Int32Array.BYTES_PER_ELEMENT),
);
