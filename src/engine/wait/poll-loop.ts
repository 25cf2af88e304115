import { monotonicTime } from "../../runtime/clock.ts";
import type { Platform } from "../../sys/index.ts";
import { SUSPICION } from "./blocked-event-loop.ts";
import { pauseAfterSignal, takeSignal, takeUnseenSignal } from "./signals.ts";
import { comeBackToJavaScript, FOREVER, LIMITED_SLICE, longestSlice, pollTimeout } from "./slices.ts";
import { type Direction, limitOf, TRY, type WaitingSocket, type WaitStrategy } from "./strategy.ts";

/** The longest pause after poll(2) was wrong, in milliseconds. */
const LONGEST_PAUSE = 20;

/**
 * The call never waits: the socket is non-blocking underneath, or the call is told so each time (MSG_DONTWAIT). It is tried first; when it
 * would have to wait, poll(2) waits, in slices.
 */
class PollLoop implements WaitStrategy {
  readonly neverBlocks = true;

  begin(_socket: WaitingSocket, direction: Direction): number {
    direction.fruitless = 0;
    return TRY;
  }

  goOn(socket: WaitingSocket, direction: Direction, errno: number, limit: number, deadline: number): number {
    const { sys } = socket;
    const { EAGAIN, EINTR, EBADF, POLLIN, POLLOUT } = sys.constants;
    if (errno !== EAGAIN) return errno === EINTR && !takeSignal() ? limit : -errno;
    if (socket.nonblocking) return -EAGAIN;
    let end = limit;
    if (limit === TRY) {
      const { timeout } = direction;
      end = limitOf(timeout === FOREVER ? deadline : Math.min(deadline, monotonicTime() + timeout));
      if (socket.suspicion !== null && !socket.suspicion.isFounded) socket.dropSuspicion();
    } else {
      // It was ready, but not for this call: another thread was quicker, or the socket is a Unix datagram socket whose receiver is
      // full, which poll(2) does not look at (unix_poll of the kernel). Without a pause this would be a busy loop.
      sys.pause(Math.min(++direction.fruitless, LONGEST_PAUSE));
      if (takeUnseenSignal()) return -EINTR;
      if (end !== FOREVER && monotonicTime() >= end) return -EAGAIN;
      comeBackToJavaScript();
    }
    const events = direction.isReceiving ? POLLIN : POLLOUT;
    const result = waitInSlices(
      sys,
      end,
      (milliseconds) => {
        // A listener for the warning of a deadlock can have closed it.
        if (!socket.open) return -EBADF;
        const found = sys.waitFor(socket.descriptor, events, milliseconds);
        return found < 0 ? -sys.errno() : found;
      },
      socket,
    );
    return result < 0 ? result : end;
  }
}

export const pollLoop: WaitStrategy = new PollLoop();

/**
 * Waits with `attempt`, which waits for at most so many milliseconds (as poll(2) takes them), until it gives anything
 * but 0: that, -EAGAIN when the limit has come, or -EINTR when a signal's listener waits.
 */
export function waitInSlices(
  sys: Platform,
  limit: number,
  attempt: (milliseconds: number) => number,
  socket: WaitingSocket | null = null,
): number {
  const { EINTR, EAGAIN } = sys.constants;
  for (;;) {
    const remaining = limit === FOREVER ? limit : limit - monotonicTime();
    const suspicion = socket?.suspicion ?? null;
    const longest = suspicion === null ? longestSlice : Math.min(longestSlice, SUSPICION);
    const slice = remaining === FOREVER ? longest : Math.min(remaining, longest, LIMITED_SLICE);
    const result = attempt(pollTimeout(slice));
    if (result > 0) return result;
    if (result < 0) {
      if (result !== -EINTR || takeSignal()) return result;
      pauseAfterSignal(sys);
    } else if (takeUnseenSignal()) {
      return -EINTR;
    }
    if (limit !== FOREVER && monotonicTime() >= limit) return -EAGAIN;
    comeBackToJavaScript();
    if (result === 0 && suspicion?.hasWaited(slice)) socket?.dropSuspicion();
  }
}
