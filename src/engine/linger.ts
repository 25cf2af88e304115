import { monotonicTime } from "../runtime/clock.ts";
import type { Platform } from "../sys/index.ts";
import { comeBackToJavaScript, longestSlice } from "./wait/slices.ts";

/** The longest pause between two looks at what is still to be sent, in milliseconds. */
const LONGEST_PAUSE = 10;

/**
 * Waits as close(2) would with SO_LINGER, but in slices: inside the kernel nothing would end that wait, neither
 * `worker.terminate()` nor the end of the process. After it close(2) has nothing to wait for.
 */
export function lingerInSlices(sys: Platform, descriptor: number, isShared: boolean): void {
  const seconds = sys.linger(descriptor);
  if (seconds === null || seconds <= 0) return;
  const limit = monotonicTime() + seconds * 1000;
  for (let pause = 1; monotonicTime() < limit; pause = Math.min(2 * pause, LONGEST_PAUSE, longestSlice)) {
    const unsent = sys.unsent(descriptor);
    // The kernel does not tell (Linux before 4.12): then close(2) has to wait itself.
    if (unsent < 0) return;
    if (unsent === 0) {
      // The option may be that of others, and nothing is left to wait for but the acknowledgement of the end.
      if (isShared) return;
      break;
    }
    sys.pause(pause);
    comeBackToJavaScript();
  }
  sys.setLinger(descriptor, null);
}

/**
 * close(2) of what nobody waits for any more. SO_LINGER would block this thread, which may not even be the one that had set
 * it, so it is taken off first. What was written goes out in the background. (0 seconds stay: they reset the connection, without
 * waiting.)
 */
export function closeAtOnce(sys: Platform, descriptor: number): void {
  if ((sys.linger(descriptor) ?? 0) > 0) sys.setLinger(descriptor, null);
  sys.close(descriptor);
}
