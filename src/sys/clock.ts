/**
 * Milliseconds on a clock that only goes forward, as `performance.now()` tells them from another beginning: what every
 * deadline is counted on. (Node loads `performance` when it is first asked for: 0.7 ms of a program's first connection.)
 */
export function monotonicTime(): number {
  const time = process.hrtime();
  return time[0] * 1000 + time[1] / 1e6;
}
