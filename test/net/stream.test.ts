import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { err, ok } from "../support/peer.ts";
import { pythonStream, tcpPair, timed } from "../support/sockets.ts";

test("read_into fills the caller's memory and no more", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("hello"));
  const buffer = Buffer.alloc(16, "-");
  assert.equal(ok(client.read_into(buffer)), 5);
  assert.equal(buffer.toString(), "hello-----------");
  ok(server.write_all("abcdef"));
  assert.equal(ok(client.read_into(buffer.subarray(2, 5))), 3);
  assert.equal(buffer.toString(), "heabc-----------");
  const shared = new Uint8Array(new SharedArrayBuffer(8));
  assert.equal(ok(client.read_into(shared)), 3);
  assert.equal(Buffer.from(shared).toString(), "def\0\0\0\0\0");
  server.close();
  assert.equal(ok(client.read_into(buffer)), 0);
  assert.equal(err(client.read_into(new Uint8Array(0))), "invalid buffer size");
  const detached = new Uint8Array(8);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  assert.equal(err(client.read_into(detached)), "invalid buffer size");
  for (const wrong of [null, undefined, 5, "text", [1, 2], new ArrayBuffer(4), new Uint16Array(4), {}]) {
    assert.equal(err(client.read_into(wrong as unknown as Uint8Array)), "expected Uint8Array");
  }
  client.close();
  assert.equal(err(client.read_into(buffer)), "invalid tcp stream");
});

test("read_exact waits for all of it, and after a failure has lost nothing", async () => {
  const { stream, child } = pythonStream(`
for piece in (b"ab", b"cd", b"efgh"):
    peer.sendall(piece); time.sleep(0.03)
peer.close()`);
  assert.equal(ok(stream.read_exact(7)).toString(), "abcdefg");
  assert.equal(err(stream.read_exact(2)), "tcp read failed: failed to fill whole buffer");
  assert.equal(ok(stream.read(10)).toString(), "h");
  assert.equal(err(stream.read_exact(1)), "tcp read failed: failed to fill whole buffer");
  assert.equal(err(stream.read_exact(2 ** 45)), "tcp read failed: failed to fill whole buffer");
  for (const size of [0, -1, 1.5, Number.NaN, "5", null, 2 ** 53]) {
    assert.equal(err(stream.read_exact(size as number)), "invalid buffer size");
  }
  stream.close();
  assert.equal(err(stream.read_exact(1)), "invalid tcp stream");
  assert.equal((await child.exit()).code, 0);
});

test("read_exact goes on where it was, however much it has", () => {
  const { client, server } = tcpPair();
  ok(server.set_nonblocking(true));
  const all = Buffer.from(Array.from({ length: 400_000 }, (_, index) => index % 251));
  for (let at = 0; at < all.length; at += 100_000) {
    assert.equal(net.error_code(err(server.read_exact(400_000))), "EAGAIN");
    ok(client.write_all(all.subarray(at, at + 100_000)));
  }
  assert.deepEqual(ok(server.peek(3)), all.subarray(0, 3));
  assert.deepEqual(ok(server.read_exact(70_001)), all.subarray(0, 70_001));
  assert.equal(net.error_code(err(server.read_exact(400_000))), "EAGAIN");
  assert.match(err(server.read_to_end(100_000)), /more than 100000 bytes/);
  assert.deepEqual(ok(server.read(1)), all.subarray(70_001, 70_002));
  assert.deepEqual(ok(server.read_exact(329_998)), all.subarray(70_002));
  client.close();
  server.close();
});

test("read_exact takes megabytes", async () => {
  const { stream, child } = pythonStream(`
block = bytes(range(256)) * 4096
for i in range(5): peer.sendall(block)
peer.close()`);
  const bytes = ok(stream.read_exact(4 * 1024 * 1024 + 3));
  assert.equal(bytes.length, 4 * 1024 * 1024 + 3);
  for (let index = 0; index < bytes.length; index += 4099) assert.equal(bytes[index], index % 256);
  assert.equal(bytes[bytes.length - 1], 2);
  const rest = ok(stream.read_to_end());
  assert.equal(rest.length, 1024 * 1024 - 3);
  assert.equal(rest[0], 3);
  assert.equal(ok(stream.read_to_end()).length, 0);
  stream.close();
  await child.exit();
});

test("read_to_end keeps to its limit and loses nothing over it", async () => {
  const { stream, child } = pythonStream(`peer.sendall(b"0123456789"); peer.close()`);
  await child.exit();
  assert.equal(err(stream.read_to_end(9)), "tcp read failed: more than 9 bytes before the end of the stream");
  assert.equal(ok(stream.read(4)).toString(), "0123");
  assert.equal(err(stream.read_to_end(5)), "tcp read failed: more than 5 bytes before the end of the stream");
  assert.equal(ok(stream.read_to_end(6)).toString(), "456789");
  assert.equal(err(stream.read_to_end(0)), "invalid buffer size");
  stream.close();
});

test("a read timeout in the middle of read_exact and read_to_end loses nothing", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("half"));
  ok(client.set_read_timeout(30));
  assert.equal(net.error_code(err(client.read_exact(8))), "EAGAIN");
  assert.equal(net.error_code(err(client.read_to_end())), "EAGAIN");
  ok(server.write_all("done"));
  assert.equal(ok(client.read_exact(8)).toString(), "halfdone");
  client.close();
  server.close();
});

test("read_until gives a line at a time and takes no byte more", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("one\r\ntwo\r\n\r\nrest"));
  assert.equal(ok(client.read_until("\r\n")).toString(), "one\r\n");
  assert.equal(ok(client.read_until([13, 10])).toString(), "two\r\n");
  assert.equal(ok(client.read_until(Buffer.from("\r\n"))).toString(), "\r\n");
  assert.equal(ok(client.read(100)).toString(), "rest");
  server.close();
  assert.equal(err(client.read_until("\n")), "tcp read failed: end of stream before the delimiter");
  assert.equal(err(client.read_until("")), "delimiter must not be empty");
  assert.equal(err(client.read_until([1.5])), "byte value out of range");
  assert.equal(err(client.read_until(5 as unknown as string)), "expected list of ints");
  assert.equal(err(client.read_until("\n", 0)), "invalid buffer size");
  client.close();
  assert.equal(err(client.read_until("\n")), "invalid tcp stream");
});

test("read_until: the limit counts the delimiter, and over it nothing is lost", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("0123456789\nmore"));
  assert.equal(err(client.read_until("\n", 10)), "tcp read failed: no delimiter within 10 bytes");
  assert.equal(err(client.read_until("\n", 1)), "tcp read failed: no delimiter within 1 bytes");
  assert.equal(ok(client.read_until("\n", 11)).toString(), "0123456789\n");
  assert.equal(ok(client.read_exact(4)).toString(), "more");
  client.close();
  server.close();
});

test("read_until: without a limit it is 64 KiB, to the byte", () => {
  const { client, server } = tcpPair();
  const line = Buffer.alloc(65536, "x");
  line[65535] = 0x0a;
  ok(server.write_all(line));
  assert.equal(ok(client.read_until("\n")).length, 65536);
  ok(server.write_all(Buffer.concat([Buffer.from("x"), line])));
  assert.equal(err(client.read_until("\n")), "tcp read failed: no delimiter within 65536 bytes");
  assert.equal(ok(client.read_until("\n", 65537)).length, 65537);
  client.close();
  server.close();
});

test("read_until: at the end of the stream nothing is lost", async () => {
  const { stream, child } = pythonStream(`
peer.sendall(b"unfin"); time.sleep(0.05); peer.sendall(b"ished"); peer.close()`);
  assert.equal(err(stream.read_until("\n")), "tcp read failed: end of stream before the delimiter");
  assert.equal(err(stream.read_until("\n")), "tcp read failed: end of stream before the delimiter");
  assert.equal(ok(stream.peek(3)).toString(), "unf");
  assert.equal(ok(stream.read_until("s")).toString(), "unfinis");
  const buffer = Buffer.alloc(8);
  assert.equal(ok(stream.read_into(buffer)), 3);
  assert.equal(buffer.toString("utf8", 0, 3), "hed");
  assert.equal(ok(stream.read(5)).length, 0);
  stream.close();
  await child.exit();
});

test("read_until: a delimiter that comes in pieces, after a wait, is found", async () => {
  const { stream, child } = pythonStream(`
peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
for byte in b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nbody":
    peer.sendall(bytes([byte])); time.sleep(0.001)
peer.recv(1)`);
  assert.equal(ok(stream.read_until("\r\n\r\n")).toString(), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.equal(ok(stream.read_exact(4)).toString(), "body");
  stream.close();
  await child.exit();
});

test("read_until waits without spinning, and a read timeout midway loses nothing", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("incomplete"));
  ok(client.set_read_timeout(300));
  const before = process.cpuUsage();
  const { took, value } = timed(() => client.read_until("\n"));
  const { user, system } = process.cpuUsage(before);
  assert.equal(net.error_code(err(value)), "EAGAIN");
  assert.ok(took >= 290 && took < 2000, `took ${took} ms`);
  assert.ok(user + system < 150_000, `used ${user + system} µs of processor time`);
  ok(server.write_all(" no more\n"));
  assert.equal(ok(client.read_until("\n")).toString(), "incomplete no more\n");
  client.close();
  server.close();
});

test("read_until in non-blocking mode is an EAGAIN error until the line is there", () => {
  const { client, server } = tcpPair();
  ok(client.set_nonblocking(true));
  assert.equal(net.error_code(err(client.read_until("\n"))), "EAGAIN");
  ok(server.write_all("par"));
  assert.equal(net.error_code(err(client.read_until("\n"))), "EAGAIN");
  ok(server.write_all("tial\n"));
  assert.equal(ok(client.read_until("\n")).toString(), "partial\n");
  client.close();
  server.close();
});

test("read_until finds a delimiter far behind what the receive buffer holds", async () => {
  const { stream, child } = pythonStream(`
peer.sendall(b"x" * 20_000_000 + b"END" + b"after"); peer.close()`);
  assert.equal(
    err(stream.read_until("END", 1_000_000)),
    "tcp read failed: no delimiter within 1000000 bytes",
  );
  const line = ok(stream.read_until("END", 30_000_000));
  assert.equal(line.length, 20_000_003);
  assert.equal(line.subarray(-4).toString(), "xEND");
  assert.equal(ok(stream.read_to_end()).toString(), "after");
  stream.close();
  await child.exit();
});

test("read_until with a small receive buffer is not stuck when the buffer is full", async () => {
  const { stream, child } = pythonStream(`
for i in range(300): peer.sendall(b"y" * 1000)
peer.sendall(b"\\n")
peer.recv(1)`);
  assert.equal(ok(stream.read_until("\n", 2 ** 20)).length, 300_001);
  stream.close();
  await child.exit();
});

test("peek leaves the bytes", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("peek-a-boo"));
  assert.equal(ok(client.peek(4)).toString(), "peek");
  assert.equal(ok(client.peek(100)).toString(), "peek-a-boo");
  assert.equal(ok(client.read(4)).toString(), "peek");
  assert.equal(ok(client.peek(2)).toString(), "-a");
  server.close();
  assert.equal(ok(client.read_to_end()).toString(), "-a-boo");
  assert.equal(ok(client.peek(2)).length, 0);
  assert.equal(err(client.peek(0)), "invalid buffer size");
  client.close();
  assert.equal(err(client.peek(1)), "invalid tcp stream");
});

test("write_all sends everything, however slow the reader", async () => {
  const { stream, child } = pythonStream(`
total = 0
while True:
    data = peer.recv(100000)
    if not data: break
    total += len(data)
    if total < 500000: time.sleep(0.005)
sys.exit(0 if total == 30000000 else 1)`);
  ok(stream.write_all(Buffer.alloc(30_000_000)));
  assert.equal(err(stream.write_all([256])), "byte value out of range");
  stream.close();
  assert.equal(err(stream.write_all("x")), "invalid tcp stream");
  assert.equal((await child.exit()).code, 0);
});

test("timeouts: which values they accept, what they return, and that they end a wait in time", () => {
  const { client, server } = tcpPair();
  assert.equal(ok(client.read_timeout()), null);
  assert.equal(ok(client.write_timeout()), null);
  for (const wrong of [0, -1, Number.NaN, "5", undefined, true, {}, 5n, Number.NEGATIVE_INFINITY]) {
    assert.equal(err(client.set_read_timeout(wrong as number)), "timeout must be a positive number");
    assert.equal(err(client.set_write_timeout(wrong as number)), "timeout must be a positive number");
  }
  assert.equal(ok(client.read_timeout()), null);
  for (const [ms, least, most] of [
    [0.1, 0, 500],
    [60, 55, 1000],
    [400, 395, 2000],
  ] as const) {
    ok(client.set_read_timeout(ms));
    assert.equal(ok(client.read_timeout()), ms);
    const { took, value } = timed(() => client.read(1));
    assert.equal(net.error_code(err(value)), "EAGAIN");
    assert.ok(took >= least && took < most, `${ms} ms took ${took} ms`);
  }
  // A timeout without end does not upset anything.
  ok(client.set_read_timeout(1e300));
  ok(server.write("x"));
  assert.equal(ok(client.read(1)).toString(), "x");
  ok(client.set_read_timeout(null));
  assert.equal(ok(client.read_timeout()), null);

  ok(client.set_write_timeout(50));
  assert.equal(ok(client.write_timeout()), 50);
  const full = Buffer.alloc(1024 * 1024);
  const { took, value } = timed(() => client.write_all(Buffer.concat(Array(40).fill(full))));
  assert.equal(net.error_code(err(value)), "EAGAIN");
  assert.ok(took >= 45 && took < 3000, `took ${took} ms`);
  client.close();
  server.close();
  assert.equal(err(client.set_read_timeout(5)), "invalid tcp stream");
  assert.equal(err(client.read_timeout()), "invalid tcp stream");
  assert.equal(err(client.set_write_timeout(5)), "invalid tcp stream");
  assert.equal(err(client.write_timeout()), "invalid tcp stream");
});
