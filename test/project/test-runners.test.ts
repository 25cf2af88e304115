// What Jest and Vitest, the real ones, make of results: equal ones pass, different ones fail with a diff that can be read.
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { stripVTControlCharacters } from "node:util";
import { type Exit, root, startPeer } from "../support/peer.ts";
import { failing, passing } from "../support/test-runners/cases.mjs";

const folder = join(root, "test/support/test-runners");

const runners = {
  Jest: {
    program: "jest/bin/jest.js",
    flags: ["--experimental-vm-modules"],
    args: ["--config", join(folder, "jest.config.mjs"), "--ci", "--watchman=false"],
    /** What stands before the text of a failed test. */
    heading: (name: string) => `  ● ${name}\n`,
    indent: "    ",
    passed: (name: string) => `✓ ${name}`,
  },
  Vitest: {
    program: "vitest/vitest.mjs",
    flags: [],
    args: ["run", "--root", folder, "--config", join(folder, "vitest.config.mjs"), "--reporter=verbose"],
    heading: (name: string) => ` FAIL  vitest.test.mjs > ${name}\n`,
    indent: "",
    passed: (name: string) => `✓ vitest.test.mjs > ${name}`,
  },
};

for (const [title, runner] of Object.entries(runners)) {
  describe(title, () => {
    let end: Exit;
    let output: string;

    before(async () => {
      const program = join(root, "node_modules", runner.program);
      // Neither colours nor the way in which they report to a CI service.
      const environment = { NO_COLOR: "1", FORCE_COLOR: undefined, GITHUB_ACTIONS: undefined };
      await using child = startPeer(
        process.execPath,
        [...runner.flags, program, ...runner.args],
        environment,
      );
      end = await child.exit();
      output = stripVTControlCharacters(`${end.stdout}\n${end.stderr}`);
    });

    test("comes to its end, with the failures that were to be", () => {
      assert.equal(end.signal, null, output);
      assert.equal(end.code, 1, output);
      const counts = new RegExp(
        `Tests:? +${Object.keys(failing).length} failed(?:,| \\|) ${Object.keys(passing).length} passed`,
      );
      assert.match(output, counts);
      assert.doesNotMatch(output, /Maximum call stack/);
    });

    for (const name of Object.keys(passing)) {
      test(name, () => assert.ok(output.includes(runner.passed(name)), output));
    }

    for (const [name, { prints }] of Object.entries(failing)) {
      test(`prints ${name}`, () => {
        const begin = output.indexOf(runner.heading(name));
        assert.ok(begin >= 0, output);
        const next = output.indexOf(runner.heading("").trimEnd(), begin + 1);
        const text = output.slice(begin, next < 0 ? undefined : next);
        assert.ok(text.includes(prints.join(`\n${runner.indent}`)), text);
      });
    }
  });
}

test("Jest runs files of tests in CommonJS, without a flag", async () => {
  const args = ["--config", join(folder, "jest.commonjs.config.mjs"), "--ci", "--watchman=false"];
  const environment = {
    NO_COLOR: "1",
    FORCE_COLOR: undefined,
    GITHUB_ACTIONS: undefined,
    NODE_OPTIONS: undefined,
  };
  await using child = startPeer(
    process.execPath,
    [join(root, "node_modules/jest/bin/jest.js"), ...args],
    environment,
  );
  const { code, stdout, stderr } = await child.exit();
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stderr, /Tests: +3 passed/);
});
