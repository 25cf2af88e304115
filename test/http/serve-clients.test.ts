// http.serve with the clients that there are, and with thousands of them.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { describe, test } from "node:test";
import { python, startPeer } from "../support/peer.ts";
import { RawClient, said, served } from "../support/served.ts";
import { isWindows } from "../support/system-errors.ts";

const ECHO = `({ method, path, body }) => ({ status: 200, body: { method, path, body } })`;
const REQUEST = "GET /idle HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/** Whether a program is installed here. */
function has(program: string): boolean {
  try {
    execFileSync(program, [program === "ab" ? "-V" : "--version"], { stdio: "ignore" });
    return true;
  } catch (error) {
    // wrk ends with status 1 after its version.
    return (error as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

describe("http.serve", () => {
  test("serves curl, which keeps its connection, waits for 100 Continue, and sends chunks", async () => {
    await using server = await served(ECHO);
    // (Windows has no longer command lines than 32,767 characters.)
    const large = "x".repeat(isWindows ? 30_000 : 100_000);
    await using curl = startPeer("curl", [
      ...["-sSv", "--max-time", "15", `${server.url}/1`, `${server.url}/2`],
      ...["--next", "-sSv", "-H", "Expect: 100-continue", "-d", JSON.stringify(large), `${server.url}/3`],
      ...["--next", "-sSv", "-H", "Transfer-Encoding: chunked", "-d", "[3]", `${server.url}/4`],
      ...["--next", "-sSv", "-I", `${server.url}/5`],
      ...["--next", "-sSv", "-0", `${server.url}/6`],
    ]);
    const { stdout, stderr, code } = await curl.exit();
    assert.equal(code, 0, stderr);
    for (const path of ["/1", "/2", "/3", "/4", "/6"]) assert.ok(stdout.includes(`"path":"${path}"`), path);
    assert.ok(stdout.includes(large));
    assert.ok(stdout.includes('"body":[3]'));
    assert.match(stderr, /< HTTP\/1\.1 100 Continue/);
    assert.match(stderr, /Re-using existing|Reusing existing/i);
    assert.doesNotMatch(stderr, /died|closed by|reset/i);
  });

  test("serves Python's clients, with one connection for many requests", async () => {
    await using server = await served(ECHO);
    await using client = python(
      `
import http.client, json, urllib.request
c = http.client.HTTPConnection("127.0.0.1", ${server.port}, timeout=15)
for i in range(100):
    c.request("POST" if i % 2 else "GET", "/%d" % i, body=b"[%d]" % i if i % 2 else None)
    r = c.getresponse(); answer = json.loads(r.read())
    assert answer["path"] == "/%d" % i, answer
    assert answer["body"] == ([i] if i % 2 else None), answer
    if i == 0: first = c.sock
    assert c.sock is first
c.request("POST", "/chunks", body=iter([b"[1", b",2]"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
assert json.loads(c.getresponse().read())["body"] == [1, 2]
c.request("HEAD", "/head"); r = c.getresponse(); assert (r.status, r.read()) == (200, b"")
assert urllib.request.urlopen("${server.url}/u", timeout=15).status == 200
print("done")`,
    );
    assert.equal(await client.line(), "done");
  });

  test("serves node:http's agent, whose connections all stay", async () => {
    await using server = await served(ECHO);
    const agent = new Agent({ keepAlive: true, maxSockets: 8 });
    const sockets = new Set<unknown>();
    const one = async (index: number): Promise<void> => {
      const sent = request(`${server.url}/${index}`, { agent, method: "POST" });
      sent.end(JSON.stringify(index));
      const [response] = await once(sent, "response");
      sockets.add(response.socket);
      let text = "";
      for await (const chunk of response) text += chunk;
      assert.deepEqual(JSON.parse(text), { method: "POST", path: `/${index}`, body: index });
    };
    await Promise.all(Array.from({ length: 400 }, (_, index) => one(index)));
    assert.equal(sockets.size, 8);
    agent.destroy();
  });

  for (const [program, args] of [
    ["ab", ["-q", "-n", "2000", "-c", "32"]],
    ["ab", ["-q", "-k", "-n", "5000", "-c", "32"]],
    ["wrk", ["-t1", "-c64", "-d1s"]],
    ["wrk", ["-t1", "-c16", "-d1s", "-H", "Connection: close"]],
  ] as const) {
    const skip = has(program) ? false : `${program} is not installed here`;
    test(`fails no request of ${program} ${args.join(" ")}`, { skip }, async () => {
      await using server = await served(ECHO);
      await using client = startPeer(program, [...args, `${server.url}/`]);
      const { stdout, code } = await client.exit();
      assert.equal(code, 0, stdout);
      if (program === "ab") {
        assert.match(stdout, /^Failed requests: +0$/m);
        assert.doesNotMatch(stdout, /^Non-2xx/m);
        if ((args as readonly string[]).includes("-k")) assert.match(stdout, /^Keep-Alive requests: +5000$/m);
      } else {
        assert.doesNotMatch(stdout, /Non-2xx/);
        // (A server that ends a connection is a read error to wrk now and then.)
        if (!(args as readonly string[]).includes("-H")) assert.doesNotMatch(stdout, /Socket errors/);
      }
    });
  }

  test("serves on beside hundreds of clients that drip their heads, and refuses these in time", async () => {
    await using server = await served(ECHO, "{ request_timeout_ms: 2000 }");
    const drips = Array.from({ length: 300 }, () => new RawClient(server.port));
    for (const drip of drips) drip.write("GET / HTTP/1.1\r\nHost: a\r\n");
    const dripping = setInterval(() => {
      for (const drip of drips) if (!drip.ended) drip.write("X: y\r\n");
    }, 200);
    const begin = performance.now();
    while (performance.now() - begin < 1500) assert.match(await said(server.port, LAST), /^HTTP\/1\.1 200 /);
    for (const drip of drips) {
      await drip.until(() => drip.ended || drip.error !== null);
      assert.deepEqual(drip.statuses, [408]);
    }
    clearInterval(dripping);
    assert.match(await said(server.port, LAST), /^HTTP\/1\.1 200 /);
    for (const drip of drips) drip.close();
  });

  const room = isWindows ? Infinity : Number(execFileSync("sh", ["-c", "ulimit -n"], { encoding: "utf8" }));
  test("has 5,000 idle clients at once, each of whom it serves again", {
    skip: room < 6000 ? `${room} descriptors are too few` : false,
  }, async () => {
    await using server = await served(ECHO);
    const clients: RawClient[] = [];
    while (clients.length < 5000) {
      const next = Array.from({ length: 250 }, () => new RawClient(server.port));
      for (const client of next) client.write(REQUEST);
      for (const client of next) await client.until(() => client.text.endsWith("}"));
      clients.push(...next);
    }
    const begin = performance.now();
    for (let count = 0; count < 100; count++) assert.match(await said(server.port, LAST), /^HTTP\/1\.1 200 /);
    assert.ok(performance.now() - begin < 5000);
    if (process.platform === "linux") {
      const status = readFileSync(`/proc/${server.server.process.pid}/status`, "utf8");
      const resident = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
      assert.ok(resident < 250, `${resident} MiB`);
    }
    for (const client of clients.filter((_, index) => index % 50 === 0)) {
      client.text = "";
      client.write(REQUEST);
      await client.until(() => client.text.endsWith('"path":"/idle","body":null}'));
    }
    for (const client of clients) client.close();
  });
});
