// The comparisons as a table for the terminal and as one for a page.
import { type Comparison, reached } from "./measure.ts";

function number(comparison: Comparison, value: number): string {
  return comparison.measure === "more milliseconds" ? `${value.toFixed(1)} ms` : value.toFixed(2);
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

/** The table for people who do not ask about targets. */
export function shortTable(comparisons: readonly Comparison[]): string {
  const lines = comparisons.map(
    (c) =>
      `| ${c.title} | ${c.against} | ${c.ours} | ${c.theirs} | ${number(c, c.median)} (${number(c, c.min)}..${number(c, c.max)}) |`,
  );
  return ["| workload | against | std-net | other | ratio (range) |", "|---|---|---|---|---|", ...lines].join(
    "\n",
  );
}

export function markdownTable(comparisons: readonly Comparison[]): string {
  const row = (texts: readonly string[]) => `| ${texts.join(" | ")} |`;
  return [row(HEADINGS), row(HEADINGS.map(() => "---")), ...comparisons.map((c) => row(cells(c)))].join("\n");
}
