import { Failure } from "../error.ts";
import { monotonicTime } from "../runtime/clock.ts";
import { type Platform, systemReason } from "../sys/index.ts";
import { WRITABLE } from "../sys/selector.ts";
import { familyOf } from "../sys/structs.ts";
import { ATTEMPT_DELAY, ConnectRace } from "./connect-race.ts";
import { connectWaiting } from "./connect-waiting.ts";
import { Socket } from "./socket.ts";
import { CONNECT_TIMED_OUT } from "./transport.ts";
import { waitInSlices } from "./wait/poll-loop.ts";

/** Connects to one of several addresses, and waits for it. */

/**
 * A socket connected to the first of the addresses that accepts, or why the last one to fail did not.
 *
 * The first address has its time alone with the plain call, which costs least: mostly it is the one, and the only one. What is left after
 * that is a race.
 */
export function connectToFirst(sys: Platform, addresses: readonly Buffer[], end: number): Socket | Failure {
  const first = addresses[0]!;
  const alone = addresses.length === 1 ? end : Math.min(end, monotonicTime() + ATTEMPT_DELAY);
  const socket = Socket.create(sys, familyOf(sys, first), sys.constants.SOCK_STREAM);
  let reason: string;
  if (typeof socket === "number") {
    reason = systemReason(sys, -socket);
  } else {
    const failure = connectWaiting(socket, first, alone);
    if (failure === 0) return socket;
    if (failure === CONNECT_TIMED_OUT && alone < end) return race(sys, addresses, end, socket, "");
    reason = socket.reason(failure);
    socket.close();
    // The user wants to get back to the event loop, not on to the next address.
    if (failure === -sys.constants.EINTR || failure === CONNECT_TIMED_OUT) return new Failure(reason);
  }
  return addresses.length === 1 ? new Failure(reason) : race(sys, addresses, end, null, reason);
}

/** The race after the first address's time alone: its attempt goes on (`pending`), or has failed for `reason`. */
function race(
  sys: Platform,
  addresses: readonly Buffer[],
  end: number,
  pending: Socket | null,
  reason: string,
): Socket | Failure {
  // poll(2): a few sockets for once. It needs no descriptor of its own.
  const selector = sys.selector(sys.behaviour.pollSeesFailedConnects);
  if (typeof selector === "number") {
    pending?.close();
    return new Failure(systemReason(sys, -selector));
  }
  const sockets: Socket[] = [];
  const racing = new ConnectRace(sys, addresses.slice(1), {
    add: (socket) => selector.add(socket.descriptor, sockets.push(socket) - 1, WRITABLE),
    remove: (socket) => selector.remove(socket.descriptor, WRITABLE),
  });
  if (pending === null) racing.fail(reason);
  else racing.join(pending, addresses[0]!);
  for (;;) {
    const outcome = racing.advance(monotonicTime());
    if (outcome !== null) {
      if (outcome instanceof Socket) outcome.setNonblocking(false);
      selector.close();
      return outcome;
    }
    const ready: number[] = [];
    const limit = Math.min(end, racing.nextAttemptAt);
    const result = waitInSlices(sys, limit, (slice) => selector.wait(slice, (token) => ready.push(token)));
    for (const token of ready) racing.ready(sockets[token]!);
    const isTimeOver = result === -sys.constants.EAGAIN;
    if (result >= 0 || (isTimeOver && limit < end)) continue;
    racing.close();
    selector.close();
    return new Failure(isTimeOver ? "connection timed out" : systemReason(sys, -result));
  }
}
