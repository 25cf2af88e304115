// The command's arguments and help: output, error line, exit status.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { oneLine } from "../../src/cli/command.ts";
import { CLI, run } from "../support/command.ts";
import { pythonFile, startPeer } from "../support/peer.ts";
import { reasonPattern } from "../support/system-errors.ts";

describe("usage", () => {
  for (const [args, complaint] of [
    [["nosuch"], /^std-net: there is no command 'nosuch'/],
    [["request"], /^std-net: request: missing request \(std-net help request\)$/m],
    [["request", "GET"], /^std-net: request: missing URL after 'GET'/],
    [["request", "{"], /^std-net: request: the request is not valid JSON/],
    [
      ["request", '{ "method": "GET", "url": "http://127.0.0.1:1/", "decode_body": "bytes" }'],
      /^std-net: request: bytes cannot be printed as JSON: there is base64/,
    ],
    [["request", "[]"], /^std-net: request: the request must be a JSON object/],
    [["request", "GET", "http://a/", "extra"], /^std-net: request: unexpected argument 'extra'/],
    [["request", "GET", "http://a/", "--nosuch"], /^std-net: request: Unknown option '--nosuch'/],
    [["request", "GET", "http://a/", "-d", "{a}"], /^std-net: request: --data wants JSON/],
    [["request", "GET", "http://a/", "-H", "no colon"], /^std-net: request: --header wants 'name: value'/],
    [
      ["request", "GET", "http://a/", "-d", "1", "--text", "x"],
      /^std-net: request: --data and --text cannot both be given/,
    ],
    [["request", "GET", "http://a/", "--timeout=-1"], /^std-net: request: --timeout/],
    [["request", "GET", "http://a/", "--data", "-1"], /: to specify an .* dash use '--data=-XYZ'/],
    [["request", "GET", "http://a/", "--timeout", "soon"], /^std-net: request: --timeout wants a positive/],
    [
      ["request", "GET", "http://a/", "--decode", "xml"],
      /^std-net: request: --decode wants json, text or base64/,
    ],
    [["serve"], /^std-net: serve: missing address/],
    [["serve", "127.0.0.1:0", "--status", "100"], /^std-net: serve: --status wants/],
    [["tcp"], /^std-net: tcp: missing address/],
    [["tcp", "a:1", "b:1"], /^std-net: tcp: unexpected argument 'b:1'/],
    [["udp", "a:1", "--wait", "0"], /^std-net: udp: --wait wants a positive number of seconds/],
    [["doctor", "now"], /^std-net: doctor: unexpected argument 'now'/],
    [["repl", "now"], /^std-net: repl: unexpected argument 'now'/],
  ] as const) {
    test(`std-net ${args.join(" ")}: one line, status 2`, async () => {
      const { code, stdout, stderr } = await run([...args]);
      assert.match(stderr, complaint);
      assert.match(stderr, /^[^\n]*\n$/);
      assert.equal(stdout, "");
      assert.equal(code, 2);
    });
  }

  for (const [args, complaint] of [
    [
      ["request", "GET", "http://127.0.0.1:1/"],
      new RegExp(`^std-net: http request failed: ${reasonPattern("ECONNREFUSED")}$`, "m"),
    ],
    [["request", '{"method":"GET"}'], /^std-net: missing required field 'url'$/m],
    [["request", '{"method":"GET","url":"ftp://a/"}'], /^std-net: 'url' is not a valid http or https URL$/m],
    [
      ["tcp", "127.0.0.1:1"],
      new RegExp(`^std-net: failed to connect: ${reasonPattern("ECONNREFUSED")}$`, "m"),
    ],
    [["tcp", "nothing"], /^std-net: failed to connect: invalid socket address: no port is given/m],
    [["udp", "127.0.0.1:99999"], /^std-net: udp connect failed: invalid port value$/m],
    [["tcp", "a\u001b[2J:99999\u009b"], /^std-net: [ -~]*$/m],
    [["serve", "nothing"], /^std-net: tcp listener bind failed: invalid socket address: no port is given/m],
  ] as const) {
    test(`std-net ${args.join(" ")}: the error result on standard error, status 1`, async () => {
      const { code, stdout, stderr } = await run([...args]);
      assert.match(stderr, complaint);
      assert.match(stderr, /^[^\n]*\n$/);
      assert.equal(stdout, "");
      assert.equal(code, 1);
    });
  }

  test("an error becomes one line, however many blanks a server had put into it", () => {
    assert.equal(oneLine("\n one \r\n\t two\n \nthree  four"), "one two three  four");
    const quoted = `unknown content coding 'a${" ".repeat(65_000)}x'`;
    const begun = performance.now();
    assert.equal(oneLine(quoted), quoted);
    assert.ok(performance.now() - begun < 1500); // a thousandth of it; it was four seconds
  });

  test("the exit status is the same when standard error is closed", async () => {
    const program = `import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
print(subprocess.run(sys.argv[1:], stderr=writer).returncode)`;
    for (const [args, status] of [
      [["nosuch"], "2\n"],
      [["request", "GET", "http://127.0.0.1:1/"], "1\n"],
    ] as const) {
      await using command = startPeer("python3", ["-c", program, process.execPath, CLI, ...args]);
      assert.equal((await command.exit()).stdout, status);
    }
  });

  test("help is there for everything", async () => {
    const help = await run(["help"]);
    assert.equal(help.code, 0);
    for (const name of ["request", "serve", "tcp", "udp", "repl", "doctor", "completion"]) {
      assert.match(help.stdout, new RegExp(`^ {2}${name} +\\w`, "m"));
      const about = await run(["help", name]);
      assert.match(about.stdout, new RegExp(`^Usage: std-net ${name}`));
      assert.match(about.stdout, /^Examples:$/m);
      const itself = await run([name, "--help"]);
      assert.deepEqual([itself.stdout, itself.code, about.code], [about.stdout, 0, 0]);
    }
    const nothing = await run([]);
    assert.equal(nothing.code, 2);
    assert.equal(nothing.stderr, help.stdout);
    for (const name of ["--version", "-v"]) {
      const version = await run([name]);
      assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
      assert.equal(version.code, 0);
    }
  });
});

test("standard input that cannot be read is one line and status 1, for each command that reads it", async () => {
  await using command = pythonFile("unreadable-input.py", process.execPath, CLI);
  const outcomes = JSON.parse(await command.line()) as [string, string, unknown][];
  assert.equal(outcomes.length, 24);
  for (const [reason, name, outcome] of outcomes) {
    assert.deepEqual(outcome, [1, "", `std-net: standard input cannot be read: ${reason}\n`], name);
  }
});
