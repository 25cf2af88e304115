import type { Platform } from "../../sys/index.ts";
import { isLoopback } from "../../sys/structs.ts";
import { withScratchLent } from "../scratch.ts";
import { isServedHere } from "./served-here.ts";

/**
 * A wait that can never end: a blocked call to a server that this very thread's event loop would have to run. Nothing can
 * be done about it here but to say so.
 */

/** How long a wait lasts before it is checked whether it can ever end, in milliseconds. */
export const SUSPICION = 1000;

let warned = false;

/** That this thread's own event loop may be the one that would have to serve a connection. */
export class Suspicion {
  readonly #sys: Platform;
  /** The peer's. */
  readonly #address: Buffer;
  /** How long the present wait has lasted, counted in whole slices. */
  #waited = 0;

  private constructor(sys: Platform, address: Buffer) {
    this.#sys = sys;
    this.#address = address;
  }

  /** Null where a server at this address cannot be one of this thread. */
  static of(sys: Platform, address: Buffer): Suspicion | null {
    return !warned && isLoopback(sys, address) ? new Suspicion(sys, address) : null;
  }

  /** Whether this thread's event loop listens for TCP connections. */
  get isFounded(): boolean {
    return listensHere();
  }

  /** A new wait begins. */
  begin(): void {
    this.#waited = 0;
  }

  /** A slice is over. True when that was enough to say something, if there was anything to say. */
  hasWaited(milliseconds: number): boolean {
    this.#waited += milliseconds;
    if (this.#waited < SUSPICION) return false;
    warnIfDeadlocked(this.#sys, this.#address);
    return true;
  }
}

function listensHere(): boolean {
  return process.getActiveResourcesInfo().includes("TCPServerWrap");
}

/** Warns, once, if the wait on a connection to this address has the look of one without end. */
function warnIfDeadlocked(sys: Platform, address: Buffer): void {
  if (warned || !listensHere() || !isServedHere(sys, address)) return;
  warned = true;
  const warning = new Error(
    "a blocking std-net call has waited for a second on a loopback connection while this thread's own event loop " +
      "listens for connections (TCPServerWrap) at that address; the event loop cannot respond while the call blocks it, so the call " +
      "may never end. Put the server or the client into a worker thread or another process.",
  );
  warning.name = "BlockedEventLoopWarning";
  // process.emitWarning would wait for the next tick, which is just what does not come; this is its other half.
  withScratchLent(() => process.emit("warning", warning));
}
