// npm run bench [workload ...] [--quick]
// Runs workloads (all, when none is named) and prints how std-net compares, with each target. A full run also writes
// bench/results.json and the pages that show it (pages.ts); a quick one has fewer and shorter rounds and writes nothing. With --pages
// nothing is measured: the pages are made anew.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, type } from "node:os";
import type { Comparison } from "./measure.ts";
import { pages } from "./pages.ts";
import { compilePeers, pinning, Skip } from "./programs.ts";
import { textTable } from "./report.ts";
import type { Effort } from "./rounds.ts";
import * as bodies from "./workloads/bodies.ts";
import * as cold from "./workloads/cold.ts";
import * as connect from "./workloads/connect.ts";
import * as httpGet from "./workloads/http-get.ts";
import * as httpGetClose from "./workloads/http-get-close.ts";
import * as httpPost from "./workloads/http-post.ts";
import * as httpServe from "./workloads/http-serve.ts";
import * as httpsFirst from "./workloads/https-first.ts";
import * as httpsGet from "./workloads/https-get.ts";
import * as memory from "./workloads/memory.ts";
import * as pollerWait from "./workloads/poller-wait.ts";
import * as receive from "./workloads/receive.ts";
import * as receiveInto from "./workloads/receive-into.ts";
import * as requestAll from "./workloads/request-all.ts";
import * as send from "./workloads/send.ts";
import * as serverClose from "./workloads/server-close.ts";
import * as serverKeepAlive from "./workloads/server-keep-alive.ts";
import * as serverPoller from "./workloads/server-poller.ts";
import * as serverWorkers from "./workloads/server-workers.ts";
import * as tcpRoundTrip from "./workloads/tcp-round-trip.ts";
import * as tlsTransfer from "./workloads/tls-transfer.ts";
import * as tracing from "./workloads/tracing.ts";
import * as udpRoundTrip from "./workloads/udp-round-trip.ts";

/** A new workload is a file that exports `run`, and a line here. */
const workloads: Record<string, { run(effort: Effort): Promise<Comparison[]> }> = {
  "tcp-round-trip": tcpRoundTrip,
  "udp-round-trip": udpRoundTrip,
  connect,
  send,
  receive,
  "receive-into": receiveInto,
  "http-get": httpGet,
  "http-get-close": httpGetClose,
  "request-all": requestAll,
  cold,
  tracing,
  "http-post": httpPost,
  "server-keep-alive": serverKeepAlive,
  "server-close": serverClose,
  "server-poller": serverPoller,
  "server-workers": serverWorkers,
  "http-serve": httpServe,
  "poller-wait": pollerWait,
  memory,
  bodies,
  "https-get": httpsGet,
  "https-first": httpsFirst,
  "tls-transfer": tlsTransfer,
};

const args = process.argv.slice(2);
const quick = args.includes("--quick");
if (args.includes("--pages")) {
  writePages();
  process.exit(0);
}
const named = args.filter((argument) => !argument.startsWith("--"));
const unknown = named.filter((name) => !(name in workloads));
if (unknown.length > 0 || args.some((argument) => argument.startsWith("--") && argument !== "--quick")) {
  console.error(
    `usage: npm run bench [workload ...] [--quick]\nworkloads: ${Object.keys(workloads).join(" ")}`,
  );
  process.exit(2);
}
const effort: Effort = quick ? { rounds: 5, share: 0.25 } : { rounds: 15, share: 1 };

// What is measured is what is shipped.
execFileSync(process.execPath, ["scripts/build.js", "--no-types"], { stdio: "inherit" });
if (!compilePeers()) {
  console.log(
    "Nothing was measured: the server that every client talks to is written in C, and there is no cc here.",
  );
  process.exit(0);
}
const machine = {
  node: process.version,
  // The system's own version, without what its builder added to the name.
  system: `${type()} ${/^[\d.]*\d/.exec(release())?.[0] ?? ""}`,
  processor: `${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? "an unknown processor"}`,
  pinning,
};
console.log(`node ${Object.values(machine).join("; ")}\n`);

const results = new Map<string, Comparison[]>();
for (const name of named.length > 0 ? named : Object.keys(workloads)) {
  process.stdout.write(`${name} ... `);
  try {
    const comparisons = await workloads[name]!.run(effort);
    results.set(name, comparisons);
    if (!quick) write();
    console.log(comparisons.map((c) => `${c.against} ${c.median.toFixed(2)}`).join(", "));
  } catch (error) {
    // Of a program's stack the line that says what is wrong.
    const lines = (error instanceof Error ? error.message : String(error)).split("\n");
    const why = lines.find((line) => /\w*Error\b.*:/.test(line)) ?? lines[0];
    console.log(error instanceof Skip ? `skipped: ${why}` : `failed: ${why}`);
    if (!(error instanceof Skip)) process.exitCode = 1;
  }
}
console.log(`\n${textTable([...results.values()].flat())}`);

/** A workload that was not run now keeps the result it had. */
function write(): void {
  const file = "bench/results.json";
  const before = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { workloads: Record<string, Comparison[]> }).workloads
    : {};
  const kept: Record<string, Comparison[]> = {};
  for (const name of Object.keys(workloads)) {
    const comparisons = results.get(name) ?? before[name];
    if (comparisons !== undefined) kept[name] = comparisons;
  }
  writeFileSync(file, `${JSON.stringify({ machine, workloads: kept }, null, 2)}\n`);
  writePages();
}

function writePages(): void {
  for (const [page, text] of Object.entries(pages())) writeFileSync(page, text);
}
