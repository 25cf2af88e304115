import assert from "node:assert/strict";
import { fstatSync, readFileSync } from "node:fs";
import { test } from "node:test";
import koffi from "koffi";
import * as net from "std-net";
import { err, ok, portOf, python } from "../support/peer.ts";
import { pythonStream, tcpPair, timed } from "../support/sockets.ts";
import { isWindows, reason } from "../support/system-errors.ts";

const notBooleans = [0, 1, "true", null, undefined, {}, Number.NaN];
const notIntegers = [1.5, Number.NaN, "5", null, undefined, true, 5n, Number.POSITIVE_INFINITY, {}];

test("connect_timeout connects, refuses and gives up in time", () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const address = ok(listener.local_addr());
  ok(net.TcpStream.connect_timeout(address, 5000)).close();
  ok(net.TcpStream.connect_timeout(address, null)).close();
  for (const wrong of [0, -5, Number.NaN, "5", undefined, {}]) {
    assert.equal(
      err(net.TcpStream.connect_timeout(address, wrong as number)),
      "timeout must be a positive number",
    );
  }
  assert.equal(err(net.TcpStream.connect_timeout(5 as unknown as string, 5)), "expected string");
  listener.close();
  assert.equal(
    net.error_code(err(net.TcpStream.connect_timeout(address, 5000))),
    "ECONNREFUSED",
    "nothing listens there any more",
  );
});

test("connect_timeout: a server whose backlog is full does not respond", () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0", { backlog: 0 }));
  const address = ok(listener.local_addr());
  const waiting: net.TcpStream[] = [];
  // Linux takes one more than the backlog, and drops the next SYN.
  for (;;) {
    const { took, value } = timed(() => net.TcpStream.connect_timeout(address, 150));
    if (value.isErr) {
      assert.equal(value.error, "failed to connect: connection timed out");
      assert.ok(took >= 140 && took < 2000, `took ${took} ms`);
      break;
    }
    waiting.push(value.value);
    assert.ok(waiting.length < 10, "a backlog of 0 holds no ten connections");
  }
  for (const stream of waiting) stream.close();
  listener.close();
});

test("set_nodelay, set_keepalive: both ways, and what the kernel then does", () => {
  const { client, server } = tcpPair();
  assert.equal(ok(client.nodelay()), false);
  ok(client.set_nodelay(true));
  assert.equal(ok(client.nodelay()), true);
  ok(client.set_nodelay(false));
  assert.equal(ok(client.nodelay()), false);

  assert.equal(ok(client.keepalive()), false);
  ok(client.set_keepalive(true));
  assert.equal(ok(client.keepalive()), true);
  // proc_net_tcp: timer 02 is the keepalive timer.
  const port = Number(portOf(ok(client.local_addr())))
    .toString(16)
    .toUpperCase()
    .padStart(4, "0");
  const line = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .find((text) => text.includes(`: 0100007F:${port} `) && text.includes(" 01 "));
  assert.match(line ?? "", / 02:[0-9A-F]{8} /);
  ok(client.set_keepalive(false));
  assert.equal(ok(client.keepalive()), false);

  for (const wrong of notBooleans) {
    assert.equal(err(client.set_nodelay(wrong as boolean)), "expected bool");
    assert.equal(err(client.set_keepalive(wrong as boolean)), "expected bool");
  }
  client.close();
  server.close();
  assert.equal(err(client.set_nodelay(true)), "invalid tcp stream");
  assert.equal(err(client.nodelay()), "invalid tcp stream");
  assert.equal(err(client.set_keepalive(true)), "invalid tcp stream");
  assert.equal(err(client.keepalive()), "invalid tcp stream");
});

for (const host of ["127.0.0.1", "[::1]"]) {
  test(`ttl on ${host}: of a stream, a listener and a datagram socket`, () => {
    const listener = ok(net.TcpListener.bind(`${host}:0`));
    const udp = ok(net.UdpSocket.bind(`${host}:0`));
    const { client, server } = tcpPair(`${host}:0`);
    for (const socket of [client, listener, udp]) {
      const kind = socket === client ? "tcp" : socket === listener ? "tcp listener" : "udp";
      assert.ok(ok(socket.ttl()) > 0);
      ok(socket.set_ttl(33));
      assert.equal(ok(socket.ttl()), 33);
      for (const wrong of notIntegers) assert.equal(err(socket.set_ttl(wrong as number)), "expected int");
      for (const wrong of [0, -1, 256, 2 ** 40]) {
        assert.equal(err(socket.set_ttl(wrong)), `${kind} set_ttl failed: ${reason("EINVAL")}`);
      }
      assert.equal(ok(socket.ttl()), 33);
      socket.close();
      assert.match(err(socket.set_ttl(5)), /^invalid /);
      assert.match(err(socket.ttl()), /^invalid /);
    }
    server.close();
  });
}

test("ttl of an IPv6 socket holds for what it sends to IPv4 addresses too", async () => {
  await using peer = python(`
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 12, 1) # IP_RECVTTL
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])
data, ancillary, flags, sender = s.recvmsg(10, 100)
print(int.from_bytes(ancillary[0][2], sys.byteorder))`);
  const udp = ok(net.UdpSocket.bind("[::]:0"));
  ok(udp.set_ttl(33));
  ok(udp.send_to("x", `[::ffff:127.0.0.1]:${await peer.line()}`));
  assert.equal(await peer.line(), "33");
  udp.close();
});

test("linger is rounded up to whole seconds, and 0 resets the connection at close", async () => {
  const { stream, child } = pythonStream(`
print("connected")
try:
    peer.recv(1)
    print("end")
except ConnectionResetError:
    print("reset")`);
  assert.equal(ok(stream.linger()), null);
  ok(stream.set_linger(1));
  assert.equal(ok(stream.linger()), 1000);
  ok(stream.set_linger(2001));
  assert.equal(ok(stream.linger()), 3000);
  ok(stream.set_linger(Number.MIN_VALUE));
  assert.equal(ok(stream.linger()), 1000);
  ok(stream.set_linger(null));
  assert.equal(ok(stream.linger()), null);
  for (const wrong of [-1, Number.NaN, "5", undefined, true]) {
    assert.equal(err(stream.set_linger(wrong as number)), "timeout must be a positive number");
  }
  // As much as the system can hold, and never a 0, which would reset.
  ok(stream.set_linger(2 ** 33 * 1000));
  assert.equal(ok(stream.linger()), (isWindows ? 2 ** 16 - 1 : 2 ** 31 - 1) * 1000);
  ok(stream.set_linger(0));
  assert.equal(ok(stream.linger()), 0);
  // (A reset before the peer's connect has returned would be connect's.)
  assert.equal(await child.line(), "connected");
  stream.close();
  assert.equal(err(stream.linger()), "invalid tcp stream");
  assert.equal(err(stream.set_linger(null)), "invalid tcp stream");
  assert.equal(await child.line(), "reset");
  await child.exit();
});

test("shutdown closes one direction and leaves the other", async () => {
  const { stream, child } = pythonStream(`
data = b""
while True:
    piece = peer.recv(100)
    if not piece: break
    data += piece
peer.sendall(b"got " + data); peer.close()`);
  ok(stream.write_all("all of it"));
  ok(stream.shutdown("write"));
  assert.equal(ok(stream.read_to_end()).toString(), "got all of it");
  assert.equal(net.error_code(err(stream.write("more"))), "EPIPE");
  assert.match(err(stream.shutdown("none" as "read")), /^expected /);
  stream.close();
  assert.equal(err(stream.shutdown("both")), "invalid tcp stream");
  await child.exit();
  const pair = tcpPair();
  ok(pair.client.shutdown("read"));
  assert.equal(ok(pair.client.read(1)).length, 0);
  ok(pair.client.write("x"));
  assert.equal(ok(pair.server.read(9)).toString(), "x");
  ok(pair.client.shutdown("both"));
  assert.equal(ok(pair.server.read(1)).length, 0);
  pair.client.close();
  pair.server.close();
});

test("take_error takes the pending error once", async () => {
  const { stream, child } = pythonStream(`
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
peer.close()`);
  await child.exit();
  assert.equal(ok(stream.take_error()), reason("ECONNRESET"));
  assert.equal(ok(stream.take_error()), null);
  stream.close();
  assert.equal(err(stream.take_error()), "invalid tcp stream");
  const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
  assert.equal(ok(udp.take_error()), null);
  udp.close();
  assert.equal(err(udp.take_error()), "invalid udp socket");
});

test("bind options: backlog, reuse_port, reuse_address, ipv6_only, and what is none", () => {
  const first = ok(net.TcpListener.bind("127.0.0.1:0", { reuse_port: true, backlog: 5 }));
  const address = ok(first.local_addr());
  assert.equal(net.error_code(err(net.TcpListener.bind(address))), "EADDRINUSE");
  const second = ok(net.TcpListener.bind(address, { reuse_port: true }));
  first.close();
  second.close();

  const udp = ok(net.UdpSocket.bind("127.0.0.1:0", { reuse_port: true }));
  ok(net.UdpSocket.bind(ok(udp.local_addr()), { reuse_port: true })).close();
  assert.equal(net.error_code(err(net.UdpSocket.bind(ok(udp.local_addr())))), "EADDRINUSE");
  udp.close();

  const one = ok(net.UdpSocket.bind("127.0.0.1:0", { reuse_address: true }));
  ok(net.UdpSocket.bind(ok(one.local_addr()), { reuse_address: true })).close();
  assert.equal(net.error_code(err(net.UdpSocket.bind(ok(one.local_addr())))), "EADDRINUSE");
  one.close();

  // The side that ends a connection first keeps its port for a while: for a listener that does not say that it shares it.
  const server = ok(net.TcpListener.bind("127.0.0.1:0"));
  const place = ok(server.local_addr());
  const client = ok(net.TcpStream.connect(place));
  ok(server.accept()).close();
  server.close();
  client.close();
  assert.equal(net.error_code(err(net.TcpListener.bind(place, { reuse_address: false }))), "EADDRINUSE");
  ok(net.TcpListener.bind(place, { reuse_address: true })).close();
  ok(net.TcpListener.bind(place)).close();

  for (const only of [true, false]) {
    const both = ok(net.UdpSocket.bind("[::]:0", { ipv6_only: only }));
    const port = portOf(ok(both.local_addr()));
    const other = net.UdpSocket.bind(`127.0.0.1:${port}`);
    assert.equal(other.isOk, only, "the port is free for IPv4 where the socket is for IPv6 alone");
    if (other.isOk) other.value.close();
    both.close();
  }
  for (const only of [true, false]) {
    const listener = ok(net.TcpListener.bind("[::]:0", { ipv6_only: only }));
    const port = portOf(ok(listener.local_addr()));
    assert.equal(net.TcpStream.connect(`127.0.0.1:${port}`).isErr, only);
    ok(net.TcpStream.connect(`[::1]:${port}`)).close();
    listener.close();
  }
  ok(net.TcpListener.bind("127.0.0.1:0", { ipv6_only: true })).close();

  for (const backlog of [-1, 1.5, "5", null, Number.NaN, 2 ** 31]) {
    assert.equal(
      err(net.TcpListener.bind("127.0.0.1:0", { backlog } as { backlog: number })),
      "expected int",
    );
  }
  for (const reuse_port of [1, "yes", null]) {
    assert.equal(err(net.TcpListener.bind("127.0.0.1:0", { reuse_port } as object)), "expected bool");
    for (const bind of [net.TcpListener.bind, net.UdpSocket.bind]) {
      const result = bind("127.0.0.1:0", { reuse_address: reuse_port } as object);
      assert.equal(err<unknown>(result), "expected bool");
    }
    assert.equal(
      err(net.UdpSocket.bind("127.0.0.1:0", { ipv6_only: reuse_port } as object)),
      "expected bool",
    );
  }
  const hostile = {
    get backlog(): number {
      throw new Error("no");
    },
  };
  for (const options of [hostile, 5, "options"]) {
    assert.equal(err(net.TcpListener.bind("127.0.0.1:0", options as object)), "options must be an object");
  }
});

test("set_accept_timeout ends accept in time; incoming goes on after an error", () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  assert.equal(ok(listener.accept_timeout()), null);
  ok(listener.set_accept_timeout(80));
  assert.equal(ok(listener.accept_timeout()), 80);
  const { took, value } = timed(() => listener.accept());
  assert.equal(net.error_code(err(value)), "EAGAIN");
  assert.ok(took >= 75 && took < 1500, `took ${took} ms`);
  assert.equal(err(listener.set_accept_timeout(0)), "timeout must be a positive number");

  const results: boolean[] = [];
  for (const accepted of listener.incoming()) {
    results.push(accepted.isOk);
    if (results.length === 1) ok(net.TcpStream.connect(ok(listener.local_addr()))).close();
    else if (results.length === 2) {
      const stream = ok(accepted);
      // Its own timeout is none, whatever the listener's.
      assert.equal(ok(stream.read_timeout()), null);
      stream.close();
    } else listener.close();
  }
  assert.deepEqual(results, [false, true, false]);
  assert.deepEqual([...listener.incoming()].map(err), ["invalid tcp listener"]);
  assert.equal(err(listener.set_accept_timeout(5)), "invalid tcp listener");
  assert.equal(err(listener.accept_timeout()), "invalid tcp listener");
});

test("an accepted stream blocks even when its listener does not", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const child = python(
    `s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); print("there"); time.sleep(0.1); s.sendall(b"x")`,
    portOf(ok(listener.local_addr())),
  );
  await child.line();
  ok(listener.set_nonblocking(true));
  const stream = ok(listener.accept());
  assert.equal(ok(stream.read(1)).toString(), "x");
  stream.close();
  listener.close();
  await child.exit();
});

test("try_clone: one connection, two descriptors", () => {
  const { client, server } = tcpPair();
  ok(client.set_read_timeout(5000));
  ok(client.set_write_timeout(4000));
  const clone = ok(client.try_clone());
  assert.equal(ok(clone.read_timeout()), 5000);
  assert.equal(ok(clone.write_timeout()), 4000);
  assert.notEqual(ok(clone.as_fd()), ok(client.as_fd()));
  if (!isWindows) {
    assert.equal(fstatSync(ok(clone.as_fd())).ino, fstatSync(ok(client.as_fd())).ino);
    const fcntl = koffi.load(null).func("int fcntl(int, int, ...)");
    assert.equal(fcntl(ok(clone.as_fd()), 1, "int", 0), 1, "close-on-exec"); // F_GETFD, FD_CLOEXEC
  }
  ok(server.write_all("ab"));
  assert.equal(ok(client.read(1)).toString(), "a");
  assert.equal(ok(clone.read(1)).toString(), "b");
  client.close();
  ok(clone.write_all("still here"));
  assert.equal(ok(server.read(100)).toString(), "still here");
  // The mode is the socket's.
  const third = ok(clone.try_clone());
  ok(third.set_nonblocking(true));
  assert.equal(net.error_code(err(clone.read(1))), "EAGAIN");
  ok(clone.set_nonblocking(false));
  ok(third.set_read_timeout(30));
  assert.equal(net.error_code(err(third.read(1))), "EAGAIN");
  third.close();
  clone.close();
  assert.equal(ok(server.read(1)).length, 0);
  server.close();
  assert.equal(err(clone.try_clone()), "invalid tcp stream");
});

test("non-blocking mode that a clone set or took back counts for every call", () => {
  const { client, server } = tcpPair();
  const clone = ok(client.try_clone());
  ok(client.set_read_timeout(300));
  ok(server.write("abc"));
  ok(clone.set_nonblocking(true));
  for (const call of [() => client.read_until("\n"), () => client.read_exact(4)]) {
    const { took, value } = timed(call);
    assert.equal(net.error_code(err(value)), "EAGAIN");
    assert.ok(took < 150, `took ${took} ms`);
  }
  ok(client.read(3));
  ok(client.set_nonblocking(true));
  ok(clone.set_nonblocking(false));
  const { took, value } = timed(() => client.read(1));
  assert.equal(net.error_code(err(value)), "EAGAIN");
  assert.ok(took >= 280, `took ${took} ms`);
  for (const stream of [client, clone, server]) stream.close();
});

test("a read timeout of one clone is not the other's", () => {
  const { client, server } = tcpPair();
  const clone = ok(client.try_clone());
  ok(clone.set_read_timeout(20));
  assert.equal(net.error_code(err(clone.read(1))), "EAGAIN");
  ok(client.set_read_timeout(500));
  const { took, value } = timed(() => client.read(1));
  assert.equal(net.error_code(err(value)), "EAGAIN");
  assert.ok(took >= 490, `took ${took} ms`);
  for (const stream of [client, clone, server]) stream.close();
});

test("lookup_host gives all addresses", () => {
  assert.deepEqual(ok(net.lookup_host("127.0.0.1:80")), ["127.0.0.1:80"]);
  assert.deepEqual(ok(net.lookup_host("[::1]:443")), ["[::1]:443"]);
  // A scope goes in as name or number, and comes out as the number.
  const loopback = readFileSync("/sys/class/net/lo/ifindex", "utf8").trim();
  assert.deepEqual(ok(net.lookup_host("[fe80::1%lo]:80")), [`[fe80::1%${loopback}]:80`]);
  assert.deepEqual(ok(net.lookup_host("[fe80::1%77]:80")), ["[fe80::1%77]:80"]);
  assert.deepEqual(ok(net.lookup_host("[fe80::1%4294967295]:80")), ["[fe80::1%4294967295]:80"]);
  assert.equal(err(net.lookup_host("[fe80::1%4294967296]:80")), "lookup_host failed: invalid socket address");
  const found = ok(net.lookup_host("localhost:8080"));
  assert.ok(found.length > 0);
  for (const address of found) assert.match(address, /^(127\.0\.0\.1|\[::1\]):8080$/);
  assert.match(
    err(net.lookup_host("no-such-name.invalid:80")),
    /^lookup_host failed: failed to lookup address information: ./,
  );
  assert.match(err(net.lookup_host("name")), /^lookup_host failed: invalid socket address: no port is given/);
  assert.equal(err(net.lookup_host("name:99999")), "lookup_host failed: invalid port value");
  for (const wrong of [null, 5, undefined, {}, ["a:1"]]) {
    assert.equal(err(net.lookup_host(wrong as string)), "expected string");
  }
});
