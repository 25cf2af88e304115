// npm run check:release
// What has to be there before a release, and only a maintainer can know: where the source, the page and the tracker of bugs are. It fails
// until package.json says so. `npm publish` runs it.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** What to write, with an address of one's own. */
const MODEL = `  "repository": { "type": "git", "url": "git+https://HOST/OWNER/std-net.git" },
  "homepage": "https://HOST/OWNER/std-net#readme",
  "bugs": { "url": "https://HOST/OWNER/std-net/issues" },`;

/**
 * What is missing for a release.
 *
 * @param {{ version?: unknown, repository?: unknown, homepage?: unknown, bugs?: unknown }} manifest package.json
 * @param {string} changelog
 * @returns {string[]}
 */
export function missingForRelease({ version, repository, homepage, bugs }, changelog) {
  const problems = [];
  for (const [name, value] of Object.entries({ repository, homepage, bugs })) {
    const address =
      typeof value === "string" ? value : /** @type {{ url?: unknown } | undefined} */ (value)?.url;
    if (!isAddress(address)) problems.push(`package.json: "${name}" has no address`);
  }
  const heading = new RegExp(
    `^## \\[?${String(version).replaceAll(".", "\\.")}\\b.*\\d{4}-\\d{2}-\\d{2}`,
    "m",
  );
  if (!heading.test(changelog)) problems.push(`CHANGELOG.md: no section "## [${version}] - DATE"`);
  return problems;
}

/** @param {unknown} text */
function isAddress(text) {
  if (typeof text !== "string" || !URL.canParse(text)) return false;
  const { protocol, hostname } = new URL(text);
  return (
    /^(?:git\+)?https:$/.test(protocol) && hostname.includes(".") && !/^host$|\bexample\b/i.test(hostname)
  );
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const problems = missingForRelease(
    JSON.parse(readFileSync("package.json", "utf8")),
    readFileSync("CHANGELOG.md", "utf8"),
  );
  for (const problem of problems) console.error(problem);
  if (problems.some((problem) => problem.startsWith("package.json"))) {
    console.error(`\nA maintainer writes into package.json, below "license":\n\n${MODEL}`);
  }
  process.exitCode = problems.length === 0 ? 0 : 1;
}
