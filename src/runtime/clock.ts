// Taken when the library is loaded. Who puts another clock in its place later, as tests with fake timers do, stops the time for
// JavaScript but not for the system calls that are to end with it: a wait with a limit would have none.
const { hrtime } = process;

/**
 * Milliseconds on a clock that only goes forward, as `performance.now()` tells them from another beginning: what every
 * deadline is counted on. (Node loads `performance` when it is first asked for: 0.7 ms of a program's first connection.)
 */
export function monotonicTime(): number {
  const time = hrtime();
  return time[0] * 1000 + time[1] / 1e6;
}
