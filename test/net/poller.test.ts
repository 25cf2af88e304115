import assert from "node:assert/strict";
import { after, test } from "node:test";
import { Worker } from "node:worker_threads";
import * as net from "std-net";
import { Certificates } from "../support/certificates.ts";
import { err, node, ok, openDescriptors } from "../support/peer.ts";
import { makePoller as makePollerOf, mechanisms } from "../support/pollers.ts";
import {
  closeBehindItsBack,
  datagramPair,
  pythonStream,
  streamPair,
  tcpPair,
  timed,
} from "../support/sockets.ts";
import { isWindows, reason, reasonPattern } from "../support/system-errors.ts";

const readable = { readable: true };

for (const mechanism of mechanisms) {
  const makePoller = () => makePollerOf(mechanism);

  test(`${mechanism}: readable, writable, and again for as long as it is so`, () => {
    const before = openDescriptors();
    const poller = makePoller();
    const descriptors = mechanism === "poll" ? 0 : isWindows ? 2 : 1;
    assert.equal(openDescriptors() - before, descriptors, "it is the mechanism that was requested");
    const { client, server } = tcpPair();
    assert.equal(ok(poller.wait(0)).length, 0);
    ok(poller.add(client, readable, "a key"));
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(server.write("ab"));
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(ok(poller.wait(5000)), [
        { socket: client, key: "a key", readable: true, writable: false, closed: false },
      ]);
      assert.equal(ok(poller.wait(null))[0]?.socket, client);
      ok(client.read(1));
    }
    assert.deepEqual(ok(poller.wait(0)), []);

    ok(poller.modify(client, { readable: true, writable: true }));
    const [event] = ok(poller.wait(5000));
    assert.deepEqual([event?.readable, event?.writable, event?.key], [false, true, "a key"]);
    ok(client.set_nonblocking(true));
    while (client.write(Buffer.alloc(65536)).isOk);
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(server.write("x"));
    const [later] = ok(poller.wait(5000));
    assert.deepEqual([later?.readable, later?.writable], [true, false]);
    ok(poller.modify(client, {}));
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(poller.remove(client));
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(poller.add(client, readable));
    assert.deepEqual(ok(poller.wait(0)), [
      { socket: client, key: undefined, readable: true, writable: false, closed: false },
    ]);
    poller.close();
    client.close();
    server.close();
  });

  test(`${mechanism}: wait ends in time`, () => {
    const poller = makePoller();
    const { client, server } = tcpPair();
    ok(poller.add(client, readable));
    for (const [ms, least, most] of [
      [0, 0, 500],
      [0.5, 0, 500],
      [80, 79, 1500],
      [300, 299, 2000],
    ] as const) {
      const { took, value } = timed(() => poller.wait(ms));
      assert.deepEqual(ok(value), []);
      assert.ok(took >= least && took < most, `${ms} ms took ${took} ms`);
    }
    ok(server.write("x"));
    // More milliseconds than the system can count.
    for (const ms of [2 ** 31, 2 ** 40, Number.MAX_VALUE, Number.POSITIVE_INFINITY]) {
      assert.equal(ok(poller.wait(ms)).length, 1);
    }
    for (const wrong of [-1, Number.NaN, "5", undefined, {}, true, 5n]) {
      assert.equal(err(poller.wait(wrong as number)), "timeout must be a positive number");
    }
    poller.close();
    client.close();
    server.close();
  });

  const answer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";
  for (const [name, [parts, call]] of Object.entries<
    [string[], (stream: net.TcpStream | net.UnixStream) => net.Result<unknown, string>]
  >({
    read_exact: [["ab", "c", "def"], (stream) => stream.read_exact(6)],
    read_to_end: [["ab", "c", "def"], (stream) => stream.read_to_end(6)],
    read_until: [["ab", "c", "de\r", "\n"], (stream) => stream.read_until("\r\n")],
    read_response: [[answer.slice(0, 20), answer.slice(20), "12", "34"], (s) => net.http.read_response(s)],
  })) {
    test(`${mechanism}: ${name} that had too little twice is called again when more has come, and not before`, () => {
      const unix = streamPair();
      const tcp = tcpPair();
      for (const [near, far] of [unix, [tcp.client, tcp.server]] as const) {
        const poller = makePoller();
        ok(near.set_nonblocking(true));
        ok(poller.add(near, readable));
        const fails = (): void => {
          assert.equal(net.error_code(err(call(near))), "EAGAIN");
          // What it found is there to be read, and so is reported; a second try shows that it is of no use.
          assert.equal(net.error_code(err(call(near))), "EAGAIN");
          assert.deepEqual(ok(poller.wait(20)), []);
        };
        for (const part of parts) {
          fails();
          ok(far.write_all(part));
          assert.equal(ok(poller.wait(5000)).length, 1);
        }
        if (name === "read_to_end") {
          fails();
          far.close();
          assert.equal(ok(poller.wait(5000))[0]?.readable, true);
        }
        ok(call(near));

        // The bytes are there for every other read, and what one of those leaves is reported. (read_response keeps its own.)
        if (name !== "read_to_end" && name !== "read_response") {
          ok(far.write_all("ab"));
          fails();
          assert.equal(ok(near.read(1)).toString(), "a");
          assert.equal(ok(poller.wait(0))[0]?.readable, true);
          // And so is an end that no call will wait beyond.
          assert.equal(net.error_code(err(call(near))), "EAGAIN");
          far.close();
          assert.equal(ok(poller.wait(5000))[0]?.readable, true);
          assert.equal(call(near).isErr, true);
        }
        poller.close();
        near.close();
        far.close();
      }
    });
  }

  test(`${mechanism}: a descriptor that other code closed gives no events`, () => {
    const poller = makePoller();
    const { client, server } = tcpPair();
    ok(poller.add(client, { writable: true }));
    closeBehindItsBack(ok(client.as_fd()));
    assert.deepEqual(ok(poller.wait(20)), []);
    assert.deepEqual(ok(poller.wait(20)), []);
    poller.close();
    client.close();
    server.close();
  });

  test(`${mechanism}: an interest whose getter closes what it is about`, () => {
    const poller = makePoller();
    const { client, server } = tcpPair();
    const closing = (closed: { close(): void }): net.Interest => ({
      get readable() {
        closed.close();
        return true;
      },
    });
    assert.equal(err(poller.add(client, closing(client))), `poller add failed: ${reason("EBADF")}`);
    ok(poller.add(server, {}));
    assert.equal(err(poller.modify(server, closing(server))), `poller modify failed: ${reason("EBADF")}`);
    const other = tcpPair();
    assert.equal(err(poller.add(other.client, closing(poller))), "invalid poller");
    other.client.close();
    other.server.close();
  });

  test(`${mechanism}: the peer's end, and a broken connection`, async () => {
    const poller = makePoller();
    const first = pythonStream(`peer.sendall(b"last words"); peer.close()`);
    await first.child.exit();
    ok(poller.add(first.stream, readable));
    assert.deepEqual(ok(poller.wait(5000)), [
      { socket: first.stream, key: undefined, readable: true, writable: false, closed: true },
    ]);
    assert.equal(ok(first.stream.read_to_end()).toString(), "last words");
    first.stream.close();
    assert.deepEqual(ok(poller.wait(0)), []);

    const second = pythonStream(`
peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); peer.close()`);
    await second.child.exit();
    ok(poller.add(second.stream, { readable: true, writable: true }));
    assert.deepEqual(ok(poller.wait(5000)), [
      { socket: second.stream, key: undefined, readable: true, writable: true, closed: true },
    ]);
    assert.equal(net.error_code(err(second.stream.read(1))), "ECONNRESET");
    second.stream.close();
    poller.close();
  });

  test(`${mechanism}: there are only the events of the interest, and the end of the connection`, () => {
    const poller = makePoller();
    const { client, server } = tcpPair();
    ok(poller.add(client, readable));
    ok(poller.modify(client, {}));
    ok(server.write("abc"));
    assert.deepEqual(ok(poller.wait(0)), []);
    // Nor that bytes which a failed read gave back can be read again.
    ok(client.set_nonblocking(true));
    err(client.read_exact(5));
    ok(client.read(1));
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(poller.modify(client, readable));
    assert.equal(ok(poller.wait(5000))[0]?.readable, true);
    ok(poller.modify(client, {}));
    ok(server.set_linger(0));
    server.close();
    assert.deepEqual(ok(poller.wait(5000)), [
      { socket: client, key: undefined, readable: false, writable: false, closed: true },
    ]);
    poller.close();
    client.close();
  });

  test(`${mechanism}: a pending error makes a datagram socket readable, because recv returns it`, () => {
    const poller = makePoller();
    const nobody = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const address = ok(nobody.local_addr());
    nobody.close();
    const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
    ok(udp.connect(address));
    ok(poller.add(udp, readable));
    ok(udp.send("x"));
    assert.deepEqual(ok(poller.wait(5000)), [
      { socket: udp, key: undefined, readable: true, writable: false, closed: false },
    ]);
    assert.equal(net.error_code(err(udp.recv(1))), "ECONNREFUSED");
    assert.deepEqual(ok(poller.wait(0)), []);
    poller.close();
    udp.close();
  });

  test(`${mechanism}: listeners, datagrams and Unix sockets`, () => {
    const poller = makePoller();
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const [unix, unixPeer] = streamPair();
    const [datagram, datagramPeer] = datagramPair();
    const unixListener = isWindows
      ? ok(net.TcpListener.bind("127.0.0.1:0"))
      : ok(net.UnixListener.bind(`\0std-net poller ${process.pid} ${mechanism}`));
    const all = { listener, udp, unix, datagram, unixListener };
    for (const [key, socket] of Object.entries(all)) ok(poller.add(socket, readable, key));
    assert.deepEqual(ok(poller.wait(0)), []);
    const one = (): unknown[] => ok(poller.wait(5000)).map((event) => event.key);

    const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
    assert.deepEqual(one(), ["listener"]);
    ok(listener.accept()).close();
    ok(udp.send_to("x", ok(udp.local_addr())));
    assert.deepEqual(one(), ["udp"]);
    ok(udp.recv(1));
    ok(unixPeer.write("x"));
    assert.deepEqual(one(), ["unix"]);
    ok(unix.read(1));
    ok(datagramPeer.send(""));
    assert.deepEqual(one(), ["datagram"]);
    ok(datagram.recv(1));
    const connect = isWindows ? net.TcpStream.connect : net.UnixStream.connect;
    const unixClient = ok<net.TcpStream | net.UnixStream>(connect(ok(unixListener.local_addr())));
    assert.deepEqual(one(), ["unixListener"]);
    ok(udp.send_to("x", ok(udp.local_addr())));
    assert.deepEqual(one().sort(), ["udp", "unixListener"]);
    for (const socket of [...Object.values(all), client, unixPeer, datagramPeer, unixClient]) socket.close();
    assert.deepEqual(ok(poller.wait(0)), []);
    poller.close();
  });

  test(`${mechanism}: what cannot be registered is an error`, () => {
    const poller = makePoller();
    const { client, server } = tcpPair();
    const clone = ok(client.try_clone());
    ok(poller.add(client, readable));
    assert.equal(err(poller.add(client, readable)), `poller add failed: ${reason("EEXIST")}`);
    ok(poller.add(clone, readable));
    assert.equal(err(poller.modify(server, readable)), `poller modify failed: ${reason("ENOENT")}`);
    assert.equal(err(poller.remove(server)), `poller remove failed: ${reason("ENOENT")}`);
    server.close();
    for (const result of [
      poller.add(server, readable),
      poller.modify(server, readable),
      poller.remove(server),
    ]) {
      assert.match(err(result), new RegExp(`^poller (add|modify|remove) failed: ${reasonPattern("EBADF")}$`));
    }
    const hostile = new Proxy(client, {
      getPrototypeOf() {
        throw new Error("no");
      },
    });
    for (const foreign of [
      null,
      undefined,
      5,
      "x",
      {},
      [],
      hostile,
      Object.create(net.TcpStream.prototype),
      poller,
    ]) {
      assert.equal(err(poller.add(foreign as net.TcpStream, readable)), "expected socket");
      assert.equal(err(poller.modify(foreign as net.TcpStream, readable)), "expected socket");
      assert.equal(err(poller.remove(foreign as net.TcpStream)), "expected socket");
    }
    for (const interest of [null, undefined, 5, "readable"] as unknown as object[]) {
      assert.equal(err(poller.modify(client, interest)), "expected interest");
    }
    for (const interest of [{ readable: 1 }, { writable: "yes" }, { readable: null }]) {
      assert.equal(err(poller.modify(client, interest as object)), "expected bool");
    }
    // Two pollers may have the same socket.
    const other = makePoller();
    ok(other.add(client, readable));
    client.close();
    clone.close();
    poller.close();
    poller.close();
    for (const result of [
      poller.add(client, readable),
      poller.modify(client, {}),
      poller.remove(client),
      poller.wait(0),
    ]) {
      assert.equal(err<unknown>(result), "invalid poller");
    }
    other.close();
    assert.equal(
      err(new net.Poller(...([5] as unknown as ConstructorParameters<typeof net.Poller>)).wait(0)),
      "invalid poller",
    );
  });

  test(`${mechanism}: a socket that is closed or given away while registered drops out`, () => {
    const poller = makePoller();
    const { client, server } = tcpPair();
    // A clone keeps the connection alive: the kernel alone would go on reporting it.
    const clone = ok(client.try_clone());
    const fd = ok(client.as_fd());
    ok(poller.add(client, readable, "first"));
    ok(server.write("x"));
    assert.equal(ok(poller.wait(5000)).length, 1);
    client.close();
    assert.deepEqual(ok(poller.wait(0)), []);

    // Its number goes to the next socket, which is ready at once and was never registered.
    const next = ok(net.UdpSocket.bind("127.0.0.1:0"));
    // (Windows picks numbers in an order of its own.)
    if (!isWindows) assert.equal(ok(next.as_fd()), fd, "the number is used again");
    ok(next.send_to("x", ok(next.local_addr())));
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(poller.add(next, readable, "second"));
    assert.deepEqual(
      ok(poller.wait(0)).map((event) => event.key),
      ["second"],
    );
    ok(next.recv(1));

    ok(poller.add(clone, readable, "third"));
    assert.deepEqual(
      ok(poller.wait(5000)).map((event) => event.key),
      ["third"],
    );
    const taken = ok(net.TcpStream.from_fd(ok(clone.into_fd())));
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(poller.add(taken, readable, "fourth"));
    assert.deepEqual(
      ok(poller.wait(0)).map((event) => event.key),
      ["fourth"],
    );
    for (const socket of [taken, next, server]) socket.close();
    poller.close();
  });

  test(`${mechanism}: bytes that a failed read pushed back are readable`, () => {
    const poller = makePoller();
    const { client, server } = tcpPair();
    ok(client.set_nonblocking(true));
    ok(poller.add(client, readable));
    ok(server.write("half"));
    assert.equal(ok(poller.wait(5000)).length, 1);
    assert.equal(net.error_code(err(client.read_exact(8))), "EAGAIN");
    assert.deepEqual(ok(poller.wait(null)), [
      { socket: client, key: undefined, readable: true, writable: false, closed: false },
    ]);
    // One event, though the kernel has something to say as well.
    ok(poller.modify(client, { readable: true, writable: true }));
    assert.deepEqual(ok(poller.wait(null)), [
      { socket: client, key: undefined, readable: true, writable: true, closed: false },
    ]);
    assert.equal(ok(client.read(100)).toString(), "half");
    ok(poller.modify(client, readable));
    assert.deepEqual(ok(poller.wait(0)), []);
    poller.close();
    client.close();
    server.close();
  });
}

const certificates = new Certificates();
after(() => certificates.remove());

test("a TlsStream is readable for as long as it has decrypted bytes", async () => {
  const ca = certificates.authority("root").cert;
  const { cert, key } = certificates.make("server", "root");
  const server = node(
    `import tls from "node:tls";
    const { cert, key } = JSON.parse(process.argv[1]);
    const server = tls.createServer({ cert, key }, (socket) => {
      socket.write("one record of many bytes");
      let times = 0;
      socket.on("data", () => (times++ === 0 ? socket.write("mo") : socket.end("re")));
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));`,
    JSON.stringify({ cert, key }),
  );
  const stream = ok(
    net.TlsStream.connect(`127.0.0.1:${await server.line()}`, { ca, server_name: "server.test" }),
  );
  const poller = ok(net.Poller.create());
  ok(poller.add(stream, readable));
  assert.equal(ok(poller.wait(10_000))[0]?.socket, stream);
  assert.equal(ok(stream.read(4)).toString(), "one ");
  // The kernel has nothing left (but TLS 1.3's tickets, perhaps): OpenSSL has.
  for (const rest of ["record ", "of many ", "bytes"]) {
    const events = ok(poller.wait(10_000));
    assert.deepEqual(
      events.map((event) => [event.socket === stream, event.readable]),
      [[true, true]],
    );
    assert.equal(ok(stream.read_exact(rest.length)).toString(), rest);
  }
  assert.deepEqual(ok(poller.wait(50)), []);
  ok(stream.write("go"));
  assert.equal(ok(poller.wait(10_000)).length, 1);
  // What came is too little, and is reported no more until more comes.
  ok(stream.set_nonblocking(true));
  assert.equal(net.error_code(err(stream.read_exact(4))), "EAGAIN");
  assert.equal(ok(poller.wait(50)).length, 1);
  for (const call of [() => stream.read_exact(4), () => stream.read_until("e")]) {
    assert.equal(net.error_code(err(call())), "EAGAIN");
    assert.deepEqual(ok(poller.wait(50)), []);
  }
  ok(stream.set_nonblocking(false));
  ok(stream.write("go"));
  assert.equal(ok(poller.wait(10_000)).length, 1);
  assert.equal(ok(stream.read_to_end()).toString(), "more");
  // Bytes given back count from the start.
  poller.close();
  stream.close();
  server.kill();
  await server.exit();
});

test("a wait in a worker ends with the worker", async () => {
  const worker = new Worker(
    `const { parentPort } = require("node:worker_threads");
    const net = require("std-net");
    const poller = net.Poller.create().value;
    poller.add(net.TcpListener.bind("127.0.0.1:0").value, { readable: true });
    parentPort.postMessage("blocking");
    poller.wait(null);`,
    { eval: true },
  );
  await new Promise((resolve) => worker.once("message", resolve));
  const begun = performance.now();
  await worker.terminate();
  assert.ok(performance.now() - begun < 500);
});

test("a registered socket lives, and a poller that is dropped gives its descriptor back", async () => {
  const child = node(
    `import { readdirSync } from "node:fs";
    import { setFlagsFromString } from "node:v8";
    import { runInNewContext } from "node:vm";
    setFlagsFromString("--expose-gc");
    const collect = async () => {
      for (let i = 0; i < 5; i++) { runInNewContext("gc")(); await new Promise((resolve) => setTimeout(resolve, 10)); }
    };
    const count = () => readdirSync("/dev/fd").length;
    const poller = net.Poller.create().value;
    const address = (() => {
      const socket = net.UdpSocket.bind("127.0.0.1:0").value;
      poller.add(socket, { readable: true }, "kept");
      return socket.local_addr().value;
    })();
    await collect();
    const other = net.UdpSocket.bind("127.0.0.1:0").value;
    other.send_to("x", address);
    console.log(poller.wait(1000).value[0].key);
    const before = count();
    for (let i = 0; i < 300; i++) net.Poller.create().value.add(other, { readable: true });
    await collect();
    console.log(count() - before);
    for (let i = 0; i < 1000; i++) { const p = net.Poller.create().value; p.add(other, { readable: true }); p.close(); }
    console.log(count() - before);`,
  );
  assert.equal(await child.line(), "kept");
  assert.equal(await child.line(), "0");
  assert.equal(await child.line(), "0");
  assert.equal((await child.exit()).code, 0);
});
