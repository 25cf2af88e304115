// Core checks: TCP, UDP, Unix sockets, Poller, and the values that go in and out.
import assert from "node:assert/strict";
import { constants } from "node:os";
import * as net from "std-net";
import { err, listening, ok, python, tcpPair } from "./support.mjs";

export const checks = {
  "TCP conversation"() {
    const [client, server] = tcpPair();
    assert.equal(ok(client.write("héllo")), 6);
    assert.equal(ok(server.read(100)).toString(), "héllo");
    assert.equal(ok(server.write([0, 255])), 2);
    assert.deepEqual([...ok(client.read(100))], [0, 255]);
    assert.equal(ok(client.peer_addr()), ok(server.local_addr()));
    client.close();
    assert.equal(ok(server.read(100)).length, 0);
    assert.equal(err(client.read(1)), "invalid tcp stream");
  },

  "TCP, large and small pieces"() {
    const [client, server] = tcpPair();
    const sent = Buffer.alloc(200_000, "0123456789");
    for (let done = 0; done < sent.length; ) {
      done += ok(client.write(sent.subarray(done, done + 50_000)));
      let got = 0;
      while (got < 50_000) got += ok(server.read(7000)).length;
    }
  },

  "IPv6 and names"() {
    const listener = ok(net.TcpListener.bind("[::1]:0"));
    assert.match(ok(listener.local_addr()), /^\[::1\]:\d+$/);
    ok(net.TcpStream.connect(ok(listener.local_addr())));
    assert.ok(ok(net.lookup_host("localhost:80")).length > 0);
  },

  "UDP datagrams"() {
    const a = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const b = ok(net.UdpSocket.bind("127.0.0.1:0"));
    ok(a.send_to("hello", ok(b.local_addr())));
    const [bytes, from] = ok(b.recv_from(100));
    assert.equal(bytes.toString(), "hello");
    assert.equal(from, ok(a.local_addr()));
  },

  "Unix sockets"() {
    const [a, b] = ok(net.UnixStream.pair());
    ok(a.write("hello"));
    assert.equal(ok(b.read(10)).toString(), "hello");
  },

  "errors are values, with their code"() {
    const error = err(net.TcpStream.connect("127.0.0.1:1"));
    assert.equal(error, `failed to connect: Connection refused (os error ${constants.errno.ECONNREFUSED})`);
    assert.equal(net.error_code(error), "ECONNREFUSED");
    assert.match(
      err(net.TcpStream.connect("nothing")),
      /^failed to connect: invalid socket address: no port/,
    );
    assert.equal(err(net.TcpStream.connect(7)), "expected string");
  },

  "non-blocking mode and timeouts"() {
    const [client] = tcpPair();
    ok(client.set_nonblocking(true));
    assert.equal(net.error_code(err(client.read(1))), "EAGAIN");
    ok(client.set_nonblocking(false));
    ok(client.set_read_timeout(50));
    const begin = performance.now();
    assert.equal(net.error_code(err(client.read(1))), "EAGAIN");
    assert.ok(performance.now() - begin > 40);
  },

  "a foreign TCP server"() {
    return python(
      "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])\n" +
        "c = s.accept()[0]; c.sendall(c.recv(100).upper()); c.close()",
    ).then(({ line }) => {
      const stream = ok(net.TcpStream.connect(`127.0.0.1:${line}`));
      ok(stream.write("hello"));
      assert.equal(ok(stream.read_to_end()).toString(), "HELLO");
    });
  },

  Poller() {
    const poller = ok(net.Poller.create());
    const [client, server] = tcpPair();
    ok(poller.add(server, { readable: true }, "key"));
    assert.deepEqual(ok(poller.wait(0)), []);
    ok(client.write("x"));
    const [event] = ok(poller.wait(1000));
    assert.equal(event.socket, server);
    assert.equal(event.key, "key");
    assert.equal(event.readable, true);
    poller.close();
  },

  "TCP, whole reads and peeks"() {
    const [client, server] = tcpPair();
    ok(client.write_all("one\r\ntwo\r\nthree"));
    assert.equal(ok(server.peek(3)).toString(), "one");
    assert.equal(ok(server.read_until("\r\n")).toString(), "one\r\n");
    const into = new Uint8Array(3);
    assert.equal(ok(server.read_into(into)), 3);
    assert.deepEqual([...into], [...Buffer.from("two")]);
    assert.equal(ok(server.read_exact(4)).toString(), "\r\nth");
    client.close();
    assert.equal(net.error_code(err(server.read_exact(4))), null);
    assert.equal(ok(server.read_to_end()).toString(), "ree");
  },

  "TCP, half-close"() {
    const [client, server] = tcpPair();
    ok(client.write("question"));
    ok(client.shutdown("write"));
    assert.equal(ok(server.read_to_end()).toString(), "question");
    ok(server.write("answer"));
    server.close();
    assert.equal(ok(client.read_to_end()).toString(), "answer");
    assert.equal(net.error_code(err(client.write("more"))), "EPIPE");
  },

  "TCP, options"() {
    const [client] = tcpPair();
    ok(client.set_nodelay(true));
    assert.equal(ok(client.nodelay()), true);
    ok(client.set_ttl(42));
    assert.equal(ok(client.ttl()), 42);
    ok(client.set_linger(1000));
    assert.equal(ok(client.linger()), 1000);
    ok(client.set_keepalive(true));
    assert.equal(ok(client.keepalive()), true);
    assert.equal(ok(client.take_error()), null);
    assert.equal(err(net.TcpStream.connect_timeout("192.0.2.1:80", 0)), "timeout must be a positive number");
  },

  "TCP, clones and descriptors"() {
    const [client, server] = tcpPair();
    const clone = ok(client.try_clone());
    client.close();
    const fd = ok(clone.into_fd());
    assert.equal(err(clone.read(1)), "invalid tcp stream");
    const again = ok(net.TcpStream.from_fd(fd));
    ok(again.write("still here"));
    assert.equal(ok(server.read(100)).toString(), "still here");
    assert.equal(ok(again.as_fd()), fd);
    err(net.TcpStream.from_fd(fd));
    err(net.TcpListener.from_fd(ok(server.as_fd())));
    err(net.UdpSocket.from_fd(100_000));
  },

  "UDP, connected, peeking, limits"() {
    const a = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const b = ok(net.UdpSocket.bind("127.0.0.1:0"));
    assert.equal(net.error_code(err(a.peer_addr())), "ENOTCONN");
    ok(a.connect(ok(b.local_addr())));
    ok(b.connect(ok(a.local_addr())));
    ok(a.send(""));
    ok(a.send("0123456789"));
    assert.equal(ok(b.recv(10)).length, 0);
    assert.equal(ok(b.peek(4)).toString(), "0123");
    assert.equal(ok(b.recv(100)).toString(), "0123456789");
    ok(b.set_read_timeout(50));
    assert.equal(net.error_code(err(b.recv(1))), "EAGAIN");
    assert.equal(net.error_code(err(a.send(Buffer.alloc(70_000)))), "EMSGSIZE");
    ok(a.set_broadcast(true));
  },

  "IPv6 datagrams"() {
    const a = ok(net.UdpSocket.bind("[::1]:0"));
    ok(a.send_to("x", ok(a.local_addr())));
    assert.match(ok(a.recv_from(10))[1], /^\[::1\]:\d+$/);
  },

  "names that do not resolve"() {
    const error = err(net.TcpStream.connect("nothing.invalid:80"));
    assert.match(error, /^failed to connect: failed to lookup address information: /);
    assert.equal(net.error_code(error), null);
    ok(net.TcpStream.connect(`localhost:${ok(listening().local_addr()).split(":")[1]}`));
  },

  "Unix listeners and datagrams"() {
    const path = `\0std-net core ${process.pid}`;
    const listener = ok(net.UnixListener.bind(path));
    const client = ok(net.UnixStream.connect(path));
    const server = ok(listener.accept());
    ok(client.write("hello"));
    assert.equal(ok(server.read(10)).toString(), "hello");
    assert.equal(ok(listener.local_addr()), path);
    const [a, b] = ok(net.UnixDatagram.pair());
    ok(a.send("datagram"));
    assert.equal(ok(b.recv(100)).toString(), "datagram");
  },

  "a Poller over many sockets"() {
    const poller = ok(net.Poller.create());
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    ok(listener.set_nonblocking(true));
    ok(poller.add(listener, { readable: true }));
    const clients = [];
    for (let index = 0; index < 50; index++) {
      const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
      ok(client.write(`client ${index}`));
      clients.push(client);
    }
    let served = 0;
    while (served < 50) {
      for (const { socket } of ok(poller.wait(1000))) {
        if (socket === listener) {
          const stream = ok(listener.accept());
          ok(stream.set_nonblocking(true));
          ok(poller.add(stream, { readable: true }));
        } else {
          ok(socket.write(ok(socket.read(100))));
          ok(poller.remove(socket));
          socket.close();
          served++;
        }
      }
    }
    clients.forEach((client, index) => {
      assert.equal(ok(client.read_to_end()).toString(), `client ${index}`);
    });
    const begin = performance.now();
    assert.deepEqual(ok(poller.wait(100)), []);
    assert.ok(performance.now() - begin > 90);
  },

  "no SIGPIPE, no exception: a peer that has gone"() {
    const [client, server] = tcpPair();
    server.close();
    let error = "";
    for (let round = 0; round < 20 && error === ""; round++) {
      const result = client.write(Buffer.alloc(100_000));
      if (result.isErr) error = result.error;
    }
    assert.match(net.error_code(error), /^(EPIPE|ECONNRESET)$/);
  },

  "bytes that are given out belong to the caller"() {
    const [client, server] = tcpPair();
    ok(client.write("first"));
    const first = ok(server.read(100));
    assert.ok(Buffer.isBuffer(first));
    // Whoever transfers such memory away must not take the library's own with it.
    try {
      structuredClone(first, { transfer: [first.buffer] });
    } catch {}
    ok(client.write("second"));
    const second = ok(server.read(100));
    ok(client.write("third"));
    ok(server.read(100));
    assert.equal(second.toString(), "second");
    assert.equal(second.subarray(1, 3).toString(), "ec");
    class Odd extends Uint8Array {
      subarray() {
        throw new Error("called");
      }
    }
    ok(client.write(Odd.from([1, 2])));
    ok(client.write(new Uint8Array(new SharedArrayBuffer(2))));
    assert.deepEqual([...ok(server.read_exact(4))], [1, 2, 0, 0]);
  },

  "junk is an error result, never an exception"() {
    const [client] = tcpPair();
    ok(client.set_nonblocking(true));
    const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
    const poller = ok(net.Poller.create());
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error("trap");
        },
      },
    );
    const junk = [
      undefined,
      null,
      Number.NaN,
      -1,
      1.5,
      2 ** 60,
      1n,
      Symbol("s"),
      {},
      () => 0,
      [1n],
      [256],
      hostile,
    ];
    for (const value of junk) {
      for (const result of [
        net.TcpStream.connect(value),
        net.TcpListener.bind(value),
        net.UdpSocket.bind(value),
        net.UnixStream.connect(value),
        net.lookup_host(value),
        net.TlsStream.connect(value),
        client.read(value),
        client.write(value),
        client.read_exact(value),
        client.set_nonblocking(value),
        client.shutdown(value),
        udp.send_to(value, "127.0.0.1:9"),
        udp.send_to("x", value),
        poller.add(value, { readable: true }),
        net.http.request(value),
        net.http.request({ method: "GET", url: value }),
        net.http.request({ method: "GET", url: "http://127.0.0.1:1/", headers: { a: value } }),
        net.http.read_request(value),
        net.http.write_response(client, { status: value }),
      ]) {
        assert.ok(result.isErr && typeof result.error === "string", String(typeof value));
      }
      assert.equal(net.error_code(value), null);
    }
  },
};
