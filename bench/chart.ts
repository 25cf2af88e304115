// The comparisons as a picture: one bar each, how long std-net takes when the other takes 1. Where the ratio is that of
// throughputs it is turned over, so that shorter is better everywhere.
import { type Comparison, reached } from "./measure.ts";

const LABELS = 200;
const BARS = 420;
const NUMBERS = 60;
const ROW = 22;
const TOP = 62;
const LONGEST = 2;

const STYLE = `
  text { font: 13px system-ui, sans-serif; fill: #1f2328; }
  .title { font-weight: 600; font-size: 15px; }
  .heading { font-weight: 600; paint-order: stroke; stroke: #ffffff; stroke-width: 4px; }
  .quiet { fill: #59636e; }
  .axis { stroke: #59636e; stroke-width: 1; }
  .grid { stroke: #d1d9e0; stroke-width: 1; }
  .range { stroke: #1f2328; stroke-width: 1.5; }
  .target { stroke: #bc4c00; stroke-width: 2.5; }
  .good { fill: #2da44e; }
  .short { fill: #d4a72c; }
  .plain { fill: #8c959f; }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc; }
    .heading { stroke: #0d1117; }
    .quiet { fill: #9198a1; }
    .axis { stroke: #9198a1; }
    .grid { stroke: #3d444d; }
    .range { stroke: #f0f6fc; }
    .target { stroke: #ffa657; }
    .good { fill: #238636; }
    .short { fill: #9e6a03; }
    .plain { fill: #656c76; }
  }`;

function xmlText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

/** `value` as a share of the other's time. */
function time(comparison: Comparison, value: number): number {
  return comparison.measure === "time" || comparison.measure === "memory" ? value : 1 / value;
}

function x(value: number): number {
  return LABELS + (Math.min(value, LONGEST) / LONGEST) * BARS;
}

function heading(title: string, y: number): string {
  return `<text class="heading" x="12" y="${y + ROW - 5}">${xmlText(title)}</text>`;
}

function bar(comparison: Comparison, y: number): string {
  const middle = y + ROW / 2;
  const value = time(comparison, comparison.median);
  const ends = [time(comparison, comparison.min), time(comparison, comparison.max)].map(x);
  const kind = { true: "good", false: "short", null: "plain" }[`${reached(comparison)}`];
  const { target } = comparison;
  const goal =
    target === null ? null : x(time(comparison, "at_most" in target ? target.at_most : target.at_least));
  return [
    `<text class="quiet" x="${LABELS - 10}" y="${middle + 4}" text-anchor="end">${xmlText(comparison.against)}</text>`,
    `<rect class="${kind}" x="${LABELS}" y="${y + 4}" width="${(x(value) - LABELS).toFixed(1)}" height="${ROW - 8}" rx="2"/>`,
    `<line class="range" x1="${ends[0]!.toFixed(1)}" x2="${ends[1]!.toFixed(1)}" y1="${middle}" y2="${middle}"/>`,
    goal === null
      ? ""
      : `<line class="target" x1="${goal.toFixed(1)}" x2="${goal.toFixed(1)}" y1="${y + 2}" y2="${y + ROW - 2}"/>`,
    `<text x="${LABELS + BARS + 12}" y="${middle + 4}">${value.toFixed(2)}</text>`,
  ].join("\n");
}

export function chart(all: readonly Comparison[]): string {
  const comparisons = all.filter(({ measure }) => measure !== "more milliseconds" && measure !== "memory");
  const rows: string[] = [];
  let y = TOP;
  let title = "";
  for (const comparison of comparisons) {
    if (comparison.title !== title) {
      title = comparison.title;
      rows.push(heading(title, y));
      y += ROW;
    }
    rows.push(bar(comparison, y));
    y += ROW;
  }
  const width = LABELS + BARS + NUMBERS;
  const scale = [0, 0.5, 1, 1.5, LONGEST].map(
    (value) =>
      `<line class="${value === 1 ? "axis" : "grid"}" x1="${x(value)}" x2="${x(value)}" y1="${TOP - 6}" y2="${y + 4}"/>` +
      `<text class="quiet" x="${x(value)}" y="${TOP - 12}" text-anchor="middle">${value}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 44}" role="img">
<title>How long std-net takes when the other takes 1</title>
<style>${STYLE}
</style>
<text class="title" x="12" y="24">How long std-net takes when the other takes 1: shorter is better</text>
${scale.join("\n")}
${rows.join("\n")}
<text class="quiet" x="12" y="${y + 30}">Bar: median of the rounds. Thin line: their range. Upright mark: target.</text>
</svg>
`;
}
