// std-net request URL: what curl does with the same arguments, seen by the server and at the output.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { urlFrom } from "../../src/cli/request-url.ts";
import { Certificates } from "../support/certificates.ts";
import { run, start, startInTerminal } from "../support/command.ts";
import { type Exit, nodeFile, startPeer } from "../support/peer.ts";

const folder = mkdtempSync(join(tmpdir(), "std-net-"));
after(() => rmSync(folder, { recursive: true }));
const hasCurl = spawnSync("curl", ["--version"]).error === undefined;

/** The requests that came, as lines of text. */
const seen: string[] = [];

async function see(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { "content-type": type = "", "x-a": a = "", "content-length": length = "" } = request.headers;
  return `${request.method} ${request.url} [${type}] [${a}] [${length}] ${Buffer.concat(chunks).toString("latin1")}`;
}

const server = createServer(async (request, response) => {
  seen.push(await see(request));
  if (request.url === "/moved") response.writeHead(302, { location: "/there" }).end("moved");
  else if (request.url === "/missing") response.writeHead(404).end("no such page\n");
  else if (request.url === "/bytes") response.end(Buffer.from([0, 255, 13, 10, 0]));
  else if (request.url === "/coding") {
    const isWanted = /gzip/.test(String(request.headers["accept-encoding"]));
    if (isWanted) response.setHeader("content-encoding", "gzip");
    response.end(isWanted ? gzipSync("packed") : "plain");
  } else response.writeHead(200, { "X-Answer": "yes" }).end(`answer to ${request.method}`);
});
let port = 0;
before(async () => {
  port = await listen(server);
});
after(() => server.close());

async function listen(any: Server): Promise<number> {
  await once(any.listen(0, "127.0.0.1"), "listening");
  return (any.address() as AddressInfo).port;
}

describe("the same as curl", { skip: !hasCurl && "curl is not installed" }, () => {
  const form = join(folder, "form.txt");
  writeFileSync(form, "one=1\r\ntwo=2\n\0");
  const json = join(folder, "body.json");
  writeFileSync(json, '{"a":\n1}\n');

  for (const [name, ...args] of [
    ["a GET"],
    ["another method", "-X", "DELETE"],
    ["a form", "-d", "a=1"],
    ["parts of a form", "-d", "a=1", "-d", `@${form}`, "--data", "b=2"],
    ["an empty body", "-d", ""],
    ["a form by another method", "-X", "PATCH", "-d", "a=1"],
    ["all bytes of a file", "--data-binary", `@${form}`],
    ["a body of another type", "-d", "<a/>", "-H", "Content-Type: text/xml", "-H", "X-A: some: value"],
    ["JSON", "--json", `@${json}`],
  ] as const) {
    test(name, async () => {
      const all = [...args, `http://127.0.0.1:${port}/a?b=c`];
      const [ours, curls] = [await run(["request", ...all]), await curl(...all)];
      assert.deepEqual([ours.stderr, ours.code], ["", 0]);
      assert.equal(ours.stdout, curls.stdout);
      const [first, second] = seen.splice(0);
      assert.equal(first, second);
    });
  }

  test("-L follows redirects, and without it there are none", async () => {
    const moved = `http://127.0.0.1:${port}/moved`;
    for (const args of [[moved], ["-L", moved], ["-L", "-d", "a=1", moved]]) {
      const [ours, curls] = [await run(["request", ...args]), await curl(...args)];
      assert.equal(ours.stdout, curls.stdout);
      const lines = seen.splice(0);
      assert.deepEqual(lines.slice(0, lines.length / 2), lines.slice(lines.length / 2));
    }
  });

  test("-i shows the head as it came", async () => {
    const plain = (head: Exit) => head.stdout.replace(/^Date: .*$/m, "");
    const args = ["-i", `http://127.0.0.1:${port}/missing`];
    assert.equal(plain(await run(["request", ...args])), plain(await curl(...args)));
  });
});

async function curl(...args: string[]): Promise<Exit> {
  await using peer = startPeer("curl", ["-sS", "--max-time", "15", "--noproxy", "*", ...args]);
  return await peer.exit();
}

test("http:// may be left out for this computer, and for others the error says what to write", () => {
  for (const [text, url] of [
    ["localhost", "http://localhost"],
    ["localhost:8080/a?b", "http://localhost:8080/a?b"],
    ["app.localhost/", "http://app.localhost/"],
    ["127.0.0.1:80", "http://127.0.0.1:80"],
    ["[::1]:80/", "http://[::1]:80/"],
    [":8080", "http://localhost:8080"],
    [":8080/a", "http://localhost:8080/a"],
    ["HTTPS://a/", "HTTPS://a/"],
  ] as const) {
    assert.equal(urlFrom(text), url);
  }
  for (const text of ["example.com", "localhost.example.com/", "127.0.0.1.example.com", "a:8080"]) {
    assert.throws(() => urlFrom(text), {
      message: `'${text}' has no scheme: write https://${text} or http://${text}`,
    });
  }
  assert.throws(() => urlFrom("ftp://a/"), { message: "ftp URLs are not supported, only http and https" });
});

test("a URL without http://, alone and behind a method", async () => {
  assert.equal((await run(["request", `127.0.0.1:${port}/`])).stdout, "answer to GET");
  const { stdout } = await run(["request", "GET", `127.0.0.1:${port}/`]);
  assert.match(stdout, /^\{"status":200,.*"body":"answer to GET"\}\n$/);
});

test("every byte of the body is printed, and --fail makes a failure of a status", async () => {
  await using command = start("request", `127.0.0.1:${port}/bytes`);
  const chunks: Buffer[] = [];
  command.process
    .stdout!.setEncoding("latin1")
    .on("data", (text) => chunks.push(Buffer.from(text, "latin1")));
  command.process.stdin!.end();
  await command.exit();
  assert.deepEqual(Buffer.concat(chunks), Buffer.from([0, 255, 13, 10, 0]));
  for (const args of [[], ["GET"]]) {
    const { code, stdout, stderr } = await run(["request", "--fail", ...args, `127.0.0.1:${port}/missing`]);
    assert.deepEqual([code, stdout, stderr], [1, "", "std-net: the response's status is 404\n"]);
  }
});

test("a body is printed as it arrives", async () => {
  const slow = createServer((_request, response) => response.write("first\n"));
  const slowPort = await listen(slow);
  await using command = start("request", `127.0.0.1:${slowPort}/`);
  assert.equal(await command.line(), "first");
  command.kill();
  slow.closeAllConnections();
  slow.close();
});

test("a body that is cut short is a failure, after what has come of it", async () => {
  const cut = createServer((_request, response) => {
    response.writeHead(200, { "content-length": "100" });
    response.write("a part", () => response.destroy());
  });
  const { code, stdout, stderr } = await run(["request", `127.0.0.1:${await listen(cut)}/`]);
  cut.close();
  assert.deepEqual([code, stdout], [1, "a part"]);
  assert.match(stderr, /^std-net: .*connection closed before response body complete\n$/);
});

test("no coding is asked for without --compressed, and -i does not speak of one that was undone", async () => {
  const url = `127.0.0.1:${port}/coding`;
  assert.equal((await run(["request", url])).stdout, "plain");
  const { stdout } = await run(["request", "-i", "--compressed", url]);
  assert.match(stdout, /^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\npacked$/);
  assert.doesNotMatch(stdout, /content-encoding/i);
});

test("on a terminal, control characters of a body are shown, and bytes that are no text refused", async () => {
  const stranger = createServer((_, response) => response.end("a\u001b[2J\tb\r\nc"));
  const strangerPort = await listen(stranger);
  await using terminal = startInTerminal("request", `127.0.0.1:${strangerPort}/`);
  assert.equal((await terminal.exit()).stdout, "a\\x1b[2J\tb\r\nc\r\n");
  stranger.close();
  await using binary = startInTerminal("request", `127.0.0.1:${port}/bytes`);
  const { stdout, code } = await binary.exit();
  assert.equal(stdout, "std-net: the body is not text: save it with -o FILE, or pipe it on\r\n");
  assert.equal(code, 1);
});

test("--ca, --cert and --key: a private CA, and a server that knows its clients", async () => {
  const certificates = new Certificates();
  certificates.authority("root");
  const { cert, key } = certificates.make("server", "root");
  certificates.make("client", "root", { extensions: "extendedKeyUsage=clientAuth\n" });
  const ca = certificates.path("root.pem");
  const secure = createTlsServer(
    { cert, key, ca: certificates.read("root.pem"), requestCert: true },
    (_request, response) => response.end("welcome"),
  );
  const url = `https://127.0.0.1:${await listen(secure)}/`;
  const identity = ["--cert", certificates.path("client.pem"), "--key", certificates.path("client.key")];
  const known = await run(["request", "--ca", ca, ...identity, url]);
  assert.deepEqual([known.stdout, known.stderr], ["welcome", ""]);
  const both = join(folder, "both.pem");
  writeFileSync(both, certificates.read("client.key") + certificates.read("client.pem"));
  assert.equal((await run(["request", "--ca", ca, "--cert", both, url])).stdout, "welcome");
  const anybody = await run(["request", "--insecure", ...identity, url]);
  assert.equal(anybody.stdout, "welcome");
  const strange = await run(["request", ...identity, url]);
  assert.equal(strange.code, 1);
  assert.match(
    strange.stderr,
    /certificate verify failed.* \(--ca FILE trusts a CA of your own, --insecure any certificate\)\n$/,
  );
  secure.close();
  certificates.remove();
});

test("--proxy, with and without its scheme; and the error of one that cannot be used", async () => {
  await using proxy = nodeFile("http-proxy.mjs");
  const proxyPort = await proxy.line();
  for (const text of [`http://me:x@127.0.0.1:${proxyPort}`, `127.0.0.1:${proxyPort}`]) {
    const { stdout, stderr } = await run(["request", "--proxy", text, `127.0.0.1:${port}/via`]);
    assert.deepEqual([stdout, stderr], ["answer to GET", ""]);
    assert.equal(JSON.parse(await proxy.line())[1], `http://127.0.0.1:${port}/via`);
  }
});

test("--unix-socket", {
  skip: process.platform === "win32" && "Node's own server wants a pipe there",
}, async () => {
  const path = join(folder, "socket");
  const local = createServer((request, response) => response.end(`${request.headers.host} ${request.url}`));
  await once(local.listen(path), "listening");
  const { stdout } = await run(["request", "--unix-socket", path, "localhost/a"]);
  local.close();
  assert.equal(stdout, "localhost /a");
});

describe("wrong usage says what to write", () => {
  for (const [args, complaint] of [
    [["example.com"], /'example\.com' has no scheme: write https:\/\/example\.com or http:\/\/example\.com/],
    [["localhost", "--decode", "json"], /--decode is for the output as JSON: write METHOD URL/],
    [["GET", "http://a/", "-X", "PUT"], /--request is for a URL alone/],
    [["GET", "http://a/", "-d", "1", "-d", "2"], /--data is JSON here and can be given once; for a form, /],
    [["localhost", "-d", "a", "--json", "1"], /--data, --json and --text: only one can be given/],
    [["localhost", "-d", "@/no/such/file"], /\/no\/such\/file cannot be read: ENOENT/],
    [["localhost", "--key", "a"], /--key wants --cert too/],
    [["localhost", "--ca", "/no/such/ca"], /\/no\/such\/ca cannot be read: ENOENT/],
    [["localhost", "--proxy", "socks5://a:1"], /--proxy wants an http proxy, such as /],
  ] as const) {
    test(args.join(" "), async () => {
      const { code, stdout, stderr } = await run(["request", ...args]);
      assert.match(stderr, complaint);
      assert.match(stderr, /^std-net: request: [^\n]* \(std-net help request\)\n$/);
      assert.deepEqual([stdout, code], ["", 2]);
    });
  }
});
