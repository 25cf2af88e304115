import { constants } from "node:os";
import { setImmediate } from "node:timers";
import { isMainThread } from "node:worker_threads";
import { monotonicTime } from "../../runtime/clock.ts";
import { isLibuv } from "../../runtime/is-libuv.ts";
import { onlyOnce, onNewListener } from "../../runtime/once-per-process.ts";
import { sharedMemory } from "../../runtime/shared-memory.ts";
import type { Platform } from "../../sys/index.ts";

/**
 * Signals while a call is blocked in the main thread.
 *
 * Without a JavaScript listener there is nothing to do: the signal's default action ends the process out of any
 * system call. With one, libuv has installed a handler that only tells the event loop, and with SA_RESTART, so the
 * kernel would go on waiting (signal(7)) and the listener would never run. So for each signal that has a listener,
 * siginterrupt(3) takes SA_RESTART away: the blocked call returns EINTR and the program gets back to the event
 * loop.
 *
 * Signals that Node handles for itself must not: SIGCHLD (a child process has ended) and SIGWINCH (the terminal's size).
 * SA_RESTART does not help where a call has a time limit (signal(7) again), so the main thread does not take them at all
 * from the first listener on. Another thread of Node's does, and its handler tells the event loop all the same. Bun and
 * Deno have no handler for them, and the kernel drops such a signal, unless the main thread blocks it.
 *
 * Any thread can take a signal: one that is woken for SIGCHLD takes the SIGINT that came just before it along, and the
 * main thread, woken for that SIGINT, finds none and goes on waiting. (So it is when Ctrl-C ends a child process too.) A
 * signal can also come between two waits. So with a listener the main thread waits in slices, as a worker does, and looks
 * between them whether a signal is queued. And Bun and Deno install their handler after the listener was announced, with
 * SA_RESTART; but a wait with a time limit, as each slice has one, gives EINTR in any case.
 */
const NODES_OWN = ["SIGCHLD", "SIGWINCH"] as const;

/** How long a worker waits at a time, in milliseconds. Node stops its workers one after the other, so that they add up. */
export const WORKER_SLICE = 50;
const LISTENER_SLICE = 250;
/** The same once the process is about to end, so that it takes hardly longer with many workers than with one. */
const LAST_SLICE = 1;

/**
 * The longest single wait inside the kernel, in milliseconds. The main thread may wait for ever, until a signal has a
 * listener. A worker must come back to JavaScript now and then, because `worker.terminate()` and `process.exit()` can only
 * stop it there.
 */
export let longestSlice = isMainThread ? Number.POSITIVE_INFINITY : WORKER_SLICE;

/** Not 0 once the main thread is at its end: a number that all threads share. */
const ending = new Int32Array(sharedMemory("ending", Int32Array.BYTES_PER_ELEMENT));
if (isMainThread) {
  onlyOnce("end", () => process.on("exit", () => Atomics.store(ending, 0, 1)));
}

/** Called between two waits. */
export function hurryAtTheEnd(): void {
  if (!isMainThread && Atomics.load(ending, 0) !== 0) longestSlice = LAST_SLICE;
}

let watching = false;
let queuedSignals = (): number[] | null => null;
/** When it was last looked whether signals are queued, and for how many of them a call has given EINTR. */
let lookedAt = Number.NEGATIVE_INFINITY;
let toldOf = 0;

/** Called before the thread's first lookup or socket: from now on listeners, present and future, interrupt. */
export function watchSignals(sys: Platform): void {
  if (watching || !isMainThread) return;
  watching = true;
  queuedSignals = sys.queuedSignals;
  const interrupt = (event: string | symbol): void => {
    const number = constants.signals[event as NodeJS.Signals];
    if (number === undefined) return;
    longestSlice = LISTENER_SLICE;
    sys.siginterrupt(number, 1);
    if (!isLibuv) return;
    for (const own of NODES_OWN) {
      const isWanted = own === event || userListeners(own) > 0;
      sys.maskSignal(constants.signals[own], !isWanted);
    }
  };
  for (const event of process.eventNames()) {
    if (userListeners(event) > 0) interrupt(event);
  }
  // Node installs the handler in a "newListener" listener of its own, which was there first and so has run by now.
  onNewListener((event, listener) => {
    if (!isNodesOwn(listener)) interrupt(event);
  });
}

/** Whether any signal has a listener that this thread's event loop would run. */
export function signalListenersExist(): boolean {
  if (!isMainThread) return false;
  return process
    .eventNames()
    .some((event) => (event as string) in constants.signals && userListeners(event) > 0);
}

/**
 * Whether EINTR means that a listener waits for the event loop to run it. (Where a time limit made the call
 * interruptible it can also be SIGCONT, after Ctrl-Z and fg, or no signal at all: the kernel does not say.) True where it
 * cannot be found out which signals wait.
 */
export function signalListenerWaits(): boolean {
  if (!signalListenersExist()) return false;
  const queued = heardSignalsQueued();
  if (queued !== 0) tellOf(queued ?? 0);
  return queued !== 0;
}

/**
 * The same after a wait that was not interrupted, for signals that no call has told of: another thread took the signal, or it
 * came before the wait. Does not look more often than a slice comes to its end, for looking takes a while.
 */
export function unseenListenerWaits(): boolean {
  if (longestSlice !== LISTENER_SLICE) return false;
  const now = monotonicTime();
  if (now - lookedAt < LISTENER_SLICE / 2) return false;
  lookedAt = now;
  const queued = signalListenersExist() ? (heardSignalsQueued() ?? 0) : 0;
  // Fewer: the event loop has had its turn.
  toldOf = Math.min(toldOf, queued);
  const isNew = queued > toldOf;
  if (isNew) tellOf(queued);
  return isNew;
}

function tellOf(queued: number): void {
  toldOf = queued;
  // A signal alone does not keep the event loop going: without this a program that ends now would end before the
  // listener ran. Twice, because the first may come round before the loop has polled for signals.
  setImmediate(() =>
    setImmediate(() => {
      toldOf = 0;
    }),
  );
}

/** How many signals that have a listener wait for the event loop; null where that cannot be found out. */
function heardSignalsQueued(): number | null {
  const queued = queuedSignals();
  if (queued === null) return null;
  const heard = Object.entries(constants.signals).filter(([name]) => userListeners(name) > 0);
  return queued.filter((number) => heard.some(([, heardNumber]) => heardNumber === number)).length;
}

function userListeners(event: string | symbol): number {
  return process.listeners(event as NodeJS.Signals).filter((listener) => !isNodesOwn(listener)).length;
}

// On a terminal, process.stdout and process.stderr listen for SIGWINCH to learn the window's new size.
function isNodesOwn(listener: unknown): boolean {
  return typeof listener === "function" && /^refreshStd(out|err)OnSigWinch$/.test(listener.name);
}
