// A name's addresses race for the connection (RFC 8305): the state machine alone, by a clock of the test's, and real connections.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { alternateFamilies, ConnectRace } from "../../src/engine/connect-race.ts";
import { Socket } from "../../src/engine/socket.ts";
import { Failure } from "../../src/error.ts";
import { systemCalled } from "../../src/sys/constants.ts";
import type { Platform } from "../../src/sys/platform.ts";
import { encodeAddress } from "../../src/sys/structs.ts";
import { isXnu } from "../support/kernel.ts";
import { inOwnMounts, skip } from "../support/own-mounts.ts";
import { root } from "../support/peer.ts";

const linux = systemCalled("linux");
const { EINPROGRESS, EMFILE, ECONNREFUSED } = { ...linux.constants, EMFILE: 24, ECONNREFUSED: 111 };
const EHOSTUNREACH = 113;

/** No program has so many descriptors: these are never real ones. */
const FIRST_DESCRIPTOR = 60_000;

/** A system of which the test says what becomes of each connection. */
class Network {
  /** What connect(2) of the address that ends with this number gives: an errno, or 0. */
  readonly atOnce = new Map<number, number>();
  /** What SO_ERROR is after that. */
  readonly later = new Map<number, number>();
  /** The last number of each address to which a connection was begun, and the sockets that wait. */
  readonly begun: number[] = [];
  readonly watched = new Map<number, Socket>();
  readonly open = new Set<number>();
  descriptorsLeft = 10;
  readonly sys: Platform;
  #errno = 0;
  #next = FIRST_DESCRIPTOR;
  readonly #addressOf = new Map<number, number>();

  constructor() {
    const fail = (errno: number): number => {
      this.#errno = errno;
      return -1;
    };
    this.sys = {
      ...linux,
      errno: () => this.#errno,
      strerror: (errno: number) => `error ${errno}`,
      socket: () => {
        if (this.descriptorsLeft === 0) return fail(EMFILE);
        this.descriptorsLeft--;
        this.open.add(this.#next);
        return this.#next++;
      },
      close: (descriptor: number) => {
        assert.ok(this.open.delete(descriptor), "closed once");
        return 0;
      },
      setNonblocking: () => 0,
      connect: (descriptor: number, address: Uint8Array) => {
        const last = address[7]!;
        this.begun.push(last);
        this.#addressOf.set(descriptor, last);
        const errno = this.atOnce.get(last) ?? EINPROGRESS;
        return errno === 0 ? 0 : fail(errno);
      },
      getsockopt: (descriptor: number, _level: number, _option: number, value: Uint8Array) => {
        new DataView(value.buffer, value.byteOffset).setInt32(
          0,
          this.later.get(this.#addressOf.get(descriptor)!) ?? 0,
          true,
        );
        return 0;
      },
    } as unknown as Platform;
  }

  /** A race to addresses that end with these numbers. */
  race(...numbers: number[]): ConnectRace {
    return new ConnectRace(
      this.sys,
      numbers.map((number) => this.address(number)),
      {
        add: (socket) => {
          this.watched.set(this.#addressOf.get(socket.descriptor)!, socket);
          return 0;
        },
        remove: (socket) => {
          assert.ok(this.open.has(socket.descriptor), "still open");
          this.watched.delete(this.#addressOf.get(socket.descriptor)!);
        },
      },
    );
  }

  address(number: number): Buffer {
    return encodeAddress(linux, Uint8Array.of(192, 0, 2, number), 80, 0);
  }

  /** The address that a socket has connected to. */
  winnerOf(outcome: Socket | Failure | null): number {
    assert.ok(outcome instanceof Socket);
    return this.#addressOf.get(outcome.descriptor)!;
  }
}

test("an attempt has 250 ms alone, none is given up, and the first that connects closes the others", () => {
  const network = new Network();
  const race = network.race(1, 2, 3);
  assert.equal(race.advance(1000), null);
  assert.deepEqual([network.begun, race.nextAttemptAt], [[1], 1250]);
  assert.equal(race.advance(1249), null);
  assert.deepEqual(network.begun, [1]);
  assert.equal(race.advance(1250), null);
  assert.deepEqual([network.begun, race.nextAttemptAt], [[1, 2], 1500]);
  assert.equal(race.advance(1501), null);
  assert.deepEqual([network.begun, race.nextAttemptAt], [[1, 2, 3], Number.POSITIVE_INFINITY]);
  race.ready(network.watched.get(1)!);
  const outcome = race.advance(1600);
  assert.equal(network.winnerOf(outcome), 1);
  assert.equal(network.open.size, 1, "the others are closed");
  assert.equal(network.watched.size, 0);
  assert.ok(outcome instanceof Socket);
  outcome.close();
});

test("a failure begins the next attempt at once, which then has its 250 ms", () => {
  const network = new Network();
  network.later.set(1, ECONNREFUSED).set(2, EHOSTUNREACH).set(3, ECONNREFUSED);
  const race = network.race(1, 2, 3);
  race.advance(0);
  race.ready(network.watched.get(1)!);
  assert.ok(race.nextAttemptAt <= 10, "it is due");
  assert.equal(race.advance(10), null);
  assert.deepEqual([network.begun, race.nextAttemptAt], [[1, 2], 260]);
  race.advance(260);
  race.ready(network.watched.get(3)!);
  assert.equal(race.advance(270), null, "the second goes on");
  race.ready(network.watched.get(2)!);
  const outcome = race.advance(280);
  assert.ok(outcome instanceof Failure);
  assert.equal(outcome.reason, `error ${EHOSTUNREACH} (os error ${EHOSTUNREACH})`, "the last to fail");
  assert.equal(network.open.size, 0);
});

test("connect(2) that has a result at once, and sockets that cannot be had", () => {
  const network = new Network();
  network.atOnce.set(1, EHOSTUNREACH).set(2, 0);
  const outcome = network.race(1, 2, 3).advance(0);
  assert.equal(network.winnerOf(outcome), 2);
  assert.deepEqual(network.begun, [1, 2]);
  assert.ok(outcome instanceof Socket);
  outcome.close();

  const none = new Network();
  none.descriptorsLeft = 1;
  const race = none.race(1, 2, 3);
  assert.equal(race.advance(0), null);
  assert.equal(race.advance(250), null, "no socket for the others, but the first goes on");
  assert.deepEqual(none.begun, [1]);
  race.ready(none.watched.get(1)!);
  const first = race.advance(260);
  assert.equal(none.winnerOf(first), 1);
  assert.ok(first instanceof Socket);
  first.close();

  none.descriptorsLeft = 0;
  const failed = none.race(1, 2).advance(0);
  assert.ok(failed instanceof Failure);
  assert.equal(failed.reason, `error ${EMFILE} (os error ${EMFILE})`);
});

test("of two that are ready at the same time one wins; a race that is given up leaves nothing", () => {
  const network = new Network();
  const race = network.race(1, 2);
  race.advance(0);
  race.advance(250);
  const [first, second] = [network.watched.get(1)!, network.watched.get(2)!];
  race.ready(second);
  race.ready(first);
  const outcome = race.advance(300);
  assert.equal(network.winnerOf(outcome), 2);
  assert.equal(network.open.size, 1);
  assert.ok(outcome instanceof Socket);
  outcome.close();

  const other = network.race(3, 4, 5);
  other.advance(0);
  other.advance(250);
  assert.equal(network.open.size, 2);
  other.close();
  assert.equal(network.open.size, 0);
  assert.equal(other.nextAttemptAt, Number.POSITIVE_INFINITY);
});

test("families alternate, beginning with the first address's", () => {
  const four = (last: number): Buffer => encodeAddress(linux, Uint8Array.of(192, 0, 2, last), 80, 0);
  const six = (last: number): Buffer => {
    const ip = new Uint8Array(16);
    ip[15] = last;
    return encodeAddress(linux, ip, 80, 0);
  };
  const [a, b, c, x, y] = [six(1), six(2), six(3), four(4), four(5)];
  assert.deepEqual(alternateFamilies(linux as Platform, [a, b, c, x, y]), [a, x, b, y, c]);
  assert.deepEqual(alternateFamilies(linux as Platform, [x, y, a]), [x, a, y]);
  assert.deepEqual(alternateFamilies(linux as Platform, [x, a, b]), [x, a, b]);
  assert.deepEqual(alternateFamilies(linux as Platform, [y, x]), [y, x]);
  assert.deepEqual(alternateFamilies(linux as Platform, [y]), [y]);
});

/** The beginning of each program: names with addresses in the resolver's order, and listeners of which each does one thing. */
const BEGINNING = `
import * as net from "std-net";
import { spawn } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { Worker } from "node:worker_threads";
const reserved = net.TcpListener.bind("127.0.0.9:0").value;
const { port } = new URL("http://" + reserved.local_addr().value);
const addressesOf = (name) => net.lookup_host(name + ":" + port).value;
const kept = [];
/** A full queue answers nobody. */
const dead = (address) => {
  kept.push(net.TcpListener.bind(address, { backlog: 0 }).value);
  for (let one; (one = net.TcpStream.connect_timeout(address, 100)).isOk; ) kept.push(one.value);
};
const live = (address) => {
  const listener = net.TcpListener.bind(address).value;
  kept.push(listener);
  return listener;
};
const isSocket = (descriptor) => {
  try {
    return readlinkSync("/proc/self/fd/" + descriptor).startsWith("socket:");
  } catch {}
};
const sockets = () => readdirSync("/proc/self/fd").filter(isSocket).length;
const timed = (call) => {
  const begun = performance.now();
  const value = call();
  return [value, performance.now() - begun];
};
const within = (took, least, most) => (took >= least && took < most ? "in time" : took);
`;

const HOSTS = `
127.0.0.2 two.example
127.0.0.3 two.example
127.0.0.4 three.example
127.0.0.5 three.example
127.0.0.6 three.example
127.0.0.7 mixed.example
127.0.0.8 mixed.example
127.0.0.10 one.example
::1 both.example
127.0.0.11 both.example
`;

/** Runs the program with these names, in the wait strategy that is asked for, and compares what it prints line by line. */
async function prints(
  program: string,
  lines: readonly (string | RegExp)[],
  environment: NodeJS.ProcessEnv = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const hosts = join(folder, "hosts");
  writeFileSync(hosts, HOSTS);
  const script = 'mount --bind "$1" /etc/hosts && exec "$2" --input-type=module -e "$3"';
  await using peer = inOwnMounts(script, hosts, BEGINNING + program, environment);
  for (const expected of lines) {
    const line = await peer.line();
    if (typeof expected === "string") assert.equal(line, expected);
    else assert.match(line, expected);
  }
  await peer.exit();
  rmSync(folder, { recursive: true });
}

for (const way of isXnu ? ["bsd"] : ["", "poll", "bsd"]) {
  const environment = { STD_NET_WAIT: way };
  const where = way === "" ? "" : `, STD_NET_WAIT=${way}`;

  test(`a dead first address costs 250 ms, for every way to connect${where}`, { skip }, () =>
    prints(
      `
const [first, second] = addressesOf("two.example");
dead(first);
live(second);
const name = "two.example:" + port;
const before = sockets();
const isSecond = (stream) => stream.peer_addr().value === second;
for (const call of [() => net.TcpStream.connect(name), () => net.TcpStream.connect_timeout(name, 5000)]) {
  const [stream, took] = timed(call);
  console.log(isSecond(stream.value), within(took, 240, 700), sockets() - before);
  // It is in blocking mode, and its timeouts work.
  stream.value.set_read_timeout(60);
  const [read, waited] = timed(() => stream.value.read(1));
  console.log(net.error_code(read.error), within(waited, 55, 600));
  stream.value.close();
}
const limited = { timeout_ms: 1500 };
const [tls, tlsTook] = timed(() => net.TlsStream.connect(name, limited));
console.log(tls.error, within(tlsTook, 1450, 2400));
const [http, httpTook] = timed(() => net.http.request({ method: "GET", url: "http://" + name, connect_timeout_ms: 500, ...limited }));
console.log(http.error, within(httpTook, 1450, 2400));
console.log(sockets() - before);
// Nobody answers: the time is that of all together.
const [none, took] = timed(() => net.TcpStream.connect_timeout(name, 200));
console.log(none.error, within(took, 190, 500));
kept.at(-1).close();
const [refused, refusedTook] = timed(() => net.TcpStream.connect_timeout(name, 600));
console.log(refused.error, within(refusedTook, 590, 1100), sockets() - before);
process.exit();
`,
      [
        "true in time 1",
        "EAGAIN in time",
        "true in time 1",
        "EAGAIN in time",
        // The server is silent: it is connected, and the handshake has the rest of the time.
        "tls handshake failed: timed out in time",
        "http request failed: timed out in time",
        "0",
        "failed to connect: connection timed out in time",
        "failed to connect: connection timed out in time -1",
      ],
      environment,
    ),
  );

  test(`an address that takes long wins when the others are dead${where}`, { skip }, () =>
    prints(
      `
const [first, second, third] = addressesOf("three.example");
dead(first);
dead(third);
// Full, and emptied half a second later: the kernel asks again one second after the first time (tcp(7)).
const [ip] = second.split(":");
const child = spawn("python3", ["-u", "-c", \`
import socket, sys, time
s = socket.socket(); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen(0)
fill = []
for _ in range(4):
    c = socket.socket(); c.setblocking(False); fill.append(c)
    c.connect_ex(s.getsockname())
time.sleep(0.2)
print("full")
sys.stdin.readline()
time.sleep(0.5)
while True: fill.append(s.accept()[0])
\`, ip, port], { stdio: ["pipe", "pipe", "inherit"] });
await new Promise((resolve) => child.stdout.once("data", resolve));
const before = sockets();
await new Promise((resolve) => child.stdin.write("go\\n", resolve));
const [stream, took] = timed(() => net.TcpStream.connect_timeout("three.example:" + port, 8000));
console.log(stream.isOk ? stream.value.peer_addr().value === second : stream.error, within(took, 600, 7000), sockets() - before);
child.kill();
process.exit();
`,
      ["true in time 1"],
      environment,
    ),
  );

  test(`refused addresses cost no time; the error is the last one's to fail${where}`, { skip }, () =>
    prints(
      `
const [, second] = addressesOf("two.example");
const [, secondOfMixed] = addressesOf("mixed.example");
const before = sockets();
const [all, allTook] = timed(() => net.TcpStream.connect("three.example:" + port));
console.log(all.error, within(allTook, 0, 200));
live(second);
const [stream, took] = timed(() => net.TcpStream.connect("two.example:" + port));
console.log(stream.value.peer_addr().value === second, within(took, 0, 200), sockets() - before);
dead(secondOfMixed);
const [mixed, mixedTook] = timed(() => net.TcpStream.connect_timeout("mixed.example:" + port, 500));
console.log(mixed.error, within(mixedTook, 490, 1000));
// IPv4 only listens: IPv6 is refused at once.
live("127.0.0.11:" + port);
const [both, bothTook] = timed(() => net.TcpStream.connect("both.example:" + port));
console.log(both.value.peer_addr().value, within(bothTook, 0, 200));
process.exit();
`,
      [
        "failed to connect: Connection refused (os error 111) in time",
        "true in time 2",
        "failed to connect: connection timed out in time",
        /^127\.0\.0\.11:\d+ in time$/,
      ],
      environment,
    ),
  );

  test(`a signal and terminate() end a race${where}`, { skip }, () =>
    prints(
      `
const addresses = addressesOf("three.example");
for (const each of addresses) dead(each);
const before = sockets();
const name = "three.example:" + port;
const code = 'import("std-net").then((net) => { require("node:worker_threads").parentPort.postMessage(0); net.TcpStream.connect("' + name + '"); })';
const thread = new Worker(code, { eval: true, execArgv: [] });
await new Promise((resolve) => thread.on("message", resolve));
await new Promise((resolve) => setTimeout(resolve, 700));
const begun = performance.now();
await thread.terminate();
console.log("terminated", within(performance.now() - begun, 0, 2000));
process.on("SIGTERM", () => console.log("listener"));
spawn("sh", ["-c", "sleep 0.7; kill -TERM " + process.pid]);
const [stream, took] = timed(() => net.TcpStream.connect(name));
console.log(stream.error, within(took, 500, 4000));
await new Promise((resolve) => setTimeout(resolve, 100));
// The worker's sockets were closed too.
console.log(sockets() - before);
process.exit();
`,
      [
        "terminated in time",
        "failed to connect: Interrupted system call (os error 4) in time",
        "listener",
        "0",
      ],
      environment,
    ),
  );
}

const mayTrace = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0;

test("one address costs no more system calls than the connection needs", {
  skip:
    skip ||
    (mayTrace && !isXnu ? false : "needs strace and the right to trace, and counts Linux's own calls"),
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const hosts = join(folder, "hosts");
  writeFileSync(hosts, HOSTS);
  const program = `
import * as net from "std-net";
const listener = net.TcpListener.bind("127.0.0.10:0").value;
const address = listener.local_addr().value;
const name = address.replace("127.0.0.10", "one.example");
net.lookup_host(name);
const several = "two.example:" + new URL("http://" + address).port;
const kept = [net.TcpListener.bind(net.lookup_host(several).value[0]).value];
// Marks a place in the trace.
const mark = (what) => net.UnixStream.connect("/nowhere/" + what);
for (const [what, call] of [
  ["number", () => net.TcpStream.connect(address)],
  ["name", () => net.TcpStream.connect(name)],
  ["several", () => net.TcpStream.connect(several)],
  ["number with a limit", () => net.TcpStream.connect_timeout(address, 1000)],
  ["name with a limit", () => net.TcpStream.connect_timeout(name, 1000)],
]) {
  mark(what);
  kept.push(call().value);
}
mark("end");
`;
  // Of the main thread alone: another one looks the name up where there is a limit.
  const trace = (way: string): Record<string, string[]> => {
    const output = join(folder, `trace${way}`);
    const traced = `strace -o ${output} -e trace=socket,connect,setsockopt,getsockopt,poll,fcntl,epoll_ctl`;
    const script = `mount --bind "$1" /etc/hosts && STD_NET_WAIT=${way} exec ${traced} "$2" --input-type=module -e "$3"`;
    const args = ["--mount", "sh", "-c", script, "sh", hosts, process.execPath, program];
    assert.equal(spawnSync("unshare", args, { cwd: root, timeout: 20_000 }).status, 0);
    const calls: Record<string, string[]> = {};
    let place: string[] = [];
    for (const line of readFileSync(output, "utf8").split("\n")) {
      const marked = /^connect\(.*"\/nowhere\/([^"]*)"/.exec(line)?.[1];
      if (marked !== undefined) {
        place = [];
        calls[marked] = place;
      } else if (!line.includes("AF_UNIX")) {
        place.push(/^\w+/.exec(line)?.[0] ?? "");
      }
    }
    return calls;
  };
  /** The resolver's own calls are not of interest: those before the last socket, of a name. */
  const fromTheSocketOn = (calls: readonly string[] = []): string[] =>
    calls.slice(calls.lastIndexOf("socket"));
  for (const [way, plain, limited] of [
    ["", ["socket", "connect"], ["socket", "setsockopt", "connect"]],
    ["poll", ["socket", "connect", "poll", "getsockopt"], ["socket", "connect", "poll", "getsockopt"]],
  ] as const) {
    const calls = trace(way);
    assert.deepEqual(calls["number"], plain);
    assert.deepEqual(fromTheSocketOn(calls["name"]), plain);
    assert.deepEqual(fromTheSocketOn(calls["several"]), limited, "a limit for the first one alone, no more");
    assert.deepEqual(calls["number with a limit"], limited);
    assert.deepEqual(fromTheSocketOn(calls["name with a limit"]), limited);
  }
  rmSync(folder, { recursive: true });
});
