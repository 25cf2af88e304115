import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { test } from "node:test";
import * as net from "std-net";
import { err, ok, portOf, python } from "../support/peer.ts";
import { timed } from "../support/sockets.ts";
import { isWindows } from "../support/system-errors.ts";

// (Wine says EINVAL.)
const NOT_JOINED = isWindows ? /^(EADDRNOTAVAIL|EINVAL)$/ : /^EADDRNOTAVAIL$/;

function socket(address = "127.0.0.1:0"): net.UdpSocket {
  return ok(net.UdpSocket.bind(address));
}

test("connect, send and recv talk to one peer only", async () => {
  const near = socket();
  const far = socket();
  const stranger = socket();
  assert.equal(net.error_code(err(near.peer_addr())), "ENOTCONN");
  assert.match(
    String(net.error_code(err(near.send("x")))),
    isWindows ? /^(ENOTCONN|EINVAL)$/ : /^EDESTADDRREQ$/,
  );
  ok(near.connect(ok(far.local_addr())));
  assert.equal(ok(near.peer_addr()), ok(far.local_addr()));
  assert.equal(ok(near.send("ping")), 4);
  assert.deepEqual(ok(far.recv_from(100)), [Buffer.from("ping"), ok(near.local_addr())]);
  ok(stranger.send_to("noise", ok(near.local_addr())));
  ok(far.send_to("pong", ok(near.local_addr())));
  assert.equal(ok(near.recv(100)).toString(), "pong");
  ok(far.send_to("", ok(near.local_addr())));
  assert.equal(ok(near.recv(100)).length, 0);
  ok(near.connect(ok(stranger.local_addr())));
  ok(near.send([1, 2]));
  assert.deepEqual([...ok(stranger.recv(9))], [1, 2]);
  assert.match(err(near.connect("nowhere")), /^udp connect failed: invalid socket address: no port is given/);
  assert.equal(err(near.connect(5 as unknown as string)), "expected string");
  assert.equal(err(near.send([300])), "byte value out of range");
  const gone = ok(stranger.local_addr());
  stranger.close();
  // A peer that has gone: the ICMP answer surfaces at a connected socket. (Wine never tells of it.)
  if (process.env.STD_NET_UNDER_WINE === undefined) {
    ok(near.connect(gone));
    ok(near.send("anyone?"));
    ok(near.set_read_timeout(5000));
    assert.equal(net.error_code(err(near.recv(1))), "ECONNREFUSED");
  }
  near.close();
  far.close();
  for (const result of [
    near.connect("127.0.0.1:1"),
    near.send("x"),
    near.recv(1),
    near.peek(1),
    near.peek_from(1),
  ]) {
    assert.equal(err<unknown>(result), "invalid udp socket");
  }
});

test("recv from a Python peer, and a name as the address to connect to", async () => {
  const near = socket();
  const peer = python(
    `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])
data, sender = s.recvfrom(100)
s.sendto(data.upper(), sender)`,
  );
  ok(near.connect(`localhost:${await peer.line()}`));
  ok(near.send("shout"));
  assert.equal(ok(near.recv(100)).toString(), "SHOUT");
  near.close();
  await peer.exit();
});

test("peek and peek_from leave the datagram", () => {
  const near = socket();
  const far = socket();
  ok(far.send_to("datagram", ok(near.local_addr())));
  assert.deepEqual(ok(near.peek_from(4)), [Buffer.from("data"), ok(far.local_addr())]);
  assert.equal(ok(near.peek(100)).toString(), "datagram");
  assert.equal(ok(near.recv_from(100))[0].toString(), "datagram");
  assert.equal(err(near.peek(0)), "invalid buffer size");
  assert.equal(err(near.peek_from(-1)), "invalid buffer size");
  assert.equal(err(near.recv(1.5)), "invalid buffer size");
  ok(near.set_nonblocking(true));
  assert.equal(net.error_code(err(near.peek_from(1))), "EAGAIN");
  near.close();
  far.close();
});

test("timeouts", () => {
  const near = socket();
  assert.equal(ok(near.read_timeout()), null);
  ok(near.set_read_timeout(60));
  ok(near.set_write_timeout(70));
  assert.equal(ok(near.read_timeout()), 60);
  assert.equal(ok(near.write_timeout()), 70);
  const { took, value } = timed(() => near.recv_from(1));
  assert.equal(net.error_code(err(value)), "EAGAIN");
  assert.ok(took >= 55 && took < 1500, `took ${took} ms`);
  assert.equal(err(near.set_read_timeout(0)), "timeout must be a positive number");
  assert.equal(err(near.set_write_timeout(Number.NaN)), "timeout must be a positive number");
  near.close();
  assert.equal(err(near.set_read_timeout(1)), "invalid udp socket");
  assert.equal(err(near.read_timeout()), "invalid udp socket");
});

test("broadcast and multicast options, and what is none", () => {
  const near = socket("0.0.0.0:0");
  assert.equal(ok(near.broadcast()), false);
  assert.equal(net.error_code(err(near.send_to("x", "255.255.255.255:9"))), "EACCES");
  ok(near.set_broadcast(true));
  assert.equal(ok(near.broadcast()), true);
  assert.equal(ok(near.multicast_loop_v4()), true);
  ok(near.set_multicast_loop_v4(false));
  assert.equal(ok(near.multicast_loop_v4()), false);
  assert.equal(ok(near.multicast_ttl_v4()), 1);
  ok(near.set_multicast_ttl_v4(0));
  ok(near.set_multicast_ttl_v4(7));
  assert.equal(ok(near.multicast_ttl_v4()), 7);
  for (const wrong of [1, "x", null] as unknown as boolean[]) {
    assert.equal(err(near.set_broadcast(wrong)), "expected bool");
    assert.equal(err(near.set_multicast_loop_v4(wrong)), "expected bool");
  }
  for (const wrong of [1.5, "5", null]) {
    assert.equal(err(near.set_multicast_ttl_v4(wrong as number)), "expected int");
    assert.equal(err(near.join_multicast_v6("ff02::1", wrong as number)), "expected int");
  }
  assert.equal(net.error_code(err(near.set_multicast_ttl_v4(256))), "EINVAL");
  assert.equal(net.error_code(err(near.set_multicast_ttl_v4(-1))), "EINVAL");

  assert.equal(
    err(near.join_multicast_v4("224.0.0", "0.0.0.0")),
    "udp join_multicast_v4 failed: invalid IPv4 address",
  );
  assert.equal(
    err(near.leave_multicast_v4("224.0.0.251", "lo")),
    "udp leave_multicast_v4 failed: invalid IPv4 address",
  );
  assert.equal(err(near.join_multicast_v6("ff02", 0)), "udp join_multicast_v6 failed: invalid IPv6 address");
  assert.equal(err(near.join_multicast_v4(5 as unknown as string, "0.0.0.0")), "expected string");
  assert.equal(net.error_code(err(near.join_multicast_v4("10.0.0.1", "127.0.0.1"))), "EINVAL");
  assert.match(String(net.error_code(err(near.leave_multicast_v4("224.0.0.251", "127.0.0.1")))), NOT_JOINED);
  assert.equal(net.error_code(err(near.join_multicast_v6("ff02::1", 2 ** 32))), "EINVAL");
  near.close();
  assert.equal(err(near.join_multicast_v4("224.0.0.251", "0.0.0.0")), "invalid udp socket");
  assert.equal(err(near.multicast_ttl_v4()), "invalid udp socket");
});

test("multicast v4: what Python sends to a group comes while it is joined", async () => {
  const near = socket("0.0.0.0:0");
  ok(near.join_multicast_v4("239.255.7.7", "127.0.0.1"));
  const port = portOf(ok(near.local_addr()));
  const send = `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
s.sendto(b"to the group", ("239.255.7.7", int(sys.argv[1])))`;
  await python(send, port).exit();
  ok(near.set_read_timeout(5000));
  assert.equal(ok(near.recv_from(100))[0].toString(), "to the group");
  ok(near.leave_multicast_v4("239.255.7.7", "127.0.0.1"));
  await python(send, port).exit();
  ok(near.set_nonblocking(true));
  assert.equal(net.error_code(err(near.recv_from(100))), "EAGAIN");
  near.close();
});

for (const [options, others] of [
  [{ reuse_address: true }, "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)"],
  [
    { reuse_address: true, reuse_port: true },
    "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)",
  ],
] as const) {
  test(`${Object.keys(options).join(" and ")}: a multicast port is shared with Python that sets the same, whoever came first`, async () => {
    const receiver = `
group = "239.255.7.8"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(10)
${others}
s.bind(("", int(sys.argv[1])))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + socket.inet_aton("127.0.0.1"))
print(s.getsockname()[1])
if sys.stdin.readline():
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    s.sendto(b"to all", (group, s.getsockname()[1]))
print(s.recv(100))`;
    await using first = python(receiver, "0");
    const port = await first.line();
    const near = ok(net.UdpSocket.bind(`0.0.0.0:${port}`, options));
    await using last = python(receiver, port);
    assert.equal(await last.line(), port);
    ok(near.join_multicast_v4("239.255.7.8", "127.0.0.1"));
    assert.equal(net.error_code(err(net.UdpSocket.bind(`0.0.0.0:${port}`))), "EADDRINUSE");
    last.process.stdin!.end("send\n");
    first.process.stdin!.end();
    assert.equal(await last.line(), "b'to all'");
    assert.equal(await first.line(), "b'to all'");
    ok(near.set_read_timeout(10_000));
    assert.equal(ok(near.recv(100)).toString(), "to all");
    near.close();
  });
}

test("multicast v6: what Python sends to a group comes while it is joined", async (context) => {
  const loopback = Object.values(networkInterfaces())
    .flat()
    .some((entry) => entry?.address === "::1");
  if (!loopback) return context.skip("this host has no IPv6 loopback");
  const near = socket("[::]:0");
  ok(near.join_multicast_v6("ff01::77", 1));
  // Of the interface with this number, and not of one that the system picks.
  assert.match(readFileSync("/proc/net/igmp6", "utf8"), /^1\s+lo\s+ff010000000000000000000000000077\s/m);
  const port = portOf(ok(near.local_addr()));
  const send = `
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, 1)
try: s.sendto(b"to the group", ("ff01::77", int(sys.argv[1]), 0, 1)); print("sent")
except OSError as error: print(error)`;
  const sent = python(send, port);
  const line = await sent.line();
  await sent.exit();
  if (line === "sent") {
    ok(near.set_read_timeout(5000));
    assert.equal(ok(near.recv_from(100))[0].toString(), "to the group");
  } else context.diagnostic(`this host sends no IPv6 multicast on loopback: ${line}`);
  ok(near.leave_multicast_v6("ff01::77", 1));
  assert.match(String(net.error_code(err(near.leave_multicast_v6("ff01::77", 1)))), NOT_JOINED);
  near.close();
});

test("try_clone shares the queue", () => {
  const near = socket();
  const clone = ok(near.try_clone());
  ok(near.send_to("one", ok(near.local_addr())));
  assert.equal(ok(clone.recv(10)).toString(), "one");
  near.close();
  ok(clone.send_to("two", ok(clone.local_addr())));
  assert.equal(ok(clone.recv(10)).toString(), "two");
  clone.close();
  assert.equal(err(clone.try_clone()), "invalid udp socket");
});
