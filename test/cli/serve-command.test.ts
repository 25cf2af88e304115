// std-net serve, as the shell and its clients see it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { connect } from "node:net";
import { json } from "node:stream/consumers";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CLI, run, start } from "../support/command.ts";
import { type Peer, python, pythonFile, startPeer } from "../support/peer.ts";
import { isWindows, reasonPattern } from "../support/system-errors.ts";

/** A request by node:http, because under Wine Node's fetch cannot connect. */
async function fetchWith(url: string, { method = "GET", body = Buffer.alloc(0) } = {}) {
  const sent = request(url, { method, agent: false }).end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { status: response.statusCode, json: await json(response) };
}

describe("serve", () => {
  async function startServer(...args: string[]) {
    return await listening(start("serve", "127.0.0.1:0", ...args));
  }

  async function listening(server: Peer) {
    const stderr = server.process.stderr!;
    const notice = String((await once(stderr, "data"))[0]);
    const port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+) /.exec(notice)?.[1]);
    return { server, port, url: `http://127.0.0.1:${port}` };
  }

  test("each response is the request itself, and each request is printed on a line; Ctrl-C ends it, status 0", async () => {
    const { server, url } = await startServer();
    await using _ = server;
    await using curl = startPeer("curl", [
      ...["-sS", "--max-time", "10", "-X", "PUT", "-H", "Content-Type: application/json"],
      ...["-d", '{"id":9007199254740993}', `${url}/hook/a?b=1`],
    ]);
    const { stdout, stderr } = await curl.exit();
    assert.equal(stderr, "");
    assert.match(
      stdout,
      /^\{"method":"PUT","path":"\/hook\/a","query":"b=1","version":"HTTP\/1\.1","headers":\{.*\},"body":\{"id":9007199254740993\}\}$/,
    );
    assert.match(
      await server.line(),
      /^\d\d:\d\d:\d\d PUT \/hook\/a\?b=1 \(23 bytes of application\/json\) from 127\.0\.0\.1:\d+$/,
    );
    server.kill("SIGINT");
    const end = await server.exit();
    // (There process.kill is TerminateProcess; test/sys/ctrl-c.test.ts presses Ctrl-C.)
    if (isWindows) return;
    assert.match(end.stderr, /^stopped after 1 request$/m);
    assert.equal(end.code, 0);
    assert.equal(end.signal, null);
  });

  test("a client that sends nothing, or half a request, delays no other client; the status can be chosen", async () => {
    const { server, port, url } = await startServer("--status", "503");
    await using _ = server;
    const silent = connect(port, "127.0.0.1");
    const slow = connect(port, "127.0.0.1");
    await once(slow, "connect");
    slow.write("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    for (const path of ["/one", "/two"]) {
      const response = await fetchWith(url + path);
      assert.equal(response.status, 503);
      assert.equal((response.json as { path: string }).path, path);
    }
    slow.write("cd");
    const [answer] = (await once(slow, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 503 .*"body":"abcd"\}$/s);
    silent.destroy();
    slow.destroy();
    server.kill("SIGTERM");
    const { code } = await server.exit();
    if (!isWindows) assert.equal(code, 0);
  });

  test("bytes that are no text come as base64, and what is no HTTP is refused", async () => {
    const { server, port, url } = await startServer("--verbose");
    await using _ = server;
    const response = await fetchWith(url, { method: "POST", body: Buffer.from([0xff, 0xfe, 0x00]) });
    assert.deepEqual((response.json as { body: unknown }).body, { base64: "//4A" });
    const stranger = connect(port, "127.0.0.1");
    stranger.end("no HTTP\r\n\r\n");
    const [answer] = (await once(stranger, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 400 .*"error":"invalid http request: /s);
    for (const line of [/^ {2}"body": \{$/, / refused invalid http request: .* from 127/]) {
      while (!line.test(await server.line()));
    }
    server.kill("SIGINT");
    const { code } = await server.exit();
    if (!isWindows) assert.equal(code, 0);
  });

  test("a client that sends all of a request that is refused reads why", async () => {
    const { server, port, url } = await startServer();
    await using _ = server;
    // Python sends everything before it reads; a connection that is reset loses what it had not read.
    await using client = pythonFile("http-refused.py", String(port));
    for (const expected of ["413 True", "431 True", "400 True", "200 False"]) {
      assert.equal(await client.line(), expected);
    }
    await using curl = startPeer("bash", [
      "-c",
      `head -c 70000000 /dev/zero | curl -sS -m 20 -H Expect: -T - -w ' %{http_code}' ${url}/`,
    ]);
    const { code, stdout } = await curl.exit();
    assert.deepEqual([code, stdout], [0, '{"error":"request body too large"} 413']);
  });

  test("no client goes on for ever after it was refused, and none delays the others", async () => {
    const { server, port, url } = await startServer();
    await using _ = server;
    const hostile = (what: string) =>
      python(`
c = socket.create_connection(("127.0.0.1", ${port})); c.sendall(b"no HTTP\\r\\n\\r\\n"); print(c.recv(12).decode())
begun = time.monotonic()
try:
    while time.monotonic() - begun < 15: ${what}
    print("still open")
except OSError: print("reset")`);
    await using trickling = hostile('c.sendall(b"x"); time.sleep(0.05)');
    await using flooding = hostile('c.sendall(b"x" * 1000000)');
    await using endless = python(`
c = socket.create_connection(("127.0.0.1", ${port})); c.settimeout(0.05)
while True:
    try: c.sendall(b"HEAD / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 100)
    except TimeoutError: pass
    try: c.recv(1000000)
    except TimeoutError: pass`);
    // This one does not read its response, which is more than the buffers hold.
    const size = 20_000_000;
    await using lazy = python(`
c = socket.create_connection(("127.0.0.1", ${port}))
c.sendall(b"POST / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: ${size}\\r\\n\\r\\n" + b"x" * ${size})
print("sent"); sys.stdin.readline(); n = 0
while data := c.recv(65536): n += len(data)
print(n > ${size})`);
    assert.equal(await lazy.line(), "sent");
    for (const one of [trickling, flooding]) assert.equal(await one.line(), "HTTP/1.1 400");
    for (let i = 0; i < 3; i++) {
      const begun = performance.now();
      assert.equal((await fetchWith(url)).status, 200);
      assert.ok(performance.now() - begun < 3000, "no timeout of another connection was waited for");
    }
    for (const one of [trickling, flooding]) assert.equal(await one.line(), "reset");
    lazy.process.stdin?.write("\n");
    assert.equal(await lazy.line(), "True");
    assert.ok(endless.process.exitCode === null, "it was served all the time");
  });

  test("without free descriptors it waits, and goes on when there are some", async () => {
    const program = `ulimit -n 40; exec "$0" ${CLI} serve 127.0.0.1:0`;
    const { server, port, url } = await listening(startPeer("sh", ["-c", program, process.execPath]));
    await using _ = server;
    const crowd = Array.from({ length: 40 }, () => connect(port, "127.0.0.1"));
    await Promise.all(crowd.map((client) => once(client, "connect")));
    const descriptors = () => readdirSync(`/proc/${server.process.pid}/fd`).length;
    while (descriptors() < 40) await sleep(10);
    // proc(5): utime and stime, in hundredths of a second.
    const used = () => {
      const [, utime, stime] = /(?:\S+ ){11}(\d+) (\d+) /.exec(
        readFileSync(`/proc/${server.process.pid}/stat`, "utf8").split(") ")[1]!,
      )!;
      return Number(utime) + Number(stime);
    };
    const before = used();
    await sleep(1000);
    assert.ok(used() - before < 15, `${used() - before} % of a second`);
    for (const client of crowd) client.destroy();
    assert.equal((await fetchWith(url)).status, 200);
  });

  test("an address that is taken is an error", async () => {
    const { server, port } = await startServer();
    await using _ = server;
    const { code, stderr } = await run(["serve", `127.0.0.1:${port}`]);
    assert.match(
      stderr,
      new RegExp(
        `^std-net: tcp listener bind failed: ${reasonPattern("EADDRINUSE")}(: another program has it.*)?\\n$`,
      ),
    );
    assert.equal(code, 1);
  });
});
