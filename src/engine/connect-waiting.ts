import { monotonicTime } from "../runtime/clock.ts";
import type { Socket } from "./socket.ts";
import { CONNECT_TIMED_OUT } from "./transport.ts";
import { waitInSlices } from "./wait/poll-loop.ts";
import { takeSignal, takeUnseenSignal } from "./wait/signals.ts";
import { comeBackToJavaScript, pollTimeout } from "./wait/slices.ts";

/** connect(2) of one socket, and the wait for its result: 0, minus an errno, or CONNECT_TIMED_OUT. */

/** The longest pause before another try of what poll(2) cannot wait for, in milliseconds. */
const LONGEST_PAUSE = 50;

export function connectWaiting(socket: Socket, address: Buffer, deadline: number): number {
  const { sys, descriptor } = socket;
  const neverBlocks = socket.beginConnect(deadline);
  const isMade = sys.connect(descriptor, address, address.length) === 0;
  const failure = isMade ? 0 : awaitConnection(socket, sys.errno(), neverBlocks, deadline);
  return failure === 0 ? socket.connected(address) : failure;
}

/** The same of a Unix stream. */
export function connectUnixWaiting(socket: Socket, address: Uint8Array, deadline: number): number {
  const { sys, descriptor } = socket;
  const { EAGAIN, EINTR, EINPROGRESS } = sys.constants;
  for (let tries = 0; ; tries++) {
    const neverBlocks = socket.beginConnect(deadline);
    if (sys.connect(descriptor, address, address.length) === 0) return 0;
    const errno = sys.errno();
    // Where the system does not wait for that room, but for the connection (Windows).
    if (errno === EINPROGRESS) return awaitConnection(socket, errno, neverBlocks, deadline);
    // It waits for nothing but room among those not yet accepted, SO_SNDTIMEO long; nothing is begun until then.
    if (errno !== EAGAIN && errno !== EINTR) return -errno;
    if (errno === EINTR ? takeSignal() : takeUnseenSignal()) return -EINTR;
    const remaining = deadline - monotonicTime();
    if (remaining <= 0) return CONNECT_TIMED_OUT;
    comeBackToJavaScript();
    // poll(2) cannot wait for a listener's queue.
    if (neverBlocks) sys.pause(pollTimeout(Math.min(2 ** Math.min(tries, 10), LONGEST_PAUSE, remaining)));
  }
}

/** After connect(2) has failed with `errno`. */
function awaitConnection(socket: Socket, errno: number, neverBlocks: boolean, deadline: number): number {
  const { sys, descriptor } = socket;
  const { EINPROGRESS, EINTR, EAGAIN, POLLOUT } = sys.constants;
  if (errno === EINTR) {
    if (takeSignal()) return -EINTR;
  } else if (errno !== EINPROGRESS && errno !== EAGAIN) {
    return -errno;
  } else if (!neverBlocks && takeUnseenSignal()) {
    // (Where the call does not wait, none of the time for a signal has gone by.)
    return -EINTR;
  }
  // A connection that is being made goes on being made; poll(2) says when connect(2) has a result.
  const result = waitInSlices(sys, deadline, (milliseconds) => {
    const found = sys.waitFor(descriptor, POLLOUT, milliseconds);
    return found < 0 ? -sys.errno() : found;
  });
  if (result < 0) return socket.wouldBlock(result) ? CONNECT_TIMED_OUT : result;
  const error = socket.takeError();
  return error === 0 ? 0 : -Math.abs(error);
}
