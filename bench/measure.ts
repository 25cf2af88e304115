// What a comparison comes to, and the statistics of it.

/** The middle of a list of numbers: one bad round moves it little. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** What the median is held against. A comparison without one is there for information. */
export type Target = { at_most: number } | { at_least: number };

export interface Comparison {
  /** What both sides did, as a reader knows it: "64-byte TCP round trip". */
  title: string;
  /** Who the other side is. */
  against: string;
  /** What the numbers are: the one side's time, throughput and so on in the other's, or plain milliseconds more. */
  measure: "time" | "throughput" | "requests per second" | "memory" | "more milliseconds" | "more memory";
  median: number;
  min: number;
  max: number;
  target: Target | null;
  /** What std-net and the other came to in absolute numbers, as text: these hold for this machine only. */
  ours: string;
  theirs: string;
}

/** One comparison from what the rounds gave: a number of each side a round, first with first. */
export function compare(
  what: Pick<Comparison, "title" | "against" | "measure" | "target">,
  ours: readonly number[],
  theirs: readonly number[],
  text: (value: number) => string,
): Comparison {
  const values = ours.map((value, round) =>
    what.measure.startsWith("more ") ? value - theirs[round]! : value / theirs[round]!,
  );
  return {
    ...what,
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    ours: text(median(ours)),
    theirs: text(median(theirs)),
  };
}

/** Whether the median is on the right side of its target; null when it has none. */
export function reached(comparison: Comparison): boolean | null {
  const { target } = comparison;
  if (target === null) return null;
  return "at_most" in target ? comparison.median <= target.at_most : comparison.median >= target.at_least;
}

/**
 * `value` as std-net's part of the other's time: one sense of direction for all, less is better. A ratio of throughputs is turned
 * over for it. (Memory is no time, and is better the same way.)
 */
export function timeShare({ measure }: Pick<Comparison, "measure">, value: number): number {
  return measure === "time" || measure === "memory" ? value : 1 / value;
}

export function microseconds(value: number): string {
  return value < 1000 ? `${value.toPrecision(3)} µs` : `${(value / 1000).toPrecision(3)} ms`;
}

export function milliseconds(value: number): string {
  return `${value.toFixed(1)} ms`;
}

export function gibibytesPerSecond(value: number): string {
  return `${value.toFixed(2)} GiB/s`;
}

export function perSecond(value: number): string {
  return `${Math.round(value).toLocaleString("en")}/s`;
}

export function mebibytes(value: number): string {
  return `${value.toFixed(1)} MiB`;
}
