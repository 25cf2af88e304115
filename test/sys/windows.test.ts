// What is Windows' own: handles, the two selectors, dual stack, and what Windows does not have.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import * as net from "std-net";
import { err, node, ok, portOf } from "../support/peer.ts";
import { closeBehindItsBack, tcpPair, timed } from "../support/sockets.ts";
import { isWindows, reason } from "../support/system-errors.ts";

const skip = isWindows ? false : "of Windows alone";
const isWine = process.env.STD_NET_UNDER_WINE !== undefined;
const LOOPBACK = "127.0.0.1:0";

/** For the text of a program: `handles()` gives how many sockets and AFD handles the process has, by trying all numbers. */
const HANDLES = `
const koffi = (await import("koffi")).default;
const getHandleInformation = koffi.load("kernel32.dll").func("int __stdcall GetHandleInformation(intptr_t, void *)");
const handles = () => {
  let count = 0;
  const flags = new Uint32Array(1);
  for (let handle = 4; handle < 8192; handle += 4) if (getHandleInformation(handle, flags) !== 0) count++;
  return count;
};
`;

test("every call gives its handles back, those of a Poller too", { skip }, async () => {
  await using child = node(`${HANDLES}
    const round = () => {
      const listener = net.TcpListener.bind("127.0.0.1:0").value;
      const client = net.TcpStream.connect(listener.local_addr().value).value;
      const server = listener.accept().value;
      const clone = server.try_clone().value;
      const udp = net.UdpSocket.bind("127.0.0.1:0").value;
      const poller = net.Poller.create().value;
      for (const each of [listener, client, server, clone, udp]) poller.add(each, { readable: true });
      const found = poller.wait(0).value.length;
      net.TcpStream.connect_timeout("127.0.0.1:1", 1000);
      net.TcpStream.connect_timeout("localhost:" + listener.local_addr().value.split(":")[1], 1000).value.close();
      net.http.request({ method: "GET", url: "http://127.0.0.1:1/" });
      const during = handles();
      for (const each of [listener, client, server, clone, udp, poller]) each.close();
      return during;
    };
    round();
    const before = handles();
    let during;
    for (let times = 0; times < 5; times++) during = round();
    console.log(during - before >= 7, handles() - before);`);
  assert.equal(await child.line(), "true 0");
});

test("what a worker that is terminated leaves open is closed, its Poller too, and its port is free", {
  skip,
}, async () => {
  await using child = node(`${HANDLES}
    const { Worker } = await import("node:worker_threads");
    const start = (address) => new Promise((resolve) => {
      const thread = new Worker(\`
        import * as net from "std-net";
        import { parentPort, workerData } from "node:worker_threads";
        const listener = net.TcpListener.bind(workerData).value;
        const poller = net.Poller.create().value;
        poller.add(listener, { readable: true });
        globalThis.kept = [net.UdpSocket.bind("127.0.0.1:0"), listener.try_clone(), poller];
        parentPort.postMessage(listener.local_addr().value);
        for (;;) poller.wait(null);\`, { eval: true, workerData: address });
      thread.once("message", (address) => resolve(Object.assign(thread, { address })));
    });
    net.TcpListener.bind("127.0.0.1:0").value.close();
    // (Node's own threads come and go, and so do their handles.)
    const eventually = async (isSo) => {
      for (let tries = 0; tries < 100 && !isSo(); tries++) await new Promise((done) => setTimeout(done, 50));
      return isSo();
    };
    const first = await start("127.0.0.1:0");
    await first.terminate();
    const before = handles();
    for (let times = 0; times < 4; times++) {
      await (await start(first.address)).terminate();
      console.log(await eventually(() => net.TcpListener.bind(first.address).map((found) => found.close()).isOk));
    }
    console.log(await eventually(() => handles() - before < 4));`);
  for (let times = 0; times < 5; times++) assert.equal(await child.line(), "true");
});

test("a child process inherits no socket", { skip }, async () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  const address = ok(listener.local_addr());
  const client = ok(net.TcpStream.connect(address));
  const server = ok(listener.accept());
  const clone = ok(server.try_clone());
  await using child = node(`console.log("here"); setTimeout(() => {}, 20_000);`);
  assert.equal(await child.line(), "here");
  for (const each of [listener, server, clone]) each.close();
  // It would hold the connection open, and the port.
  ok(client.set_read_timeout(5000));
  assert.equal(ok(client.read(1)).length, 0);
  ok(net.TcpListener.bind(address)).close();
  client.close();
});

test("from_fd takes a SOCKET, and nothing else", { skip }, () => {
  for (const wrong of [0, 4, 44, 0x7ffffffc]) {
    assert.match(String(net.error_code(err(net.TcpStream.from_fd(wrong)))), /^(ENOTSOCK|EBADF)$/);
    assert.match(String(net.error_code(err(net.UdpSocket.from_fd(wrong)))), /^(ENOTSOCK|EBADF)$/);
  }
  assert.equal(err(net.TcpStream.from_fd(-4)).startsWith("tcp from_fd failed: "), true);
  const { client, server } = tcpPair();
  assert.equal(
    err(net.TcpListener.from_fd(ok(server.as_fd()))).startsWith("tcp listener from_fd failed: "),
    true,
  );
  const again = ok(net.TcpStream.from_fd(ok(client.into_fd())));
  ok(server.write("x"));
  assert.equal(ok(again.read(5)).toString(), "x");
  ok(again.set_read_timeout(30));
  assert.equal(net.error_code(err(again.read(5))), "EAGAIN");
  const udp = ok(net.UdpSocket.bind(LOOPBACK));
  assert.equal(err(net.TcpStream.from_fd(ok(udp.into_fd()))), "tcp from_fd failed: not a tcp stream");
  for (const each of [again, server]) each.close();
});

test("a handle that goes to a worker by number blocks there", { skip }, async () => {
  const { client, server } = tcpPair();
  ok(client.set_nonblocking(true));
  const worker = new Worker(
    `import("std-net").then((net) => {
      const { parentPort, workerData } = require("node:worker_threads");
      parentPort.postMessage(net.TcpStream.from_fd(workerData).value.read(9).value.toString());
    });`,
    { eval: true, workerData: ok(client.into_fd()) },
  );
  setTimeout(() => ok(server.write("later")), 300);
  assert.equal(await new Promise((resolve) => worker.once("message", resolve)), "later");
  await worker.terminate();
  server.close();
});

test("what Windows does not have is an error that says so", { skip }, () => {
  assert.equal(err(net.UnixDatagram.bind("x")), "unix bind failed: not supported on Windows");
  assert.equal(err(net.UnixDatagram.unbound()), "unix unbound failed: not supported on Windows");
  assert.equal(err(net.UnixDatagram.pair()), "unix pair failed: not supported on Windows");
  assert.equal(err(net.UnixStream.pair()), "unix pair failed: not supported on Windows");
  assert.equal(err(net.UnixListener.bind("\0name")), "unix listener bind failed: not supported on Windows");
  assert.equal(err(net.UnixStream.connect("\0name")), "unix connect failed: not supported on Windows");
  for (const bind of [net.TcpListener.bind, net.UdpSocket.bind]) {
    assert.equal(net.error_code(err<unknown>(bind(LOOPBACK, { reuse_port: true }))), "ENOPROTOOPT");
  }
  assert.match(err(net.TcpStream.connect("[fe80::1%nonesuch]:1")), /Element not found\. \(os error 1168\)$/);
});

test("Unix streams, where Windows has AF_UNIX", { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const path = join(folder, "a.sock");
  const bound = net.UnixListener.bind(path);
  if (isWine) assert.equal(net.error_code(err(bound)), "EAFNOSUPPORT");
  else {
    const listener = ok(bound);
    const client = ok(net.UnixStream.connect(path));
    const server = ok(listener.accept());
    ok(client.write_all("over a file"));
    assert.equal(ok(server.read(99)).toString(), "over a file");
    client.close();
    assert.equal(ok(server.read(9)).length, 0);
    for (const each of [server, listener]) each.close();
  }
  rmSync(folder, { recursive: true });
});

test("[::] takes IPv4 too, unless it is told not to", { skip }, () => {
  const both = ok(net.TcpListener.bind("[::]:0"));
  const client = ok(net.TcpStream.connect(`127.0.0.1:${portOf(ok(both.local_addr()))}`));
  const server = ok(both.accept());
  assert.match(ok(server.peer_addr()), /^\[::ffff:127\.0\.0\.1\]:/);
  const only = ok(net.TcpListener.bind("[::]:0", { ipv6_only: true }));
  const refused = net.TcpStream.connect(`127.0.0.1:${portOf(ok(only.local_addr()))}`);
  assert.equal(err(refused), `failed to connect: ${reason("ECONNREFUSED")}`);
  // A dual-stack datagram socket sends to IPv4, and connects to it.
  const six = ok(net.UdpSocket.bind("[::]:0"));
  const four = ok(net.UdpSocket.bind(LOOPBACK));
  assert.equal(ok(six.send_to("x", ok(four.local_addr()))), 1);
  assert.equal(ok(four.recv(9)).toString(), "x");
  ok(six.connect(ok(four.local_addr())));
  assert.equal(ok(six.send("yz")), 2);
  assert.equal(ok(four.recv(9)).toString(), "yz");
  for (const each of [both, client, server, only, six, four]) each.close();
});

test("lookups with a deadline and without one, and numbers", { skip }, () => {
  assert.deepEqual(ok(net.lookup_host("localhost:80")).includes("127.0.0.1:80"), true);
  const failed = /^failed to connect: failed to lookup address information: .*\(os error 1100\d\)$/;
  assert.match(err(net.TcpStream.connect("no.such.invalid:80")), failed);
  assert.match(err(net.TcpStream.connect_timeout("no.such.invalid:80", 10_000)), failed);
  assert.equal(net.error_code(err(net.TcpStream.connect("no.such.invalid:80"))), null);
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  for (let times = 0; times < 20; times++) {
    ok(net.TcpStream.connect_timeout(`localhost:${portOf(ok(listener.local_addr()))}`, 10_000)).close();
    ok(listener.accept()).close();
  }
  listener.close();
});

for (const mechanism of ["afd", "poll"]) {
  const create = (): net.Poller => {
    if (mechanism === "poll") process.env.STD_NET_POLLER = "poll";
    const poller = ok(net.Poller.create());
    delete process.env.STD_NET_POLLER;
    return poller;
  };

  test(`${mechanism}: a wait believes no event that is over`, { skip }, () => {
    const poller = create();
    const [one, two] = [tcpPair(), tcpPair()];
    ok(poller.add(one.server, { readable: true }, "one"));
    ok(poller.add(two.server, { readable: true }, "two"));
    assert.equal(ok(poller.wait(0)).length, 0);
    ok(one.client.write("x"));
    assert.equal(ok(poller.wait(5000)).length, 1);
    // The second has something after that wait, and not any more before the next.
    ok(two.client.write("y"));
    assert.equal(ok(two.server.read(1)).toString(), "y");
    assert.deepEqual(
      ok(poller.wait(0)).map(({ key }) => key),
      ["one"],
    );
    ok(one.server.read(1));
    assert.deepEqual(ok(poller.wait(30)), []);
    for (const each of [one.client, one.server, two.client, two.server, poller]) each.close();
  });

  test(`${mechanism}: an interest that changes while AFD is at work, and sockets that go`, { skip }, () => {
    const poller = create();
    const { client, server } = tcpPair();
    ok(poller.add(server, { readable: true }));
    assert.equal(ok(poller.wait(0)).length, 0);
    ok(poller.modify(server, { writable: true }));
    assert.equal(ok(poller.wait(5000))[0]?.writable, true);
    ok(poller.modify(server, { readable: true }));
    assert.equal(ok(poller.wait(0)).length, 0);
    ok(client.write("x"));
    assert.equal(ok(poller.wait(5000))[0]?.readable, true);
    ok(poller.remove(server));
    assert.equal(ok(poller.wait(0)).length, 0);
    ok(poller.add(server, { readable: true }));
    assert.equal(ok(poller.wait(5000)).length, 1);
    closeBehindItsBack(ok(server.as_fd()));
    assert.deepEqual(ok(poller.wait(20)), []);
    assert.deepEqual(ok(poller.wait(20)), []);
    for (const each of [client, server, poller]) each.close();
  });

  test(`${mechanism}: 300 idle sockets and one that is not, round after round`, { skip }, (context) => {
    const poller = create();
    const listener = ok(net.TcpListener.bind(LOOPBACK));
    const clients = Array.from({ length: 300 }, () => ok(net.TcpStream.connect(ok(listener.local_addr()))));
    const servers = clients.map(() => ok(listener.accept()));
    servers.forEach((server, key) => void ok(poller.add(server, { readable: true }, key)));
    const rounds = 100;
    const { took } = timed(() => {
      for (let round = 0; round < rounds; round++) {
        const which = (round * 7) % servers.length;
        ok(clients[which]!.write("x"));
        const events = ok(poller.wait(5000));
        assert.deepEqual([events.length, typeof events[0]?.key], [1, "number"]);
        ok((events[0]!.socket as net.TcpStream).read(9));
      }
    });
    context.diagnostic(`${mechanism}: ${((took / rounds) * 1000).toFixed(0)} us a round`);
    console.log(`# ${mechanism}: ${((took / rounds) * 1000).toFixed(0)} us a round of write, wait and read`);
    for (const each of [...clients, ...servers, listener, poller]) each.close();
  });
}
