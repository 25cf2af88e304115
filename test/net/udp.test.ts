import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as net from "std-net";
import { err, ok, portOf, python } from "../support/peer.ts";
import { reason } from "../support/system-errors.ts";

describe("UdpSocket with Python's socket at the other end", () => {
  test("datagrams both ways, with the sender's address", async () => {
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    await using peer = python(
      `
h, p = sys.argv[1].split(":")
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("%s:%d" % s.getsockname())
s.sendto(b"hello", (h, int(p)))
print(s.recvfrom(100))
s.sendto(b"", (h, int(p)))
`,
      ok(socket.local_addr()),
    );
    const address = await peer.line();
    const [payload, sender] = ok(socket.recv_from(100));
    assert.equal(payload.toString(), "hello");
    assert.equal(sender, address);
    assert.equal(ok(socket.send_to("wörld", sender)), 6);
    assert.equal(
      await peer.line(),
      String.raw`(b'w\xc3\xb6rld', ('127.0.0.1', ${portOf(ok(socket.local_addr()))}))`,
    );
    const [empty, again] = ok(socket.recv_from(100));
    assert.equal(empty.length, 0, "a datagram of no bytes is a valid one");
    assert.equal(again, address);
    socket.close();
  });

  test("IPv6, and each datagram comes with its own sender", async () => {
    const socket = ok(net.UdpSocket.bind("[::1]:0"));
    const own = ok(socket.local_addr());
    await using peer = python(
      `
for i in range(3):
  s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
  s.bind(("::1", 0))
  s.sendto(b"%d" % i, ("::1", int(sys.argv[1])))
  print("[::1]:%d" % s.getsockname()[1])
`,
      portOf(own),
    );
    for (let index = 0; index < 3; index++) {
      const address = await peer.line();
      const [payload, sender] = ok(socket.recv_from(10));
      assert.equal(payload.toString(), String(index));
      assert.equal(sender, address);
    }
    socket.close();
  });
});

describe("datagrams", () => {
  test("are cut to the size of the read, and the rest is lost", () => {
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const own = ok(socket.local_addr());
    ok(socket.send_to([1, 2, 3, 4], own));
    ok(socket.send_to([5], own));
    assert.deepEqual([...ok(socket.recv_from(2))[0]], [1, 2]);
    assert.deepEqual([...ok(socket.recv_from(2))[0]], [5]);
    socket.close();
  });

  test("of the greatest length pass, longer ones are EMSGSIZE", () => {
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const own = ok(socket.local_addr());
    const data = Buffer.alloc(65_507, "z");
    assert.equal(ok(socket.send_to(data, own)), data.length);
    assert.deepEqual(ok(socket.recv_from(2 ** 31))[0], data);
    const message = err(socket.send_to(Buffer.alloc(65_508), own));
    assert.equal(message, `udp send failed: ${reason("EMSGSIZE")}`);
    assert.equal(net.error_code(message), "EMSGSIZE");
    socket.close();
  });

  test("go to a name, at the address that the socket's family can reach", () => {
    for (const host of ["127.0.0.1", "[::1]"]) {
      const socket = ok(net.UdpSocket.bind(`${host}:0`));
      const own = ok(socket.local_addr());
      for (let times = 0; times < 2; times++) {
        if (host === "127.0.0.1") ok(socket.send_to("named", `localhost:${portOf(own)}`));
        else ok(socket.send_to("named", own));
        const [payload, sender] = ok(socket.recv_from(10));
        assert.equal(payload.toString(), "named");
        assert.equal(sender, own);
      }
      socket.close();
    }
  });

  test("go where the address says, also when it changes from call to call", () => {
    const from = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const first = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const second = ok(net.UdpSocket.bind("127.0.0.1:0"));
    for (let times = 0; times < 3; times++) {
      ok(from.send_to("1", ok(first.local_addr())));
      ok(from.send_to("2", ok(second.local_addr())));
    }
    for (let times = 0; times < 3; times++) {
      assert.equal(ok(first.recv_from(10))[0].toString(), "1");
      assert.equal(ok(second.recv_from(10))[0].toString(), "2");
    }
    for (const socket of [from, first, second]) socket.close();
  });
});

test("non-blocking mode: EAGAIN when no datagram has come", () => {
  const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
  ok(socket.set_nonblocking(true));
  const message = err(socket.recv_from(1));
  assert.equal(message, `udp recv failed: ${reason("EAGAIN")}`);
  assert.equal(net.error_code(message), "EAGAIN");
  socket.close();
});

test("addresses: the port that was picked; no peer when not connected; errors when closed", () => {
  const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
  assert.match(ok(socket.local_addr()), /^127\.0\.0\.1:[1-9]\d*$/);
  assert.equal(err(socket.peer_addr()), `udp peer_addr failed: ${reason("ENOTCONN")}`);
  socket.close();
  socket.close();
  assert.equal(err(socket.peer_addr()), "invalid udp socket");
  assert.equal(err(socket.local_addr()), "invalid udp socket");
  assert.equal(err(socket.recv_from(1)), "invalid udp socket");
  assert.equal(err(socket.send_to("", "127.0.0.1:1")), "invalid udp socket");
  assert.equal(err(socket.set_nonblocking(false)), "invalid udp socket");
});

test("binding and sending to what is no address", () => {
  assert.match(
    err(net.UdpSocket.bind("localhost")),
    /^udp bind failed: invalid socket address: no port is given/,
  );
  assert.equal(err(net.UdpSocket.bind("127.0.0.1:x")), "udp bind failed: invalid port value");
  assert.match(
    err(net.UdpSocket.bind("does-not-exist.invalid:0")),
    /^udp bind failed: failed to lookup address information: /,
  );
  const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
  assert.match(
    err(socket.send_to("x", "localhost")),
    /^udp send failed: invalid socket address: no port is given/,
  );
  assert.equal(err(socket.send_to("x", "127.0.0.1:99999")), "udp send failed: invalid port value");
  assert.equal(err(net.UdpSocket.bind(ok(socket.local_addr()))), `udp bind failed: ${reason("EADDRINUSE")}`);
  socket.close();
});
