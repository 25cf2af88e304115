// A socket that others have a descriptor of: they find it as any program expects it, and this thread's own waits end all the same.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import koffi from "koffi";
import * as net from "std-net";
import { err, node, ok } from "../support/peer.ts";
import { tcpPair, timed } from "../support/sockets.ts";

const [SOL_SOCKET, SO_RCVLOWAT, SO_RCVTIMEO, SO_SNDTIMEO] = [1, 18, 20, 21];
const [F_GETFL, O_NONBLOCK] = [3, 0o4000];
const AGAIN = /Resource temporarily unavailable \(os error 11\)$/;
const libc = koffi.load(null);
const getsockopt = libc.func("int getsockopt(int, int, int, void *, void *)");
const fcntl = libc.func("int fcntl(int, int, ...)");

/** What this library may have changed on a socket, as whoever has a descriptor of it finds it. */
function found(fd: number): { timeouts: number[]; isBlocking: boolean; mark: number } {
  const [received, sent, mark] = [SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT].map((option) => {
    const value = new BigInt64Array(2);
    assert.equal(getsockopt(fd, SOL_SOCKET, option, value, Uint32Array.of(16)), 0);
    return Number(value[0]! * 1_000_000n + value[1]!);
  });
  const isBlocking = (fcntl(fd, F_GETFL, "int", 0) & O_NONBLOCK) === 0;
  return { timeouts: [received!, sent!], isBlocking, mark: mark! / 1_000_000 };
}
const untouched = { timeouts: [0, 0], isBlocking: true, mark: 1 };

/** Runs Python with the descriptor as its number 3: `s` is the socket. When it prints something for the first time, `meanwhile` runs. */
async function inherited(fd: number, program: string, meanwhile: () => void): Promise<string> {
  const text = `import socket, sys\ns = socket.socket(fileno=3)\n${program}`;
  const child = spawn("python3", ["-u", "-c", text], { stdio: ["pipe", "pipe", "inherit", fd] });
  let output = "";
  child.stdout!.on("data", (data) => {
    output += data;
  });
  const closed = once(child, "close");
  await once(child.stdout!, "data");
  meanwhile();
  child.stdin!.end();
  await closed;
  return output;
}

/** Waits in both directions until this object's timeouts end the wait. */
function useTimeouts(stream: net.TcpStream | net.UnixStream): void {
  ok(stream.set_read_timeout(20));
  ok(stream.set_write_timeout(20));
  for (const wait of [() => stream.read(1), () => stream.write_all(Buffer.alloc(20_000_000))]) {
    const { took, value } = timed<{ isErr: boolean } | unknown>(wait);
    assert.match(err(value as ReturnType<typeof stream.write>), AGAIN);
    assert.ok(took >= 19 && took < 5000, `${took} ms`);
  }
}

test("as_fd takes the timeouts off, and they do not come back with the next waits", () => {
  for (const make of [
    () => tcpPair().client,
    () => tcpPair().server,
    () => ok(net.UnixStream.pair())[0],
  ] as const) {
    const stream = make();
    useTimeouts(stream);
    const fd = ok(stream.as_fd());
    assert.deepEqual(found(fd), untouched);
    useTimeouts(stream);
    assert.match(err(stream.read_until("\n")), AGAIN);
    assert.deepEqual(found(fd), untouched);
    stream.close();
  }
});

test("so it is with clones, whichever of them is given away", () => {
  const { client, server } = tcpPair();
  const clone = ok(client.try_clone());
  useTimeouts(client);
  useTimeouts(clone);
  const fd = ok(clone.into_fd());
  assert.deepEqual(found(fd), untouched);
  useTimeouts(client);
  useTimeouts(ok(client.try_clone()));
  assert.deepEqual(found(fd), untouched);
  const other = ok(net.TcpStream.from_fd(fd));
  useTimeouts(other);
  assert.deepEqual(found(fd), untouched);
  for (const each of [client, other, server]) each.close();
});

test("clones know of each other's timeouts", () => {
  const { client, server } = tcpPair();
  const clone = ok(client.try_clone());
  ok(client.set_read_timeout(900));
  ok(clone.set_read_timeout(20));
  assert.match(err(clone.read(1)), AGAIN);
  assert.match(err(client.read(1)), AGAIN);
  const { took, value } = timed(() => clone.read(1));
  assert.match(err(value), AGAIN);
  assert.ok(took < 700, `${took} ms`);
  for (const each of [client, clone, server]) each.close();
});

test("a datagram socket's timeouts end its waits after as_fd, and stay off the socket", () => {
  const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
  ok(socket.set_read_timeout(20));
  assert.match(err(socket.recv_from(1)), AGAIN);
  const fd = ok(socket.as_fd());
  assert.deepEqual(found(fd), untouched);
  for (const wait of [() => socket.recv_from(1), () => socket.recv(1), () => socket.peek(1)]) {
    const { took, value } = timed<unknown>(wait);
    assert.match(err(value as ReturnType<typeof socket.recv>), AGAIN);
    assert.ok(took >= 19, `${took} ms`);
  }
  assert.deepEqual(found(fd), untouched);
  ok(socket.send_to("hello", ok(socket.local_addr())));
  assert.equal(ok(socket.recv(10)).toString(), "hello");
  socket.close();
});

test("send_to waits for a receiver's full queue after as_fd: neither for ever nor busily", async () => {
  const name = `\0std-net outsiders ${process.pid}`;
  const receiver = ok(net.UnixDatagram.bind(name));
  const sender = ok(net.UnixDatagram.unbound());
  const fd = ok(sender.as_fd());
  ok(sender.set_write_timeout(400));
  let sent = 0;
  const before = process.cpuUsage();
  for (;;) {
    const { took, value } = timed(() => sender.send_to("x", name));
    if (value.isOk) {
      sent++;
      continue;
    }
    assert.match(value.error, AGAIN);
    assert.ok(took >= 399, `${took} ms`);
    break;
  }
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 300_000, `${user + system} microseconds of CPU time`);
  assert.deepEqual(found(fd), untouched);
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
    const { UnixDatagram } = require("std-net");
    const sender = UnixDatagram.unbound().value;
    sender.as_fd();
    parentPort.postMessage("sending");
    parentPort.postMessage(sender.send_to("last", workerData).unwrapOr(-1));`,
    { eval: true, workerData: name },
  );
  assert.deepEqual(await once(worker, "message"), ["sending"]);
  const told = once(worker, "message");
  for (let count = 0; count < sent; count++) ok(receiver.recv(10));
  assert.deepEqual(await told, [4]);
  assert.equal(ok(receiver.recv(10)).toString(), "last");
  sender.close();
  receiver.close();
});

test("a child process waits on a stream as long as it likes, while this process waits on it too", async () => {
  const { client, server } = tcpPair();
  useTimeouts(server);
  const output = await inherited(ok(server.as_fd()), "print(); print(s.recv(10))", () => {
    // In slices, all this time.
    for (let count = 0; count < 10; count++) assert.match(err(server.read(1)), AGAIN);
    ok(client.set_nonblocking(true));
    // The child sends nothing, and what this process has sent before fills the buffers; this goes the other way.
    ok(client.write("late"));
  });
  assert.equal(output, "\nb'late'\n");
  client.close();
  server.close();
});

test("a child process accepts from a listener that was waited on here: its connections have no timeouts either", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const address = ok(listener.local_addr());
  ok(listener.set_accept_timeout(20));
  assert.match(err(listener.accept()), AGAIN);
  // It waits to be accepted while the listener is not given away yet.
  const early = ok(net.TcpStream.connect(address));
  const fd = ok(listener.as_fd());
  assert.deepEqual(found(fd), untouched);
  const late: net.TcpStream[] = [];
  const output = await inherited(
    fd,
    `
for _ in range(2):
    c, _ = s.accept()
    print(any(c.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)), any(c.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)))
`,
    () => {
      // The child has taken the first one and waits for the other, longer than each wait here.
      for (let count = 0; count < 15; count++) assert.match(err(listener.accept()), AGAIN);
      late.push(ok(net.TcpStream.connect(address)));
    },
  );
  assert.equal(output, "False False\nFalse False\n");
  assert.deepEqual(found(fd), untouched);
  for (const each of [listener, early, ...late]) each.close();
});

test("non-blocking mode that the user chose stays, and what others choose is noticed", () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  ok(listener.set_accept_timeout(20));
  assert.match(err(listener.accept()), AGAIN);
  ok(listener.set_nonblocking(true));
  const fd = ok(listener.as_fd());
  assert.equal(found(fd).isBlocking, false);
  ok(listener.set_accept_timeout(2000));
  assert.ok(timed(() => assert.match(err(listener.accept()), AGAIN)).took < 1500);
  ok(listener.set_nonblocking(false));
  assert.equal(found(fd).isBlocking, true);
  ok(listener.set_accept_timeout(100));
  assert.ok(timed(() => assert.match(err(listener.accept()), AGAIN)).took >= 99);
  fcntl(fd, 4, "int", O_NONBLOCK);
  ok(listener.set_accept_timeout(2000));
  assert.ok(timed(() => assert.match(err(listener.accept()), AGAIN)).took < 1500);
  listener.close();
});

test("threads that share a listener get each connection once, stay in blocking mode, and end when they are told to", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const address = ok(listener.local_addr());
  const workers = Array.from({ length: 4 }, () => {
    const fd = ok(ok(listener.try_clone()).into_fd());
    return new Worker(
      `const { parentPort, workerData } = require("node:worker_threads");
      const { TcpListener } = require("std-net");
      const listener = TcpListener.from_fd(workerData).value;
      parentPort.postMessage("ready");
      for (;;) {
        const accepted = listener.accept();
        if (accepted.isErr) { parentPort.postMessage(accepted.error); break; }
        accepted.value.write_all("x");
        accepted.value.close();
      }`,
      { eval: true, workerData: fd },
    );
  });
  const complaints: string[] = [];
  await Promise.all(workers.map((worker) => once(worker, "message")));
  for (const worker of workers) worker.on("message", (text) => complaints.push(text));
  for (let count = 0; count < 400; count++) {
    const stream = ok(net.TcpStream.connect(address));
    ok(stream.set_read_timeout(10_000));
    assert.equal(ok(stream.read_to_end()).toString(), "x");
    stream.close();
  }
  assert.deepEqual(found(ok(listener.as_fd())), untouched);
  const start = performance.now();
  for (const worker of workers) await worker.terminate();
  const took = performance.now() - start;
  assert.ok(took < 2000, `${took} ms`);
  assert.deepEqual(complaints, []);
  listener.close();
});

test("a read_until that waits on a shared socket gets a line that comes in pieces, of any length", async () => {
  const { client, server } = tcpPair();
  const line = Buffer.alloc(3_000_000, "x");
  line[line.length - 1] = 10;
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
    const stream = require("std-net").TcpStream.from_fd(workerData).value;
    for (let count = 0; count < 2; count++) parentPort.postMessage(stream.read_until("\\n", 10_000_000).unwrapOr("").length);`,
    { eval: true, workerData: ok(server.into_fd()) },
  );
  const told = once(worker, "message");
  ok(client.write_all("abc"));
  await new Promise((resolve) => setTimeout(resolve, 100));
  ok(client.write_all("def\n"));
  assert.deepEqual(await told, [7]);
  const again = once(worker, "message");
  ok(client.write_all(line));
  assert.deepEqual(await again, [line.length]);
  client.close();
});

test("SO_RCVLOWAT is as it was when the thread or the process that waits in read_until is ended", async () => {
  const { client, server } = tcpPair();
  ok(client.write("abc"));
  const clone = ok(ok(server.try_clone()).into_fd());
  const worker = new Worker(
    `const { parentPort, workerData } = require("node:worker_threads");
    const stream = require("std-net").TcpStream.from_fd(workerData).value;
    parentPort.postMessage("waiting");
    stream.read_until("\\n");`,
    { eval: true, workerData: clone },
  );
  await once(worker, "message");
  await new Promise((resolve) => setTimeout(resolve, 300));
  await worker.terminate();
  const fd = ok(server.as_fd());
  assert.deepEqual(found(fd), untouched);

  const child = spawn(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import { TcpStream } from "std-net";
      console.log("waiting");
      TcpStream.from_fd(3).value.read_until("\\n");`,
    ],
    { stdio: ["ignore", "pipe", "inherit", fd] },
  );
  await once(child.stdout!, "data");
  await new Promise((resolve) => setTimeout(resolve, 300));
  child.kill("SIGKILL");
  await once(child, "exit");
  assert.deepEqual(found(fd), untouched);

  const poller = ok(net.Poller.create());
  ok(poller.add(server, { readable: true }));
  assert.equal(ok(poller.wait(2000)).length, 1);
  assert.equal(ok(server.read(10)).toString(), "abc");
  for (const each of [poller, client, server]) each.close();
});

test("a child process that is started while the library watches for signals has none of them blocked", async () => {
  await using child = node(`
import { execFileSync } from "node:child_process";
process.on("SIGINT", () => {});
net.lookup_host("127.0.0.1:1");
console.log(execFileSync("grep", ["SigBlk", "/proc/self/status"]).toString().trim());`);
  assert.match((await child.exit()).stdout, /^SigBlk:\s+0{16}$/m);
});
