// Descriptors in and out: between objects, worker threads, and node:net.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync } from "node:fs";
import { createServer, Socket } from "node:net";
import type { Readable } from "node:stream";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import koffi from "koffi";
import * as net from "std-net";
import { err, ok, openDescriptors, portOf, python } from "../support/peer.ts";
import { closeBehindItsBack, isOpenSocket, pythonStream, tcpPair } from "../support/sockets.ts";
import { isWindows, reason, reasonPattern } from "../support/system-errors.ts";

const makers = {
  TcpStream: () => tcpPair().client,
  TcpListener: () => ok(net.TcpListener.bind("127.0.0.1:0")),
  UdpSocket: () => ok(net.UdpSocket.bind("127.0.0.1:0")),
  UnixStream: () => ok(net.UnixStream.pair())[0],
  UnixListener: () => ok(net.UnixListener.bind(`\0std-net handover ${process.pid} ${++names}`)),
  UnixDatagram: () => ok(net.UnixDatagram.unbound()),
} as const;
const classes = {
  TcpStream: net.TcpStream,
  TcpListener: net.TcpListener,
  UdpSocket: net.UdpSocket,
  UnixStream: net.UnixStream,
  UnixListener: net.UnixListener,
  UnixDatagram: net.UnixDatagram,
} as const;
let names = 0;
type Kind = keyof typeof makers;
const kinds = Object.keys(makers) as Kind[];

/** What from_fd says of a number behind which nothing is open. Windows knows nothing but sockets. */
const NO_SOCKET = new RegExp(
  ` from_fd failed: (${reasonPattern("EBADF")}${isWindows ? `|${reasonPattern("ENOTSOCK")}` : ""})$`,
);

for (const kind of kinds) {
  test(`${kind}: into_fd gives the descriptor away, from_fd takes it`, () => {
    const socket = makers[kind]();
    const fd = ok(socket.as_fd());
    const address = ok(socket.local_addr());
    assert.match(
      err<unknown>(classes[kind].from_fd(fd)),
      / from_fd failed: the descriptor belongs to another open object/,
    );
    assert.equal(ok(socket.into_fd()), fd);
    for (const result of [
      socket.into_fd(),
      socket.as_fd(),
      socket.local_addr(),
      socket.set_nonblocking(true),
    ]) {
      assert.match(err<unknown>(result), /^invalid /);
    }
    socket.close();
    assert.ok(isOpenSocket(fd), "still open");

    for (const other of kinds) {
      if (other !== kind) assert.match(err<unknown>(classes[other].from_fd(fd)), / from_fd failed: not a /);
    }
    const again = ok<{ local_addr(): ReturnType<typeof socket.local_addr>; close(): void }>(
      classes[kind].from_fd(fd),
    );
    assert.equal(ok(again.local_addr()), address);
    again.close();
    assert.ok(!isOpenSocket(fd));
    assert.match(err<unknown>(classes[kind].from_fd(fd)), NO_SOCKET);
  });

  test(`${kind}.from_fd refuses what is no descriptor`, () => {
    const before = openDescriptors();
    for (const wrong of [1.5, Number.NaN, Number.POSITIVE_INFINITY, "3", null, undefined, {}, 3n, [3]]) {
      assert.equal(err<unknown>(classes[kind].from_fd(wrong as number)), "expected int");
    }
    for (const wrong of [-1, 2 ** 31, 2 ** 40, 987_654, -(2 ** 31)]) {
      assert.match(err<unknown>(classes[kind].from_fd(wrong)), NO_SOCKET);
    }
    // (On Windows it has no handle that a program could know.)
    if (isWindows) return;
    const file = openSync("/dev/null", "r");
    assert.match(
      err<unknown>(classes[kind].from_fd(file)),
      / from_fd failed: Socket operation on non-socket/,
    );
    closeSync(file);
    assert.equal(openDescriptors(), before);
  });
}

test("IPv6 sockets are taken over like others", () => {
  const { client, server } = tcpPair("[::1]:0");
  ok(net.TcpStream.from_fd(ok(client.into_fd()))).close();
  server.close();
  const listener = ok(net.TcpListener.bind("[::1]:0"));
  ok(net.TcpListener.from_fd(ok(listener.into_fd()))).close();
  const udp = ok(net.UdpSocket.bind("[::1]:0"));
  ok(net.UdpSocket.from_fd(ok(udp.into_fd()))).close();
});

test("a descriptor that a child process would inherit is closed on exec once it is taken over", () => {
  const { client, server } = tcpPair();
  const fd = ok(client.into_fd());
  const fcntl = koffi.load(null).func("int fcntl(int, int, ...)");
  const isClosedOnExec = (): boolean => fcntl(fd, 1, "int", 0) === 1; // F_GETFD, FD_CLOEXEC
  fcntl(fd, 2, "int", 0); // F_SETFD
  assert.equal(isClosedOnExec(), false);
  const again = ok(net.TcpStream.from_fd(fd));
  assert.equal(isClosedOnExec(), true);
  again.close();
  server.close();
});

const wordOf: { readonly [kind in Kind]: string } = {
  TcpStream: "tcp",
  TcpListener: "tcp listener",
  UdpSocket: "udp",
  UnixStream: "unix",
  UnixListener: "unix listener",
  UnixDatagram: "unix",
};

// The system refuses everything on a descriptor that somebody else closed: each member says what failed, in the
// contract's words.
const streamCalls = {
  read: [
    ["read", 1],
    ["read_into", Buffer.alloc(1)],
    ["read_exact", 1],
    ["read_to_end"],
    ["read_until", "x"],
    ["peek", 1],
  ],
  write: [
    ["write", "x"],
    ["write_all", "x"],
  ],
  shutdown: [["shutdown", "both"]],
  peer_addr: [["peer_addr"]],
};
const datagramCalls = {
  recv: [
    ["recv", 1],
    ["recv_from", 1],
    ["peek", 1],
    ["peek_from", 1],
  ],
  peer_addr: [["peer_addr"]],
};
const commonCalls = {
  set_nonblocking: [["set_nonblocking", true]],
  local_addr: [["local_addr"]],
  take_error: [["take_error"]],
  try_clone: [["try_clone"]],
};
const named = (...calls: [string, ...unknown[]][]): Calls =>
  Object.fromEntries(calls.map((call) => [call[0], [call]]));
type Calls = { [word: string]: unknown[][] };
const ttlCalls = named(["set_ttl", 5], ["ttl"]);
const failingCalls: { [kind in Kind]: Calls } = {
  TcpStream: {
    ...streamCalls,
    ...ttlCalls,
    ...named(
      ["set_nodelay", true],
      ["nodelay"],
      ["set_linger", null],
      ["linger"],
      ["set_keepalive", true],
      ["keepalive"],
    ),
  },
  TcpListener: { ...ttlCalls, ...named(["accept"]) },
  UdpSocket: {
    ...datagramCalls,
    ...ttlCalls,
    send: [
      ["send", "x"],
      ["send_to", "x", "127.0.0.1:9"],
    ],
    ...named(
      ["connect", "127.0.0.1:9"],
      ["set_broadcast", true],
      ["broadcast"],
      ["join_multicast_v4", "239.255.7.7", "127.0.0.1"],
      ["leave_multicast_v4", "239.255.7.7", "127.0.0.1"],
      ["join_multicast_v6", "ff01::77", 1],
      ["leave_multicast_v6", "ff01::77", 1],
      ["set_multicast_loop_v4", true],
      ["multicast_loop_v4"],
      ["set_multicast_ttl_v4", 1],
      ["multicast_ttl_v4"],
    ),
  },
  UnixStream: streamCalls,
  UnixListener: named(["accept"]),
  UnixDatagram: {
    ...datagramCalls,
    send: [
      ["send", "x"],
      ["send_to", "x", "/nowhere"],
    ],
    ...named(["connect", "/nowhere"], ["shutdown", "both"]),
  },
};

for (const kind of kinds) {
  test(`${kind}: each member says what failed`, () => {
    const socket = makers[kind]();
    closeBehindItsBack(ok(socket.as_fd()));
    for (const [word, calls] of Object.entries({ ...commonCalls, ...failingCalls[kind] })) {
      for (const [member, ...args] of calls as [string, ...unknown[]][]) {
        const call = (
          socket as unknown as { [member: string]: (...args: unknown[]) => net.Result<unknown, string> }
        )[member];
        assert.equal(
          err(call!.apply(socket, args)),
          `${wordOf[kind]} ${word} failed: ${reason(isWindows ? "ENOTSOCK" : "EBADF")}`,
          member,
        );
      }
    }
    socket.close();
  });
}

test("a descriptor in non-blocking mode is taken as it is", () => {
  const { client, server } = tcpPair();
  ok(client.set_nonblocking(true));
  const again = ok(net.TcpStream.from_fd(ok(client.into_fd())));
  assert.equal(net.error_code(err(again.read(1))), "EAGAIN");
  ok(again.set_nonblocking(false));
  ok(again.set_read_timeout(30));
  assert.equal(net.error_code(err(again.read(1))), "EAGAIN");
  again.close();
  server.close();
});

const withTimeouts: Record<string, () => { client: net.TcpStream; server: net.TcpStream }> = {
  "its own": () => {
    const pair = tcpPair();
    ok(pair.client.set_read_timeout(10));
    ok(pair.client.set_write_timeout(10));
    ok(pair.client.write("x"));
    assert.equal(net.error_code(err(pair.client.read(1))), "EAGAIN");
    return pair;
  },
  // Linux hands SO_RCVTIMEO down to the connections that a listener accepts.
  "its listener's": () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    ok(listener.set_accept_timeout(10));
    assert.equal(net.error_code(err(listener.accept())), "EAGAIN");
    const server = ok(net.TcpStream.connect(ok(listener.local_addr())));
    const client = ok(listener.accept());
    listener.close();
    return { client, server };
  },
};
for (const [whose, make] of Object.entries(withTimeouts)) {
  test(`into_fd takes no timeout along, not ${whose}: a child process can wait on the descriptor`, async () => {
    const { client, server } = make();
    const fd = ok(client.into_fd());
    const program =
      "import socket; s = socket.socket(fileno=3); print('ready', flush=True); print(s.recv(10), any(s.getsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, 16)))";
    const child = spawn("python3", ["-c", program], { stdio: ["ignore", "pipe", "inherit", fd] });
    closeSync(fd);
    let text = "";
    const stdout = child.stdio[1] as Readable;
    stdout.on("data", (data) => {
      text += data;
      // Later than the timeout was.
      if (String(data).includes("ready")) setTimeout(() => ok(server.write("late")), 100);
    });
    await once(stdout, "close");
    assert.equal(text, "ready\nb'late' False\n");
    server.close();
  });
}

test("into_fd refuses to lose bytes that a failed read gave back", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("abc"));
  assert.equal(
    net.error_code(err(client.set_read_timeout(20).andThen(() => client.read_exact(5)))),
    "EAGAIN",
  );
  assert.match(err(client.into_fd()), /^tcp into_fd failed: bytes that a failed read gave back/);
  assert.equal(ok(client.read(10)).toString(), "abc");
  // read_until leaves them with the kernel, as long as it can hold them.
  ok(server.write_all("line without end"));
  assert.equal(net.error_code(err(client.read_until("\n"))), "EAGAIN");
  const again = ok(net.TcpStream.from_fd(ok(client.into_fd())));
  assert.equal(ok(again.read(100)).toString(), "line without end");
  again.close();
  server.close();
});

test("into_fd refuses to lose the part of an HTTP message that was read", () => {
  const { client, server } = tcpPair();
  ok(client.write_all("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab"));
  assert.match(err(net.http.read_request(server, { timeout_ms: 20 })), /timed out$/);
  assert.equal(
    err(server.into_fd()),
    "tcp into_fd failed: a part of an HTTP message was read, and the rest is still to be",
  );
  ok(client.write_all("cdnext"));
  assert.equal(ok(net.http.read_request(server)).body, "abcd");
  const again = ok(net.TcpStream.from_fd(ok(server.into_fd())));
  assert.equal(ok(again.read(100)).toString(), "next");
  again.close();
  client.close();
});

test("a connection goes to a worker thread and back, and nothing is lost", async () => {
  const { stream, child } = pythonStream(`
f = peer.makefile("rwb")
for i in range(200): f.write(b"line %d\\n" % i)
f.flush()
print(f.readline().decode().strip())
print(f.readline().decode().strip())`);
  assert.equal(ok(stream.read_until("\n")).toString(), "line 0\n");
  const worker = new Worker(
    `
    const { parentPort } = require("node:worker_threads");
    const { TcpStream } = require("std-net");
    parentPort.once("message", (fd) => {
      const stream = TcpStream.from_fd(fd).unwrapOrElse((error) => { throw new Error(error); });
      const lines = [];
      for (let i = 0; i < 100; i++) lines.push(String(stream.read_until("\\n").unwrapOr("?")));
      stream.write_all("from the worker\\n");
      parentPort.postMessage([lines, stream.into_fd().unwrapOr(-1)]);
    });`,
    { eval: true },
  );
  worker.postMessage(ok(stream.into_fd()));
  const [lines, fd] = (await once(worker, "message"))[0] as [string[], number];
  assert.deepEqual(
    lines,
    Array.from({ length: 100 }, (_, index) => `line ${index + 1}\n`),
  );
  const back = ok(net.TcpStream.from_fd(fd));
  assert.equal(ok(back.read_until("\n")).toString(), "line 101\n");
  ok(back.write_all("from the main thread\n"));
  assert.equal(await child.line(), "from the worker");
  assert.equal(await child.line(), "from the main thread");
  back.close();
  await worker.terminate();
  await child.exit();
});

type NodeSocket = Socket & { _handle: { fd: number; readStop(): number } };

test("a connection goes to net.Socket and back, and nothing is lost", async () => {
  const { stream, child } = pythonStream(`
f = peer.makefile("rwb")
for i in range(3): f.write(b"line %d\\n" % i)
f.flush()
print(f.readline().decode().strip())
for i in range(3, 2000): f.write(b"line %d\\n" % i)
f.flush()
print(f.readline().decode().strip())`);
  assert.equal(ok(stream.read_until("\n")).toString(), "line 0\n");
  const socket = new Socket({ fd: ok(stream.into_fd()) }) as NodeSocket;
  let text = "";
  while (!text.includes("line 2\n")) {
    const piece: Buffer | null = socket.read();
    if (piece === null) await once(socket, "readable");
    else text += piece;
  }
  await new Promise((resolve) => socket.write("from node:net\n", resolve));
  assert.equal(await child.line(), "from node:net");
  // Node reads ahead: it is stopped, and asked for what it has.
  socket._handle.readStop();
  text += socket.read() ?? "";
  // It goes on owning its descriptor: a clone is taken, and Node's is closed.
  const lent = ok(net.TcpStream.from_fd(socket._handle.fd));
  const back = ok(lent.try_clone());
  ok(lent.into_fd());
  socket.destroy();
  await once(socket, "close");
  ok(back.set_nonblocking(false));
  while (!text.endsWith("line 1999\n")) text += ok(back.read_until("\n"));
  assert.equal(text, Array.from({ length: 1999 }, (_, index) => `line ${index + 1}\n`).join(""));
  ok(back.write_all("blocking again\n"));
  assert.equal(await child.line(), "blocking again");
  back.close();
  await child.exit();
});

test("what node:net accepted is taken over", async () => {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = python(
    `s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); s.sendall(b"early bytes"); print(s.recv(100).decode())`,
    String((server.address() as { port: number }).port),
  );
  const [socket] = (await once(server, "connection")) as [NodeSocket];
  const lent = ok(net.TcpStream.from_fd(socket._handle.fd));
  const stream = ok(lent.try_clone());
  ok(lent.into_fd());
  socket.destroy();
  ok(stream.set_nonblocking(false));
  assert.equal(ok(stream.read_exact(11)).toString(), "early bytes");
  ok(stream.write_all("an answer"));
  assert.equal(await client.line(), "an answer");
  stream.close();
  server.close();
  await client.exit();
});

test("several workers block in accept on one listener, and terminate within half a second", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const address = ok(listener.local_addr());
  const code = `
    const { parentPort, threadId, workerData } = require("node:worker_threads");
    const { TcpListener } = require("std-net");
    const listener = TcpListener.from_fd(workerData).unwrapOrElse((error) => { throw new Error(error); });
    parentPort.postMessage("ready");
    for (const accepted of listener.incoming()) {
      const stream = accepted.unwrapOrElse((error) => { throw new Error(error); });
      stream.write_all(String(threadId));
      // One connection at a time: while it lasts, the next one goes to another worker.
      stream.read(1);
      stream.close();
    }`;
  const workers = [1, 2, 3].map(
    () => new Worker(code, { eval: true, workerData: ok(ok(listener.try_clone()).into_fd()) }),
  );
  await Promise.all(workers.map((worker) => once(worker, "message")));
  // A long timeout of this thread's must not become theirs: the kernel keeps one for the socket.
  ok(listener.set_accept_timeout(60_000));
  const clients = [1, 2, 3].map(() => ok(net.TcpStream.connect(address)));
  const threads = new Set(clients.map((client) => ok(client.read(10)).toString()));
  assert.deepEqual(threads, new Set(workers.map((worker) => String(worker.threadId))));
  for (const client of clients) client.close();
  const start = performance.now();
  await Promise.all(workers.map((worker) => worker.terminate()));
  const took = performance.now() - start;
  assert.ok(took < 1000, `took ${took} ms`);
  assert.equal(portOf(ok(listener.local_addr())), portOf(address));
  listener.close();
});
