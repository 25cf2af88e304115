// The comparisons as a table for the terminal and as one for a page.
import { type Comparison, reached, timeShare } from "./measure.ts";

function number(comparison: Comparison, value: number): string {
  if (comparison.measure === "more milliseconds") return `${value.toFixed(1)} ms`;
  return comparison.measure === "more memory" ? `${value.toFixed(1)} MiB` : value.toFixed(2);
}

function goal(comparison: Comparison): string {
  const { target } = comparison;
  if (target === null) return "";
  return "at_most" in target
    ? `≤ ${number(comparison, target.at_most)}`
    : `≥ ${number(comparison, target.at_least)}`;
}

function verdict(comparison: Comparison): string {
  const result = reached(comparison);
  return result === null ? "" : result ? "yes" : "no";
}

const HEADINGS = [
  "workload",
  "against",
  "std-net",
  "other",
  "measure",
  "ratio",
  "range",
  "target",
  "reached",
];

function cells(comparison: Comparison): string[] {
  return [
    comparison.title,
    comparison.against,
    comparison.ours,
    comparison.theirs,
    comparison.measure,
    number(comparison, comparison.median),
    `${number(comparison, comparison.min)}..${number(comparison, comparison.max)}`,
    goal(comparison),
    verdict(comparison),
  ];
}

export function textTable(comparisons: readonly Comparison[]): string {
  const rows = [HEADINGS, ...comparisons.map(cells)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  lines.splice(1, 0, widths.map((width) => "-".repeat(width)).join("  "));
  return lines.join("\n");
}

/** A table of a page. */
function pageTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;
  return [line(headings), `|${"---|".repeat(headings.length)}`, ...rows.map(line)].join("\n");
}

/** Every comparison, for people who do not ask about targets: all in one sense of direction. */
export function shortTable(comparisons: readonly Comparison[]): string {
  const share = (c: Comparison): string => {
    if (c.measure === "more milliseconds") return `${number(c, c.median)} more`;
    const [low, high] = [c.min, c.max].map((value) => timeShare(c, value)).sort((a, b) => a - b);
    return `${timeShare(c, c.median).toFixed(2)} (${low!.toFixed(2)}..${high!.toFixed(2)})`;
  };
  return pageTable(
    ["workload", "against", "std-net", "the other", "part of the other's time (range)"],
    comparisons.map((c) => [c.title, c.against, c.ours, c.theirs, share(c)]),
  );
}

/** The rows that matter to most people: title and other side. */
const HEADLINES = [
  ["GET of a small JSON, kept connection", "undici (warm)"],
  ["https GET of a small JSON, kept connection", "undici (warm)"],
  ["cold start: import and one GET, whole process", "fetch"],
  ["event loop of Poller, 64 keep-alive connections", "node:http"],
  ["64-byte TCP round trip", "C"],
] as const;

/** The table of README.md. */
export function headlineTable(comparisons: readonly Comparison[]): string {
  const rows = HEADLINES.map(([title, against]) => {
    const found = comparisons.find((each) => each.title === title && each.against === against);
    if (found === undefined) throw new Error(`no result of "${title}" against ${against}`);
    return [title, against, found.ours, found.theirs, inWords(timeShare(found, found.median))];
  });
  return pageTable(["workload", "against", "std-net", "the other", "std-net is"], rows);
}

/** A part of the other's time in words that say which side is the faster one. */
function inWords(share: number): string {
  const percent = Math.round((share - 1) * 100);
  if (percent === 0) return "as fast";
  return percent > 0 ? `${percent} % slower` : `${(1 / share).toFixed(1)} times as fast`;
}

export function markdownTable(comparisons: readonly Comparison[]): string {
  const row = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;
  return [row(HEADINGS), row(HEADINGS.map(() => "---")), ...comparisons.map((c) => row(cells(c)))].join("\n");
}
