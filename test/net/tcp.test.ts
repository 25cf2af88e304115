import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import * as net from "std-net";
import { err, node, ok, portOf, python } from "../support/peer.ts";
import { STREAM_PAIR, streamPair } from "../support/sockets.ts";
import { isWindows, reason } from "../support/system-errors.ts";

/** A stream and the other end of it, both in this process. */
function pair(): { listener: net.TcpListener; client: net.TcpStream; server: net.TcpStream } {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  return { listener, client, server: ok(listener.accept()) };
}

describe("TcpStream with Python's socket at the other end", () => {
  test("connects, writes, reads what comes, and sees the end of the stream", async () => {
    await using peer = python(`
s = socket.create_server(("127.0.0.1", 0))
print("%s:%d" % s.getsockname())
c, a = s.accept()
print("%s:%d" % a)
got = b""
while len(got) < 5: got += c.recv(100)
c.sendall(got.upper() + bytes([0, 255]))
c.close()
print(got)
`);
    const address = await peer.line();
    const stream = ok(net.TcpStream.connect(address));
    assert.equal(await peer.line(), ok(stream.local_addr()));
    assert.equal(ok(stream.peer_addr()), address);
    assert.equal(ok(stream.write([104, 101, 108, 108, 111])), 5);
    let got = Buffer.alloc(0);
    for (;;) {
      const bytes = ok(stream.read(3));
      assert.ok(Buffer.isBuffer(bytes) && bytes.length <= 3);
      if (bytes.length === 0) break;
      got = Buffer.concat([got, bytes]);
    }
    assert.deepEqual([...got], [...Buffer.from("HELLO"), 0, 255]);
    assert.equal(ok(stream.read(10)).length, 0, "the end of the stream stays the end");
    stream.close();
    assert.equal(await peer.line(), "b'hello'");
  });

  test("IPv6, and a name with both families", async () => {
    await using peer = python(`
s = socket.create_server(("::1", 0), family=socket.AF_INET6)
print(s.getsockname()[1])
for i in range(2):
  c, a = s.accept()
  c.sendall(a[0].encode())
  c.close()
`);
    const port = await peer.line();
    for (const host of ["[::1]", "[0:0:0:0:0:0:0:1]"]) {
      const stream = ok(net.TcpStream.connect(`${host}:${port}`));
      assert.equal(ok(stream.peer_addr()), `[::1]:${port}`);
      assert.equal(ok(stream.read(100)).toString(), "::1");
      stream.close();
    }
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    // Whatever order the resolver gives "localhost" in, the address that listens is found.
    const stream = ok(net.TcpStream.connect(`localhost:${portOf(ok(listener.local_addr()))}`));
    assert.match(ok(stream.peer_addr()), /^127\.0\.0\.1:/);
    stream.close();
    listener.close();
  });

  test("a peer that resets is an error, first on read, then EPIPE on write, and no signal", async () => {
    await using peer = python(`
import struct
s = socket.create_server(("127.0.0.1", 0))
print("%s:%d" % s.getsockname())
c, a = s.accept()
c.recv(1)
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.close()
print("closed")
`);
    const stream = ok(net.TcpStream.connect(await peer.line()));
    ok(stream.write("x"));
    await peer.line();
    assert.equal(err(stream.read(1)), `tcp read failed: ${reason("ECONNRESET")}`);
    const message = err(stream.write("x"));
    assert.equal(message, `tcp write failed: ${reason("EPIPE")}`);
    assert.equal(net.error_code(message), "EPIPE");
    stream.close();
  });

  test("no call raises SIGPIPE, for which a program may listen", async () => {
    await using child = node(`
let raised = 0;
process.on("SIGPIPE", () => raised++);
const errors = [];
const [near, far] = ${STREAM_PAIR};
far.close();
errors.push(near.write("x").error, near.write_all(Buffer.alloc(100)).error);
const listener = net.TcpListener.bind("127.0.0.1:0").value;
const stream = net.TcpStream.connect(listener.local_addr().value).value;
stream.shutdown("write");
errors.push(stream.write("x").error, stream.write_all(Buffer.alloc(100)).error);
errors.push(net.http.write_response(stream, { status: 200 }).error);
for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
console.log(errors.filter((error) => net.error_code(error) === "EPIPE").length, raised);
process.kill(process.pid, "SIGPIPE");
while (raised === 0) await new Promise(setImmediate);
console.log("heard");`);
    assert.equal(await child.line(), "5 0");
    assert.equal(await child.line(), "heard");
  });

  test("ten megabytes arrive whole, whatever write takes at a time", async () => {
    await using peer = python(`
import hashlib
s = socket.create_server(("127.0.0.1", 0))
print("%s:%d" % s.getsockname())
c, a = s.accept()
h = hashlib.sha256()
while True:
  b = c.recv(65536)
  if not b: break
  h.update(b)
print(h.hexdigest())
`);
    const { createHash, randomBytes } = await import("node:crypto");
    const data = randomBytes(10_000_000);
    const stream = ok(net.TcpStream.connect(await peer.line()));
    for (let sent = 0; sent < data.length; ) sent += ok(stream.write(data.subarray(sent)));
    stream.close();
    assert.equal(await peer.line(), createHash("sha256").update(data).digest("hex"));
  });
});

describe("TcpListener with foreign clients", () => {
  test("accepts Python", async () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const address = ok(listener.local_addr());
    await using peer = python(
      `
h, p = sys.argv[1].split(":")
s = socket.create_connection((h, int(p)))
print("%s:%d" % s.getsockname())
s.sendall("grüße".encode())
print(s.recv(100))
`,
      address,
    );
    const own = await peer.line();
    const stream = ok(listener.accept());
    assert.equal(ok(stream.peer_addr()), own);
    assert.equal(ok(stream.local_addr()), address);
    assert.equal(ok(stream.read(100)).toString(), "grüße");
    assert.equal(ok(stream.write("schön")), 6);
    stream.close();
    assert.equal(await peer.line(), String.raw`b'sch\xc3\xb6n'`);
    listener.close();
  });

  test("[::] takes IPv4 clients, whose address reads as mapped", () => {
    const listener = ok(net.TcpListener.bind("[::]:0"));
    assert.match(ok(listener.local_addr()), /^\[::\]:\d+$/);
    const client = ok(net.TcpStream.connect(`127.0.0.1:${portOf(ok(listener.local_addr()))}`));
    const server = ok(listener.accept());
    assert.match(ok(server.peer_addr()), /^\[::ffff:127\.0\.0\.1\]:\d+$/);
    for (const open of [client, server, listener]) open.close();
  });

  test("SO_REUSEADDR: a port is free again at once after a connection on it was closed", () => {
    const { listener, client, server } = pair();
    const address = ok(listener.local_addr());
    // The side that closes first is left in TIME_WAIT on the listener's port.
    server.close();
    assert.equal(ok(client.read(1)).length, 0);
    client.close();
    listener.close();
    ok(net.TcpListener.bind(address)).close();
  });

  test("a port that is taken is an error", () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const message = err(net.TcpListener.bind(ok(listener.local_addr())));
    assert.equal(message, `tcp listener bind failed: ${reason("EADDRINUSE")}`);
    assert.equal(net.error_code(message), "EADDRINUSE");
    listener.close();
  });
});

describe("reading", () => {
  test("gives as many bytes as have come, at most the size", () => {
    const { listener, client, server } = pair();
    ok(client.write("abcdef"));
    assert.equal(ok(server.read(4)).toString(), "abcd");
    assert.equal(ok(server.read(100)).toString(), "ef");
    for (const open of [client, server, listener]) open.close();
  });

  test("a huge size costs no huge allocation", () => {
    const { listener, client, server } = pair();
    ok(client.write("abc"));
    const before = process.memoryUsage();
    const bytes = ok(server.read(2 ** 31));
    ok(client.write("def"));
    assert.equal(ok(server.read(Number.MAX_SAFE_INTEGER)).toString(), "def");
    const after = process.memoryUsage();
    assert.equal(bytes.toString(), "abc");
    assert.ok(after.arrayBuffers - before.arrayBuffers < 32 * 1024 * 1024);
    assert.ok(after.rss - before.rss < 64 * 1024 * 1024);
    for (const open of [client, server, listener]) open.close();
  });

  test("more than 64 KiB that have come are given in one read", async () => {
    const { listener, client, server } = pair();
    const data = Buffer.alloc(300_000, "x");
    let sent = 0;
    ok(client.set_nonblocking(true));
    while (sent < data.length) {
      const result = client.write(data.subarray(sent));
      if (result.isErr) break;
      sent += result.value;
    }
    const bytes = ok(server.read(1_000_000));
    assert.ok(bytes.length > 65_536, `${bytes.length} of ${sent}`);
    for (const open of [client, server, listener]) open.close();
  });

  test("a returned Buffer keeps no more memory alive than a small multiple of its bytes", () => {
    const { listener, client, server } = pair();
    for (const size of [1, 10, 64, 65, 1000, 5000, 65_536]) {
      ok(client.write(Buffer.alloc(size, 1)));
      const bytes = ok(server.read(size));
      assert.ok(
        bytes.buffer.byteLength <= Math.max(64, 8 * bytes.length),
        `${bytes.length} bytes on ${bytes.buffer.byteLength}`,
      );
    }
    // Few bytes where many were asked for.
    for (const asked of [65_536, 262_144, 1_000_000]) {
      ok(client.write(Buffer.alloc(100, 1)));
      const bytes = ok(server.read(asked));
      assert.ok(bytes.buffer.byteLength <= 8 * bytes.length, `${asked}: ${bytes.buffer.byteLength}`);
    }
    for (const open of [client, server, listener]) open.close();
  });

  test("a returned Buffer that is given to a worker takes no other along", () => {
    const { listener, client, server } = pair();
    const buffers: Buffer[] = [];
    ok(client.write_all(Buffer.alloc(4 * 65_536, 1)));
    while (buffers.length < 4) buffers.push(ok(server.read_exact(65_536)));
    ok(client.write_all(Buffer.alloc(4 * 65_536, 2)));
    while (buffers.length < 8) buffers.push(ok(server.read(65_536)));
    const { port1 } = new MessageChannel();
    for (const buffer of buffers) {
      const neighbours = buffers.filter((other) => other !== buffer && other.buffer === buffer.buffer);
      if (neighbours.length === 0) continue;
      try {
        port1.postMessage(buffer, [buffer.buffer as ArrayBuffer]);
      } catch {
        // Node 21 and later refuse; Node 20 makes a copy.
      }
      for (const neighbour of neighbours) assert.ok(neighbour.length > 0);
    }
    port1.close();
    for (const each of [listener, client, server]) each.close();
  });

  test("a Buffer that was returned is not written to by the next read", () => {
    const { listener, client, server } = pair();
    for (const size of [4, 100, 70_000]) {
      ok(client.write(Buffer.alloc(size, "a")));
      const first = ok(server.read(size));
      ok(client.write(Buffer.alloc(size, "b")));
      ok(server.read(size));
      assert.ok(first.every((byte) => byte === 97));
    }
    for (const open of [client, server, listener]) open.close();
  });
});

describe("non-blocking mode", () => {
  test("what would wait is EAGAIN at once, and off again it waits", async () => {
    const { listener, client, server } = pair();
    ok(server.set_nonblocking(true));
    const message = err(server.read(1));
    assert.equal(message, `tcp read failed: ${reason("EAGAIN")}`);
    assert.equal(net.error_code(message), "EAGAIN");
    ok(listener.set_nonblocking(true));
    const accepting = err(listener.accept());
    assert.equal(accepting, `tcp listener accept failed: ${reason("EAGAIN")}`);

    ok(client.set_nonblocking(true));
    const chunk = Buffer.alloc(1_000_000);
    let full: net.Result<number, string>;
    do full = client.write(chunk);
    while (full.isOk);
    assert.equal(net.error_code(full.error), "EAGAIN");

    ok(server.set_nonblocking(false));
    await using peer = python(
      `
h, p = sys.argv[1].split(":")
s = socket.create_connection((h, int(p)))
time.sleep(0.3)
s.sendall(b"late")
`,
      ok(listener.local_addr()),
    );
    ok(listener.set_nonblocking(false));
    const stream = ok(listener.accept());
    assert.equal(ok(stream.read(10)).toString(), "late");
    for (const open of [client, server, listener, stream]) open.close();
    await peer.exit();
  });

  test("an accepted stream blocks even when its listener does not", async () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    ok(listener.set_nonblocking(true));
    await using peer = node(
      `const stream = net.TcpStream.connect(process.argv[1]).value;
      console.log("connected");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      stream.write("late");`,
      ok(listener.local_addr()),
    );
    await peer.line();
    const stream = ok(listener.accept());
    assert.equal(ok(stream.read(10)).toString(), "late");
    stream.close();
    listener.close();
  });
});

describe("closing", () => {
  test("every call on a closed object is an error; closing twice is harmless", () => {
    const { listener, client, server } = pair();
    for (let times = 0; times < 2; times++) for (const open of [client, server, listener]) open.close();
    assert.equal(err(client.read(1)), "invalid tcp stream");
    assert.equal(err(client.write("x")), "invalid tcp stream");
    assert.equal(err(client.set_nonblocking(true)), "invalid tcp stream");
    assert.equal(err(client.peer_addr()), "invalid tcp stream");
    assert.equal(err(client.local_addr()), "invalid tcp stream");
    assert.equal(err(listener.accept()), "invalid tcp listener");
    assert.equal(err(listener.local_addr()), "invalid tcp listener");
    assert.equal(err(listener.set_nonblocking(true)), "invalid tcp listener");
  });

  test("using closes at the end of the block", () => {
    let kept: net.TcpStream;
    {
      using listener = ok(net.TcpListener.bind("127.0.0.1:0"));
      using stream = ok(net.TcpStream.connect(ok(listener.local_addr())));
      kept = stream;
      ok(stream.local_addr());
    }
    assert.equal(err(kept.local_addr()), "invalid tcp stream");
    for (const open of [
      ok(net.TcpListener.bind("127.0.0.1:0")),
      ok(net.UdpSocket.bind("127.0.0.1:0")),
      ...(isWindows ? [] : [ok(net.UnixDatagram.unbound())]),
      ...streamPair(),
    ]) {
      open[Symbol.dispose]();
      assert.match(err(open.local_addr()), /^invalid /);
    }
    const poller = ok(net.Poller.create());
    poller[Symbol.dispose]();
    assert.equal(err(poller.wait(0)), "invalid poller");
  });

  test("a closed socket's number, taken by another, is not touched", () => {
    const { listener, client, server } = pair();
    client.close();
    const other = ok(net.TcpStream.connect(ok(listener.local_addr())));
    client.close();
    assert.equal(err(client.write("x")), "invalid tcp stream");
    ok(other.write("y"));
    for (const open of [server, other, listener]) open.close();
  });
});

describe("connecting", () => {
  test("nothing listens", () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const address = ok(listener.local_addr());
    listener.close();
    const message = err(net.TcpStream.connect(address));
    assert.equal(message, `failed to connect: ${reason("ECONNREFUSED")}`);
    assert.equal(net.error_code(message), "ECONNREFUSED");
  });

  test("a name that does not resolve", () => {
    const message = err(net.TcpStream.connect("does-not-exist.invalid:80"));
    assert.match(message, /^failed to connect: failed to lookup address information: \S/);
    assert.equal(net.error_code(message), null);
  });

  test("a name too long for any resolver does not resolve either", () => {
    assert.equal(
      err(net.TcpStream.connect(`${"a.".repeat(1_000_000)}com:1`)),
      err(net.TcpStream.connect("no-such-name.invalid:1")),
    );
  });

  test("short IPv4 text is the resolver's to decide", () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const stream = ok(net.TcpStream.connect(`127.1:${portOf(ok(listener.local_addr()))}`));
    assert.match(ok(stream.peer_addr()), /^127\.0\.0\.1:/);
    stream.close();
    listener.close();
  });

  test("console.log and String() show a socket's class and addresses, and not what it is made of", () => {
    const { listener, client, server } = pair();
    const [here, there] = [ok(client.local_addr()), ok(client.peer_addr())];
    const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
    assert.equal(inspect(client), `TcpStream ${here} -> ${there}`);
    assert.equal(inspect({ listener }), `{ listener: TcpListener ${there} }`);
    assert.equal(inspect(udp), `UdpSocket ${ok(udp.local_addr())}`);
    const [near] = streamPair();
    const poller = ok(net.Poller.create());
    for (const each of [listener, client, udp, near, poller]) {
      assert.equal(String(net.Result.ok(each)), `Ok(${inspect(each)})`);
    }
    ok(poller.add(near, { readable: true }));
    assert.equal(`${poller}`, "Poller of 1 socket");
    for (const each of [listener, client, server, udp, near, poller]) each.close();
    assert.equal(`${poller}`, "Poller (closed)");
    assert.equal(inspect([client, udp]), "[ TcpStream (closed), UdpSocket (closed) ]");
  });

  test("error_code knows the errors that only sockets give", () => {
    assert.equal(net.error_code(`tcp write failed: x (os error ${isWindows ? 10058 : 108})`), "ESHUTDOWN");
    assert.equal(net.error_code(`failed to connect: x (os error ${isWindows ? 10064 : 112})`), "EHOSTDOWN");
  });

  test("error_code is null for what holds no system error", () => {
    for (const text of ["", "invalid buffer size", "x (os error 111) y", "x (os error 99999)"]) {
      assert.equal(net.error_code(text), null);
    }
    assert.equal(net.error_code(undefined as never), null);
  });
});
