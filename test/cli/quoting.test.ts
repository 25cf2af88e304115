// Quotes on Windows' command lines, which Linux' shells have otherwise.
import assert from "node:assert/strict";
import { test } from "node:test";
import { helpFor, quotingHint } from "../../src/cli/quoting.ts";

test("the help's examples are quoted for the shell of the system", () => {
  const help = `  std-net request '{"method":"GET"}'\n  std-net serve '[::]:8080'\nwhat the peer's program does\n`;
  assert.equal(helpFor(help, "linux"), help);
  assert.equal(
    helpFor(help, "win32"),
    `  std-net request "{\\"method\\":\\"GET\\"}"\n  std-net serve "[::]:8080"\nwhat the peer's program does\n`,
  );
});

test("a usage error names the quotes when they may be its cause", () => {
  for (const args of [
    ["'{id:", "1}'"],
    ["POST", "http://a/", "-d", "'{\"id\":1}'"],
  ]) {
    assert.match(quotingHint(args, "win32"), /cmd takes single quotes/);
    assert.equal(quotingHint(args, "linux"), "");
  }
  assert.match(quotingHint(["POST", "http://a/", "-d", "{id:1}"], "win32"), /PowerShell/);
  assert.equal(quotingHint(["POST", "http://a/", "-d", "{id:1}"], "darwin"), "");
  for (const args of [["GET", "http://a/"], ['{"id":1}'], ["-d", "{}"], []]) {
    assert.equal(quotingHint(args, "win32"), "");
  }
});
