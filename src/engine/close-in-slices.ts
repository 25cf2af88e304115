import { monotonicTime } from "../runtime/clock.ts";
import type { Platform } from "../sys/index.ts";
import { disown, own } from "./descriptor-table.ts";
import { closeAtOnce } from "./linger.ts";
import { comeBackToJavaScript, longestSlice } from "./wait/slices.ts";

/** The longest pause between two tries, in milliseconds. */
const LONGEST_PAUSE = 10;

/**
 * To be called straight after a close that failed. EAGAIN: SO_LINGER is set, something is still to be sent, and the descriptor is still
 * open, because the system does not wait with a socket that is non-blocking (Microsoft's closesocket: WSAEWOULDBLOCK, "the application
 * must call closesocket again"). So it is closed again until nothing is left to be sent, or the option's time is over. The rest goes out in
 * the background then, as on Linux.
 *
 * The descriptor has an owner between two tries: a worker that is terminated meanwhile does not leave it open.
 */
export function closeInSlices(sys: Platform, descriptor: number): void {
  const { EAGAIN } = sys.constants;
  if (sys.errno() !== EAGAIN) return;
  const limit = monotonicTime() + (sys.linger(descriptor) ?? 0) * 1000;
  for (let pause = 1; monotonicTime() < limit; pause = Math.min(2 * pause, LONGEST_PAUSE, longestSlice)) {
    own(descriptor);
    sys.pause(pause);
    comeBackToJavaScript();
    disown(descriptor);
    if (sys.close(descriptor) === 0 || sys.errno() !== EAGAIN) return;
  }
  closeAtOnce(sys, descriptor);
}
