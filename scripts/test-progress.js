// A reporter for node's test runner, beside the one whose output is read: it says on a terminal how many test files are
// done, and keeps the time that each file took, from which scripts/test.js tells how long the next run takes.
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, relative } from "node:path";

/** Seconds by test file. */
export const TIMES = "build/test-times.json";

/** @returns {Record<string, number>} */
export function knownTimes() {
  try {
    return JSON.parse(readFileSync(TIMES, "utf8"));
  } catch {
    return {}; // this is the first run, or the file is damaged
  }
}

/** @param {Record<string, number>} times */
function keepTimes(times) {
  mkdirSync(dirname(TIMES), { recursive: true });
  // Another run may read or write at the same time.
  const complete = `${TIMES}.${process.pid}`;
  writeFileSync(complete, JSON.stringify({ ...knownTimes(), ...times }));
  renameSync(complete, TIMES);
}

/**
 * What an event tells of the file as a whole: the runner takes each file for a test that has the file's name.
 *
 * @param {import("node:test/reporters").TestEvent} event
 * @returns {{ file: string, seconds: number } | undefined}
 */
function fileDone({ type, data }) {
  if (type !== "test:complete" || data.nesting !== 0 || data.file === undefined) return undefined;
  // The name is a whole path or a relative one, by the version of Node.
  if (basename(data.name) !== basename(data.file)) return undefined;
  const folder = process.env["STD_NET_TEST_FOLDER"] ?? "";
  return { file: relative(folder, data.file), seconds: data.details.duration_ms / 1000 };
}

/** @param {AsyncIterable<import("node:test/reporters").TestEvent>} source */
export default async function* progress(source) {
  const all = process.env["STD_NET_TEST_FILES"];
  const begun = performance.now();
  /** @type {Record<string, number>} */
  const times = {};
  for await (const event of source) {
    const done = fileDone(event);
    if (done === undefined) continue;
    times[done.file] = done.seconds;
    if (!process.stderr.isTTY) continue;
    const seconds = Math.round((performance.now() - begun) / 1000);
    yield `-- ${Object.keys(times).length} of ${all} files done after ${seconds} s (${done.file})\n`;
  }
  keepTimes(times);
}
