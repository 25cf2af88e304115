// std-net completion, in the shells themselves: a Tab typed at a terminal, and what it makes of the line.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fishScript } from "../../src/cli/completion-scripts.ts";
import { run } from "../support/command.ts";
import { pythonFile, startPeer } from "../support/peer.ts";

const folder = mkdtempSync(join(tmpdir(), "std-net-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(join(folder, "a certificate.pem"), "");

const SHELLS = {
  bash: { call: ["bash", "--norc", "--noprofile", "-i"], prepare: "bind 'set enable-bracketed-paste off'" },
  zsh: {
    call: ["zsh", "-f", "-i"],
    prepare: "autoload -Uz compinit; compinit -D -u; unsetopt prompt_sp; bindkey -e",
  },
} as const;

for (const [shell, { call, prepare }] of Object.entries(SHELLS)) {
  const skip =
    (process.platform === "win32" && "there is no such terminal") ||
    (spawnSync(shell, ["--version"]).error !== undefined && `${shell} is not installed`);
  describe(shell, { skip }, () => {
    const script = join(folder, `completion.${shell}`);
    before(async () => {
      const { stdout, stderr, code } = await run(["completion", shell]);
      assert.deepEqual([stderr, code], ["", 0]);
      writeFileSync(script, stdout);
    });

    for (const [typed, shown, words] of [
      ["std-net req", "uest", ["request"]],
      ["std-net request --dec", "ode", ["request", "--decode"]],
      ["std-net request --decode te", "xt", ["request", "--decode", "text"]],
      ["std-net request --decode=te", "xt", ["request", "--decode=text"]],
      ["std-net request -X PATC", "H", ["request", "-X", "PATCH"]],
      ["std-net request -i --cert a", "pem", ["request", "-i", "--cert", "a certificate.pem"]],
      ["std-net request http://a/ --inc", "lude", ["request", "http://a/", "--include"]],
      ["std-net tcp --server", "-name", ["tcp", "--server-name"]],
      ["std-net help ser", "ve", ["help", "serve"]],
      ["std-net completion fi", "sh", ["completion", "fish"]],
    ] as const) {
      test(`${typed}<Tab>`, async () => {
        const first = `cd '${folder}'; ${prepare}; source '${script}'`;
        await using terminal = pythonFile("shell-completion.py", first, typed, shown, ...call);
        const { stdout, stderr, code } = await terminal.exit();
        assert.deepEqual([stderr, code], ["", 0]);
        // zsh writes --decode= with its sign, which the next word follows.
        assert.deepEqual(
          (JSON.parse(stdout) as string[]).map((word) => word.replace(/=$/, "")),
          words,
        );
      });
    }
  });
}

describe("fish", {
  skip: spawnSync("fish", ["--version"]).error !== undefined && "fish is not installed",
}, () => {
  /** What fish offers, by its own command for that. */
  async function offered(typed: string): Promise<string[]> {
    const script = join(folder, "completion.fish");
    writeFileSync(script, (await run(["completion", "fish"])).stdout);
    const program = 'cd $argv[1]; source $argv[2]; complete -C "$argv[3]"';
    await using fish = startPeer("fish", ["--no-config", "-c", program, folder, script, typed]);
    const { stdout, stderr } = await fish.exit();
    assert.equal(stderr, "");
    // Versions differ in whether they escape the blank.
    return stdout
      .replaceAll("\\", "")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => line.split("\t")[0]!)
      .sort();
  }

  for (const [typed, words] of [
    ["std-net re", ["repl", "request"]],
    ["std-net request --dec", ["--decode"]],
    ["std-net request --decode ", ["base64", "json", "text"]],
    ["std-net request --cert a", ["a certificate.pem"]],
    ["std-net tcp --l", ["--listen"]],
    ["std-net completion ", ["bash", "fish", "zsh"]],
    ["std-net help t", ["tcp"]],
  ] as const) {
    test(typed, async () => assert.deepEqual(await offered(typed), words));
  }
});

test("every option is offered with what the help says of it", async () => {
  const { stdout } = await run(["completion", "fish"]);
  for (const line of stdout.split("\n").filter((text) => / -l /.test(text))) {
    assert.match(line, / -d '.{5,}'$/, line);
  }
});

test("texts are quoted for fish", () => {
  const option = { short: undefined, takesValue: false, mayRepeat: false, values: undefined };
  const script = fishScript([
    { name: "a", summary: "it's \\", words: [], options: [{ ...option, long: "b", about: "c" }] },
  ]);
  assert.match(script, /-a a -d 'it\\'s \\\\'$/m);
});

test("another shell is wrong usage", async () => {
  const { code, stderr } = await run(["completion", "tcsh"]);
  assert.equal(code, 2);
  assert.match(stderr, /^std-net: completion: there is no completion for 'tcsh': bash, zsh or fish /);
});
