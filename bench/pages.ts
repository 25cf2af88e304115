// The pages that show bench/results.json.
import { readFileSync } from "node:fs";
import { chart } from "./chart.ts";
import type { Comparison } from "./measure.ts";
import { headlineTable, markdownTable, shortTable } from "./report.ts";

/** The text of each page as it has to be, by the page's name. */
export function pages(): Record<string, string> {
  const { workloads } = JSON.parse(readFileSync("bench/results.json", "utf8")) as {
    workloads: Record<string, Comparison[]>;
  };
  const all = Object.values(workloads).flat();
  return {
    "bench/results.md": `${markdownTable(all)}\n`,
    "bench/results.svg": chart(all),
    "docs/performance.md": withTable("docs/performance.md", shortTable(all)),
    "README.md": withTable("README.md", headlineTable(all)),
  };
}

/** A page with this table between its two marks. */
function withTable(page: string, table: string): string {
  const place = /(<!-- benchmark -->\n)[\s\S]*?(<!-- \/benchmark -->)/;
  return readFileSync(page, "utf8").replace(place, (_, begin, end) => `${begin}${table}\n${end}`);
}
