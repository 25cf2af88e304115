import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import * as net from "std-net";
import { isXnu, skipWithoutUnixQueue } from "../support/kernel.ts";
import { err, node, ok, python } from "../support/peer.ts";
import { timed } from "../support/sockets.ts";
import { reason } from "../support/system-errors.ts";

const folder = mkdtempSync(join(tmpdir(), "std-net-"));
after(() => rmSync(folder, { recursive: true }));
let paths = 0;
const newPath = (): string => join(folder, `${++paths}.sock`);
const linuxOnly = process.platform === "linux" ? false : "abstract names are Linux' own";

test("UnixStream to a Python server: lines, whole reads, half-close", async () => {
  const path = newPath();
  const server = python(
    `
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); print("ready")
c, _ = s.accept()
f = c.makefile("rwb")
while True:
    line = f.readline()
    if not line: break
    f.write(line.upper()); f.flush()
c.sendall(b"the end"); c.close()`,
    path,
  );
  await server.line();
  const stream = ok(net.UnixStream.connect(path));
  assert.equal(ok(stream.peer_addr()), path);
  assert.equal(ok(stream.local_addr()), "");
  ok(stream.write_all("one\ntwo\n"));
  assert.equal(ok(stream.read_until("\n")).toString(), "ONE\n");
  assert.equal(ok(stream.read_exact(4)).toString(), "TWO\n");
  ok(stream.shutdown("write"));
  assert.equal(ok(stream.read_to_end()).toString(), "the end");
  assert.equal(net.error_code(err(stream.write("x"))), "EPIPE");
  stream.close();
  assert.equal(err(stream.read(1)), "invalid unix stream");
  assert.equal(err(stream.peer_addr()), "invalid unix stream");
  await server.exit();
});

test("UnixListener for a Python client: accept, incoming, timeouts", async () => {
  const path = newPath();
  const listener = ok(net.UnixListener.bind(path));
  assert.ok(statSync(path).isSocket());
  assert.equal(ok(listener.local_addr()), path);
  assert.equal(err(net.UnixListener.bind(path)), `unix listener bind failed: ${reason("EADDRINUSE")}`);
  ok(listener.set_accept_timeout(60));
  assert.equal(ok(listener.accept_timeout()), 60);
  const { took, value } = timed(() => listener.accept());
  assert.equal(net.error_code(err(value)), "EAGAIN");
  assert.ok(took >= 55 && took < 1500, `took ${took} ms`);
  ok(listener.set_accept_timeout(null));
  const client = python(
    `
for i in range(2):
    s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(b"hello %d" % i); s.close()`,
    path,
  );
  const texts: string[] = [];
  for (const accepted of listener.incoming()) {
    const stream = ok(accepted);
    // (The client may have closed already; then XNU does not tell it any more.)
    if (!isXnu) assert.equal(ok(stream.peer_addr()), "");
    assert.equal(ok(stream.local_addr()), path);
    texts.push(ok(stream.read_to_end()).toString());
    stream.close();
    if (texts.length === 2) listener.close();
  }
  assert.deepEqual(texts, ["hello 0", "hello 1"]);
  assert.equal(err(listener.accept()), "invalid unix listener");
  assert.equal(err(listener.local_addr()), "invalid unix listener");
  assert.ok(existsSync(path), "the path stays");
  assert.equal(net.error_code(err(net.UnixStream.connect(path))), "ECONNREFUSED");
  await client.exit();
});

test("paths that are none", () => {
  const calls = [
    ["unix connect failed: ", (path: string) => net.UnixStream.connect(path)],
    ["unix listener bind failed: ", (path: string) => net.UnixListener.bind(path)],
    ["unix bind failed: ", (path: string) => net.UnixDatagram.bind(path)],
    ["unix send failed: ", (path: string) => ok(net.UnixDatagram.unbound()).send_to("x", path)],
    ["unix connect failed: ", (path: string) => ok(net.UnixDatagram.unbound()).connect(path)],
  ] as const;
  for (const [prefix, call] of calls) {
    for (const path of ["", "a\0b", `${folder}/x\0`]) {
      assert.equal(err<unknown>(call(path)), `${prefix}invalid socket path`);
    }
    for (const path of ["x".repeat(108), "ü".repeat(54), "y".repeat(100_000), `\0${"z".repeat(108)}`]) {
      assert.equal(err<unknown>(call(path)), `${prefix}socket path too long`);
    }
    assert.match(err<unknown>(call(join(folder, "no", "such", "folder"))), /\(os error 2\)$/);
    for (const wrong of [5, null, undefined, Buffer.from("x"), ["x"]]) {
      assert.equal(err<unknown>(call(wrong as unknown as string)), "expected string");
    }
  }
  const file = join(folder, "file");
  writeFileSync(file, "");
  assert.equal(net.error_code(err(net.UnixStream.connect(file))), "ECONNREFUSED");
});

test("the longest path, and one that is not ASCII", () => {
  for (const path of [join(folder, "x".repeat(106 - folder.length)), join(folder, "Grüße-日本")]) {
    const listener = ok(net.UnixListener.bind(path));
    assert.equal(ok(listener.local_addr()), path);
    const stream = ok(net.UnixStream.connect(path));
    assert.equal(ok(stream.peer_addr()), path);
    stream.close();
    listener.close();
  }
});

/** As Python's os.fsdecode has it. */
const namesOfBytes = [
  [Buffer.from("caf\xe9", "latin1"), "caf\uDCE9"],
  [Buffer.from("\x80\xff\xc3(\xed\xa0\x80", "latin1"), "\uDC80\uDCFF\uDCC3(\uDCED\uDCA0\uDC80"],
  // Cut off, too long, too large; and what is whole beside it.
  [
    Buffer.from("\xe2\x82 \xf0\x9f\x92 \xc0\xaf \xf4\x90\x80\x80", "latin1"),
    "\uDCE2\uDC82 \uDCF0\uDC9F\uDC92 \uDCC0\uDCAF \uDCF4\uDC90\uDC80\uDC80",
  ],
  [Buffer.concat([Buffer.from("\u{1f480}\ufffd日"), Buffer.of(0xe9)]), "\u{1f480}\ufffd日\uDCE9"],
  // Together they are one character of two units, the second of which looks like an escape.
  [Buffer.from("\u{1f480}"), "\ud83d\udc80"],
] as const;

for (const [bytes, text] of namesOfBytes) {
  test(`a name of bytes that are not all UTF-8 leads there and back: ${bytes.toString("hex")}`, async () => {
    const [byteName, name] = [bytes.toString("latin1"), text];
    for (const [before, isAbstract] of [
      [`${folder}/bytes-`, false],
      [`\0std-net bytes ${process.pid} `, true],
    ] as const) {
      if (isAbstract && linuxOnly) continue;
      const path = before + name;
      // Python binds datagram and stream sockets to the very bytes, and says what it sees of ours.
      await using peer = python(
        `
import os
name = sys.argv[1].encode("latin-1") if not sys.argv[2] else b"\\0" + sys.argv[1].encode("latin-1")
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind(name + b"d"); d.settimeout(10)
s = socket.socket(socket.AF_UNIX); s.bind(name + b"s"); s.listen(); s.settimeout(10)
print("bound")
data, sender = d.recvfrom(100)
sender = os.fsencode(sender) if isinstance(sender, str) else sender
print(sender == name + b"o")
d.sendto(b"answer", sender)
c, _ = s.accept()
print(c.recv(10))
c.close()
t = socket.socket(socket.AF_UNIX); t.settimeout(10); t.connect(name + b"l"); t.sendall(b"found you"); t.close()`,
        (isAbstract ? before.slice(1) : before) + byteName,
        isAbstract ? "abstract" : "",
      );
      assert.equal(await peer.line(), "bound");
      const own = ok(net.UnixDatagram.bind(`${path}o`));
      ok(own.set_read_timeout(10_000));
      assert.equal(ok(own.local_addr()), `${path}o`);
      ok(own.send_to("ask", `${path}d`));
      assert.equal(await peer.line(), "True");
      const [payload, sender] = ok(own.recv_from(100));
      assert.deepEqual([payload.toString(), sender], ["answer", `${path}d`]);
      ok(own.connect(sender));
      assert.equal(ok(own.peer_addr()), sender);
      const listener = ok(net.UnixListener.bind(`${path}l`));
      assert.equal(ok(listener.local_addr()), `${path}l`);
      const stream = ok(net.UnixStream.connect(`${path}s`));
      assert.equal(ok(stream.peer_addr()), `${path}s`);
      ok(stream.write("x"));
      assert.equal(await peer.line(), "b'x'");
      assert.equal(ok(ok(listener.accept()).read_to_end()).toString(), "found you");
      for (const each of [own, listener, stream]) each.close();
    }
  });
}

test("http.request takes such a name too", async () => {
  const path = join(folder, "http-\uDCFF");
  await using server = python(
    `
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1].encode() + b"/http-\\xff"); s.listen(); print("bound")
c, _ = s.accept(); c.recv(1000); c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nok")`,
    folder,
  );
  assert.equal(await server.line(), "bound");
  const answer = ok(
    net.http.request({
      method: "GET",
      url: "http://a/",
      socket_path: path,
      decode_body: "text",
      timeout_ms: 10_000,
    }),
  );
  assert.equal(answer.body, "ok");
});

test("a lone surrogate that stands for no byte is no path, and lengths are those of the bytes", () => {
  for (const wrong of ["\uD800", "\uDBFF\uDBFFx", "\uDC00", "\uDC7F", "\uDD00", "a\uDFFF", "\uDC80\uD83D"]) {
    assert.equal(err(net.UnixStream.connect(wrong)), "unix connect failed: invalid socket path");
    assert.equal(err(net.UnixDatagram.bind(`\0${wrong}`)), "unix bind failed: invalid socket path");
  }
  const most = linuxOnly ? 103 : 107;
  assert.match(err(net.UnixStream.connect("\uDCFF".repeat(most))), /\(os error 2\)$/);
  assert.equal(
    err(net.UnixStream.connect("\uDCFF".repeat(most + 1))),
    "unix connect failed: socket path too long",
  );
});

test("abstract names are no files", { skip: linuxOnly }, async () => {
  const name = `\0std-net test ${process.pid}`;
  const listener = ok(net.UnixListener.bind(name));
  assert.equal(ok(listener.local_addr()), name);
  const client = python(
    `s = socket.socket(socket.AF_UNIX); s.connect("\\0" + sys.argv[1]); s.sendall(b"found you")`,
    name.slice(1),
  );
  const stream = ok(listener.accept());
  assert.equal(ok(stream.read_to_end()).toString(), "found you");
  const near = ok(net.UnixStream.connect(name));
  assert.equal(ok(near.peer_addr()), name);
  near.close();
  stream.close();
  listener.close();
  assert.equal(net.error_code(err(net.UnixStream.connect(name))), "ECONNREFUSED");
  await client.exit();
});

test("connect_timeout: a listener that accepts no connection", { skip: skipWithoutUnixQueue }, () => {
  const path = newPath();
  const listener = ok(net.UnixListener.bind(path, { backlog: 0 }));
  const waiting: net.UnixStream[] = [];
  for (;;) {
    const { took, value } = timed(() => net.UnixStream.connect_timeout(path, 100));
    if (value.isErr) {
      assert.equal(value.error, "unix connect failed: connection timed out");
      assert.ok(took >= 95 && took < 1500, `took ${took} ms`);
      break;
    }
    waiting.push(value.value);
    assert.ok(waiting.length < 10);
  }
  assert.equal(err(net.UnixStream.connect_timeout(path, 0)), "timeout must be a positive number");
  assert.equal(err(net.UnixListener.bind(newPath(), { backlog: 1.5 })), "expected int");
  for (const stream of waiting) stream.close();
  listener.close();
});

test("UnixStream.pair: both ways, clones, timeouts", () => {
  const [near, far] = ok(net.UnixStream.pair());
  ok(near.write_all("over"));
  assert.equal(ok(far.peek(2)).toString(), "ov");
  assert.equal(ok(far.read(10)).toString(), "over");
  const clone = ok(far.try_clone());
  ok(clone.write_all("back"));
  assert.equal(ok(near.read_exact(4)).toString(), "back");
  ok(near.set_read_timeout(50));
  const { took, value } = timed(() => near.read_until("\n"));
  assert.equal(err(value), `unix read failed: ${reason("EAGAIN")}`);
  assert.ok(took >= 45 && took < 1500, `took ${took} ms`);
  ok(far.write_all("half a li"));
  assert.equal(net.error_code(err(near.read_until("\n"))), "EAGAIN");
  ok(far.write_all("ne\nnext"));
  assert.equal(ok(near.read_until("\n")).toString(), "half a line\n");
  assert.equal(ok(near.read(10)).toString(), "next");
  assert.equal(ok(near.take_error()), null);
  far.close();
  clone.close();
  assert.equal(ok(near.read(1)).length, 0);
  near.close();
  assert.equal(err(near.try_clone()), "invalid unix stream");
});

test("read_until of a line that came in more pieces than the sender may have under way", async () => {
  // Linux counts what each piece costs, so that a few hundred of one byte each fill a Unix socket.
  const path = newPath();
  const listener = ok(net.UnixListener.bind(path));
  const client = python(
    `
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])
for i in range(3000): s.send(b"x")
s.send(b"\\n")`,
    path,
  );
  const stream = ok(listener.accept());
  assert.equal(ok(stream.read_until("\n")).length, 3001);
  stream.close();
  listener.close();
  assert.equal((await client.exit()).code, 0);
});

test("UnixDatagram to and from Python, with and without an address", async () => {
  const path = newPath();
  const near = ok(net.UnixDatagram.bind(path));
  assert.equal(ok(near.local_addr()), path);
  assert.equal(err(net.UnixDatagram.bind(path)), `unix bind failed: ${reason("EADDRINUSE")}`);
  const peer = python(
    `
anonymous = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
anonymous.sendto(b"anonymous", sys.argv[1])
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1] + ".peer")
s.sendto(b"", sys.argv[1])
data, sender = s.recvfrom(100)
print(data.decode(), sender)`,
    path,
  );
  assert.deepEqual(ok(near.recv_from(100)), [Buffer.from("anonymous"), ""]);
  assert.deepEqual(ok(near.peek_from(100)), [Buffer.alloc(0), `${path}.peer`]);
  assert.deepEqual(ok(near.recv_from(100)), [Buffer.alloc(0), `${path}.peer`]);
  assert.equal(ok(near.send_to("hello peer", `${path}.peer`)), 10);
  assert.equal(await peer.line(), `hello peer ${path}`);
  await peer.exit();
  assert.equal(net.error_code(err(near.send_to("x", `${path}.peer`))), "ECONNREFUSED");
  near.close();
  assert.equal(err(near.recv_from(1)), "invalid unix datagram");
  assert.equal(err(near.send_to("x", path)), "invalid unix datagram");
});

test("UnixDatagram: unbound, connect, pair, order, timeouts, shutdown", () => {
  const path = newPath();
  const server = ok(net.UnixDatagram.bind(path));
  const client = ok(net.UnixDatagram.unbound());
  assert.equal(ok(client.local_addr()), "");
  assert.equal(net.error_code(err(client.peer_addr())), "ENOTCONN");
  ok(client.connect(path));
  assert.equal(ok(client.peer_addr()), path);
  for (const text of ["a", "", "c"]) ok(client.send(text));
  assert.deepEqual(
    ["a", "", "c"],
    [1, 2, 3].map(() => ok(server.recv(10)).toString()),
  );
  ok(server.set_read_timeout(50));
  assert.equal(net.error_code(err(server.recv(1))), "EAGAIN");
  ok(client.set_write_timeout(50));
  // Nobody takes them: the queue is full at some time.
  let result = client.send("x");
  while (result.isOk) result = client.send("x");
  assert.equal(err(result), `unix send failed: ${reason(isXnu ? "ENOBUFS" : "EAGAIN")}`);
  client.close();
  server.close();

  const [one, other] = ok(net.UnixDatagram.pair());
  assert.equal(ok(one.send("cut to size")), 11);
  assert.equal(ok(other.recv(3)).toString(), "cut");
  const clone = ok(other.try_clone());
  ok(clone.send([1]));
  assert.equal(ok(one.recv(3))[0], 1);
  ok(one.shutdown("write"));
  assert.equal(net.error_code(err(one.send("x"))), "EPIPE");
  ok(other.send("still"));
  assert.equal(ok(one.recv(9)).toString(), "still");
  ok(one.shutdown("both"));
  assert.equal(net.error_code(err(one.send("x"))), "EPIPE");
  one.close();
  other.close();
  clone.close();
  assert.equal(err(one.shutdown("both")), "invalid unix datagram");
});

test("send_to waits for room no longer than the write timeout", { skip: skipWithoutUnixQueue }, async () => {
  await using child = node(
    `const server = net.UnixDatagram.bind(process.argv[1]).value;
    const client = net.UnixDatagram.unbound().value;
    client.set_write_timeout(50);
    let result = client.send_to("x", process.argv[1]);
    while (result.isOk) result = client.send_to("x", process.argv[1]);
    console.log(result.error);`,
    newPath(),
  );
  assert.equal(await child.line(), `unix send failed: ${reason("EAGAIN")}`);
});
