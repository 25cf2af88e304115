// npm run test:windows [-- --quick | NAME ...]
// Runs the tests under Wine with Node for Windows: makes the bed (bed.js), compiles the tests, runs each file in a process of its own
// and prints a summary. What Wine cannot do is skipped by name, with the reason (unproven.cjs). Programs of Linux serve as
// peers through host.js. --quick leaves out the files that take longest, and says which. STD_NET_WINE_NODE is 22 (the default) or 20. Status: 0, 1 when a test failed, 3 without a bed.
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { compileTests } from "../compile-tests.js";
import { driveC, prepare, spawnNode } from "./bed.js";
import { startHost } from "./host.js";
import { silentNames } from "./silent-names.js";

process.env.STD_NET_UNDER_WINE = "1";
const { reasonForFile, rulesFor } = (await import("./unproven.cjs")).default;

// A folder for each run, as in scripts/test.js.
const OUT = `build/test-windows-${process.pid}`;
process.on("exit", () => rmSync(OUT, { recursive: true, force: true }));
/** How long one file may take, in seconds. */
const LONGEST = Number(process.env.STD_NET_WINE_TIMEOUT ?? 240);
const major = process.env.STD_NET_WINE_NODE ?? "22";
/** The seconds that the slowest files take under Wine, of which two run at once. They begin first. */
const SECONDS = new Map([
  ["net/workers", 53],
  ["engine/safety", 44],
  ["tls/resources", 41],
  ["tls/verification", 34],
  ["cli/download", 30],
  ["tls/trust", 26],
  ["http/client-connections", 25],
  ["cli/socket-commands", 18],
  ["tls/handshake", 18],
  ["sys/ctrl-c", 17],
  ["cli/tcp-tls-command", 17],
  ["http/serve", 17],
  ["http/request-conversation", 15],
  ["net/poller-load", 15],
]);
/** The most for --quick. */
const QUICK = 22;
const begun = performance.now();
/** @param {number} moment */
const secondsSince = (moment) => ((performance.now() - moment) / 1000).toFixed(1);

try {
  prepare(major);
} catch (error) {
  const { stderr, message } = /** @type {Error & { stderr?: Buffer }} */ (error);
  const reason = String(stderr ?? "").trim() || message;
  console.log(`the tests do not run under Wine: the bed could not be made: ${reason}`);
  process.exit(3);
}
console.log(`bed with Node ${major} for Windows: ready after ${secondsSince(begun)} s`);
const named = process.argv.slice(2).filter((argument) => argument !== "--quick");
const isQuick = process.argv.includes("--quick");
const compiled = await compileTests(named, OUT);
const output = mkdtempSync(join(tmpdir(), "std-net-windows-"));
const silent = await silentNames(output);
const key = randomUUID();
const host = await startHost(key);

const total = { passed: 0, failed: 0, skipped: 0, files: 0 };
const waiting = compiled.filter((file) => {
  const name = nameOf(file);
  const seconds = secondsOf(file);
  const isSlow = isQuick && seconds > QUICK;
  const reason =
    reasonForFile(name) ?? (isSlow ? `it takes ${seconds} seconds, too long for --quick` : undefined);
  if (reason === undefined || named.length > 0) return true;
  console.log(`- ${name}: the whole file is skipped: ${reason}`);
  return false;
});
waiting.sort((one, other) => secondsOf(other) - secondsOf(one));
await Promise.all(Array.from({ length: Math.max(2, availableParallelism()) }, takeFiles));

host.close();
silent?.close();
rmSync(output, { recursive: true });
console.log(
  `\nunder Wine, Node ${major} for Windows: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped, ` +
    `in ${total.files} files; ${secondsSince(begun)} s`,
);
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0;

/**
 * net/tcp of build/test-windows/net/tcp.test.js.
 *
 * @param {string} file
 */
function nameOf(file) {
  return file.slice(OUT.length + 1).replace(/\.test\.js$/, "");
}

/** @param {string} file */
function secondsOf(file) {
  return SECONDS.get(nameOf(file)) ?? 0;
}

async function takeFiles() {
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    report(nameOf(file), await run(file));
  }
}

/** @typedef {{ name: string, state: "passed" | "failed" | "skipped", reason: string, error: string }} TestResult */
/** @typedef {{ results: TestResult[], output: string, ended: string, seconds: string }} FileResult */

/**
 * @param {string} file
 * @returns {Promise<FileResult>}
 */
async function run(file) {
  const name = nameOf(file);
  const stdout = join(output, `${name.replaceAll("/", "-")}.out`);
  const stderr = join(output, `${name.replaceAll("/", "-")}.err`);
  const start = performance.now();
  const isSilent = name === "sys/windows-lookup" && silent !== null;
  const child = spawnNode(
    major,
    [
      "--enable-source-maps",
      "--require",
      "./scripts/windows/skip.cjs",
      "--test-reporter",
      "./scripts/windows/reporter.mjs",
      "--test-reporter-destination",
      "stdout",
      file,
    ],
    {
      stdout,
      stderr,
      within: isSilent ? silent.command : [],
      env: {
        STD_NET_UNDER_WINE: "1",
        STD_NET_HOST_PORT: String(host.port),
        STD_NET_HOST_KEY: key,
        STD_NET_DRIVE_C: driveC,
        ...(isSilent && { STD_NET_NAMES_ARE_SILENT: "1" }),
      },
    },
  );
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, LONGEST * 1000);
  const code = await new Promise((done) => child.on("exit", done));
  clearTimeout(limit);
  const lines = readFileSync(stdout, "utf8").split(/\r?\n/);
  /** @param {string} line */
  const isReport = (line) => line.startsWith('{"name":');
  return {
    results: lines.filter(isReport).map((line) => JSON.parse(line)),
    output: lines.filter((line) => line !== "" && !isReport(line)).join("\n") + readFileSync(stderr, "utf8"),
    ended: isLate ? `ended after ${LONGEST} s` : code === 0 || code === 1 ? "" : `ended with status ${code}`,
    seconds: secondsSince(start),
  };
}

/**
 * @param {string} name
 * @param {FileResult} result
 */
function report(name, { results, output, ended, seconds }) {
  /** @param {TestResult["state"]} state */
  const inState = (state) => results.filter((result) => result.state === state);
  const [passed, failed, skipped] = [inState("passed"), inState("failed"), inState("skipped")];
  // A test that is to be skipped and is not there: the list is out of date.
  const unknown = rulesFor(name).filter(
    ([test]) => ended === "" && !skipped.some((result) => test.test(result.name)),
  );
  const problems = [
    ...failed.map(({ name, error }) => `${name}\n${error.replaceAll(/^/gm, "        ")}`),
    ...unknown.map(([test]) => `there is no test ${test} to skip`),
    ...(ended === "" ? [] : [`${ended}; the last that was printed:\n${output.slice(-3000)}`]),
    ...(results.length === 0 && ended === "" ? [`no test ran:\n${output.slice(-3000)}`] : []),
  ];
  total.files++;
  total.passed += passed.length;
  total.skipped += skipped.length;
  total.failed += problems.length;
  console.log(
    `${problems.length > 0 ? "✖" : "✔"} ${name}: ${passed.length} passed, ${problems.length} failed, ` +
      `${skipped.length} skipped (${seconds} s)`,
  );
  for (const { name, reason } of skipped) console.log(`    - skipped: ${name}: ${reason}`);
  for (const problem of problems) console.log(`    ✖ ${problem}`);
}
