import { isMainThread, threadId } from "node:worker_threads";
import { sharedMemory } from "./shared-memory.ts";

/** As many descriptors as the table knows; what a worker has beyond them stays open when it is terminated. */
const TABLE_LENGTH = 65_536;

/**
 * For each descriptor the worker thread that owns it; 0 is none. It is memory that all threads share: a worker that is
 * terminated runs nothing more, so that its parent must close what it leaves open. A worker that was told to stop while it
 * waited for a new descriptor ends when it enters the next function: whoever gets one writes it down here before that.
 */
export const workerOf = new Int32Array(
  sharedMemory("descriptors", TABLE_LENGTH * Int32Array.BYTES_PER_ELEMENT),
);

/** This thread in that table. */
export const thisWorker = isMainThread ? 0 : threadId;
