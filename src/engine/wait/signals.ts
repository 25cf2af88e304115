import { constants } from "node:os";
import { setImmediate } from "node:timers";
import { isMainThread } from "node:worker_threads";
import { monotonicTime } from "../../runtime/clock.ts";
import { isLibuv } from "../../runtime/is-libuv.ts";
import { onNewListener } from "../../runtime/once-per-process.ts";
import type { Platform } from "../../sys/index.ts";
import { LISTENER_SLICE, longestSlice, waitInListenerSlices } from "./slices.ts";

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
    waitInListenerSlices();
    sys.interruptible(number);
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
 * After a wait that gave EINTR: true when a listener waits for the event loop to run it, and the caller must report EINTR.
 * (Where a time limit made the call interruptible, EINTR can also mean SIGCONT, after Ctrl-Z and fg, or no signal at all: the
 * kernel does not say.) True also where it cannot be found out which signals wait.
 *
 * A signal is taken: the same one is not reported again by `takeUnseenSignal`.
 */
export function takeSignal(): boolean {
  if (!signalListenersExist()) return false;
  const queued = heardSignalsQueued();
  if (queued !== 0) tellOf(queued ?? 0);
  return queued !== 0;
}

/**
 * The same after a wait that was not interrupted, for signals that no call has told of: another thread took the signal, or it
 * came before the wait. It looks no more often than a slice comes to its end, because looking takes a while.
 */
export function takeUnseenSignal(): boolean {
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

/**
 * Whether a signal's listener waits for the event loop, told of or not: for one who gives way to any signal, also to one that has
 * ended another call meanwhile. It looks as often as `takeUnseenSignal`.
 */
export function signalWaits(): boolean {
  if (longestSlice !== LISTENER_SLICE) return false;
  const now = monotonicTime();
  if (now - askedAt < LISTENER_SLICE / 2) return false;
  askedAt = now;
  const queued = signalListenersExist() ? (heardSignalsQueued() ?? 0) : 0;
  if (queued > 0) tellOf(queued);
  return queued > 0;
}
let askedAt = Number.NEGATIVE_INFINITY;

/** How long after a signal a thread that watches for it may take to say that the program is to stop, in milliseconds. */
const INTERRUPT_PAUSE = 5;

/**
 * After an EINTR that is not reported. Node's prompt (vm's breakOnSigint) has another thread stop the program, a moment
 * after the signal, and it can be stopped only in JavaScript.
 */
export function pauseAfterSignal(sys: Platform): void {
  if (isMainThread) sys.pause(INTERRUPT_PAUSE);
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
