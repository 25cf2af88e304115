import { threadId, type Worker } from "node:worker_threads";
import { onlyOnce } from "../runtime/once-per-process.ts";
import { thisWorker, workerOf } from "../runtime/ownership.ts";
import { sharedMemory } from "../runtime/shared-memory.ts";
import type { Platform } from "../sys/index.ts";

/**
 * Calls that must not wait, on sockets that others hold too (clones, other threads, child processes) and that are in blocking mode for
 * them. The mode belongs to the socket, so it cannot be changed for a moment; and these calls know no flag for it.
 */

/**
 * The thread that accepts from a shared listener right now, as its id and 1; 0 is none. All threads share this number: of several
 * threads that wait on one listener all are woken for a connection, and each but one would be blocked in accept.
 */
const accepting = new Int32Array(sharedMemory("accepting", Int32Array.BYTES_PER_ELEMENT));
const thisThread = threadId + 1;

onlyOnce("accepting", () => {
  process.on("worker", (worker: Worker) => {
    const thread = worker.threadId + 1;
    // It can have been terminated between the two calls.
    worker.prependOnceListener("exit", () => leave(thread));
  });
});

function leave(thread: number): void {
  Atomics.compareExchange(accepting, 0, thread, 0);
}

/**
 * accept(2) when a connection is there: its descriptor, or minus an errno. (Should another process take the connection between
 * the two calls, it waits for the next one.) While another thread accepts, it pauses for a millisecond if `mayPause`, so that a
 * caller that tries again is no busy loop.
 */
export function acceptShared(sys: Platform, listener: number, mayPause = true): number {
  const { EAGAIN, POLLIN } = sys.constants;
  if (Atomics.compareExchange(accepting, 0, 0, thisThread) !== 0) {
    if (mayPause) sys.pause(1);
    return -EAGAIN;
  }
  const events = sys.waitFor(listener, POLLIN, 0);
  let result = -EAGAIN;
  if (events !== 0) {
    result = events < 0 ? -1 : sys.accept(listener);
    if (result >= 0) workerOf[result] = thisWorker;
    else result = -sys.errno();
  }
  leave(thisThread);
  return result;
}

/** What a socket has room for when it counts as writable (XNU: so_snd.sb_lowat, MCLBYTES). */
const CERTAIN_ROOM = 2048;

/** send(2) of a stream where it knows no MSG_DONTWAIT: no more than there is certainly room for. A count, or minus an errno. */
export function sendShared(sys: Platform, descriptor: number, source: Uint8Array, length: number): number {
  const { EAGAIN, POLLOUT, MSG_NOSIGNAL } = sys.constants;
  const events = sys.waitFor(descriptor, POLLOUT, 0);
  if (events === 0) return -EAGAIN;
  const count = events < 0 ? -1 : sys.send(descriptor, source, Math.min(length, CERTAIN_ROOM), MSG_NOSIGNAL);
  return count < 0 ? -sys.errno() : count;
}
