// A name server that keeps silent, under Windows: the lookup ends when the call has to. The counterpart of test/engine/resolve.test.ts.
// scripts/windows/test.js makes such a name server, where it may.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import * as net from "std-net";
import { err, ok } from "../support/peer.ts";
import { timed } from "../support/sockets.ts";

const skip =
  process.env.STD_NET_NAMES_ARE_SILENT === undefined
    ? "needs a name server that does not answer: Wine, and the right to make a mount namespace"
    : false;

test("timeout_ms and connect_timeout end a lookup that has no answer", { skip }, () => {
  const request = timed(() =>
    err(net.http.request({ method: "GET", url: "http://silent.example/", timeout_ms: 500 })),
  );
  assert.equal(request.value, "http request failed: timed out");
  const connection = timed(() => err(net.TcpStream.connect_timeout("silent2.example:80", 300)));
  assert.equal(connection.value, "failed to connect: connection timed out");
  for (const { took } of [request, connection]) assert.ok(took < 4000, `took ${took} ms`);
});

test("terminate() ends a worker in a lookup that has no answer", { skip }, async () => {
  const worker = new Worker(
    `import("std-net").then((net) => {
      require("node:worker_threads").parentPort.postMessage(0);
      net.TcpStream.connect("silent3.example:80");
    });`,
    { eval: true, execArgv: [] },
  );
  await new Promise((resolve) => worker.once("message", resolve));
  await new Promise((resolve) => setTimeout(resolve, 300));
  const begun = performance.now();
  await worker.terminate();
  assert.ok(performance.now() - begun < 4000);
});

test("later lookups are answered, and sweep away those that were given up", { skip }, () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const port = ok(listener.local_addr()).split(":")[1];
  for (let times = 0; times < 3; times++) {
    assert.match(err(net.TcpStream.connect_timeout(`silent${times}.example:80`, 50)), /timed out$/);
    ok(net.TcpStream.connect_timeout(`localhost:${port}`, 10_000)).close();
  }
  listener.close();
});

test("a name's addresses race: one that refuses, and one that does not answer, lose", { skip }, () => {
  const [first, second] = ok(net.lookup_host("two.example:1")).map((address) => address.split(":")[0]!);
  const answering = ok(net.TcpListener.bind(`${second}:0`));
  const port = ok(answering.local_addr()).split(":")[1];
  const reached = timed(() => ok(net.TcpStream.connect(`two.example:${port}`)));
  assert.equal(ok(reached.value.peer_addr()), `${second}:${port}`);
  reached.value.close();

  const full = ok(net.TcpListener.bind(`${first}:${port}`, { backlog: 0 }));
  const waiting: net.TcpStream[] = [];
  for (let one = net.TcpStream.connect_timeout(`${first}:${port}`, 200); one.isOk; ) {
    waiting.push(one.value);
    one = net.TcpStream.connect_timeout(`${first}:${port}`, 200);
  }
  const raced = timed(() => ok(net.TcpStream.connect_timeout(`two.example:${port}`, 10_000)));
  assert.equal(ok(raced.value.peer_addr()), `${second}:${port}`);
  assert.ok(raced.took >= 200 && raced.took < 5000, `took ${raced.took} ms`);
  for (const each of [raced.value, full, answering, ...waiting]) each.close();

  // Both refuse: the last one's error.
  assert.match(
    err(net.TcpStream.connect(`two.example:${port}`)),
    /actively refused it\. \(os error 10061\)$/,
  );
});
