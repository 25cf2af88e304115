// std-net request with several URLs: printed one after the other, or saved in a folder, several at once.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileNameOf, fileNamesOf } from "../../src/cli/file-names.ts";
import { run, start, startInTerminal } from "../support/command.ts";

const folder = mkdtempSync(join(tmpdir(), "std-net-"));
after(() => rmSync(folder, { recursive: true }));
const target = join(folder, "down", sep);

/** The responses that the server holds back, by their path. */
const open = new Map<string, ServerResponse>();
let most = 0;
/** How many responses there are to be before they end. */
let together = 1;

const server = createServer((request, response) => {
  const path = request.url!;
  const first = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
  const body = `body of ${path}`;
  if (path === "/missing") return void response.writeHead(404).end("none");
  if (first > 0) {
    response.writeHead(206, { "content-range": `bytes ${first}-${body.length - 1}/${body.length}` });
    return void response.end(body.slice(first));
  }
  response.writeHead(200, { "content-length": body.length });
  response.write(body.slice(0, 4));
  open.set(path, response);
  most = Math.max(most, open.size);
  if (open.size < together) return;
  for (const [each, held] of open) held.end(`body of ${each}`.slice(4));
  open.clear();
});
let origin = "";
before(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  origin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());
beforeEach(() => {
  rmSync(target, { recursive: true, force: true });
  open.clear();
  most = 0;
  together = 1;
});

const urls = (...names: string[]) => names.map((name) => `${origin}/${name}`);
const saved = () => readdirSync(target).sort();

test("bodies are printed one after the other", async () => {
  const { code, stdout } = await run(["request", "--lines", ...urls("a", "b")]);
  assert.deepEqual([code, stdout], [0, "body of /abody of /b"]);
  const partly = await run(["request", "-f", ...urls("missing", "b")]);
  assert.deepEqual([partly.code, partly.stdout], [1, "body of /b"]);
});

test("with --parallel they are requested at once, and printed in the order of the URLs", async () => {
  together = 3;
  const { code, stdout, stderr } = await run(["request", "--parallel", "3", ...urls("a", "b", "c")]);
  assert.deepEqual([code, stdout, stderr], [0, "body of /abody of /bbody of /c", ""]);
  assert.equal(most, 3);
  together = 1;
  const partly = await run(["request", "-i", "-f", "--parallel", "2", ...urls("missing", "b")]);
  assert.equal(partly.code, 1);
  assert.match(partly.stdout, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nbody of \/b$/);
  assert.match(partly.stderr, /^std-net: http:\/\/127\.0\.0\.1:\d+\/missing: the response's status is 404$/m);
});

test("--parallel: as many at once as it says, and each in its file", async () => {
  together = 3;
  const names = ["1.txt", "2.txt", "3.txt", "4.txt", "5.txt", "6.txt"];
  const { code, stderr } = await run(["request", "-o", target, "--parallel", "3", ...urls(...names)]);
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(most, 3);
  assert.deepEqual(saved(), names);
  for (const name of names) assert.equal(readFileSync(join(target, name), "utf8"), `body of /${name}`);
});

test("one that fails is named, and the others are saved; one URL can go into a folder too", async () => {
  const { code, stderr } = await run([
    ...["request", "-f", "-o", target, "--parallel", "2", ...urls("a", "missing", "b")],
  ]);
  assert.equal(code, 1);
  assert.equal(stderr, `std-net: http://${origin}/missing: the response's status is 404\n`);
  assert.deepEqual(saved(), ["a", "b"]);
  assert.equal((await run(["request", "-o", target, ...urls("c")])).code, 0);
  assert.deepEqual(saved(), ["a", "b", "c"]);
});

test("Ctrl-C stops all of them, and --resume continues each", {
  skip: process.platform === "win32",
}, async () => {
  together = 3;
  const args = ["request", "-o", target, "--parallel", "2", ...urls("a", "b")];
  await using command = start(...args);
  const isThere = () => ["a", "b"].every((name) => saved().includes(name) && content(name) === "body");
  const content = (name: string) => readFileSync(join(target, name), "utf8");
  while (open.size < 2 || !isThere()) await new Promise((go) => setTimeout(go, 20));
  command.kill("SIGINT");
  const { signal, stderr } = await command.exit();
  assert.equal(signal, "SIGINT");
  assert.match(
    stderr,
    /^std-net: \S+\/a: interrupted.*--resume goes on\nstd-net: \S+\/b: interrupted.*--resume goes on\n$/,
  );
  const { code } = await run([...args, "--resume"]);
  assert.equal(code, 0);
  assert.deepEqual([content("a"), content("b")], ["body of /a", "body of /b"]);
});

test("on a terminal a bar counts the files", async () => {
  writeFileSync(join(folder, "x"), "");
  await using terminal = startInTerminal("request", "-o", target, "--parallel", "2", ...urls("a", "b"));
  const { stdout, code } = await terminal.exit();
  assert.equal(code, 0);
  assert.match(stdout, /\[#{24}\] 2 of 2 files, \d+ B, /);
});

test("a URL names no file outside the folder, and no two files are one", async () => {
  for (const [path, name] of [
    ["a/b.txt?c#d", "b.txt"],
    ["", "index.html"],
    ["a/", "index.html"],
    ["..%2f..%2Fetc%2fpasswd", ".._.._etc_passwd"],
    ["%2e%2e", "index.html"],
    ["a%5Cb", "a_b"],
    ["C%3Ax", "C_x"],
    ["a%00%1b%0a", "a___"],
    ["%E4%BD%A0", "你"],
    ["%ff", "%ff"],
    ["a. .", "a"],
    ["NUL.txt", "_NUL.txt"],
  ] as const) {
    assert.equal(fileNameOf(`http://h/${path}`), name, path);
  }
  assert.throws(() => fileNamesOf(["http://a/x", "http://b/X"]), /two URLs would be saved as X/);
  for (const [args, complaint] of [
    [["--parallel", "0", "-o", target, "localhost"], /--parallel wants a number from 1 to 64, not '0'/],
    [["--parallel", "2", "GET", "localhost"], /--parallel is for several URLs, each alone/],
  ] as const) {
    const { code, stderr } = await run(["request", ...args]);
    assert.equal(code, 2);
    assert.match(stderr, complaint);
  }
});
