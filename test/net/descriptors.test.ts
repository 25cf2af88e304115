// Descriptors: none is lost, none is inherited, a dropped object gives its own back.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import * as net from "std-net";
import { err, node, ok, openDescriptors } from "../support/peer.ts";
import { streamPair } from "../support/sockets.ts";
import { isWindows, reason } from "../support/system-errors.ts";

const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
const address = ok(listener.local_addr());
const closedPort = ((): string => {
  const other = ok(net.TcpListener.bind("127.0.0.1:0"));
  const free = ok(other.local_addr());
  other.close();
  return free;
})();

const operations: Record<string, () => void> = {
  "connect, accept, a byte, close": () => {
    const client = ok(net.TcpStream.connect(address));
    const server = ok(listener.accept());
    ok(client.write("x"));
    ok(server.read(1));
    // The client closes first, so that TIME_WAIT stays with its own port and not with the listener's.
    client.close();
    server.close();
  },
  "connect that is refused": () => {
    err(net.TcpStream.connect(closedPort));
  },
  "connect to no address": () => {
    err(net.TcpStream.connect("nowhere"));
  },
  "bind a listener": () => {
    ok(net.TcpListener.bind("127.0.0.1:0")).close();
  },
  "bind a listener to a port that is taken": () => {
    err(net.TcpListener.bind(address));
  },
  "bind a UDP socket, send to itself, receive": () => {
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    ok(socket.send_to("x", ok(socket.local_addr())));
    ok(socket.recv_from(1));
    socket.close();
  },
  "bind a UDP socket to an address that is not here": () => {
    err(net.UdpSocket.bind("192.0.2.1:0"));
  },
  "http.request that is refused": () => {
    err(net.http.request({ method: "GET", url: `http://${closedPort}/` }));
  },
  "http.request whose connection is closed without an answer": () => {
    const request = { method: "GET", url: `http://${address}/`, timeout_ms: 1 };
    err(net.http.request(request));
    ok(listener.accept()).close();
  },
  "http.read_request of a request that is none": () => {
    const client = ok(net.TcpStream.connect(address));
    const server = ok(listener.accept());
    ok(client.write("nonsense\r\n\r\n"));
    err(net.http.read_request(server));
    client.close();
    server.close();
  },
};

for (const [name, operation] of Object.entries(operations)) {
  // Each of these waits for its timeout of a millisecond.
  const times = isWindows ? 500 : name.includes("without an answer") ? 1000 : 10_000;
  test(`${times} times: ${name}`, () => {
    operation();
    const before = openDescriptors();
    for (let time = 0; time < times; time++) operation();
    assert.equal(openDescriptors(), before);
  });
}

test("a child process inherits none", () => {
  const client = ok(net.TcpStream.connect(address));
  const server = ok(listener.accept());
  const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
  const pair = streamPair();
  const clone = ok(udp.try_clone());
  const poller = ok(net.Poller.create());
  // The standard streams may be sockets themselves (Node makes them so for a child).
  const program = `
import os, stat
found = []
for f in map(int, os.listdir("/dev/fd")):
    try:
        mode = os.fstat(f).st_mode
    except OSError:
        continue
    # (What epoll has is of no type.)
    if f > 2 and (stat.S_ISSOCK(mode) or stat.S_IFMT(mode) == 0): found.append(f)
print(found)`;
  assert.equal(execFileSync("python3", ["-c", program], { encoding: "utf8" }), "[]\n");
  for (const open of [client, server, udp, ...pair, clone, poller]) open.close();
});

test("an object that was dropped gives its descriptor back when it is collected", async () => {
  await using child = node(
    `const { readdirSync } = await import("node:fs");
    const { setFlagsFromString } = await import("node:v8");
    const { runInNewContext } = await import("node:vm");
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc");
    const count = () => readdirSync("/dev/fd").length;
    const listener = net.TcpListener.bind("127.0.0.1:0").value;
    const before = count();
    (() => {
      for (let times = 0; times < 100; times++) {
        net.TcpStream.connect(listener.local_addr().value);
        listener.accept();
        net.UdpSocket.bind("127.0.0.1:0");
        net.TcpListener.bind("127.0.0.1:0");
      }
    })();
    const most = count();
    for (let times = 0; times < 50 && count() > before; times++) {
      collect();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    console.log(most - before, count() - before, listener.local_addr().isOk);`,
  );
  assert.equal(await child.line(), "400 0 true");
});

test("a worker that ends leaves none open", async () => {
  await using child = node(
    `const { readdirSync } = await import("node:fs");
    const { Worker } = await import("node:worker_threads");
    const run = () => new Promise((resolve) => {
      const thread = new Worker(\`(async () => {
        const net = await import("std-net");
        const listener = net.TcpListener.bind("127.0.0.1:0").value;
        globalThis.kept = [listener, net.TcpStream.connect(listener.local_addr().value), listener.accept()];
      })()\`, { eval: true });
      thread.on("exit", resolve);
    });
    const sockets = () => readdirSync("/dev/fd").length;
    await run();
    const before = sockets();
    for (let times = 0; times < 5; times++) await run();
    console.log(sockets() - before);`,
  );
  assert.equal(await child.line(), "0");
});

test("a worker that is terminated leaves none open, and its port is free at once", async () => {
  await using child = node(
    `const { readdirSync } = await import("node:fs");
    const { Worker } = await import("node:worker_threads");
    const start = (address) => new Promise((resolve) => {
      const thread = new Worker(\`
        import * as net from "std-net";
        import { parentPort, workerData } from "node:worker_threads";
        const listener = net.TcpListener.bind(workerData).value;
        const poller = net.Poller.create().value;
        poller.add(listener, { readable: true });
        globalThis.kept = [net.UdpSocket.bind("127.0.0.1:0"), net.UnixStream.pair(), listener.try_clone(), poller];
        parentPort.postMessage(listener.local_addr().value);
        for (;;) poller.wait(null);\`, { eval: true, workerData: address });
      // Registered before the library can: it must have closed them all the same.
      thread.on("exit", () => console.log(net.TcpListener.bind(thread.address).map((found) => found.close()).isOk));
      thread.once("message", (address) => resolve(Object.assign(thread, { address })));
    });
    const first = await start("127.0.0.1:0");
    const before = readdirSync("/dev/fd").length;
    await first.terminate();
    for (let times = 0; times < 5; times++) await (await start(first.address)).terminate();
    console.log(readdirSync("/dev/fd").length < before);`,
  );
  for (let times = 0; times < 6; times++) assert.equal(await child.line(), "true");
  assert.equal(await child.line(), "true");
});

test("when there are no more descriptors, that is an error, and nothing is lost", async () => {
  await using child = node(
    `const { execFileSync } = await import("node:child_process");
    execFileSync("prlimit", ["--pid", String(process.pid), "--nofile=64:64"]);
    const listener = net.TcpListener.bind("127.0.0.1:0").value;
    const kept = [];
    let result;
    while ((result = net.TcpStream.connect(listener.local_addr().value)).isOk) kept.push(result.value);
    console.log(result.error);
    console.log(listener.accept().error);
    console.log(net.UdpSocket.bind("127.0.0.1:0").error);
    kept.pop().close();
    console.log(net.UdpSocket.bind("127.0.0.1:0").isOk);`,
  );
  assert.equal(await child.line(), `failed to connect: ${reason("EMFILE")}`);
  assert.equal(await child.line(), `tcp listener accept failed: ${reason("EMFILE")}`);
  assert.equal(await child.line(), `udp bind failed: ${reason("EMFILE")}`);
  assert.equal(await child.line(), "true");
});

test.after(() => listener.close());
