import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as net from "std-net";
import { address, listener } from "../support/http-server.ts";
import { nodeFile, ok, pythonFile, startPeer } from "../support/peer.ts";

type Request = net.http.ServerRequest;

function acceptWithin(milliseconds: number): net.TcpStream {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  ok(listener.set_nonblocking(true));
  try {
    for (const limit = performance.now() + milliseconds; ; ) {
      const result = listener.accept();
      if (result.isOk || performance.now() > limit) return ok(result);
      Atomics.wait(pause, 0, 0, 1);
    }
  } finally {
    ok(listener.set_nonblocking(false));
  }
}

// The loop of a server, in this thread, for one connection after the other; the client is a child process.
function serve(connections: number, answer: (request: Request) => net.http.ServerResponse): Request[] {
  const seen: Request[] = [];
  for (let i = 0; i < connections; i++) {
    const stream = acceptWithin(20_000);
    for (;;) {
      const request = net.http.read_request(stream, { timeout_ms: 10_000, raw_headers: true });
      if (request.isErr) {
        assert.equal(request.error, "connection closed before request headers");
        break;
      }
      seen.push(request.value);
      ok(net.http.write_response(stream, answer(request.value)));
    }
    stream.close();
  }
  return seen;
}

const echo = ({ method, path, body }: Request): net.http.ServerResponse => ({
  status: 200,
  headers: { Connection: "keep-alive" },
  body: { method, path, body },
});

const url = `http://${address}`;

const notHere = (program: string): string | false =>
  spawnSync("which", [program]).status === 0 ? false : `${program} is not installed here`;

describe("foreign clients", () => {
  test("ab: HTTP/1.0, with a connection for each request and with one for all", {
    skip: notHere("ab"),
  }, async () => {
    for (const [connections, ...args] of [
      [10, "-n", "10"],
      [1, "-n", "50", "-k"],
      [1, "-n", "1", "-i"],
    ] as const) {
      await using peer = startPeer("ab", ["-q", "-s", "10", ...args, `${url}/ab`]);
      const seen = serve(connections, echo);
      const { stdout, code } = await peer.exit();
      assert.equal(code, 0);
      assert.equal(seen.length, Number(args[1]));
      assert.match(stdout, new RegExp(`^Complete requests: +${args[1]}$`, "m"));
      assert.match(stdout, /^Failed requests: +0$/m);
      assert.doesNotMatch(stdout, /^Non-2xx/m);
      if (args[2] === "-k") assert.match(stdout, /^Keep-Alive requests: +50$/m);
    }
  });

  test("wrk: as many requests as it can send, one by one and pipelined", {
    skip: notHere("wrk"),
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "std-net-"));
    const script = join(directory, "pipeline.lua");
    writeFileSync(
      script,
      "init = function(args) r = wrk.format() .. wrk.format() .. wrk.format() end\nrequest = function() return r end\n",
    );
    for (const args of [[], ["-s", script]]) {
      await using peer = startPeer("wrk", ["-t1", "-c1", "-d1s", ...args, `${url}/wrk`]);
      let count = 0;
      // It looks first whether anybody listens, and goes at its end without reading what it asked for last.
      for (let connection = 0; connection < 2; connection++) {
        const stream = acceptWithin(20_000);
        for (;;) {
          const request = net.http.read_request(stream, { timeout_ms: 10_000 });
          if (request.isErr || net.http.write_response(stream, echo(request.value)).isErr) break;
          count++;
        }
        stream.close();
      }
      const { stdout, code } = await peer.exit();
      assert.equal(code, 0);
      const told = Number(/^ +(\d+) requests in /m.exec(stdout)?.[1]);
      assert.ok(told > 100 && told <= count, stdout);
      assert.doesNotMatch(stdout, /Socket errors|Non-2xx/);
    }
    rmSync(directory, { recursive: true });
  });

  test("curl: methods, bodies, chunks, Expect, HTTP/1.0, kept connections", async () => {
    const curl = async (connections: number, ...args: string[]) => {
      await using peer = startPeer("curl", ["-sS", "--max-time", "10", ...args]);
      const seen = serve(connections, echo);
      const exit = await peer.exit();
      assert.equal(exit.stderr, "");
      assert.equal(exit.code, 0);
      return { seen, stdout: exit.stdout };
    };
    const two = await curl(1, `${url}/a?b`, `${url}/c`);
    assert.equal(
      two.stdout,
      '{"method":"GET","path":"/a","body":null}{"method":"GET","path":"/c","body":null}',
    );

    const posted = await curl(1, "-d", '{"n":1}', "-H", "Content-Type: application/json", url);
    assert.equal(posted.stdout, '{"method":"POST","path":"/","body":{"n":1}}');

    const head = await curl(1, "-I", url);
    assert.match(head.stdout, /^HTTP\/1.1 200 OK\r\n/);
    assert.match(head.stdout, /Content-Length: 40\r\n/);

    // Written by another program: this one is blocked while it serves.
    const big = `python3 -c 'print("\\"" + "\\u00e9" * 400_000 + "\\"")'`;
    const upload = async (options: string) => {
      await using peer = startPeer("sh", [
        "-c",
        `PYTHONUTF8=1 ${big} | curl -sS --max-time 10 ${options} ${url}/up`,
      ]);
      const [seen] = serve(1, ({ body }) => ({ status: 200, body: String(body).length }));
      const { stdout, stderr } = await peer.exit();
      assert.equal(stderr, "");
      assert.equal(stdout, "400000");
      assert.equal(seen?.body, "é".repeat(400_000));
      return seen;
    };
    assert.equal((await upload("--data-binary @-")).headers["content-length"], "800003");
    assert.equal((await upload("-H Expect:100-continue --data-binary @-")).headers.expect, "100-continue");
    const streamed = await upload("-H Expect:100-continue -T -");
    assert.equal(streamed.headers["transfer-encoding"], "chunked");
    assert.equal(streamed.method, "PUT");

    const old = await curl(1, "-0", `${url}/old`);
    assert.equal(old.seen[0]?.version, "HTTP/1.0");
    assert.equal(old.stdout, '{"method":"GET","path":"/old","body":null}');

    const closing = await curl(1, "-H", "Connection: close", `${url}/close`);
    assert.equal(closing.stdout, '{"method":"GET","path":"/close","body":null}');
  });

  test("python's http.client: many requests on a connection, 204, HEAD, text beyond ASCII", async () => {
    await using peer = pythonFile("http-client.py", address);
    const seen = serve(1, echo);
    const exit = await peer.exit();
    assert.equal(exit.stderr, "");
    const out = JSON.parse(exit.stdout);
    assert.equal(out.length, 22);
    assert.deepEqual(out[3], [200, { method: "POST", path: "/p3", body: { i: 3, text: "é€" } }]);
    assert.deepEqual(out[20], [200, "41", ""]);
    assert.deepEqual(out[21], [200, { method: "GET", path: "/x", body: null }]);
    assert.equal(seen.at(-1)?.headers["x-text"], "é");
  });

  test("node's http and fetch: kept connections, streamed bodies", async () => {
    await using peer = nodeFile("http-client.mjs", url);
    const seen = serve(2, echo);
    const exit = await peer.exit();
    assert.equal(exit.stderr, "");
    assert.deepEqual(JSON.parse(exit.stdout), [
      [200, '{"method":"GET","path":"/a","body":null}'],
      [200, '{"method":"POST","path":"/b","body":{"x":[1,2]}}'],
      [200, ""],
      [200, '{"method":"PATCH","path":"/d","body":"plain"}'],
      [200, '{"method":"PUT","path":"/e","body":[5]}'],
    ]);
    assert.equal(seen[1]?.headers["transfer-encoding"], "chunked");
  });

  test("a client that pipelines gets its responses in order", async () => {
    await using peer = pythonFile("http-pipeline.py", address);
    serve(1, echo);
    const expected = [...Array(200).keys(), "end"].join(" ");
    assert.equal((await peer.exit()).stdout.trim(), expected);
  });
});

test("responses to requests that were sent ahead do not wait for the client's acknowledgements", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const [host, port] = ok(listener.local_addr()).split(":");
  const rounds = 20;
  await using peer = pythonFile("http-send-ahead.py", host!, port!, String(rounds));
  const stream = ok(listener.accept());
  for (let times = 0; times < 3 * rounds; times++) {
    ok(net.http.read_request(stream));
    ok(net.http.write_response(stream, { status: 200, headers: { connection: "keep-alive" }, body: 1 }));
  }
  // An acknowledgement is delayed by 40 ms, so that Nagle's algorithm would make this 800 ms.
  const milliseconds = Number(await peer.line());
  assert.ok(milliseconds < 400, `${milliseconds} ms`);
  stream.close();
  listener.close();
});
