// Ctrl-C on Windows: the counterpart of test/engine/signals.test.ts. Only Wine lets a test send one to a single process: SIGINT
// to its process of Linux. On Windows it goes to all processes of a console, this one too.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import * as net from "std-net";
import { ok, type Peer, programCall, startPeer } from "../support/peer.ts";
import { reason } from "../support/system-errors.ts";

const skip =
  process.env.STD_NET_UNDER_WINE === undefined ? "only under Wine can one process get a Ctrl-C" : false;

interface Interruptible {
  readonly child: Peer;
  /** Presses Ctrl-C. */
  interrupt(): void;
}

function startBlocked(program: string): Interruptible {
  const text = `import * as net from "std-net";
    const listener = net.TcpListener.bind("127.0.0.1:0").value;
    const address = listener.local_addr().value;
    const client = net.TcpStream.connect(address).value;
    const server = listener.accept().value;
    const udp = net.UdpSocket.bind("127.0.0.1:0").value;
    ${program}`;
  return startNode("--input-type=module", "-e", text);
}

function startNode(...args: string[]): Interruptible {
  const mark = randomUUID();
  return {
    child: startPeer(process.execPath, [`--title=${mark}`, ...args]),
    interrupt() {
      // The pattern does not match the process that looks for it.
      const pattern = `node.exe.*--title=[${mark[0]}]${mark.slice(1)}`;
      const [command, lookArgs, environment] = programCall("pkill", ["-INT", "-f", pattern]);
      execFileSync(command, lookArgs, { env: { ...process.env, ...environment }, stdio: "ignore" });
    },
  };
}

const calls = {
  accept: "listener.accept()",
  read: "server.read(1)",
  recv_from: "udp.recv_from(1)",
  "write_all to a peer that does not read": "client.write_all(Buffer.alloc(100_000_000))",
  "http.request": "net.http.request({ method: 'GET', url: 'http://' + address + '/' })",
  "http.read_request": "net.http.read_request(server)",
  "Poller.wait": "net.Poller.create().value.wait(null)",
};

for (const [name, call] of Object.entries(calls)) {
  test(`with a listener the call returns EINTR and the listener runs: ${name}`, { skip }, async () => {
    const { child, interrupt } = startBlocked(`
      process.on("SIGINT", () => console.log("listener"));
      console.log("blocking");
      await new Promise((resolve) => setTimeout(resolve, 100));
      console.log(${call}.error);
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.exit(3);`);
    await using _ = child;
    assert.equal(await child.line(), "blocking");
    await new Promise((resolve) => setTimeout(resolve, 1000));
    interrupt();
    const message = await child.line();
    assert.ok(message.endsWith(reason("EINTR")), message);
    assert.equal(await child.line(), "listener");
    assert.equal((await child.exit()).code, 3);
  });
}

test("without a listener Ctrl-C ends the process out of the call", { skip }, async () => {
  const { child, interrupt } = startBlocked(
    `console.log("blocking"); listener.accept(); console.log("not this");`,
  );
  await using _ = child;
  assert.equal(await child.line(), "blocking");
  await new Promise((resolve) => setTimeout(resolve, 500));
  interrupt();
  // (Windows' status is STATUS_CONTROL_C_EXIT; Wine's is 0.)
  assert.equal((await child.exit()).stdout, "blocking\n");
});

test("a listener alone ends nothing: a call waits on over many looks for signals", { skip }, async () => {
  const { child } = startBlocked(`
    process.on("SIGINT", () => {});
    server.set_read_timeout(1200);
    const begun = performance.now();
    console.log(net.error_code(server.read(1).error), performance.now() - begun >= 1150);
    process.exit();`);
  await using _ = child;
  assert.equal(await child.line(), "EAGAIN true");
});

test("std-net serve: Ctrl-C stops it, status 0", { skip }, async () => {
  const { child, interrupt } = startNode("dist/cli.js", "serve", "127.0.0.1:0");
  await using _ = child;
  const notice = String((await once(child.process.stderr!, "data"))[0]);
  const url = /listening on (http:\S+)/.exec(notice)![1]!;
  assert.equal(ok(net.http.request({ method: "GET", url: `${url}/a` })).status, 200);
  assert.match(await child.line(), /GET \/a from 127\.0\.0\.1:\d+$/);
  interrupt();
  const { code, stderr } = await child.exit();
  assert.match(stderr, /^stopped after 1 request\r?$/m);
  assert.equal(code, 0);
});

test("std-net tcp: Ctrl-C ends it", { skip }, async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const { child, interrupt } = startNode("dist/cli.js", "tcp", ok(listener.local_addr()));
  await using _ = child;
  const stream = ok(listener.accept());
  ok(stream.write_all("hello\n"));
  assert.equal(await child.line(), "hello");
  interrupt();
  await child.exit();
  stream.close();
  listener.close();
});
