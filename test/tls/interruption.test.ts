// What ends a call that waits: timeouts, signals, the end of a worker.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import * as net from "std-net";
import { err, node, ok, type Peer, portOf, pythonFile } from "../support/peer.ts";
import { ACCEPT, ca, certificates, echoServer, LOOPBACK, pythonServer } from "../support/tls-peers.ts";

/** Passes on what the server at `addr` says as it comes up to the byte `from`, and then one byte every 30 ms. */
async function dripping(addr: string, from: number): Promise<{ peer: Peer; addr: string }> {
  const peer = pythonFile("drip.py", portOf(addr), String(from));
  return { peer, addr: `127.0.0.1:${await peer.line()}` };
}

test("a peer that sends its records byte by byte holds up no timeout and no worker's end", async () => {
  const { peer: echo, addr } = await echoServer();
  await using _echo = echo;
  const slowHandshake = await dripping(addr, 20);
  await using _1 = slowHandshake.peer;
  // Behind the handshake: its messages and the first tickets are some 1500 bytes.
  const slowData = await dripping(addr, 4000);
  await using _2 = slowData.peer;
  const took = (what: () => void): number => {
    const began = performance.now();
    what();
    return performance.now() - began;
  };
  const soon = (milliseconds: number) => assert.ok(milliseconds < 2000, `${milliseconds} ms`);
  const tls = { ca, server_name: "server.test" };

  soon(
    took(() => {
      const error = err(net.TlsStream.connect(slowHandshake.addr, { ...tls, timeout_ms: 300 }));
      assert.equal(error, "tls handshake failed: timed out");
    }),
  );
  const plain = ok(net.TcpStream.connect(slowHandshake.addr));
  ok(plain.set_read_timeout(300));
  soon(
    took(() => {
      const error = err(net.TlsStream.client(plain, "server.test", { ca }));
      assert.equal(net.error_code(error), "EAGAIN");
    }),
  );
  soon(
    took(() => {
      const url = `https://${slowHandshake.addr}/`;
      const error = err(net.http.request({ method: "GET", url, tls, timeout_ms: 300 }));
      assert.equal(error, "http request failed: timed out");
    }),
  );

  const stream = ok(net.TlsStream.connect(slowData.addr, { ...tls, timeout_ms: 10_000 }));
  ok(stream.set_read_timeout(300));
  ok(stream.write_all(Buffer.alloc(16_000)));
  let error: string | null = null;
  soon(
    took(() => {
      while (error === null) {
        const result = stream.read(100_000);
        if (result.isErr) error = result.error;
      }
    }),
  );
  assert.equal(net.error_code(error!), "EAGAIN");
  stream.close();

  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import("std-net").then((net) => {
      parentPort.postMessage("begins");
      net.TlsStream.connect(workerData);
    });`;
  const worker = new Worker(code, { eval: true, workerData: slowHandshake.addr });
  await new Promise((resolve) => worker.once("message", resolve));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = performance.now();
  await worker.terminate();
  const ending = performance.now() - began;
  assert.ok(ending < 500, `${ending} ms`);
});

test("a signal ends a write that has sent a part of its record", async () => {
  const { peer, addr } = await pythonServer(`${ACCEPT}time.sleep(9)\n`);
  await using _ = peer;
  await using child = node(
    `
    import { readFileSync } from "node:fs";
    process.on("SIGINT", () => console.log("listener"));
    const [addr, path] = process.argv.slice(1);
    const stream = net.TlsStream.connect(addr, { ca: readFileSync(path), server_name: "server.test" }).value;
    console.log("begins");
    console.log(net.error_code(stream.write_all(Buffer.alloc(50_000_000)).error));`,
    addr,
    certificates.path("root.pem"),
  );
  assert.equal(await child.line(), "begins");
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = performance.now();
  child.kill("SIGINT");
  assert.equal(await child.line(), "EINTR");
  assert.equal(await child.line(), "listener");
  assert.ok(performance.now() - began < 2000);
});

test("a worker that waits in a handshake can be ended", async () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import("std-net").then((net) => {
      parentPort.postMessage("begins");
      net.TlsStream.connect(workerData);
    });`;
  const worker = new Worker(code, { eval: true, workerData: ok(listener.local_addr()) });
  await new Promise((resolve) => worker.once("message", resolve));
  const accepted = ok(listener.accept());
  const began = performance.now();
  await worker.terminate();
  assert.ok(performance.now() - began < 1000);
  accepted.close();
  listener.close();
});
