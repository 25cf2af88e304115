import { monotonicTime } from "../../runtime/clock.ts";
import type { Platform } from "../../sys/index.ts";
import { waitInSlices } from "./poll-loop.ts";

/** The longest pause between two looks at a shared socket, in milliseconds. */
const LONGEST_PAUSE = 10;

/**
 * Waits until a stream has so many bytes: 0, or minus an errno. It is 0 as well where more cannot come.
 *
 * SO_RCVLOWAT makes poll(2) wait for so many bytes, and a TCP socket's receive buffer grow to hold them (tcp(7) and the kernel's
 * tcp_set_rcvlowat). poll also returns when the buffer is full, or the stream at its end; and at once on a Unix socket, which
 * knows no such mark.
 */
export function waitForBytes(
  sys: Platform,
  descriptor: number,
  bytes: number,
  limit: number,
  isShared: boolean,
): number {
  if (isShared) return lookForBytes(sys, descriptor, bytes, limit);
  if (sys.readableFrom(descriptor, bytes) < 0) return markFailed(sys);
  // Should the thread end meanwhile, the socket ends with it.
  const result = waitInSlices(sys, limit, (milliseconds) =>
    pollFor(sys, descriptor, sys.constants.POLLIN, milliseconds),
  );
  sys.readableFrom(descriptor, 1);
  return Math.min(0, result);
}

/**
 * The same where others hold the socket too. While the mark stands, their waits are for too much, and a mark that outlives this
 * thread or this process would hide bytes from them for ever. So it is set for the moment of a look, again and again: often in the
 * beginning, and later after a quarter of the time that has passed.
 */
function lookForBytes(sys: Platform, descriptor: number, bytes: number, limit: number): number {
  const { EAGAIN } = sys.constants;
  const begun = monotonicTime();
  for (;;) {
    const found = sys.isReadableFrom(descriptor, bytes);
    if (found !== 0) return found < 0 ? markFailed(sys) : 0;
    const now = monotonicTime();
    if (now >= limit) return -EAGAIN;
    const pause = Math.min(Math.max(1, (now - begun) / 4), LONGEST_PAUSE);
    // Without an event to wait for, only a failure of the connection ends the pause, and a signal.
    const result = waitInSlices(sys, Math.min(limit, now + pause), (milliseconds) =>
      pollFor(sys, descriptor, 0, milliseconds),
    );
    if (result < 0 && result !== -EAGAIN) return result;
  }
}

function markFailed(sys: Platform): number {
  const errno = sys.errno();
  // Both directions are at their end: nothing more comes.
  return errno === sys.constants.EINVAL && !sys.behaviour.takesOptionsAtTheEnd ? 0 : -errno;
}

function pollFor(sys: Platform, descriptor: number, events: number, milliseconds: number): number {
  const found = sys.waitFor(descriptor, events, milliseconds);
  return found < 0 ? -sys.errno() : found;
}
