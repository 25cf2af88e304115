import type { Constants } from "../../sys/constants.ts";
import { withScratchSetAside } from "../../sys/pinned-memory.ts";

/**
 * A wait that can never end: a blocked call to a server that this very thread's event loop would have to run. Nothing can
 * be done about it here but to say so.
 */

/** How long a wait lasts before it is asked whether it can ever end, in milliseconds. */
export const SUSPICION = 1000;

let warned = false;

/** Whether a server at this address may be one of this thread. */
export function mayBeOwn(constants: Constants, address: Uint8Array): boolean {
  return !warned && isLoopback(constants, address);
}

/** Whether this thread's event loop listens for TCP connections. */
export function listensHere(): boolean {
  return process.getActiveResourcesInfo().includes("TCPServerWrap");
}

/** Warns, once, if the wait has the look of one without end. */
export function warnIfDeadlocked(): void {
  if (warned || !listensHere()) return;
  warned = true;
  const warning = new Error(
    "a blocking std-net call has waited for a second on a loopback connection while this thread's own event loop " +
      "listens for connections (TCPServerWrap); the event loop cannot answer while the call blocks it, so the call " +
      "may never end. Put the server or the client into a worker thread or another process.",
  );
  warning.name = "BlockedEventLoopWarning";
  // process.emitWarning would wait for the next tick, which is just what does not come; this is its other half.
  withScratchSetAside(() => process.emit("warning", warning));
}

function isLoopback(constants: Constants, address: Uint8Array): boolean {
  if (address.length === 16) return address[4] === 127;
  if (address.length !== 28 || constants.AF_INET6 === 0) return false;
  for (let index = 8; index < 23; index++) if (address[index] !== 0) return false;
  return address[23] === 1;
}
