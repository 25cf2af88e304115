// Signals while a call is blocked in the main thread.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isXnu } from "../support/kernel.ts";
import { type Exit, node, python, startPeer } from "../support/peer.ts";
import { reason } from "../support/system-errors.ts";

const prelude = `
const listener = net.TcpListener.bind("127.0.0.1:0").value;
const address = listener.local_addr().value;
const client = net.TcpStream.connect(address).value;
const server = listener.accept().value;
const udp = net.UdpSocket.bind("127.0.0.1:0").value;
`;

const calls: Record<string, string> = {
  "tcp listener accept failed: ": "listener.accept()",
  "tcp read failed: ": "server.read(1)",
  "udp recv failed: ": "udp.recv_from(1)",
  "http request failed: ": "net.http.request({ method: 'GET', url: 'http://' + address + '/' })",
  "poller wait failed: ": "net.Poller.create().value.wait(null)",
  "unix read failed: ": "net.UnixStream.pair().value[0].read(1)",
  "http read failed: ": "net.http.read_request(server)",
};

/** Runs `program`, waits until it is blocked in its call, and sends the signal. */
async function interrupt(program: string, signal: NodeJS.Signals): Promise<Exit & { took: number }> {
  const child = node(program);
  assert.equal(await child.line(), "blocking");
  // The line is printed just before the call: give the call the time to begin.
  await new Promise((resolve) => setTimeout(resolve, 150));
  const begun = performance.now();
  child.kill(signal);
  const end = await child.exit();
  return { ...end, took: performance.now() - begun };
}

for (const [prefix, call] of Object.entries(calls)) {
  test(`without a listener a signal ends the process: ${call}`, async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      const end = await interrupt(
        `${prelude} console.log("blocking"); ${call}; console.log("came back");`,
        signal,
      );
      assert.equal(end.signal, signal);
      assert.equal(end.stdout, "blocking\n");
      assert.ok(end.took < 1000);
    }
  });

  test(`with a listener the call returns EINTR and the listener runs: ${call}`, async () => {
    const end = await interrupt(
      `process.on("SIGINT", () => console.log("listener"));
      ${prelude} console.log("blocking"); const result = ${call};
      console.log(result.error); console.log(net.error_code(result.error));`,
      "SIGINT",
    );
    assert.equal(end.stderr, "");
    assert.equal(end.stdout, `blocking\n${prefix}${reason("EINTR")}\nEINTR\nlistener\n`);
    assert.equal(end.code, 0);
  });
}

for (const [prefix, call] of Object.entries({
  ...calls,
  "tcp write failed: ": "client.write_all(Buffer.alloc(50_000_000))",
  "failed to connect: ": "net.TcpStream.connect(full)",
  ...(isXnu ? {} : { "unix connect failed: ": "net.UnixStream.connect(path)" }),
})) {
  test(`a signal that comes just before the call is not lost: ${call}`, async () => {
    const begun = performance.now();
    const child = node(
      `process.on("SIGINT", () => console.log("listener"));
      ${prelude}
      const small = net.TcpListener.bind("127.0.0.1:0", { backlog: 0 }).value;
      const full = small.local_addr().value;
      const queued = net.TcpStream.connect(full);
      const path = "\\0std-net signals " + process.pid;
      const unix = net.UnixListener.bind(path, { backlog: 0 }).value;
      const waiting = net.UnixStream.connect(path);
      process.kill(process.pid, "SIGINT");
      console.log(${call}.error);`,
    );
    const end = await child.exit();
    assert.equal(end.stderr, "");
    assert.equal(end.stdout, `${prefix}${reason("EINTR")}\nlistener\n`);
    assert.ok(performance.now() - begun < 5000);
  });
}

for (const [prefix, call] of Object.entries({
  "tcp listener accept failed: ": "(net.TcpStream.connect(address).value.close(), listener.accept())",
  "poller wait failed: ": "poller.wait(null)",
})) {
  test(`a signal is noticed in a loop of calls that never wait: ${call}`, async () => {
    const child = node(
      `process.on("SIGINT", () => console.log("listener"));
      ${prelude}
      const poller = net.Poller.create().value;
      poller.add(client, { writable: true });
      process.kill(process.pid, "SIGINT");
      const end = performance.now() + 5000;
      let result;
      do {
        result = ${call};
        if (result.isOk) result.value.close?.();
      } while (result.isOk && performance.now() < end);
      console.log(result.error);`,
    );
    const end = await child.exit();
    assert.equal(end.stderr, "");
    assert.equal(end.stdout, `${prefix}${reason("EINTR")}\nlistener\n`);
  });
}

for (const limit of ["", "client.set_write_timeout(60_000);"]) {
  test(`a signal ends write_all midway, though some bytes had gone out: ${limit || "no timeout"}`, async () => {
    const end = await interrupt(
      `process.on("SIGINT", () => {
        console.log("listener");
        // Once the event loop has turned, a call waits again.
        server.set_nonblocking(true);
        while (server.read(1_000_000).isOk);
        client.set_write_timeout(50);
        console.log(client.write_all(Buffer.alloc(50_000_000)).error);
      });
      ${prelude} ${limit} console.log("blocking");
      console.log(client.write_all(Buffer.alloc(50_000_000)).error);`,
      "SIGINT",
    );
    assert.equal(
      end.stdout,
      `blocking\ntcp write failed: ${reason("EINTR")}\nlistener\n` +
        `tcp write failed: ${reason("EAGAIN")}\n`,
    );
  });
}

test("a listener that comes after the first socket counts too, for any signal, also when it was removed before", async () => {
  for (const signal of ["SIGINT", "SIGTERM", "SIGUSR2", "SIGHUP"] as const) {
    const end = await interrupt(
      `${prelude}
      const early = () => {};
      process.on("${signal}", early);
      process.removeListener("${signal}", early);
      process.once("${signal}", () => console.log("listener"));
      console.log("blocking"); console.log(server.read(1).error);`,
      signal,
    );
    assert.equal(end.stdout, `blocking\ntcp read failed: ${reason("EINTR")}\nlistener\n`);
  }
});

test("a listener that was removed again leaves the signal its default action", async () => {
  const end = await interrupt(
    `${prelude}
    const early = () => {};
    process.on("SIGINT", early);
    process.removeListener("SIGINT", early);
    console.log("blocking"); server.read(1); console.log("came back");`,
    "SIGINT",
  );
  assert.equal(end.signal, "SIGINT");
  assert.equal(end.stdout, "blocking\n");
});

for (const flags of [[], ["--v8-pool-size=0"]]) {
  test(`a child's end (SIGCHLD) does not disturb a call, and is reported afterwards: node ${flags}`, async () => {
    await using child = startPeer(process.execPath, [
      ...flags,
      "--input-type=module",
      "-e",
      `import * as net from "std-net";
      import { spawn, spawnSync } from "node:child_process";
      import { Worker } from "node:worker_threads";
      ${prelude}
      process.on("SIGINT", () => {});
      // A server that takes a second for its answer, in a thread of its own.
      const thread = new Worker(\`import("std-net").then((net) => {
        const slow = net.TcpListener.bind("127.0.0.1:0").value;
        require("node:worker_threads").parentPort.postMessage(slow.local_addr().value);
        for (;;) {
          const stream = slow.accept().value;
          net.http.read_request(stream);
          Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 900);
          net.http.write_response(stream, { status: 200, body: "late" });
          stream.close();
        }
      })\`, { eval: true, execArgv: [] });
      const slow = await new Promise((resolve) => thread.once("message", resolve));
      const sleep = spawn("sleep", ["0.3"]);
      const ended = new Promise((resolve) => sleep.on("exit", resolve));
      await new Promise((resolve) => sleep.on("spawn", resolve));
      const answer = net.http.request({ method: "GET", url: "http://" + slow + "/" });
      console.log(answer.isOk ? answer.value.body : answer.error);
      server.set_read_timeout(500);
      spawn("sleep", ["0.2"]);
      console.log(server.read(1).error);
      console.log("exit", await ended);
      const inherited = spawnSync("grep", ["SigBlk", "/proc/self/status"]).stdout.toString();
      console.log(/0{16}/.test(inherited));
      process.exit();`,
    ]);
    assert.equal(await child.line(), "late");
    assert.equal(await child.line(), `tcp read failed: ${reason("EAGAIN")}`);
    assert.equal(await child.line(), "exit 0");
    assert.equal(await child.line(), "true", "a child process blocks no signals");
  });
}

test("with a listener for SIGCHLD itself, a child's end does interrupt", async () => {
  await using child = node(
    `const { spawn } = await import("node:child_process");
    process.on("SIGINT", () => {});
    ${prelude}
    process.on("SIGCHLD", () => console.log("listener"));
    spawn("sleep", ["0.3"]);
    console.log(server.read(1).error);`,
  );
  assert.equal(await child.line(), `tcp read failed: ${reason("EINTR")}`);
  assert.equal(await child.line(), "listener");
});

test("a wake-up that no listener waits for interrupts nothing, though the call has a time limit", async () => {
  await using child = node(`process.on("SIGINT", () => {});
    ${prelude} client.set_read_timeout(600); console.log("blocking");
    const begun = performance.now();
    console.log(net.error_code(client.read(1).error), performance.now() - begun > 500);`);
  assert.equal(await child.line(), "blocking");
  await new Promise((resolve) => setTimeout(resolve, 150));
  // signal(7): going on after a stop interrupts a call that has a time limit.
  child.kill("SIGSTOP");
  child.kill("SIGCONT");
  assert.equal(await child.line(), "EAGAIN true");
});

test("a signal that another thread takes, because a child ends at the same moment, interrupts too", async () => {
  await using child = node(
    `import { spawn } from "node:child_process";
    let heard;
    process.on("SIGINT", () => {
      console.log("listener");
      heard();
    });
    ${prelude}
    for (let round = 0; round < 5; round++) {
      // On a busy machine a timer can come before the event loop has looked for signals.
      const listened = new Promise((resolve) => { heard = resolve; });
      spawn("sh", ["-c", "sleep 0.1; kill -INT " + process.pid]);
      console.log(net.error_code(server.read(1).error));
      await Promise.all([listened, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    process.exit();`,
  );
  for (let round = 0; round < 5; round++) {
    assert.equal(await child.line(), "EINTR");
    assert.equal(await child.line(), "listener");
  }
});

for (const [prefix, call] of Object.entries(calls)) {
  test(`a signal that came just before the call interrupts it, once: ${call}`, async () => {
    await using child = node(
      `process.on("SIGINT", () => console.log("listener"));
      ${prelude}
      process.kill(process.pid, "SIGINT");
      console.log(${call}.error);
      client.set_read_timeout(700);
      console.log(net.error_code(client.read(1).error));`,
    );
    assert.equal(await child.line(), `${prefix}${reason("EINTR")}`);
    assert.equal(await child.line(), "EAGAIN");
    assert.equal(await child.line(), "listener");
  });
}

test("a connection that is long in the making, where a listener exists: its own time limit, and a signal, end it", async () => {
  await using child = node(
    `process.on("SIGINT", () => console.log("listener"));
    const full = net.TcpListener.bind("127.0.0.1:0", { backlog: 0 }).value;
    const address = full.local_addr().value;
    const queue = [];
    while (queue.length < 20) {
      const stream = net.TcpStream.connect_timeout(address, 100);
      if (stream.isErr) break;
      queue.push(stream.value);
    }
    console.log(net.TcpStream.connect_timeout(address, 700).error);
    console.log("blocking");
    console.log(net.TcpStream.connect(address).error);`,
  );
  assert.equal(await child.line(), "failed to connect: connection timed out");
  assert.equal(await child.line(), "blocking");
  await new Promise((resolve) => setTimeout(resolve, 400));
  child.kill("SIGINT");
  assert.equal(await child.line(), `failed to connect: ${reason("EINTR")}`);
  assert.equal(await child.line(), "listener");
});

test("a request that a signal ended on a kept connection is not sent again on another", async () => {
  await using server = python(`
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
c, _ = s.accept()
c.recv(9999)
c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
c.recv(9999)
print("asked")
s.accept()
print("again")
`);
  await using child = node(
    `process.on("SIGINT", () => console.log("listener"));
    const get = () => net.http.request({ method: "GET", url: "http://127.0.0.1:" + process.argv[1] });
    console.log(get().isOk);
    console.log(get().error);`,
    await server.line(),
  );
  assert.equal(await child.line(), "true");
  assert.equal(await server.line(), "asked");
  child.kill("SIGINT");
  assert.equal(await child.line(), `http request failed: ${reason("EINTR")}`);
  assert.equal(await child.line(), "listener");
});

test("a signal ends a request that waits for the body of a redirect, which is thrown away", async () => {
  await using server = python(`
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
c, _ = s.accept()
c.recv(9999)
c.sendall(b"HTTP/1.1 302 Found\\r\\nLocation: /next\\r\\nContent-Length: 100\\r\\n\\r\\nand no more")
print("asked")
s.accept()
print("followed")
`);
  await using child = node(
    `process.on("SIGINT", () => console.log("listener"));
    console.log(net.http.request({ method: "GET", url: "http://127.0.0.1:" + process.argv[1], timeout_ms: 3000 }).error);`,
    await server.line(),
  );
  assert.equal(await server.line(), "asked");
  await new Promise((resolve) => setTimeout(resolve, 150)); // time for the head to be read
  child.kill("SIGINT");
  assert.equal(await child.line(), `http request failed: ${reason("EINTR")}`);
  assert.equal(await child.line(), "listener");
});

test("a signal ends a request that waits until the server takes more of a large body", async () => {
  await using server = python(`
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
c, _ = s.accept()
c.recv(1)
print("asked")
time.sleep(60)
`);
  await using child = node(
    `process.on("SIGINT", () => console.log("listener"));
    const url = "http://127.0.0.1:" + process.argv[1];
    const body_text = "x".repeat(32 * 1024 * 1024);
    console.log(net.http.request({ method: "PUT", url, body_text, timeout_ms: 3000 }).error);`,
    await server.line(),
  );
  assert.equal(await server.line(), "asked");
  child.kill("SIGINT");
  assert.equal(await child.line(), `http request failed: ${reason("EINTR")}`);
  assert.equal(await child.line(), "listener");
});
