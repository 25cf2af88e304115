// std-net tcp and std-net udp, as the shell sees them.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as net from "std-net";
import { CLI, feedEndlessly, run, start, startInTerminal } from "../support/command.ts";
import { ok, pythonFile, startPeer } from "../support/peer.ts";
import { reasonPattern } from "../support/system-errors.ts";

describe("tcp", () => {
  test("standard input goes out, what comes back is printed, and both ends are passed on", async () => {
    const received: Buffer[] = [];
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.write(Buffer.from([0, 255, 10]));
      socket.on("data", (bytes) => received.push(bytes));
      socket.on("end", () => socket.end("bye\n"));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const input = Buffer.alloc(300_000, "0123456789");
    await using command = start("tcp", `127.0.0.1:${port}`);
    command.process.stdin?.end(input);
    const { code, stderr, stdout } = await command.exit();
    server.close();
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.ok(Buffer.concat(received).equals(input));
    assert.ok(stdout.endsWith("\nbye\n"));
  });

  test("a conversation: each side waits for the other", async () => {
    const server = createTcpServer((socket) => {
      socket.on("data", (bytes) => socket.write(`you said ${bytes}`));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await using command = start("tcp", `127.0.0.1:${port}`);
    for (const word of ["one", "two"]) {
      command.process.stdin?.write(`${word}\n`);
      assert.equal(await command.line(), `you said ${word}`);
    }
    command.kill("SIGINT");
    assert.equal((await command.exit()).signal, "SIGINT");
    server.close();
  });

  test("a peer that closes ends it, though standard input is open", async () => {
    const server = createTcpServer((socket) => socket.end("enough\n"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await using command = start("tcp", `127.0.0.1:${port}`);
    const { code, stdout } = await command.exit();
    server.close();
    assert.equal(stdout, "enough\n");
    assert.equal(code, 0);
  });

  test("a peer that does not respond is a failure when the time is over", async () => {
    const full = ok(net.TcpListener.bind("127.0.0.1:0", { backlog: 0 }));
    const address = ok(full.local_addr());
    const waiting: net.TcpStream[] = [];
    for (let one = net.TcpStream.connect_timeout(address, 100); one.isOk; ) {
      waiting.push(one.value);
      one = net.TcpStream.connect_timeout(address, 100);
    }
    const { code, stderr } = await run(["tcp", address, "--timeout", "0.3"]);
    assert.equal(stderr, "std-net: failed to connect: connection timed out\n");
    assert.equal(code, 1);
    for (const open of [...waiting, full]) open.close();
  });

  test("a connection that breaks is a failure", async () => {
    const server = createTcpServer((socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await using command = start("tcp", `127.0.0.1:${port}`);
    command.process.stdin?.write("x");
    const { code, stderr } = await command.exit();
    server.close();
    assert.match(stderr, new RegExp(`^std-net: tcp read failed: ${reasonPattern("ECONNRESET")}\\n$`));
    assert.equal(code, 1);
  });
});

describe("tcp: a peer that ends its direction first and goes on reading", () => {
  /** Ends its direction at once, and prints how many bytes came after that; or closes when `count` have come. */
  const peer = (count = Number.MAX_SAFE_INTEGER) => pythonFile("half-closed-peer.py", String(count));

  test("is sent all of a file", async () => {
    const size = 12_000_000; // more than the buffers of both ends hold
    const file = join(mkdtempSync(join(tmpdir(), "std-net-")), "file");
    writeFileSync(file, Buffer.alloc(size, "x"));
    await using listener = peer();
    const port = await listener.line();
    const input = openSync(file, "r");
    await using command = startPeer(process.execPath, [CLI, "tcp", `127.0.0.1:${port}`], {}, input);
    const { code, stdout, stderr } = await command.exit();
    closeSync(input);
    rmSync(dirname(file), { recursive: true });
    assert.deepEqual([code, stdout, stderr], [0, "ready\n", ""]);
    assert.equal(await listener.line(), String(size));
  });

  test("is sent what a slow pipe gives, up to its end", async () => {
    await using listener = peer();
    await using command = start("tcp", `127.0.0.1:${await listener.line()}`);
    assert.equal(await command.line(), "ready");
    for (const word of ["one", "two"]) {
      await sleep(700);
      command.process.stdin?.write(word);
    }
    command.process.stdin?.end();
    const { code, stderr } = await command.exit();
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(await listener.line(), "6");
  });

  test("a pipe that falls silent before its end is a failure", async () => {
    await using listener = peer();
    await using command = start("tcp", `127.0.0.1:${await listener.line()}`, "--wait", "0.4");
    command.process.stdin?.write("a part");
    const { code, stderr } = await command.exit();
    assert.equal(stderr, "std-net: the peer ended the connection before standard input was at its end\n");
    assert.equal(code, 1);
    assert.equal(await listener.line(), "6");
  });

  test("a pipe that never gave anything is no failure, and neither is a terminal", async () => {
    await using listener = peer();
    await using command = start("tcp", `127.0.0.1:${await listener.line()}`, "--wait", "0.4");
    const { code, stderr } = await command.exit();
    assert.deepEqual([code, stderr], [0, ""]);
    await using second = peer();
    await using terminal = startInTerminal("tcp", `127.0.0.1:${await second.line()}`, "--wait", "1");
    terminal.process.stdin?.write("hello\r");
    assert.equal((await terminal.exit()).code, 0);
    assert.equal(await second.line(), "6");
  });

  test("what it does not take any more is a failure", async () => {
    await using listener = peer(1);
    await using command = start("tcp", `127.0.0.1:${await listener.line()}`);
    feedEndlessly(command);
    const { code, stdout, stderr } = await command.exit();
    assert.deepEqual([code, stdout], [1, "ready\n"]);
    assert.match(stderr, /^std-net: tcp write failed: [^\n]*\n$/);
  });
});

test("tcp: what cannot be printed is a failure, and not lost without a word", async () => {
  const server = createTcpServer((socket) => socket.end("enough\n"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await using shell = startPeer("bash", ["-c", `node ${CLI} tcp 127.0.0.1:${port} < /dev/null > /dev/full`]);
  const { code, stderr } = await shell.exit();
  server.close();
  assert.match(stderr, /^std-net: ENOSPC: no space left on device, write\n$/);
  assert.equal(code, 1);
});

test("tcp: a reader that goes away ends it, also when the peer takes nothing more", async () => {
  // Long before the second line, which nobody reads, everything between the two is full.
  const server = createTcpServer({ pauseOnConnect: true }, (socket) => {
    const lines = setInterval(() => socket.write("line\n"), 250);
    socket.on("error", () => {}).on("close", () => clearInterval(lines));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await using command = start("tcp", `127.0.0.1:${port}`);
  feedEndlessly(command);
  assert.equal(await command.line(), "line");
  command.process.stdout?.destroy();
  const { code, stderr } = await command.exit();
  server.close();
  assert.deepEqual([code, stderr], [0, ""]);
});

describe("udp", () => {
  test("datagrams go out and responses are printed", async () => {
    const socket = createSocket("udp4");
    socket.on("message", (bytes, from) => socket.send(`got ${bytes}`, from.port, from.address));
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    await using command = start("udp", `127.0.0.1:${socket.address().port}`);
    command.process.stdin?.write("hello\n");
    assert.equal(await command.line(), "got hello");
    command.process.stdin?.end();
    const { code, stderr } = await command.exit();
    socket.close();
    assert.deepEqual([code, stderr], [0, ""]);
  });

  test("a reader that goes away ends it, though standard input is open", async () => {
    const socket = createSocket("udp4");
    let answers: NodeJS.Timeout | undefined;
    socket.on("message", (bytes, from) => {
      answers = setInterval(() => socket.send(bytes, from.port, from.address), 50);
    });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address();
    await using command = start("udp", `127.0.0.1:${port}`);
    command.process.stdin?.write("hello\n");
    assert.equal(await command.line(), "hello");
    command.process.stdout?.destroy();
    const { code, stderr } = await command.exit();
    clearInterval(answers);
    socket.close();
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });

  test("a port on which nothing listens is an error", async () => {
    const { code, stderr } = await run(["udp", "127.0.0.1:1"], "hello\n");
    assert.match(
      stderr,
      new RegExp(`^std-net: udp (recv|send) failed: ${reasonPattern("ECONNREFUSED")}\\n$`),
    );
    assert.equal(code, 1);
  });
});
