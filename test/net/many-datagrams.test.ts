// send_many and recv_many: several datagrams at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { err, ok, python } from "../support/peer.ts";

const bound = (address = "127.0.0.1:0"): net.UdpSocket => ok(net.UdpSocket.bind(address));

test("datagrams arrive whole, in order, with their senders", () => {
  const [a, b] = [bound(), bound()];
  const [from, to] = [ok(a.local_addr()), ok(b.local_addr())];
  const texts = Array.from({ length: 50 }, (_, index) => `datagram ${"x".repeat(index)}`);
  assert.equal(ok(a.send_many(texts.map((text) => [text, to] as const))), 50);
  const received: [Buffer, string][] = [];
  while (received.length < 50) received.push(...ok(b.recv_many(50 - received.length, 2000)));
  assert.deepEqual(
    received.map(([data]) => data.toString()),
    texts,
  );
  assert.ok(received.every(([, sender]) => sender === from));
  a.close();
  b.close();
});

test("more than one call takes, bytes of every kind, empty ones, and several destinations", () => {
  const [a, b, c] = [bound(), bound(), bound()];
  const [toB, toC] = [ok(b.local_addr()), ok(c.local_addr())];
  const slab = Buffer.from("0123456789");
  ok(
    a.send_many([
      [slab.subarray(2, 5), toB],
      [[1, 2], toC],
      ["", toB],
      [new Uint8Array(70).fill(7), toC],
    ]),
  );
  assert.deepEqual(
    ok(b.recv_many(9, 100)).map(([data]) => data.toString()),
    ["234", ""],
  );
  assert.deepEqual(
    ok(c.recv_many(9, 100)).map(([data]) => [...data]),
    [[1, 2], Array(70).fill(7)],
  );
  const many = Array.from({ length: 150 }, (_, index) => [`${index}`, toB] as const);
  assert.equal(ok(a.send_many(many)), 150);
  const got: string[] = [];
  while (got.length < 150) {
    const some = ok(b.recv_many(1000, 10));
    assert.ok(some.length >= 1 && some.length <= 64);
    got.push(...some.map(([data]) => data.toString()));
  }
  assert.deepEqual(
    got,
    many.map(([text]) => text),
  );
  assert.equal(ok(a.send_many([])), 0);
  for (const socket of [a, b, c]) socket.close();
});

test("a longer datagram is cut, and the next is whole", () => {
  const [a, b] = [bound(), bound()];
  const to = ok(b.local_addr());
  ok(
    a.send_many([
      ["0123456789", to],
      ["abc", to],
    ]),
  );
  assert.deepEqual(
    ok(b.recv_many(2, 4)).map(([data]) => data.toString()),
    ["0123", "abc"],
  );
  ok(a.send_many([["x".repeat(60_000), to]]));
  const [[large] = []] = ok(b.recv_many(3, 2 * 1024 * 1024));
  assert.equal(large?.length, 60_000);
  a.close();
  b.close();
});

test("a Python program receives them, and over IPv6 too", async () => {
  const peer = python(`
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(("::1", 0)); print(s.getsockname()[1], flush=True)
data = [s.recvfrom(100) for _ in range(3)]
for d, a in data: s.sendto(d.upper(), a)
`);
  const to = `[::1]:${await peer.line()}`;
  const socket = bound("[::1]:0");
  assert.equal(
    ok(
      socket.send_many([
        ["one", to],
        ["two", to],
        ["three", to],
      ]),
    ),
    3,
  );
  const received: [Buffer, string][] = [];
  ok(socket.set_read_timeout(10_000));
  while (received.length < 3) received.push(...ok(socket.recv_many(3, 100)));
  assert.deepEqual(
    received.map(([data, from]) => [data.toString(), from]),
    [
      ["ONE", to],
      ["TWO", to],
      ["THREE", to],
    ],
  );
  socket.close();
  await peer.exit();
});

test("waiting ends as with recv_from, and an error of one stops at it", () => {
  const socket = bound();
  ok(socket.set_read_timeout(30));
  assert.equal(net.error_code(err(socket.recv_many(5, 100))), "EAGAIN");
  ok(socket.set_nonblocking(true));
  assert.equal(net.error_code(err(socket.recv_many(5, 100))), "EAGAIN");
  const to = ok(socket.local_addr());
  const tooLong = Buffer.alloc(70_000);
  assert.equal(net.error_code(err(socket.send_many([[tooLong, to]]))), "EMSGSIZE");
  assert.equal(
    ok(
      socket.send_many([
        ["first", to],
        [tooLong, to],
        ["third", to],
      ]),
    ),
    1,
  );
  assert.deepEqual(
    ok(socket.recv_many(5, 100)).map(([data]) => data.toString()),
    ["first"],
  );
  socket.close();
});

test("wrong arguments are errors, and nothing is sent", () => {
  const socket = bound();
  const to = ok(socket.local_addr());
  const send = (datagrams: unknown) => err(socket.send_many(datagrams as [string, string][]));
  for (const wrong of ["text", null, undefined, {}, [["a", to], "b"], [null]]) {
    assert.equal(send(wrong), "datagrams must be an array of [data, addr]");
  }
  assert.equal(
    send([
      ["a", to],
      [5, to],
    ]),
    "expected list of ints",
  );
  assert.equal(send([["a", 5]]), "expected string");
  assert.equal(send([["a", "nothing"]]).startsWith("udp send failed: invalid socket address"), true);
  for (const [count, size] of [
    [0, 1],
    [1, 0],
    [1.5, 1],
    ["1", 1],
    [1, -1],
  ] as [number, number][]) {
    assert.equal(err(socket.recv_many(count, size)), "invalid buffer size");
  }
  ok(socket.set_nonblocking(true));
  assert.equal(net.error_code(err(socket.recv_many(1, 1))), "EAGAIN");
  socket.close();
  assert.equal(send([["a", to]]), "invalid udp socket");
  assert.equal(err(socket.recv_many(1, 1)), "invalid udp socket");
});
