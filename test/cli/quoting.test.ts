// Quotes on Windows' command lines, which Linux' shells have otherwise.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isClosedOutput } from "../../src/cli/closed-output.ts";
import { helpFor, quotingHint } from "../../src/cli/quoting.ts";

test("the help's examples are quoted for the shell of the system", () => {
  const help = `  std-net request '{"method":"GET"}'\n  std-net serve '[::]:8080'\nwhat the peer's program does\n`;
  assert.equal(helpFor(help, "linux"), help);
  assert.equal(
    helpFor(help, "win32"),
    `  std-net request "{\\"method\\":\\"GET\\"}"\n  std-net serve "[::]:8080"\nwhat the peer's program does\n`,
  );
});

test("the help's examples print lines as the shell of the system does", () => {
  const help =
    "  printf 'PING\\r\\nQUIT\\r\\n' | std-net tcp a:1\n  printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' | std-net tcp a:1\n";
  assert.equal(helpFor(help, "linux"), help);
  assert.equal(
    helpFor(help, "win32"),
    "  (echo PING& echo QUIT) | std-net tcp a:1\n  (echo HEAD / HTTP/1.0& echo.) | std-net tcp a:1\n",
  );
});

test("a closed output has two names on Windows, and other errors are none", () => {
  for (const code of ["EPIPE", "EOF"]) assert.ok(isClosedOutput(Object.assign(new Error(code), { code })));
  assert.ok(!isClosedOutput(Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })));
  assert.ok(!isClosedOutput(new Error("other")));
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
