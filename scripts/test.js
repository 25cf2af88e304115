// npm test [-- NAME ...]
// Compiles the tests (compile-tests.js) and gives them to node's own test runner: all of them, or those named by file or
// folder (`npm test -- tcp udp tls` runs test/net/tcp.test.ts, test/net/udp.test.ts and all of test/tls). No loader sits
// in the tests' processes, so that every descriptor, thread and signal that a test counts is the library's or its own.
import { spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { compileTests } from "./compile-tests.js";
import { knownTimes } from "./test-progress.js";

// A folder for each run: two runs at the same time do not disturb each other.
const OUT = `build/test-${process.pid}`;
/** Files at once. Most of a file's time it waits, so two never hurt; Node itself would take one on two cores. */
const AT_ONCE = Math.max(2, availableParallelism() - 1);
/** The mean of all files, for those that have not been run here yet. */
const SECONDS_OF_A_FILE = 8;

process.on("exit", () => rmSync(OUT, { recursive: true, force: true }));
const compiled = await compileTests(process.argv.slice(2), OUT);
const reporter = process.env["STD_NET_TEST_REPORTER"] ?? "spec";
const names = compiled.map((file) => file.slice(OUT.length + 1));
console.log(
  `${compiled.length === 1 ? "1 test file takes" : `${compiled.length} test files take`} about ${expected(names)}`,
);
const child = spawn(
  process.execPath,
  [
    ...["--enable-source-maps", "--test", `--test-concurrency=${AT_ONCE}`],
    ...[`--test-reporter=${reporter}`, "--test-reporter-destination=stdout"],
    ...["--test-reporter=./scripts/test-progress.js", "--test-reporter-destination=stderr"],
    ...compiled,
  ],
  {
    stdio: "inherit",
    env: { ...process.env, STD_NET_TEST_FILES: String(compiled.length), STD_NET_TEST_FOLDER: resolve(OUT) },
  },
);
// Ctrl-C reaches the whole foreground process group; the runner ends its tests and itself.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});

/**
 * The time that these files took in earlier runs, shared among the processes that the runner starts at once.
 *
 * @param {readonly string[]} names
 */
function expected(names) {
  const times = knownTimes();
  const seconds = names.map((name) => times[name] ?? SECONDS_OF_A_FILE);
  const total = Math.max(seconds.reduce((sum, each) => sum + each, 0) / AT_ONCE, ...seconds);
  return total < 100 ? `${Math.ceil(total)} seconds` : `${Math.ceil(total / 60)} minutes`;
}
