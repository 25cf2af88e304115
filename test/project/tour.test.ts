// What a newcomer sees first: the tour runs to its end and shows what it promises.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startPeer } from "../support/peer.ts";
import { reasonPattern } from "../support/system-errors.ts";

test("npm start shows TCP, UDP, HTTP and errors at work", async () => {
  await using tour = startPeer("node", ["scripts/run.js", "examples/tour.ts"]);
  const { code, stdout, stderr } = await tour.exit();
  assert.equal(stderr, "");
  assert.equal(code, 0);
  for (const shown of [
    /^1\. A TCP conversation$/m,
    /^ +\d.* (µs|ms)[ *] {2}server\.read\(1024\) +→ Buffer of 6: "PING\\r\\n"$/m,
    /^2\. UDP datagrams$/m,
    /bob\.recv_from\(1500\) +→ \[Buffer of 12: "knock, knock", "127\.0\.0\.1:\d+"\]$/m,
    /^3\. HTTP$/m,
    /^ +HTTP\/1\.1 200 OK$/m,
    /→ \{ status: 200, .* body: \{ hello: "you" \} \}$/m,
    /body: \{ sum: 9007199254740996n \}/,
    /^4\. Bodies piece by piece$/m,
    /The rest, 67 MB, through the same 256 KiB buffer: \d+ MB per second$/m,
    /events\.next\(\) +→ \{ value: \{ event: "count", data: "three", id: "", retry: null \}, done: false \}$/m,
    /^5\. Many at once$/m,
    /http\.request_all\(100 requests\) +→ 100 results, 100 of them ok$/m,
    /^6\. Errors are values$/m,
    new RegExp(`→ error: failed to connect: ${reasonPattern("ECONNREFUSED")}$`, "m"),
    /→ "ECONNREFUSED"$/m,
  ]) {
    assert.match(stdout, shown);
  }
  // Both ends of a connection are told apart, and so are calls that are slow because they are the first ones.
  const [, port, own] =
    /TcpStream\.connect\(.*→ a TcpStream from 127\.0\.0\.1:(\d+) to 127\.0\.0\.1:(\d+)$/m.exec(stdout)!;
  assert.ok(stdout.includes(`→ a TcpStream from 127.0.0.1:${own} to 127.0.0.1:${port}\n`), stdout);
  assert.match(stdout, /(?:µs|ms)\* {2}server\.read\(1024\)/);
  assert.match(stdout, /(?:µs|ms) {3}client\.read\(1024\)/);
  assert.ok(!stdout.includes("\u001b"), "no colours where there is no terminal");
});
