// Nothing is left behind: memory, descriptors, OpenSSL's errors.
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import * as net from "std-net";
import { err, nodeFile, ok, openDescriptors, peerPath, startPeer } from "../support/peer.ts";
import { assertEmptyErrorQueue, ca, certificates, echoServer, options } from "../support/tls-peers.ts";

test("two thousand handshakes cost neither memory nor descriptors", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  const descriptors = openDescriptors();
  const rounds = (count: number) => {
    for (let round = 0; round < count; round++) {
      // Every fourth fails, every other makes a full handshake.
      const name = round % 4 === 0 ? "other.test" : "server.test";
      const result = net.TlsStream.connect(addr, { ...options(), server_name: name });
      if (name === "other.test") {
        err(result);
        continue;
      }
      const stream = ok(result);
      ok(stream.write("x"));
      if (round % 2 === 0) assert.equal(ok(stream.read(1)).toString(), "x");
      stream.close();
    }
  };
  rounds(300);
  const before = process.memoryUsage().rss;
  rounds(2000);
  const grown = process.memoryUsage().rss - before;
  // One connection that is not freed keeps some 20 KiB: 2000 would be 40 MiB. V8's own heap comes and goes.
  assert.ok(grown < 16 * 1024 * 1024, `resident memory grew by ${grown} bytes`);
  assert.equal(openDescriptors(), descriptors);
  assertEmptyErrorQueue();
});

test("streams that were dropped give back descriptor and memory", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  await using child = startPeer(process.execPath, [
    "--expose-gc",
    peerPath("tls-dropped-streams.mjs"),
    addr,
    certificates.path("root.pem"),
  ]);
  assert.equal(await child.line(), "true");
});

test("two worker threads at once, and one that is ended while it waits", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import("std-net").then((net) => {
      const { addr, ca } = workerData;
      for (let round = 0; round < 50; round++) {
        const stream = net.TlsStream.connect(addr, { ca, server_name: "server.test" });
        if (stream.isErr) throw new Error(stream.error);
        for (let time = 0; time < 5; time++) {
          stream.value.write("ping");
          if (String(stream.value.read(10).value) !== "ping") throw new Error("wrong answer");
        }
        stream.value.close();
      }
      parentPort.postMessage("done");
      net.TlsStream.connect(addr, { ca, server_name: "server.test" }).value.read(1);
    });`;
  const workers = [1, 2].map(() => new Worker(code, { eval: true, workerData: { addr, ca } }));
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.on("message", resolve);
          worker.on("error", reject);
        }),
    ),
  );
  const began = performance.now();
  await Promise.all(workers.map((worker) => worker.terminate()));
  const took = performance.now() - began;
  assert.ok(took < 1000, `${took} ms`);
});

test("workers that end or are terminated leave none of OpenSSL's memory behind", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  await using child = nodeFile("tls-workers.mjs", addr, certificates.path("root.pem"));
  for (let tens = 0; tens < 5; tens++) assert.equal(await child.line(), "ten more");
  const kibibytes = Number(await child.line());
  // A store of trusted certificates is 1000.
  assert.ok(kibibytes < 300, `${kibibytes} KiB a worker`);
});

test("node:crypto does not see what failed here", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  const failure = (): string => {
    try {
      createPrivateKey("no key");
      return "none";
    } catch (error) {
      return JSON.stringify(
        error,
        Object.getOwnPropertyNames(error).filter((name) => name !== "stack"),
      );
    }
  };
  const before = failure();
  err(net.TlsStream.connect(addr, { server_name: "server.test" }));
  err(net.TlsStream.connect(addr, { ca: "no certificate" }));
  assert.equal(failure(), before);
});
