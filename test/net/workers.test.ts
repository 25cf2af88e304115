// A blocked worker never keeps itself, or the process, alive.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { TcpListener, TcpStream } from "std-net";
import { isXnu } from "../support/kernel.ts";
import { node, ok, openDescriptors, python, root } from "../support/peer.ts";
import { STREAM_PAIR } from "../support/sockets.ts";
import { isWindows } from "../support/system-errors.ts";

/** What a worker can be blocked in: JavaScript with `net` and some sockets at hand. */
const blocked: Record<string, string> = {
  "connect to a full backlog": "net.TcpStream.connect(full)",
  accept: "listener.accept()",
  read: "server.read(1)",
  "write to a peer that does not read": "for (;;) client.write(new Uint8Array(1_000_000))",
  recv_from: "udp.recv_from(1)",
  "read_until that has seen a part": "client.write('part'); server.read_until('end')",
  "Poller.wait": "net.Poller.create().value.wait(null)",
  "UnixListener's accept": isWindows
    ? "net.TcpListener.bind('127.0.0.1:0').value.accept()"
    : "net.UnixListener.bind('\\0std-net worker ' + Math.random()).value.accept()",
  "http.request to a server that does not answer":
    "net.http.request({ method: 'GET', url: 'http://' + address + '/' })",
  "http.request that is never accepted": "net.http.request({ method: 'GET', url: 'http://' + full + '/' })",
  "http.read_request": "net.http.read_request(server)",
  "http.serve": "net.http.serve(listener, () => ({ status: 200 }))",
  "http.serve with clients": `
    const idle = net.TcpStream.connect(address).value;
    net.TcpStream.connect(address).value.write("GET / HTTP/1.1");
    net.http.serve(listener, () => ({ status: 200 }))`,
};
const given = "for (const each of [listener, client, server, udp]) each.as_fd()";
for (const name of [
  "accept",
  "read",
  "write to a peer that does not read",
  "recv_from",
  "read_until that has seen a part",
]) {
  blocked[`${name}, on a socket that others may have`] = `${given}; ${blocked[name]}`;
}
// (On macOS that is an error at once.)
if (!isWindows && !isXnu) {
  blocked["send_to a full queue, from a socket that others may have"] = `
const receiver = net.UnixDatagram.bind("\\0std-net worker " + Math.random()).value;
const sender = net.UnixDatagram.unbound().value;
sender.as_fd();
while (sender.send_to("x", receiver.local_addr().value).isOk)`;
}

const prelude = `
const net = await import("std-net");
const listener = net.TcpListener.bind("127.0.0.1:0").value;
const address = listener.local_addr().value;
const client = net.TcpStream.connect(address).value;
const server = listener.accept().value;
const udp = net.UdpSocket.bind("127.0.0.1:0").value;
// Once a listener's backlog is full, Linux drops what else arrives: a further connect waits for minutes.
const full = process.env.FULL_BACKLOG;
`;

const worker = (call: string): string => `(async () => {
  ${prelude}
  const { parentPort } = await import("node:worker_threads");
  parentPort.postMessage("blocking");
  ${call};
  parentPort.postMessage("came back");
})();`;

/** A listener of Python's with a backlog of one, already taken. */
async function fullBacklog(): Promise<{ address: string } & AsyncDisposable> {
  const peer = python(`
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(0)
a = socket.create_connection(s.getsockname())
print("%s:%d" % s.getsockname())
sys.stdin.read()
`);
  return { address: await peer.line(), [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose]() };
}

for (const [name, call] of Object.entries(blocked)) {
  test(`worker.terminate() within half a second: ${name}`, async () => {
    await using backlog = await fullBacklog();
    process.chdir(root);
    const thread = new Worker(worker(call), {
      eval: true,
      env: { ...process.env, FULL_BACKLOG: backlog.address },
    });
    const messages: string[] = [];
    await new Promise<void>((resolve, reject) => {
      thread.on("error", (error) => {
        messages.push(String(error));
        reject(error);
      });
      thread.on("message", (message: string) => {
        messages.push(message);
        resolve();
      });
    });
    // Well into the wait: more than one slice.
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.deepEqual(messages, ["blocking"], "the call is still blocked");
    const begun = performance.now();
    await thread.terminate();
    assert.ok(performance.now() - begun < 500, `took ${performance.now() - begun} ms`);
  });
}

test("a connection that a worker accepts after it was told to stop is closed with it", async () => {
  process.chdir(root);
  const listener = ok(TcpListener.bind("127.0.0.1:0"));
  const code = `import("std-net").then((net) => {
    const { parentPort, workerData } = require("node:worker_threads");
    const listener = net.TcpListener.from_fd(workerData).value;
    parentPort.postMessage(0);
    listener.accept();
  })`;
  for (let round = 0; round < 3; round++) {
    const before = openDescriptors();
    const descriptor = ok(ok(listener.try_clone()).into_fd());
    const thread = new Worker(code, { eval: true, execArgv: [], workerData: descriptor });
    await new Promise((resolve) => thread.once("message", resolve));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const stopped = thread.terminate();
    ok(TcpStream.connect(ok(listener.local_addr()))).close();
    await stopped;
    assert.equal(openDescriptors(), before);
  }
  listener.close();
});

test("process.exit() in the main thread ends the process while workers are blocked", async () => {
  await using backlog = await fullBacklog();
  await using child = node(
    `const { Worker } = await import("node:worker_threads");
    const calls = JSON.parse(process.argv[1]);
    let waiting = calls.length;
    for (const call of calls) {
      const thread = new Worker(call, { eval: true, env: { ...process.env, FULL_BACKLOG: process.argv[2] } });
      thread.on("message", () => {
        if (--waiting === 0) setTimeout(() => { console.log("exiting"); process.exit(7); }, 300);
      });
    }`,
    JSON.stringify(Object.values(blocked).map(worker)),
    backlog.address,
  );
  assert.equal(await child.line(), "exiting");
  const begun = performance.now();
  const end = await child.exit();
  assert.equal(end.code, 7);
  // (Wine needs a second to end so many threads.)
  assert.ok(performance.now() - begun < (isWindows ? 5000 : 700), `took ${performance.now() - begun} ms`);
});

test("process.exit() in the main thread ends the process as soon while there are many workers", async () => {
  const calls = [
    "net.TcpListener.bind('127.0.0.1:0').value.accept()",
    `${STREAM_PAIR}[0].read(1)`,
    "net.Poller.create().value.wait(null)",
    // Others may wait on the same socket.
    "net.UdpSocket.bind('127.0.0.1:0').map((socket) => [socket, socket.try_clone()]).value[0].recv_from(1)",
  ].map(
    (call) =>
      `import("std-net").then((net) => { require("node:worker_threads").parentPort.postMessage(0); ${call}; })`,
  );
  const program = `const { Worker } = await import("node:worker_threads");
    const calls = JSON.parse(process.argv[1]);
    for (let number = 0; number < 32; number++) {
      const thread = new Worker(calls[number % calls.length], { eval: true, execArgv: [] });
      await new Promise((resolve) => thread.once("message", resolve));
      if (number % 8 === 7) console.log("eight more");
    }
    setTimeout(() => { console.log("exiting"); process.exit(7); }, 300);`;
  // Where the machine is busy with other things it can take longer: the quickest tells.
  let quickest = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5 && quickest >= 700; round++) {
    await using child = node(program, JSON.stringify(calls));
    for (let eights = 0; eights < 4; eights++) assert.equal(await child.line(), "eight more");
    assert.equal(await child.line(), "exiting");
    const begun = performance.now();
    const end = await child.exit();
    assert.equal(end.code, 7);
    quickest = Math.min(quickest, performance.now() - begun);
  }
  assert.ok(quickest < 700, `took ${quickest} ms`);
});

test("a call in a worker waits for as long as it takes, over many slices", async () => {
  await using child = node(
    `const { Worker } = await import("node:worker_threads");
    const listener = net.TcpListener.bind("127.0.0.1:0").value;
    const thread = new Worker(\`(async () => {
      const net = await import("std-net");
      const stream = net.TcpStream.connect("\${listener.local_addr().value}").value;
      (await import("node:worker_threads")).parentPort.postMessage(stream.read(10).value.toString());
    })()\`, { eval: true });
    const stream = listener.accept().value;
    setTimeout(() => stream.write("patience"), 900);
    thread.on("message", (message) => console.log(message));`,
  );
  assert.equal(await child.line(), "patience");
});

test("a worker that is stopped while it loads the native part does not take the process down", async () => {
  const code = `import("std-net").then((net) => {
    require("node:worker_threads").parentPort.postMessage(0);
    net.TcpListener.bind("127.0.0.1:0").value.accept();
  })`;
  const start = `const { Worker } = await import("node:worker_threads");
    const start = () => new Worker(${JSON.stringify(code)}, { eval: true, execArgv: [] });`;
  await using terminated = node(`${start}
    for (let round = 0; round < 40; round++) {
      const worker = start();
      await new Promise((resolve) => worker.once("message", resolve));
      const until = performance.now() + (round % 8) / 2;
      while (performance.now() < until);
      await worker.terminate();
      // Each line has its own time limit, and on a busy machine all the workers together take longer than one.
      if (round % 10 === 9) console.log("ten more");
    }`);
  for (let tens = 0; tens < 4; tens++) assert.equal(await terminated.line(), "ten more");
  assert.equal((await terminated.exit()).code, 0);
  for (let round = 0; round < 8; round++) {
    const { code, stderr } = await node(
      `${start} start().on("message", () => setTimeout(() => process.exit(7), ${round / 2}))`,
    ).exit();
    assert.equal(code, 7, stderr);
  }
});
