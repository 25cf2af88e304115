// What runs at the same time as a build or another run of the tests is not disturbed.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { root, startPeer } from "../support/peer.ts";

const script = (name: string, ...args: string[]) =>
  // Without NODE_TEST_CONTEXT, by which node's test runner knows a run within a run, and does nothing.
  startPeer(process.execPath, [`scripts/${name}`, ...args], { NODE_TEST_CONTEXT: undefined });

test("a build replaces the files of dist/, each of which is complete at any time", async () => {
  const names = ["index.js", "index.cjs", "index.cjs.map", "bundle.js", "cli.js"].map((name) =>
    join(root, "dist", name),
  );
  const before = names.map((name) => statSync(name).ino);
  const ends = names.map((name) => readFileSync(name, "utf8").slice(-20));
  await using build = script("build.js", "--no-types");
  let looks = 0;
  while (build.process.exitCode === null) {
    for (const [index, name] of names.entries()) {
      assert.equal(readFileSync(name, "utf8").slice(-20), ends[index], name);
    }
    looks++;
    await sleep(1);
  }
  assert.deepEqual([(await build.exit()).code, (await build.exit()).stderr], [0, ""]);
  assert.ok(looks > 10, `${looks} looks`);
  names.forEach((name, index) => {
    assert.notEqual(statSync(name).ino, before[index], `${name} is a new file`);
  });
  const leftOver = readdirSync(root).filter((name) => name === `dist-${build.process.pid}`);
  assert.deepEqual(leftOver, []);
  assert.ok(statSync(join(root, "dist/types/index.d.ts")).isFile(), "--no-types leaves the declarations");
});

test("two runs of the tests at the same time: each says how long it takes, and leaves no folder", async () => {
  await using one = script("test.js", "address");
  await using two = script("test.js", "address");
  for (const run of [one, two]) {
    const { code, stdout } = await run.exit();
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^1 test file takes about \d+ (?:seconds?|minutes?)$/m);
    assert.match(stdout, /^(?:ℹ|#) fail 0$/m);
    assert.ok(!readdirSync(join(root, "build")).includes(`test-${run.process.pid}`));
  }
});
