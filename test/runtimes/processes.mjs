// Core checks: Workers, signals, descriptors, and the process as a whole.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as net from "std-net";
import { err, listening, ok, pause, python, runtime, tcpPair, terminate, worker } from "./support.mjs";

export const checks = {
  async "a server in a worker thread"() {
    const server = worker(
      `import("std-net").then((net) => {
        const listener = net.TcpListener.bind("127.0.0.1:0").value;
        parentPort.postMessage(listener.local_addr().value);
        for (;;) {
          const stream = listener.accept().value;
          const request = net.http.read_request(stream);
          if (request.isOk) net.http.write_response(stream, { status: 200, body: request.value.path });
          stream.close();
        }
      });`,
    );
    const [address] = await once(server, "message");
    for (const path of ["/one", "/two"]) {
      assert.equal(ok(net.http.request({ method: "GET", url: `http://${address}${path}` })).body, path);
    }
    await terminate(server);
  },

  async "terminate() ends a worker that is blocked"() {
    const blocked = worker(
      `import("std-net").then((net) => {
        const listener = net.TcpListener.bind("127.0.0.1:0").value;
        parentPort.postMessage("blocked");
        listener.accept();
      });`,
    );
    await once(blocked, "message");
    await terminate(blocked);
  },

  "descriptors come back when sockets are dropped": async () => {
    assert.equal(typeof globalThis.gc, "function", "the collector can be called");
    const { readdirSync } = await import("node:fs");
    const count = () => readdirSync("/dev/fd").length;
    tcpPair();
    const before = count();
    for (let pair = 0; pair < 50; pair++) tcpPair();
    assert.ok(count() >= before + 90);
    for (let round = 0; round < 20 && count() > before + 10; round++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(count() <= before + 10);
  },

  async "Ctrl-C with a listener interrupts a blocked call"() {
    let heard = 0;
    process.on("SIGINT", () => heard++);
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    spawn("sh", ["-c", `sleep 0.3; kill -INT ${process.pid}`]);
    assert.equal(net.error_code(err(listener.accept())), "EINTR");
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(heard, 1);
  },

  async "Ctrl-C without a listener ends the process"() {
    const program =
      'import("std-net").then((net) => { console.log("on"); net.TcpListener.bind("127.0.0.1:0").value.accept(); });';
    const args = process.versions.deno === undefined ? ["-e", program] : ["eval", program];
    const child = spawn(process.execPath, args);
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGINT");
    const [code, signal] = await once(child, "exit");
    assert.ok(signal === "SIGINT" || code === 130, `${code} ${signal}`);
  },

  "a descriptor in a worker thread"() {
    const [client, server] = tcpPair();
    const thread = worker(
      `import("std-net").then((net) => {
        const stream = net.TcpStream.from_fd(workerData).value;
        stream.write(stream.read(100).value.toString().toUpperCase());
        stream.close();
      });`,
      ok(server.into_fd()),
    );
    ok(client.write("hello"));
    return once(thread, "exit").then(() => assert.equal(ok(client.read_to_end()).toString(), "HELLO"));
  },

  async "terminate() ends a worker that is blocked in any call"() {
    const calls = {
      read: "client.read(1)",
      recv_from: 'net.UdpSocket.bind("127.0.0.1:0").value.recv_from(1)',
      write_all: "client.write_all(Buffer.alloc(100_000_000))",
      "http.request": 'net.http.request({ method: "GET", url: "http://" + address + "/" })',
      "http.read_request": "net.http.read_request(client)",
      "Poller.wait": "net.Poller.create().value.wait(null)",
      "UnixStream.read": "net.UnixStream.pair().value[0].read(1)",
    };
    const { fstatSync, readdirSync } = await import("node:fs");
    // Sockets only: of each worker Deno itself leaves an epoll and an eventfd open.
    const count = () =>
      readdirSync("/dev/fd").filter((fd) => {
        try {
          return fstatSync(Number(fd)).isSocket();
        } catch {
          return false;
        }
      }).length;
    let before = 0;
    for (const [index, call] of Object.values(calls).entries()) {
      const blocked = worker(
        `import("std-net").then((net) => {
          const listener = net.TcpListener.bind("127.0.0.1:0").value;
          const address = listener.local_addr().value;
          const client = net.TcpStream.connect(address).value;
          parentPort.postMessage("blocked");
          ${call};
        });`,
      );
      await once(blocked, "message");
      await pause(100);
      await terminate(blocked);
      await pause(20);
      if (index === 1) before = count();
    }
    assert.ok(count() <= before + 4, `${count()} sockets are open after ${before}`);
  },

  async "process.exit() while workers are blocked"() {
    const child = runtime(
      `import "std-net";
      import { Worker } from "node:worker_threads";
      const code = 'import("std-net").then((net) => { require("node:worker_threads").parentPort.postMessage(0); net.TcpListener.bind("127.0.0.1:0").value.accept(); })';
      let ready = 0;
      for (let index = 0; index < 3; index++) {
        new Worker(code, { eval: true, execArgv: [] }).on("message", () => {
          if (++ready === 3) setTimeout(() => { console.log("exit"); process.exit(7); }, 100);
        });
      }`,
    );
    await once(child.stdout, "data");
    const begin = performance.now();
    const [code] = await once(child, "exit");
    assert.equal(code, 7);
    assert.ok(performance.now() - begin < 1000, `exit took ${performance.now() - begin} ms`);
  },

  async "signals: a listener that comes after the first socket, in every kind of wait"() {
    let heard = 0;
    const [client, server] = tcpPair();
    process.on("SIGTERM", () => heard++);
    const calls = [
      () => client.read(1),
      () => server.write_all(Buffer.alloc(100_000_000)),
      () => ok(net.UdpSocket.bind("127.0.0.1:0")).recv_from(1),
      () => ok(net.Poller.create()).wait(null),
      () => net.http.read_request(client),
    ];
    for (const call of calls) {
      spawn("sh", ["-c", `sleep 0.3; kill -TERM ${process.pid}`]);
      assert.equal(net.error_code(err(call())), "EINTR");
      if (call === calls[1]) {
        ok(client.set_nonblocking(true));
        while (client.read(1_000_000).isOk);
        ok(client.set_nonblocking(false));
      }
      await pause(50);
    }
    assert.equal(heard, calls.length);
  },

  async "dropped listeners, datagram sockets and pollers come back too"() {
    const { readdirSync } = await import("node:fs");
    const count = () => readdirSync("/dev/fd").length;
    const make = () => {
      ok(net.Poller.create());
      listening();
      ok(net.UdpSocket.bind("127.0.0.1:0"));
      ok(net.UnixDatagram.pair());
    };
    make();
    const before = count();
    for (let round = 0; round < 20; round++) make();
    assert.ok(count() >= before + 90);
    for (let round = 0; round < 20 && count() > before + 10; round++) {
      globalThis.gc();
      await pause(20);
    }
    assert.ok(count() <= before + 10, `${count()} after ${before}`);
  },

  async "nothing is left open by 2,000 connections and requests"() {
    const { readdirSync } = await import("node:fs");
    const count = () => readdirSync("/dev/fd").length;
    const listener = listening();
    const address = ok(listener.local_addr());
    const before = count();
    for (let round = 0; round < 2000; round++) {
      const client = ok(net.TcpStream.connect(address));
      const server = ok(listener.accept());
      ok(client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 204 }));
      assert.equal(ok(net.http.read_response(client)).status, 204);
      err(net.TcpStream.connect("127.0.0.1:1"));
      client.close();
      server.close();
    }
    assert.ok(count() <= before + 2);
  },

  async "CommonJS: require"() {
    const child = runtime(
      `import { createRequire } from "node:module";
      const net = createRequire(import.meta.url)("std-net");
      console.log(net.TcpListener.bind("127.0.0.1:0").isOk, typeof net.http.request);`,
    );
    assert.equal(String((await once(child.stdout, "data"))[0]), "true function\n");
  },

  async tracing() {
    const child = runtime(
      `import * as net from "std-net";
      net.TcpListener.bind("127.0.0.1:0");
      net.TcpStream.connect("127.0.0.1:1");`,
      { NODE_DEBUG: "std-net" },
    );
    let text = "";
    child.stderr.on("data", (data) => {
      text += data;
    });
    await once(child, "close");
    assert.match(text, /TcpListener\.bind.*127\.0\.0\.1:0/);
    assert.match(text, /TcpStream\.connect.*Connection refused \(os error \d+\)/);
  },

  async "the command"() {
    const { child: server, line } = await python(
      "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])\n" +
        "c = s.accept()[0]; c.recv(1000); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n42'); c.close()",
    );
    const flags = process.versions.deno === undefined ? [] : ["run", "-A"];
    const child = spawn(process.execPath, [
      ...flags,
      "dist/cli.js",
      "request",
      "GET",
      `http://127.0.0.1:${line}/`,
    ]);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => {
        text += data;
      });
    }
    const [code] = await once(child, "close");
    assert.equal(code, 0, text);
    assert.equal(JSON.parse(text).body, 42);
    server.kill();
  },
};
