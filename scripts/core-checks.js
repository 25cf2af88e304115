// The core checks (test/runtimes/core.mjs) on one runtime, each in a process of its own.
import { spawn } from "node:child_process";

const CORE = "test/runtimes/core.mjs";

/** What each runtime is told before the program's name. */
export const runtimeFlags = {
  node: ["--expose-gc"],
  bun: ["--expose-gc"],
  deno: ["run", "-A", "--v8-flags=--expose-gc"],
};

/**
 * @param {string} binary
 * @param {readonly string[]} flags
 * @param {(name: string, failure: string | null) => void} [report] called after each check
 * @param {number} [limit] milliseconds for each check
 * @param {number} [tries] how often a check is run at most; the report names the try that passed, if it was not the first
 */
export async function runCore(binary, flags, report = () => {}, limit = 30_000, tries = 1) {
  const listed = await outputOf(binary, [...flags, CORE], {}, limit);
  const names = listed.output.trim().split("\n");
  if (listed.code !== 0) return { passed: 0, failed: [`the checks did not load: ${names[0]}`], skipped: 0 };
  /** @type {string[]} */
  const failed = [];
  for (const name of names) {
    const run = () => outputOf(binary, [...flags, CORE, name], { NO_COLOR: "1" }, limit);
    let { code, output } = await run();
    let count = 1;
    for (; code !== 0 && count < tries; count++) ({ code, output } = await run());
    const reason = /^.*(?:error|assert|panic).*$/im.exec(output)?.[0].trim() ?? `status ${code}`;
    if (code !== 0) failed.push(`${name}: ${reason}`);
    report(count === 1 ? name : `${name} (try ${count})`, code === 0 ? null : reason);
  }
  return { passed: names.length - failed.length, failed, skipped: 0 };
}

/**
 * Runs a program to its end, or until the limit in milliseconds: its exit code, and what it printed on both outputs.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Record<string, string>} [environment] added to this process's own
 * @returns {Promise<{ code: number | null, output: string }>}
 */
export function outputOf(command, args, environment = {}, limit = 30_000) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: limit,
      killSignal: "SIGKILL",
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output }));
  });
}
