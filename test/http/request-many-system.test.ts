// Many requests at once and the system: signals, workers, descriptors that are used up, lookups.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as net from "std-net";
import { inOwnMounts, skip } from "../support/own-mounts.ts";
import { node, openDescriptors, startPeer } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";
import { reason } from "../support/system-errors.ts";

let raw: RawServer;
before(async () => {
  raw = await rawServer();
});
after(async () => {
  await raw[Symbol.asyncDispose]();
});

// The parent of a worker frees what the worker had: it is to have the library too.
assert.equal(typeof net.http.request_each, "function");

const RESPONSE = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";

for (const [name, call] of [
  ["request_all", "net.http.request_all(requests, { concurrency: 3 })"],
  [
    "request_each",
    "[...net.http.request_each(requests, { concurrency: 3 })].sort(([a], [b]) => a - b).map(([, result]) => result)",
  ],
]) {
  test(`a signal with a listener: what ${name} has not done gets EINTR, and the listener runs`, async () => {
    await using child = node(
      `process.on("SIGINT", () => console.log("listener"));
      const [quick, slow] = process.argv.slice(1).map((url) => ({ method: "GET", url }));
      const requests = [quick, slow, slow, slow, slow];
      console.log("blocking");
      for (const result of ${call}) console.log(result.isOk ? result.value.status : result.error);`,
      raw.url(RESPONSE),
      raw.url(60_000),
    );
    assert.equal(await child.line(), "blocking");
    await new Promise((resolve) => setTimeout(resolve, 300));
    child.kill("SIGINT");
    const { stdout, stderr, code } = await child.exit();
    const interrupted = `http request failed: ${reason("EINTR")}`;
    assert.equal(stdout, ["blocking", "200", ...Array(4).fill(interrupted), "listener", ""].join("\n"));
    assert.deepEqual([stderr, code], ["", 0]);
  });
}

test("a worker that is terminated in the middle ends soon, and its descriptors are closed", async () => {
  const { Worker } = await import("node:worker_threads");
  let before = 0;
  const program = `
    const { parentPort } = require("node:worker_threads");
    import("std-net").then(({ http }) => {
      const slow = { method: "GET", url: ${JSON.stringify(raw.url(60_000))} };
      const quick = { method: "GET", url: ${JSON.stringify(raw.url(RESPONSE))} };
      const loop = http.request_each([quick, ...Array(20).fill(slow)]);
      loop.next();
      parentPort.postMessage("blocking");
      loop.next();
    });`;
  for (let round = 0; round < 3; round++) {
    const worker = new Worker(program, { eval: true, execArgv: [] });
    await new Promise((resolve) => worker.once("message", resolve));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const begin = performance.now();
    await worker.terminate();
    assert.ok(performance.now() - begin < 2000);
    // What the first worker of a process opens is not closed again.
    if (round === 0) before = openDescriptors();
  }
  const end = performance.now() + 10_000;
  while (openDescriptors() > before + 2 && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.ok(openDescriptors() <= before + 2, "as many as before");
});

test("out of descriptors: a request waits for one of the others", async () => {
  const program = `import * as net from "std-net";
    const [slow, kept] = process.argv.slice(1).map((url) => ({ method: "GET", url }));
    net.http.request(kept);
    const count = (results) => results.filter((result) => result.isOk).length;
    console.log(count(net.http.request_all(Array(150).fill(slow), { concurrency: 150 })));
    console.log(count(net.http.request_all(Array(150).fill({ ...slow, url: slow.url.replace("127.0.0.1", "localhost") }), { concurrency: 150 })));
    // The idle ones give up their places for another origin, also without a batch.
    const idle = net.http.request_all(Array(60).fill(slow), { concurrency: 60 });
    console.log(count(idle), net.http.request({ ...kept, url: kept.url.replace("127.0.0.1", "localhost") }).isOk);
    const results = [...net.http.request_each(Array(150).fill({ ...slow, keep_alive: false }), { concurrency: 150 })];
    console.log(count(results.map(([, result]) => result)));
    // With none left and nobody to wait for, it is an error.
    net.http.request_all([]);
    const held = [];
    for (;;) {
      const socket = net.UdpSocket.bind("127.0.0.1:0");
      if (socket.isErr) break;
      held.push(socket.value);
    }
    const elsewhere = { ...kept, url: kept.url.replace("127.0.0.1", "127.0.0.2") };
    for (const result of net.http.request_all([elsewhere, elsewhere])) console.log(result.isOk ? "ok" : result.error);
    console.log(held.length > 0);`;
  await using child = startPeer("sh", [
    "-c",
    'ulimit -n 64 && exec "$0" --input-type=module -e "$1" "$2" "$3"',
    process.execPath,
    program,
    raw.url(100, RESPONSE),
    raw.url(RESPONSE),
  ]);
  const { stdout, stderr } = await child.exit();
  const lines = stdout.trim().split("\n");
  assert.deepEqual(lines.slice(0, 4), ["150", "150", "60 true", "150"], stderr);
  // (An idle connection that was closed may have left a place for one of the two.)
  for (const line of lines.slice(4, 6)) assert.match(line, /^ok$|Too many open files|refused/);
});

test("a server that this thread's own event loop would have to run: a warning says so", async () => {
  await using child = node(`
    import { createServer } from "node:http";
    process.on("warning", (warning) => console.log(warning.name));
    const server = createServer(() => {}).listen(0, "127.0.0.1", () => {
      const request = { method: "GET", url: "http://127.0.0.1:" + server.address().port + "/", timeout_ms: 2500 };
      for (const result of net.http.request_all([request, request])) console.log(result.error);
      process.exit();
    });`);
  const { stdout } = await child.exit();
  const late = "http request failed: timed out";
  assert.equal(stdout, `BlockedEventLoopWarning\n${late}\n${late}\n`);
});

/** A name server that takes 300 ms for each query, counts them, and answers each with 127.0.0.1. */
const nameServer = (address: string): string => `
mount --bind "$1" /etc/resolv.conf
exec python3 -c '
import collections, socket, subprocess, sys, threading
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${address}", 53))
seen = collections.Counter()
def reply(query, client):
    kind = query[-4:-2]
    head = query[:2] + b"\\x81\\x80\\0\\1" + (b"\\0\\1" if kind == b"\\0\\1" else b"\\0\\0") + b"\\0\\0\\0\\0"
    record = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\x7f\\0\\0\\1" if kind == b"\\0\\1" else b""
    s.sendto(head + query[12:] + record, client)
def serve():
    while True:
        query, client = s.recvfrom(512)
        end = query.index(b"\\0", 12) + 5
        query = query[:end]
        seen[query[12:]] += 1
        threading.Timer(0.3, reply, (query, client)).start()
threading.Thread(target=serve, daemon=True).start()
subprocess.call([sys.argv[1], "--input-type=module", "-e", sys.argv[2]])
print(len(seen), max(seen.values()), flush=True)' "$2" "$3"`;

test("each host is looked up once, and all at the same time", { skip }, async () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const configuration = join(folder, "resolv.conf");
  // An address of this process alone: another run of the tests has its own name server.
  const address = `127.54.${(process.pid >> 8) & 0xff}.${process.pid & 0xff}`;
  writeFileSync(configuration, `nameserver ${address}\noptions timeout:5 attempts:1\n`);
  const path = new URL(raw.url(RESPONSE)).pathname;
  const program = `
import * as net from "std-net";
const requests = Array.from({ length: 30 }, (_, index) => ({
  method: "GET", url: "http://host" + (index % 10) + ".example:${raw.port}${path}", keep_alive: index % 2 === 0,
}));
const begin = performance.now();
const results = net.http.request_all(requests, { concurrency: 15 });
console.log(results.filter((result) => result.isOk).length, performance.now() - begin < 2500 ? "at once" : "one by one");
const other = net.http.request_all(requests.slice(0, 2).map((request) => ({ ...request, timeout_ms: 100 })));
console.log(other.map((result) => result.error ?? "ok").join(", "));
const alone = { ...requests[0], url: requests[0].url.replace("host0", "alone"), keep_alive: false };
const turns = net.http.request_all([alone, alone, alone], { concurrency: 1 });
console.log(turns.filter((result) => result.isOk).length);
`;
  try {
    await using peer = inOwnMounts(nameServer(address), configuration, program);
    const { stdout, stderr } = await peer.exit();
    const [first, second, turns, third] = stdout.trim().split("\n");
    assert.equal(first, "30 at once", stderr);
    assert.match(second!, /^(ok|http request failed: timed out), http request failed: timed out$/);
    // An A and an AAAA query for each host, and in the second call for those that had no connection.
    const [names, most] = third!.split(" ").map(Number);
    assert.equal(names, 22, stdout);
    assert.equal(turns, "3");
    assert.ok(most! <= 2, stdout);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
