// write_vectored: several buffers with one system call.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { err, ok } from "../support/peer.ts";

function pair(): [net.TcpStream, net.TcpStream] {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  const server = ok(listener.accept());
  listener.close();
  return [client, server];
}

test("buffers of every kind arrive in their order", () => {
  const [client, server] = pair();
  const slab = Buffer.from("0123456789");
  assert.equal(
    ok(client.write_vectored(["one ", [116, 119, 111, 32], slab.subarray(3, 6), "", new Uint8Array(0)])),
    11,
  );
  assert.equal(ok(server.read(100)).toString(), "one two 345");
  assert.equal(ok(client.write_vectored([])), 0);
  assert.equal(ok(client.write_vectored(["", []])), 0);
  assert.equal(ok(client.write_vectored(["ä"])), 2);
  assert.equal(ok(server.read(100)).toString(), "ä");
  client.close();
  server.close();
});

test("large buffers go out without being copied together, views of one buffer and small ones among them", () => {
  const [client, server] = pair();
  const slab = Buffer.alloc(30_000, "abcdefg");
  const parts: Uint8Array[] = [
    slab.subarray(1, 10_001),
    Buffer.from("-"),
    new Uint8Array(slab.buffer, slab.byteOffset + 5, 9),
    slab,
  ];
  const whole = Buffer.concat(parts);
  assert.equal(ok(client.write_vectored(parts)), whole.length);
  assert.ok(ok(server.read_exact(whole.length)).equals(whole));
  // More buffers than one call of the system takes: what was taken is told.
  const many = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index};`));
  const sent = ok(client.write_vectored(many));
  const text = Buffer.concat(many);
  assert.ok(sent >= 1024 && sent <= text.length, `sent ${sent}`);
  assert.ok(ok(server.read_exact(sent)).equals(text.subarray(0, sent)));
  client.close();
  server.close();
});

test("a full buffer takes a part in non-blocking mode, and EAGAIN says that it is full", () => {
  const [client, server] = pair();
  ok(client.set_nonblocking(true));
  const block = Buffer.alloc(1 << 20, 1);
  let total = 0;
  for (;;) {
    const result = client.write_vectored([block, block.subarray(0, 5000), block]);
    if (result.isErr) {
      assert.equal(net.error_code(result.error), "EAGAIN");
      assert.match(result.error, /^tcp write failed: /);
      break;
    }
    assert.ok(result.value > 0);
    total += result.value;
  }
  client.close();
  assert.equal(ok(server.read_to_end()).length, total);
  server.close();
});

test("a write timeout and a peer that is gone end it", () => {
  const [client, server] = pair();
  ok(client.set_write_timeout(50));
  const block = Buffer.alloc(1 << 20);
  let failure = "";
  while (failure === "") {
    const result = client.write_vectored([block, block]);
    if (result.isErr) failure = result.error;
  }
  assert.equal(net.error_code(failure), "EAGAIN");
  ok(server.set_linger(0));
  server.close();
  ok(client.set_write_timeout(10_000));
  assert.match(net.error_code(err(client.write_vectored([block, block]))) ?? "", /^(ECONNRESET|EPIPE)$/);
  client.close();
});

test("wrong buffers are errors, and nothing is sent", () => {
  const [client, server] = pair();
  const write = (buffers: unknown) => err(client.write_vectored(buffers as string[]));
  for (const wrong of ["text", null, undefined, 5, Buffer.from("x"), {}]) {
    assert.equal(write(wrong), "buffers must be an array");
  }
  assert.equal(write(["a", 5]), "expected list of ints");
  assert.equal(write(["a", [256]]), "byte value out of range");
  assert.equal(
    write([
      "a",
      {
        get length() {
          throw new Error("no");
        },
      },
    ]),
    "expected list of ints",
  );
  ok(client.write("z"));
  assert.equal(ok(server.read(10)).toString(), "z");
  client.close();
  assert.equal(write(["a"]), "invalid tcp stream");
  server.close();
});
