// The comparisons as a picture: one bar each, how long std-net takes when the other takes 1. Where the ratio is that of
// throughputs it is turned over, so that shorter is better everywhere.
import { type Comparison, reached, timeShare } from "./measure.ts";

const LABELS = 200;
const BARS = 420;
const NUMBERS = 60;
const ROW = 22;
const TOP = 128;
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

function x(value: number): number {
  return LABELS + (Math.min(value, LONGEST) / LONGEST) * BARS;
}

function heading(title: string, y: number): string {
  return `<text class="heading" x="12" y="${y + ROW - 5}">${xmlText(title)}</text>`;
}

function bar(comparison: Comparison, y: number): string {
  const middle = y + ROW / 2;
  const value = timeShare(comparison, comparison.median);
  const ends = [timeShare(comparison, comparison.min), timeShare(comparison, comparison.max)].map(x);
  const kind = { true: "good", false: "short", null: "plain" }[`${reached(comparison)}`];
  const { target } = comparison;
  const goal =
    target === null ? null : x(timeShare(comparison, "at_most" in target ? target.at_most : target.at_least));
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

/** What the marks of a bar mean, each beside a sample of it. */
function legend(): string {
  const rows = [
    [
      { mark: '<rect class="good" width="22" height="12" rx="2"/>', text: "reaches its target" },
      { mark: '<rect class="short" width="22" height="12" rx="2"/>', text: "misses it" },
      { mark: '<rect class="plain" width="22" height="12" rx="2"/>', text: "has none" },
    ],
    [
      { mark: '<line class="target" x1="11" x2="11" y1="-1" y2="13"/>', text: "target" },
      { mark: '<line class="range" x1="0" x2="22" y1="6" y2="6"/>', text: "fastest to slowest round" },
    ],
  ];
  return rows
    .flatMap((samples, row) =>
      samples.map(
        ({ mark, text }, column) =>
          `<g transform="translate(${12 + column * 190} ${42 + row * ROW})">${mark}` +
          `<text class="quiet" x="30" y="11">${text}</text></g>`,
      ),
    )
    .join("\n");
}

/** Which way is better, above the scale. */
function directions(): string {
  const text = (at: number, anchor: string, words: string) =>
    `<text class="quiet" x="${at}" y="${TOP - 28}" text-anchor="${anchor}">${words}</text>`;
  return `${text(x(1) - 8, "end", "← std-net is faster")}${text(x(1) + 8, "start", "the other is faster →")}`;
}

export function chart(all: readonly Comparison[]): string {
  const comparisons = all.filter(({ measure }) => !/^more |^memory$/.test(measure));
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
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y + 16}" role="img">
<title>The time that std-net takes when the other takes 1: shorter is better</title>
<style>${STYLE}
</style>
<text class="title" x="12" y="24">The time that std-net takes when the other takes 1: shorter is better</text>
${legend()}
${directions()}
${scale.join("\n")}
${rows.join("\n")}
</svg>
`;
}
