import { constants } from "node:os";
import { isMainThread } from "node:worker_threads";
import type { Platform } from "./sys/index.ts";

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
 * from the first listener on. Another thread of Node's does, and its handler tells the event loop all the same.
 */
const NODES_OWN = ["SIGCHLD", "SIGWINCH"] as const;

let watching = false;
let queuedSignals = (): number[] | null => null;

/** Called before the thread's first lookup or socket: from now on listeners, present and future, interrupt. */
export function watchSignals(sys: Platform): void {
  if (watching || !isMainThread) return;
  watching = true;
  queuedSignals = sys.queuedSignals;
  const interrupt = (event: string | symbol): void => {
    const number = constants.signals[event as NodeJS.Signals];
    if (number === undefined) return;
    sys.siginterrupt(number, 1);
    for (const own of NODES_OWN) {
      const isWanted = own === event || userListeners(own) > 0;
      sys.maskSignal(constants.signals[own], !isWanted);
    }
  };
  for (const event of process.eventNames()) {
    if (userListeners(event) > 0) interrupt(event);
  }
  // Node installs the handler in a "newListener" listener of its own, which was there first and so has run by now.
  process.on("newListener", (event: string | symbol, listener: unknown) => {
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
 * interruptible it can also be SIGCONT, after Ctrl-Z and fg, or no signal at all: the kernel does not say.)
 *
 * @param whenUnknown the answer where it cannot be found out which signals wait: false asks after a wait that was not
 * interrupted, for now and then another thread takes the signal
 */
export function signalListenerWaits(whenUnknown = true): boolean {
  const waits = signalListenersExist() && isHeardSignalQueued(whenUnknown);
  // A signal alone does not keep the event loop going: without this a program that ends now would end before the
  // listener ran. Twice, because the first may come round before the loop has polled for signals.
  if (waits) setImmediate(() => setImmediate(() => {}));
  return waits;
}

function isHeardSignalQueued(whenUnknown: boolean): boolean {
  const queued = queuedSignals();
  if (queued === null) return whenUnknown;
  return Object.entries(constants.signals).some(
    ([name, number]) => queued.includes(number) && userListeners(name) > 0,
  );
}

function userListeners(event: string | symbol): number {
  return process.listeners(event as NodeJS.Signals).filter((listener) => !isNodesOwn(listener)).length;
}

// On a terminal, process.stdout and process.stderr listen for SIGWINCH to learn the window's new size.
function isNodesOwn(listener: unknown): boolean {
  return typeof listener === "function" && /^refreshStd(out|err)OnSigWinch$/.test(listener.name);
}
