import { isMainThread } from "node:worker_threads";
import { monotonicTime } from "../../runtime/clock.ts";
import { SUSPICION } from "./blocked-event-loop.ts";
import { pauseAfterSignal, takeSignal, takeUnseenSignal } from "./signals.ts";
import { comeBackToJavaScript, FOREVER, LIMITED_SLICE, longestSlice, WORKER_SLICE } from "./slices.ts";
import { type Direction, limitOf, TRY, type WaitingSocket, type WaitStrategy } from "./strategy.ts";

/** The longest tick of a kernel's clock, in milliseconds: its timeouts can be over so much early. */
const TICK = 10;

/**
 * The call itself waits. Where a wait must end (a timeout, a deadline, a worker thread's slice), SO_RCVTIMEO and SO_SNDTIMEO
 * end it with EAGAIN (socket(7)). They are set when they do not fit, which in a long run of calls is hardly ever.
 *
 * They belong to the socket and not to the descriptor: a program that has another descriptor of it would meet them. So this
 * is for sockets that nobody else holds.
 */
class KernelTimeout implements WaitStrategy {
  readonly neverBlocks = false;

  begin(socket: WaitingSocket, direction: Direction, deadline: number, mayTry: boolean): number {
    const { slice, timeout } = direction;
    if (slice === FOREVER) {
      const isLimited = deadline !== FOREVER || timeout !== FOREVER || longestSlice !== FOREVER;
      if (!isLimited && socket.suspicion === null) return FOREVER;
      // A wait would need a slice that was never set. On a new connection what is wanted is often there already, and then that
      // system call is saved.
      if (mayTry && isLimited && !socket.nonblocking) return TRY;
    }
    return arm(socket, direction, deadline);
  }

  goOn(socket: WaitingSocket, direction: Direction, errno: number, limit: number, deadline: number): number {
    const { EAGAIN, EINTR } = socket.sys.constants;
    if (errno === EAGAIN) {
      if (socket.nonblocking) return -errno;
      if (limit === TRY) return arm(socket, direction, deadline);
      const isOver = limit !== FOREVER && monotonicTime() >= limit;
      if (takeUnseenSignal()) return -EINTR;
      if (isOver) return -errno;
    } else if (errno === EINTR) {
      if (takeSignal()) return -errno;
      if (limit !== TRY && limit !== FOREVER && monotonicTime() >= limit) return -EAGAIN;
      pauseAfterSignal(socket.sys);
    } else {
      return -errno;
    }
    comeBackToJavaScript();
    if (errno === EAGAIN) sliceEnded(socket, direction);
    // A listener for the warning of a deadlock can have closed it.
    return socket.open
      ? arm(socket, direction, limit === TRY ? deadline : limit)
      : -socket.sys.constants.EBADF;
  }
}

export const kernelTimeout: WaitStrategy = new KernelTimeout();

/** Sees to it that a call that may wait comes back in time. Gives the moment at which the whole wait ends. */
function arm(socket: WaitingSocket, direction: Direction, deadline: number): number {
  if (direction.timeout === FOREVER && deadline === FOREVER) {
    // (With a slice, the main thread needs the time for `cutShort`.)
    const isTimed = isMainThread && !direction.isReceiving && direction.slice !== FOREVER;
    if (!isTimed && fitsForEver(socket, direction)) return deadline;
  }
  if (socket.nonblocking) return limitOf(deadline);
  const now = monotonicTime();
  direction.armedAt = now;
  const limit = Math.min(deadline, now + direction.timeout);
  const slice = sliceFor(direction, limit - now, longestFor(socket));
  if (slice !== direction.slice) {
    direction.slice = slice;
    if (direction.isReceiving) socket.sys.limitReceive(socket.descriptor, slice);
    else socket.sys.limitSend(socket.descriptor, slice);
  }
  return limitOf(limit);
}

/** Whether a wait without limit is right as it is: in the main thread mostly without a slice, which nothing ever set. */
function fitsForEver(socket: WaitingSocket, direction: Direction): boolean {
  if (direction.slice === FOREVER && socket.suspicion !== null && !socket.suspicion.isFounded) {
    socket.dropSuspicion();
  }
  return sliceFor(direction, FOREVER, longestFor(socket)) === direction.slice;
}

function longestFor({ suspicion }: WaitingSocket): number {
  return suspicion === null ? longestSlice : Math.min(longestSlice, SUSPICION);
}

/**
 * The slice to wait with: the present one when it ends neither after `remaining` nor needlessly early, so that
 * calls with a like timeout follow each other without a system call; else one that fits.
 */
function sliceFor({ slice }: Direction, remaining: number, longest: number): number {
  const most = Math.min(remaining, longest);
  if (slice <= most && slice >= Math.min(most, WORKER_SLICE)) return slice;
  // To set it back to "for ever" would be a system call for nothing.
  if (most === FOREVER) return WORKER_SLICE;
  return Math.max(1, Math.floor(Math.min(most, LIMITED_SLICE)));
}

function sliceEnded(socket: WaitingSocket, direction: Direction): void {
  if (socket.suspicion?.hasWaited(direction.slice)) socket.dropSuspicion();
  // A wait "for ever" ended: the kernel has a timeout that this object did not set (an accepted connection's).
  if (direction.slice === FOREVER) direction.slice = 0;
}

/**
 * After a send that took less than it was given. In blocking mode it waited then, until SO_SNDTIMEO was over or a
 * signal came (signal(7)): the count hides the EINTR. True when a listener waits, and the next call must report that.
 */
export function wasCutShort(direction: Direction): boolean {
  const isOver = monotonicTime() - direction.armedAt >= direction.slice - TICK;
  return isOver ? takeUnseenSignal() : takeSignal();
}
