// A name server that keeps silent: the lookup ends when the call has to, not when the resolver gives up.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { inOwnMounts, skip } from "../support/own-mounts.ts";
import { type Peer, startPeer } from "../support/peer.ts";
import { reason } from "../support/system-errors.ts";

/** Each test of the lookup itself runs over both: glibc's, and the thread that macOS and musl have in its place. */
const ways = [
  { name: "getaddrinfo_a", environment: {} },
  { name: "a thread", environment: { STD_NET_LOOKUP: "thread" } },
];

/** Runs the two arguments, a Node program and its text, while a name server at `address` keeps silent. */
const besideSilence = (address: string): string => `
mount --bind "$1" /etc/resolv.conf
exec python3 -c '
import socket, subprocess, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${address}", 53))
print("silent", flush=True)
subprocess.call([sys.argv[1], "--input-type=module", "-e", sys.argv[2]])' "$2" "$3"`;

for (const { name, environment } of ways) {
  test(`timeout_ms, terminate() and a signal end a lookup that has no answer: ${name}`, { skip }, () =>
    endsLookups(environment),
  );
}

async function endsLookups(environment: NodeJS.ProcessEnv): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const configuration = join(folder, "resolv.conf");
  // An address of this process alone: another run of the tests has its own name server.
  const silent = `127.53.${(process.pid >> 8) & 0xff}.${process.pid & 0xff}`;
  writeFileSync(configuration, `nameserver ${silent}\noptions timeout:5 attempts:2\n`);
  const program = `
import * as net from "std-net";
import { spawn } from "node:child_process";
import { Worker } from "node:worker_threads";
let begun = performance.now();
const took = () => (performance.now() - begun < 2000 ? "soon" : "late");
console.log(net.http.request({ method: "GET", url: "http://silent.example/", timeout_ms: 500 }).error, took());
const code = 'import("std-net").then((net) => { require("node:worker_threads").parentPort.postMessage(0); net.TcpStream.connect("silent.example:80"); })';
const thread = new Worker(code, { eval: true, execArgv: [] });
await new Promise((resolve) => thread.on("message", resolve));
await new Promise((resolve) => setTimeout(resolve, 300));
begun = performance.now();
await thread.terminate();
console.log("terminated", took());
process.on("SIGTERM", () => console.log("listener"));
process.kill(process.pid, "SIGTERM");
begun = performance.now();
console.log(net.lookup_host("silent.example:80").error, took());
await new Promise((resolve) => setTimeout(resolve, 100));
spawn("sh", ["-c", "sleep 0.3; kill -TERM " + process.pid]);
begun = performance.now();
console.log(net.TcpStream.connect("silent.example:80").error, took());
await new Promise((resolve) => setTimeout(resolve, 100));
process.removeAllListeners("SIGTERM");
// More of them than libuv's pool has threads, and one that has an answer is not held up.
begun = performance.now();
for (let count = 0; count < 8; count++) {
  net.http.request({ method: "GET", url: "http://silent" + count + ".example/", timeout_ms: 50 });
}
const found = net.http.request({ method: "GET", url: "http://localhost:1/", timeout_ms: 1000 }).error;
console.log(found.includes("refused"), took());
await new Promise((resolve) => setTimeout(resolve, 50));
console.log("exit", took());
process.exit();
`;
  await using peer = inOwnMounts(besideSilence(silent), configuration, program, environment);
  assert.equal(await peer.line(), "silent");
  assert.equal(await peer.line(), "http request failed: timed out soon");
  assert.equal(await peer.line(), "terminated soon");
  assert.equal(await peer.line(), "lookup_host failed: Interrupted system call (os error 4) soon");
  assert.equal(await peer.line(), "listener");
  assert.equal(await peer.line(), "failed to connect: Interrupted system call (os error 4) soon");
  assert.equal(await peer.line(), "listener");
  assert.equal(await peer.line(), "true soon");
  assert.equal(await peer.line(), "exit soon");
  const begun = performance.now();
  await peer.exit();
  assert.ok(performance.now() - begun < 2000, "the end of the program waits for no lookup that was given up");
  rmSync(folder, { recursive: true });
}

test("each address of a name is tried, the last error is reported, and UDP takes one of its family", {
  skip,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const hosts = join(folder, "hosts");
  // TCP to a group fails at once, and otherwise than where nobody listens.
  writeFileSync(
    hosts,
    "::1 both.example\n127.0.0.1 both.example\n127.0.0.3 two.example\n127.0.0.2 two.example\n127.0.0.1 worse.example\n224.0.0.1 worse.example\nfe80::1 away.example\n127.0.0.1 away.example\n",
  );
  const program = `
import * as net from "std-net";
const listener = net.TcpListener.bind("127.0.0.1:0").value;
const { port } = new URL("http://" + listener.local_addr().value);
console.log(net.lookup_host("both.example:" + port).value.length, net.TcpStream.connect("both.example:" + port).isOk);
listener.close();
const [first, second] = net.lookup_host("two.example:" + port).value;
for (const each of [first, second]) {
  const only = net.TcpListener.bind(each).value;
  const stream = net.TcpStream.connect("two.example:" + port).value;
  console.log(stream.peer_addr().value === each);
  only.close();
  stream.close();
}
const all = [net.TcpListener.bind(first).value, net.TcpListener.bind(second).value];
console.log(net.TcpStream.connect("two.example:" + port).value.peer_addr().value === first);
for (const each of all) each.close();
const errors = net.lookup_host("worse.example:9").value.map((each) => net.TcpStream.connect(each).error);
console.log(errors.length, errors[0] !== errors[1], net.TcpStream.connect("worse.example:9").error === errors[1]);
for (const address of ["127.0.0.1:0", "[::1]:0"]) {
  const socket = net.UdpSocket.bind(address).value;
  const { port } = new URL("http://" + socket.local_addr().value);
  console.log(socket.send_to("x", "both.example:" + port).unwrapOr(0), socket.recv_from(9).value[1] === socket.local_addr().value);
}
// Without a scope there is no way to fe80::1, so the resolver puts it last. A dual-stack socket can send to either.
const receiver = net.UdpSocket.bind("127.0.0.1:0").value;
receiver.set_read_timeout(2000);
const away = "away.example:" + new URL("http://" + receiver.local_addr().value).port;
for (const [address, options] of [["[::]:0", {}], ["[::ffff:127.0.0.1]:0", {}], ["[::]:0", { ipv6_only: true }], ["[::1]:0", {}]]) {
  const socket = net.UdpSocket.bind(address, options).value;
  console.log(socket.send_to("x", away).isOk && receiver.recv_from(9).isOk, socket.connect(away).isOk, socket.peer_addr().unwrapOr("").startsWith("[::ffff:127.0.0.1]"));
}
`;
  const script = 'mount --bind "$1" /etc/hosts && exec "$2" --input-type=module -e "$3"';
  await using peer = inOwnMounts(script, hosts, program);
  for (const line of ["2 true", "true", "true", "true", "2 true true", "1 true", "1 true"]) {
    assert.equal(await peer.line(), line);
  }
  for (const line of ["true true true", "true true true", "false false false", "false false false"]) {
    assert.equal(await peer.line(), line);
  }
  rmSync(folder, { recursive: true });
});

for (const { name, environment } of ways) {
  test(`connect_timeout_ms begins when the name is resolved, timeout_ms before: ${name}`, { skip }, () =>
    countsFromTheAnswer(environment),
  );
}

async function countsFromTheAnswer(environment: NodeJS.ProcessEnv): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const configuration = join(folder, "resolv.conf");
  const address = `127.54.${(process.pid >> 8) & 0xff}.${process.pid & 0xff}`;
  writeFileSync(configuration, `nameserver ${address}\noptions timeout:5 attempts:2\n`);
  const program = `
import * as net from "std-net";
const listener = net.TcpListener.bind("127.0.0.1:0").value;
const { port } = new URL("http://" + listener.local_addr().value);
const ask = (times) => net.http.request({ method: "GET", url: "http://late.example:" + port, ...times }).error;
// A full queue answers nobody.
const full = net.TcpListener.bind("127.0.0.1:0", { backlog: 0 }).value;
const waiting = [];
for (let one; (one = net.TcpStream.connect_timeout(full.local_addr().value, 100)).isOk; ) waiting.push(one.value);
const begun = performance.now();
const late = "http://late.example:" + new URL("http://" + full.local_addr().value).port;
console.log(net.http.request({ method: "GET", url: late, connect_timeout_ms: 400 }).error);
console.log(performance.now() - begun >= 1050);
listener.set_nonblocking(true);
console.log(ask({ timeout_ms: 300 }), listener.accept().isOk);
`;
  const script = `
mount --bind "$1" /etc/resolv.conf
exec python3 -c '
import socket, subprocess, sys, threading, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("${address}", 53))
def late(query, peer):
    has = query[-4:-2] == bytes([0, 1])
    answer = bytes([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 127, 0, 0, 1]) if has else b""
    s.sendto(query[:2] + bytes([0x81, 0x80, 0, 1, 0, has, 0, 0, 0, 0]) + query[12:] + answer, peer)
def serve():
    while True:
        threading.Timer(0.7, late, s.recvfrom(512)).start()
threading.Thread(target=serve, daemon=True).start()
subprocess.call([sys.argv[1], "--input-type=module", "-e", sys.argv[2]])' "$2" "$3"`;
  await using peer = inOwnMounts(script, configuration, program, environment);
  assert.equal(await peer.line(), "http request failed: connection timed out");
  assert.equal(await peer.line(), "true", "0.7 s for the name, and then 0.4 s");
  assert.equal(await peer.line(), "http request failed: timed out false");
  rmSync(folder, { recursive: true });
}

for (const { name, environment } of ways) {
  test(`a lookup that the system fails does not report an earlier call's error: ${name}`, () =>
    failsByItself(environment));
  test(`where no thread can be created, a lookup that could be ended is made without one: ${name}`, () =>
    needsNoThread(environment));

  test(`a lookup that can be ended finds what the plain call finds: ${name}`, async () => {
    const program = `
import * as net from "std-net";
const names = ["localhost", "no.such.name.invalid", "a..b", "x".repeat(300), "\u00e4.invalid", "1", "0x7f.1"];
const all = () => JSON.stringify(names.map((name) => net.lookup_host(name + ":80")));
const plain = all();
// From now on something could end it.
process.on("SIGUSR2", () => {});
for (let round = 0; round < 3; round++) if (all() !== plain) console.log(all(), plain);
console.log(JSON.parse(plain).length);
process.exit();
`;
    await using peer = startPeer(process.execPath, ["--input-type=module", "-e", program], environment);
    assert.equal(await peer.line(), "7");
  });
}

async function failsByItself(environment: NodeJS.ProcessEnv): Promise<void> {
  const program = `
import * as net from "std-net";
import { closeSync, openSync } from "node:fs";
net.lookup_host("localhost:1");
const open = [];
try {
  for (;;) open.push(openSync("/dev/null"));
} catch {}
closeSync(open.pop());
const first = net.TcpStream.connect("127.0.0.1:1").error;
open.push(openSync("/dev/null"));
// With a limit, or in a worker, another thread asks: errno is its own.
const { error } = net.TcpStream.connect_timeout("localhost:1", 1000);
for (const each of open) closeSync(each);
console.log(first);
console.log(error);
`;
  await using peer = fewDescriptors(program, environment);
  const { stdout } = await peer.exit();
  assert.equal(
    stdout,
    `failed to connect: ${reason("ECONNREFUSED")}\n` +
      "failed to connect: failed to lookup address information: Too many open files (os error 24)\n",
  );
}

/** Runs a program that may have 64 descriptors. */
function fewDescriptors(program: string, environment: NodeJS.ProcessEnv = {}): Peer {
  const command = 'ulimit -n 64 && exec "$0" --input-type=module -e "$1"';
  return startPeer("sh", ["-c", command, process.execPath, program], environment);
}

for (const [where, before] of [
  ["in the main thread", ""],
  ["with a signal's listener", "process.on('SIGUSR2', () => {});"],
  ["with a lookup that worked before", "net.lookup_host('localhost:1');"],
  ["with both", "process.on('SIGUSR2', () => {}); net.lookup_host('localhost:1');"],
] as const) {
  const calls = `
const text = [
  net.lookup_host("localhost:1"),
  net.lookup_host("no.such.name.invalid:1"),
  net.TcpStream.connect("localhost:1"),
  net.TcpStream.connect_timeout("localhost:1", 2000),
  net.http.request({ method: "GET", url: "http://localhost:1/" }),
  net.http.request({ method: "GET", url: "http://localhost:1/", timeout_ms: null }),
  net.TlsStream.connect("localhost:1"),
  net.TcpListener.bind("localhost:0"),
  net.UdpSocket.bind("localhost:0"),
  udp.send_to("x", "localhost:1"),
  udp.connect("localhost:1"),
].map((result) => result.isErr && net.error_code(result.error) + " " + result.error).join("\\n");`;
  const setUp = `
${before}
const udp = net.UdpSocket.bind("127.0.0.1:0").value;
net.TlsStream.connect("127.0.0.1:1"); // loads what it needs
const open = [];
try {
  for (;;) open.push(openSync("/dev/null"));
} catch {}`;
  for (const thread of ["", " of a worker"]) {
    if (thread !== "" && before.includes("SIG")) continue;
    test(`a lookup ${where}${thread} with descriptors used up says EMFILE`, async () => {
      const program =
        thread === ""
          ? `import * as net from "std-net";
import { closeSync, openSync } from "node:fs";
${setUp}${calls}
for (const each of open) closeSync(each);
console.log(text);`
          : `import { Worker } from "node:worker_threads";
const worker = new Worker(${JSON.stringify(`
const { closeSync, openSync } = require("node:fs");
const net = require("std-net");
${setUp}${calls}
for (const each of open) closeSync(each);
require("node:worker_threads").parentPort.postMessage(text);`)}, { eval: true, execArgv: [] });
worker.on("message", (text) => console.log(text));`;
      await using peer = fewDescriptors(program);
      const { stdout, stderr } = await peer.exit();
      const lines = stdout.trim().split("\n");
      assert.equal(lines.length, 11, stdout + stderr);
      for (const line of lines) assert.match(line, /^EMFILE .*Too many open files \(os error 24\)$/, stdout);
    });
  }
}

async function needsNoThread(environment: NodeJS.ProcessEnv): Promise<void> {
  const program = `
import * as net from "std-net";
import { execFileSync } from "node:child_process";
net.lookup_host("127.0.0.1:1");
execFileSync("prlimit", ["--pid", String(process.pid), "--nproc=1"]);
// The limit is not for root.
if (process.getuid() === 0) process.setuid(65534);
process.on("SIGUSR2", () => {});
console.log(net.lookup_host("localhost:80").isOk, net.lookup_host("no.such.name.invalid:80").error);
`;
  await using peer = startPeer(process.execPath, ["--input-type=module", "-e", program], environment);
  assert.match(
    await peer.line(),
    /^true lookup_host failed: failed to lookup address information: (Name or service not known|Temporary failure in name resolution)$/,
  );
}
