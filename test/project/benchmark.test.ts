// The pages that show the benchmark's results are those that bench/results.json gives.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { chart } from "../../bench/chart.ts";
import type { Comparison } from "../../bench/measure.ts";
import { pages } from "../../bench/pages.ts";
import { headlineTable, shortTable } from "../../bench/report.ts";

describe("the pages of the benchmark", () => {
  for (const [page, text] of Object.entries(pages())) {
    test(`${page} is what \`npm run bench -- --pages\` writes`, () => {
      assert.ok(readFileSync(page, "utf8") === text, "run it, and commit what it writes");
      assert.ok(page === "bench/results.svg" || text.includes("64-byte TCP round trip"), "it has a table");
    });
  }
});

const common = { min: 0, max: 0, target: null, ours: "", theirs: "" };
const twice: Comparison[] = [
  { ...common, title: "half the time", against: "X", measure: "time", median: 0.5, min: 0.4, max: 0.8 },
  {
    ...common,
    title: "twice the throughput",
    against: "X",
    measure: "throughput",
    median: 2,
    min: 1.25,
    max: 2.5,
  },
];

test("all rows have one sense of direction: less is better", () => {
  const [time, throughput] = shortTable(twice).split("\n").slice(2);
  assert.match(time!, /\| 0\.50 \(0\.40\.\.0\.80\) \|$/);
  assert.match(throughput!, /\| 0\.50 \(0\.40\.\.0\.80\) \|$/);
  const widths = [...chart(twice).matchAll(/<rect class="plain" x="\d+" y="\d+" width="([\d.]+)"/g)];
  assert.equal(widths.length, 2);
  assert.equal(widths[0]![1], widths[1]![1]);
});

test("the picture says which way is better, and what each mark means", () => {
  const text = chart(twice);
  for (const words of [
    ...["shorter is better", "std-net is faster", "the other is faster"],
    ...["reaches its target", "misses it", "has none", ">target<", "fastest to slowest round"],
  ]) {
    assert.ok(text.includes(words), words);
  }
});

test("README's table says who is faster, and misses no row silently", () => {
  assert.throws(() => headlineTable(twice), /no result of "GET of a small JSON/);
  const rows = headlineTable(Object.values(results().workloads).flat()).split("\n").slice(2);
  assert.equal(rows.length, 5);
  for (const row of rows) assert.match(row, /\| (?:\d+ % slower|as fast|[\d.]+ times as fast) \|$/);
});

function results(): { workloads: Record<string, Comparison[]> } {
  return JSON.parse(readFileSync("bench/results.json", "utf8"));
}
