// How a call waits, and what others see of it: with the kernel's timeouts, with STD_NET_WAIT=poll and with STD_NET_WAIT=bsd. Most
// other tests run with poll and bsd as well: npm run test:wait.
import assert from "node:assert/strict";
import { test } from "node:test";
import { kernelTimeout } from "../../src/engine/wait/kernel-timeout.ts";
import { pollLoop } from "../../src/engine/wait/poll-loop.ts";
import { Direction, type WaitingSocket } from "../../src/engine/wait/strategy.ts";
import { posixConstants, systemCalled, systemWaiting } from "../../src/sys/constants.ts";
import type { Platform } from "../../src/sys/platform.ts";
import { startPeer } from "../support/peer.ts";

/** Runs a program in which `net`, `ok`, `mode` and a pair of streams are at hand; the lines that it prints. */
async function run(way: string, program: string): Promise<string[]> {
  const text = `
    import { spawnSync } from "node:child_process";
    import { constants } from "node:fs";
    import koffi from "koffi";
    import * as net from "std-net";
    const ok = (result) => { if (result.isErr) throw new Error(result.error); return result.value; };
    const fcntl = koffi.load(null).func("int fcntl(int, int, ...)");
    // (3 is F_GETFL on Linux and macOS.)
    const mode = (fd) => (fcntl(Number(fd), 3, "int", 0) & constants.O_NONBLOCK) !== 0 ? "non-blocking" : "blocking";
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
    const server = ok(listener.accept());
    ${program}`;
  await using child = startPeer(process.execPath, ["--input-type=module", "-e", text], { STD_NET_WAIT: way });
  const { code, stdout, stderr } = await child.exit();
  assert.equal(code, 0, stderr);
  return stdout.trimEnd().split("\n");
}

/** What Python says of the descriptor that it gets as its standard input. */
const SEEN_BY_CHILD = `
  const seen = (fd) => {
    const code = "import fcntl, os, socket; s = socket.socket(fileno=0); print(fcntl.fcntl(0, fcntl.F_GETFL) & os.O_NONBLOCK, " +
      "*(any(s.getsockopt(socket.SOL_SOCKET, o, 16)) for o in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)))";
    return spawnSync("python3", ["-c", code], { stdio: [fd, "pipe", "inherit"], encoding: "utf8" }).stdout.trim();
  };
`;
const AS_POSIX_EXPECTS = "0 False False";

for (const way of ["", "poll", "bsd"]) {
  const named = way === "" ? "by default" : `with STD_NET_WAIT=${way}`;

  test(`${named} new sockets are ${way === "" ? "" : "non-"}blocking underneath`, async () => {
    // The descriptors in order: nothing asks for them, because to be asked changes them.
    const lines = await run(
      way,
      `
      import { fstatSync, readdirSync } from "node:fs";
      const sockets = readdirSync("/dev/fd").filter((fd) => {
        try { return fstatSync(Number(fd)).isSocket() && Number(fd) > 2; } catch { return false; }
      });
      console.log(sockets.length, [...new Set(sockets.map(mode))].join());`,
    );
    assert.deepEqual(lines, [`3 ${way === "" ? "blocking" : "non-blocking"}`]);
  });

  test(`${named} what is given away is as POSIX programs expect it`, async () => {
    const lines = await run(
      way,
      `${SEEN_BY_CHILD}
      for (const socket of [client, server]) {
        ok(socket.set_read_timeout(20));
        ok(socket.set_write_timeout(20));
        socket.read(1);
        ok(socket.write("x"));
      }
      ok(listener.set_accept_timeout(20));
      listener.accept();
      console.log(seen(ok(client.as_fd())));
      client.read(1); client.read(1);
      console.log(seen(ok(client.as_fd())));
      const clone = ok(server.try_clone());
      clone.read(1); clone.read(1);
      console.log(seen(ok(clone.as_fd())));
      console.log(seen(ok(server.into_fd())));
      console.log(seen(ok(listener.as_fd())));
      listener.accept();
      console.log(seen(ok(listener.into_fd())));`,
    );
    assert.deepEqual(
      lines,
      Array.from({ length: 6 }, () => AS_POSIX_EXPECTS),
    );
  });

  test(`${named} what set_nonblocking has set goes with the descriptor`, async () => {
    const lines = await run(
      way,
      `
      ok(client.set_nonblocking(true));
      console.log(mode(ok(client.as_fd())));
      // From now on it is a matter of the socket, for all who hold it.
      const clone = ok(client.try_clone());
      ok(clone.set_nonblocking(false));
      console.log(mode(ok(client.as_fd())));
      console.log(net.error_code(client.set_read_timeout(50).andThen(() => client.read(1)).error));
      ok(client.set_nonblocking(true));
      console.log(net.error_code(clone.read(1).error));
      ok(server.set_nonblocking(true));
      console.log(mode(ok(server.into_fd())));`,
    );
    assert.deepEqual(lines, ["non-blocking", "blocking", "EAGAIN", "EAGAIN", "non-blocking"]);
  });

  test(`${named} a shared socket waits as long as its own timeout`, async () => {
    const lines = await run(
      way,
      `
      const clone = ok(client.try_clone());
      for (const [first, other] of [[client, clone], [clone, client]]) {
        ok(first.set_read_timeout(300));
        ok(other.set_read_timeout(10));
        other.read(1);
        const begun = performance.now();
        const code = net.error_code(first.read(1).error);
        const took = performance.now() - begun;
        console.log(code, took >= 299 && took < 5000);
      }
      const shared = ok(listener.try_clone());
      ok(shared.set_accept_timeout(300));
      const begun = performance.now();
      const code = net.error_code(shared.accept().error);
      const took = performance.now() - begun;
      console.log(code, took >= 299 && took < 5000);`,
    );
    assert.deepEqual(
      lines,
      Array.from({ length: 3 }, () => "EAGAIN true"),
    );
  });
}

/** A socket that knows no more than a strategy asks for. */
function waiting(nonblocking: boolean): WaitingSocket {
  return {
    sys: { ...systemCalled("linux"), limitReceive: () => 0, waitFor: () => 0 } as unknown as Platform,
    descriptor: 0,
    open: true,
    nonblocking,
    suspicion: null,
    dropSuspicion() {},
  };
}

test("a deadline that is long past ends the wait, and is no limit to try again with for ever", () => {
  const { EAGAIN } = systemCalled("linux").constants;
  for (const strategy of [kernelTimeout, pollLoop]) {
    for (const deadline of [Number.NEGATIVE_INFINITY, -1, 0]) {
      for (const nonblocking of [false, true]) {
        const socket = waiting(nonblocking);
        const direction = new Direction(true);
        let limit = strategy.begin(socket, direction, deadline, true);
        for (let tries = 0; limit >= 0; tries++) {
          assert.ok(tries < 3, "it comes to an end");
          limit = strategy.goOn(socket, direction, EAGAIN, limit, deadline);
        }
        assert.equal(limit, -EAGAIN);
      }
    }
  }
});

test("STD_NET_WAIT changes how a system behaves, and none of its numbers", () => {
  const linux = systemCalled("linux");
  assert.deepEqual(systemWaiting("linux", undefined), linux);
  assert.deepEqual(systemWaiting("linux", "other"), linux);
  const poll = systemWaiting("linux", "poll");
  assert.deepEqual(poll, { ...linux, behaviour: { ...linux.behaviour, kernelEndsWaits: false } });
  const bsd = systemWaiting("linux", "bsd");
  const { behaviour } = systemCalled("darwin");
  assert.deepEqual(bsd, { ...linux, behaviour: { ...behaviour, hasAbstractNames: true } });
});

test("each system has its own numbers", () => {
  const systems = (["linux", "darwin", "windows"] as const).map((name) => systemCalled(name).constants);
  assert.deepEqual(
    systems.map(({ AF_INET6 }) => AF_INET6),
    [10, 30, 23],
  );
  assert.deepEqual(
    systems.map(({ EAGAIN }) => EAGAIN),
    [11, 35, 10035],
  );
  assert.equal(posixConstants("darwin").F_DUPFD_CLOEXEC, 67);
});
