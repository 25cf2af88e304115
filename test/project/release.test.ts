// No release goes out without the addresses that only a maintainer can know.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../support/peer.ts";

type Manifest = Record<string, unknown>;

const script = join(root, "scripts/check-release.js");
const { missingForRelease } = (await import(pathToFileURL(script).href)) as {
  missingForRelease(manifest: Manifest, changelog: string): string[];
};
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Manifest;
const filled = {
  version: "1.2.3",
  repository: { type: "git", url: "git+https://code.std-net.dev/team/std-net.git" },
  homepage: "https://code.std-net.dev/team/std-net#readme",
  bugs: { url: "https://code.std-net.dev/team/std-net/issues" },
};
const changelog = "# Changes\n\n## [1.2.3] - 2026-11-28\n\n- all\n";

test("the check fails while package.json has no addresses, and says what to write", () => {
  const { status, stderr } = spawnSync(process.execPath, [script], { cwd: root, encoding: "utf8" });
  const missing = ["repository", "homepage", "bugs"].filter((name) => manifest[name] === undefined);
  for (const name of missing) assert.ok(stderr.includes(`package.json: "${name}" has no address`), stderr);
  if (missing.length > 0) {
    assert.equal(status, 1);
    assert.match(stderr, /A maintainer writes into package\.json/);
  }
});

test("each address, and the version's changes, are needed", () => {
  assert.deepEqual(missingForRelease(filled, changelog), []);
  for (const name of ["repository", "homepage", "bugs"] as const) {
    const problem = [`package.json: "${name}" has no address`];
    assert.deepEqual(missingForRelease({ ...filled, [name]: undefined }, changelog), problem);
    // The model's own placeholder is none.
    assert.deepEqual(
      missingForRelease({ ...filled, [name]: "https://HOST/OWNER/std-net" }, changelog),
      problem,
    );
  }
  assert.deepEqual(missingForRelease({ ...filled, version: "1.2.4" }, changelog), [
    'CHANGELOG.md: no section "## [1.2.4] - DATE"',
  ]);
});

test("npm publish runs it", () => {
  const { scripts } = manifest as { scripts: Record<string, string> };
  assert.match(scripts["prepublishOnly"] ?? "", /check:release/);
  assert.equal(scripts["check:release"], "node scripts/check-release.js");
});
