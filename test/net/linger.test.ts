// SO_LINGER makes close(2) wait inside the kernel: whoever ends a worker, or collects garbage, does not.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import * as net from "std-net";
import { err, node, ok } from "../support/peer.ts";
import { tcpPair } from "../support/sockets.ts";

/** A worker's program: a stream with more to send than the peer takes, which lingers for half a minute. */
const lingering = (ending: string): string => `
const { parentPort, workerData } = require("node:worker_threads");
const stream = require("std-net").TcpStream.connect(workerData).value;
stream.set_linger(30_000);
stream.set_nonblocking(true);
while (stream.write(Buffer.alloc(100_000)).isOk);
parentPort.postMessage("full");
${ending}
parentPort.postMessage("done");
`;
const endings = {
  "is closing": "stream.close();",
  "is closing after it was shared": "stream.as_fd(); stream.close();",
  "has left open": "setInterval(() => stream, 1000);",
  "has a clone of": "const clone = stream.try_clone().value; clone.close(); stream.close();",
};

for (const [what, ending] of Object.entries(endings)) {
  test(`worker.terminate() does not wait for a lingering connection that the worker ${what}`, async () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const worker = new Worker(lingering(ending), { eval: true, workerData: ok(listener.local_addr()) });
    const peer = ok(listener.accept());
    assert.deepEqual(await once(worker, "message"), ["full"]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const begun = performance.now();
    await worker.terminate();
    const took = performance.now() - begun;
    assert.ok(took < 2000, `${took} ms`);
    // What was sent goes out in the background, to its end.
    ok(peer.set_read_timeout(10_000));
    assert.ok(ok(peer.read_to_end()).length > 100_000);
    for (const each of [peer, listener]) each.close();
  });
}

test("a worker's connection that lingers 0 seconds is reset when the worker is terminated", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
    const stream = require("std-net").TcpStream.connect(workerData).value;
    stream.set_linger(0);
    setInterval(() => stream, 1000);
    parentPort.postMessage("ready");`,
    { eval: true, workerData: ok(listener.local_addr()) },
  );
  const peer = ok(listener.accept());
  assert.deepEqual(await once(worker, "message"), ["ready"]);
  await worker.terminate();
  ok(peer.set_read_timeout(10_000));
  assert.equal(net.error_code(err(peer.read(1))), "ECONNRESET");
  for (const each of [peer, listener]) each.close();
});

test("process.exit() does not wait for a worker's lingering close", async () => {
  await using child = node(`
const { Worker } = await import("node:worker_threads");
const listener = net.TcpListener.bind("127.0.0.1:0").value;
const code = ${JSON.stringify(lingering(endings["is closing"]))};
const worker = new Worker(code, { eval: true, execArgv: [], workerData: listener.local_addr().value });
const peer = listener.accept().value;
worker.once("message", () => setTimeout(() => {
  console.log(Date.now());
  process.exit();
}, 200));`);
  const begun = Number(await child.line());
  await child.exit();
  assert.ok(Date.now() - begun < 5000, `${Date.now() - begun} ms`);
});

test("a worker's close waits until all is sent, and no longer; a broken connection ends the wait", async () => {
  for (const end of ["read", "reset"]) {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const worker = new Worker(lingering(endings["is closing"]), {
      eval: true,
      workerData: ok(listener.local_addr()),
    });
    const peer = ok(listener.accept());
    assert.deepEqual(await once(worker, "message"), ["full"]);
    let isDone = false;
    const done = once(worker, "message").then(() => {
      isDone = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(isDone, false);
    const begun = performance.now();
    if (end === "read") {
      ok(peer.set_read_timeout(10_000));
      ok(peer.read_to_end());
    } else {
      ok(peer.set_linger(0));
      peer.close();
    }
    await done;
    assert.ok(performance.now() - begun < 10_000, `${performance.now() - begun} ms`);
    for (const each of [peer, listener]) each.close();
  }
});

test("the garbage collector does not wait for a lingering connection that was dropped", async () => {
  const { client, server } = tcpPair();
  (() => {
    const clone = ok(client.try_clone());
    ok(clone.set_linger(30_000));
    ok(clone.set_nonblocking(true));
    while (clone.write(Buffer.alloc(100_000)).isOk);
    client.close();
  })();
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc");
  const begun = performance.now();
  ok(server.set_read_timeout(20));
  let isEnded = false;
  const deadline = begun + 20_000;
  while (!isEnded && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    collect();
    // Nothing is read before the collector has closed it: else there would be nothing to linger for.
    isEnded = performance.now() - begun > 1000;
  }
  const took = performance.now() - begun;
  assert.ok(took < 10_000, `${took} ms`);
  ok(server.set_read_timeout(10_000));
  ok(server.read_to_end());
  server.close();
});
