// The core of the library in one plain program, for runtimes that cannot run the tests themselves:
//   RUNTIME test/runtimes/core.mjs            the names of the checks
//   RUNTIME test/runtimes/core.mjs NAME       one check; exit status 0 when it passes
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import * as net from "std-net";

const ok = (result) => {
  assert.ok(result.isOk, `error result: ${result.isErr ? result.error : ""}`);
  return result.value;
};

const err = (result) => {
  assert.ok(result.isErr, "an error result was expected");
  return result.error;
};

/** A Python program; gives what it prints first. */
async function python(program, ...args) {
  const child = spawn("python3", ["-u", "-c", `import socket, sys, time\n${program}`, ...args]);
  child.stderr.on("data", (text) => process.stderr.write(text));
  let line = "";
  while (!line.endsWith("\n")) line += (await once(child.stdout, "data"))[0];
  return { child, line: line.trim() };
}

function worker(code, workerData) {
  return new Worker(`const { parentPort, workerData } = require("node:worker_threads");\n${code}`, {
    eval: true,
    workerData,
  });
}

/** A process of the same runtime that runs this program. */
function runtime(program, environment = {}) {
  const flags =
    process.versions.deno !== undefined
      ? ["eval"]
      : process.versions.bun !== undefined
        ? ["-e"]
        : ["--input-type=module", "-e"];
  const child = spawn(process.execPath, [...flags, program], { env: { ...process.env, ...environment } });
  if (environment.NODE_DEBUG === undefined) child.stderr.pipe(process.stderr);
  return child;
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const listening = () => ok(net.TcpListener.bind("127.0.0.1:0"));

function tcpPair() {
  const listener = listening();
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  const server = ok(listener.accept());
  listener.close();
  return [client, server];
}

const checks = {
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
    assert.equal(error, "failed to connect: Connection refused (os error 111)");
    assert.equal(net.error_code(error), "ECONNREFUSED");
    assert.equal(err(net.TcpStream.connect("nothing")), "failed to connect: invalid socket address");
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

  async "http.request to a foreign server"() {
    const { child, line } = await python(
      "import http.server\n" +
        "class H(http.server.BaseHTTPRequestHandler):\n" +
        "  protocol_version = 'HTTP/1.1'\n" +
        "  def log_message(self, *a): pass\n" +
        "  def do_POST(self):\n" +
        "    body = self.rfile.read(int(self.headers['content-length']))\n" +
        "    self.send_response(200); self.send_header('content-length', str(len(body))); self.end_headers()\n" +
        "    self.wfile.write(body)\n" +
        "s = http.server.HTTPServer(('127.0.0.1', 0), H); print(s.server_port); s.serve_forever()",
    );
    const body = { id: 9007199254740993n, list: [1.5, "é", null, true] };
    for (let round = 0; round < 3; round++) {
      const answer = ok(net.http.request({ method: "POST", url: `http://127.0.0.1:${line}/`, body }));
      assert.deepEqual([answer.status, answer.body], [200, body]);
    }
    child.kill();
  },

  "read_request and write_response"() {
    const [client, server] = tcpPair();
    ok(client.write('POST /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n\r\n{"a":1}'));
    const request = ok(net.http.read_request(server));
    assert.deepEqual(
      [request.method, request.path, request.query, request.body],
      ["POST", "/a", "b", { a: 1 }],
    );
    ok(net.http.write_response(server, { status: 201, body: { done: true } }));
    assert.match(ok(client.read(1000)).toString(), /^HTTP\/1\.1 201 Created\r\n.*\r\n\r\n\{"done":true\}$/s);
  },

  async "a server in a worker thread"() {
    const server = worker(
      `import("std-net").then((net) => {
        const listener = net.TcpListener.bind("127.0.0.1:0").value;
        parentPort.postMessage(listener.local_addr().value);
        for (;;) {
          const stream = listener.accept().value;
          const request = net.http.read_request(stream);
          if (request.isOk) net.http.write_response(stream, { status: 200, body: request.value.path });
          stream.close();
        }
      });`,
    );
    const [address] = await once(server, "message");
    for (const path of ["/one", "/two"]) {
      assert.equal(ok(net.http.request({ method: "GET", url: `http://${address}${path}` })).body, path);
    }
    await terminate(server);
  },

  async "terminate() ends a worker that is blocked"() {
    const blocked = worker(
      `import("std-net").then((net) => {
        const listener = net.TcpListener.bind("127.0.0.1:0").value;
        parentPort.postMessage("blocked");
        listener.accept();
      });`,
    );
    await once(blocked, "message");
    await terminate(blocked);
  },

  "descriptors come back when sockets are dropped": async () => {
    assert.equal(typeof globalThis.gc, "function", "the collector can be called");
    const { readdirSync } = await import("node:fs");
    const count = () => readdirSync("/proc/self/fd").length;
    tcpPair();
    const before = count();
    for (let pair = 0; pair < 50; pair++) tcpPair();
    assert.ok(count() >= before + 90);
    for (let round = 0; round < 20 && count() > before + 10; round++) {
      globalThis.gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.ok(count() <= before + 10);
  },

  async "Ctrl-C with a listener interrupts a blocked call"() {
    let heard = 0;
    process.on("SIGINT", () => heard++);
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    spawn("sh", ["-c", `sleep 0.3; kill -INT ${process.pid}`]);
    assert.equal(net.error_code(err(listener.accept())), "EINTR");
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(heard, 1);
  },

  async "Ctrl-C without a listener ends the process"() {
    const program =
      'import("std-net").then((net) => { console.log("on"); net.TcpListener.bind("127.0.0.1:0").value.accept(); });';
    const args = process.versions.deno === undefined ? ["-e", program] : ["eval", program];
    const child = spawn(process.execPath, args);
    await once(child.stdout, "data");
    await new Promise((resolve) => setTimeout(resolve, 200));
    child.kill("SIGINT");
    const [code, signal] = await once(child, "exit");
    assert.ok(signal === "SIGINT" || code === 130, `${code} ${signal}`);
  },

  async "https, verified, and refused when it cannot be"() {
    const { child, line } = await secureServer();
    const url = `https://localhost:${line.split(" ")[0]}/`;
    const ca = (await import("node:fs")).readFileSync(line.split(" ")[1], "utf8");
    const refused = err(net.http.request({ method: "GET", url }));
    assert.match(refused, /certificate verify failed/);
    const answer = ok(net.http.request({ method: "GET", url, tls: { ca } }));
    assert.equal(answer.body, "secure");
    child.kill();
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

  "a descriptor in a worker thread"() {
    const [client, server] = tcpPair();
    const thread = worker(
      `import("std-net").then((net) => {
        const stream = net.TcpStream.from_fd(workerData).value;
        stream.write(stream.read(100).value.toString().toUpperCase());
        stream.close();
      });`,
      ok(server.into_fd()),
    );
    ok(client.write("hello"));
    return once(thread, "exit").then(() => assert.equal(ok(client.read_to_end()).toString(), "HELLO"));
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

  "JSON with large integers"() {
    const [client, server] = tcpPair();
    const body = { id: 2n ** 80n, list: [9007199254740993n, 1.5, "é\u{1f600}"], __proto__: null };
    ok(net.http.write_response(server, { status: 200, body }));
    const answer = ok(net.http.read_response(client));
    assert.equal(answer.body.id, 2n ** 80n);
    assert.deepEqual(answer.body.list, body.list);
    assert.equal(
      err(net.http.write_response(server, { status: 200, body: Number.NaN })),
      "cannot serialize NaN to JSON",
    );
  },

  "a client's and a server's halves"() {
    const [client, server] = tcpPair();
    for (const path of ["/one", "/two"]) {
      ok(
        net.http.write_request(client, {
          method: "PUT",
          url: `http://x${path}`,
          body_base64: Buffer.from([0, 255, 128]).toString("base64"),
        }),
      );
      const request = ok(net.http.read_request(server, { decode_body: "base64", timeout_ms: 1000 }));
      assert.deepEqual([request.path, request.body], [path, "AP+A"]);
      const headers = { connection: "keep-alive" };
      ok(net.http.write_response(server, { status: 200, headers, body: path }));
      assert.equal(ok(net.http.read_response(client)).body, path);
    }
    ok(client.write("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"));
    assert.match(err(net.http.read_request(server)), /^invalid http request: /);
  },

  async "http.request: kept connections, redirects, codings, chunks"() {
    const { child, line } = await python(
      "import http.server, gzip, zlib, threading\n" +
        "connections = 0\n" +
        "class H(http.server.BaseHTTPRequestHandler):\n" +
        "  protocol_version = 'HTTP/1.1'\n" +
        "  def log_message(self, *a): pass\n" +
        "  def setup(self):\n" +
        "    global connections\n" +
        "    connections += 1\n" +
        "    super().setup()\n" +
        "  def give(self, body, *headers):\n" +
        "    self.send_response(200)\n" +
        "    for name, value in headers: self.send_header(name, value)\n" +
        "    self.send_header('content-length', str(len(body))); self.end_headers()\n" +
        "    if self.command != 'HEAD': self.wfile.write(body)\n" +
        "  def do_GET(self):\n" +
        "    if self.path == '/count': self.give(str(connections).encode())\n" +
        "    elif self.path == '/gzip': self.give(gzip.compress(b'[1, 2]'), ('content-encoding', 'gzip'))\n" +
        "    elif self.path == '/deflate': self.give(zlib.compress(b'[3]'), ('content-encoding', 'deflate'))\n" +
        "    elif self.path == '/bomb': self.give(gzip.compress(b'0' * 10000000), ('content-encoding', 'gzip'))\n" +
        "    elif self.path == '/moved':\n" +
        "      self.send_response(302); self.send_header('location', '/gzip'); self.send_header('content-length', '0'); self.end_headers()\n" +
        "    elif self.path == '/chunks':\n" +
        "      self.send_response(200); self.send_header('transfer-encoding', 'chunked'); self.end_headers()\n" +
        "      for part in (b'\"hello ', b'world\"'): self.wfile.write(b'%x\\r\\n%s\\r\\n' % (len(part), part))\n" +
        "      self.wfile.write(b'0\\r\\n\\r\\n')\n" +
        "    elif self.path == '/slow': time.sleep(3); self.give(b'')\n" +
        "    elif self.path == '/large': self.give(b'x' * 20000000)\n" +
        "  do_HEAD = do_GET\n" +
        "s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H); print(s.server_port); s.serve_forever()",
    );
    const get = (path, more = {}) =>
      net.http.request({ method: "GET", url: `http://127.0.0.1:${line}${path}`, ...more });
    for (let round = 0; round < 3; round++) assert.equal(ok(get("/count")).body, 1);
    assert.deepEqual(ok(get("/gzip")).body, [1, 2]);
    assert.deepEqual(ok(get("/deflate")).body, [3]);
    assert.deepEqual(ok(get("/moved")).body, [1, 2]);
    assert.equal(ok(get("/moved", { max_redirects: 0 })).status, 302);
    assert.equal(ok(get("/chunks")).body, "hello world");
    assert.match(err(get("/bomb", { max_body_bytes: 1_000_000 })), /^http request failed: /);
    assert.equal(ok(get("/large", { decode_body: "text" })).body.length, 20_000_000);
    assert.equal(ok(get("/gzip", { method: "HEAD" })).body, null);
    const begin = performance.now();
    assert.equal(err(get("/slow", { timeout_ms: 200 })), "http request failed: timed out");
    assert.ok(performance.now() - begin < 1500);
    child.kill();
  },

  async "terminate() ends a worker that is blocked in any call"() {
    const calls = {
      read: "client.read(1)",
      recv_from: 'net.UdpSocket.bind("127.0.0.1:0").value.recv_from(1)',
      write_all: "client.write_all(Buffer.alloc(100_000_000))",
      "http.request": 'net.http.request({ method: "GET", url: "http://" + address + "/" })',
      "http.read_request": "net.http.read_request(client)",
      "Poller.wait": "net.Poller.create().value.wait(null)",
      "UnixStream.read": "net.UnixStream.pair().value[0].read(1)",
    };
    const { readdirSync, readlinkSync } = await import("node:fs");
    // Sockets only: of each worker Deno itself leaves an epoll and an eventfd open.
    const count = () =>
      readdirSync("/proc/self/fd").filter((fd) => {
        try {
          return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
        } catch {
          return false;
        }
      }).length;
    let before = 0;
    for (const [index, call] of Object.values(calls).entries()) {
      const blocked = worker(
        `import("std-net").then((net) => {
          const listener = net.TcpListener.bind("127.0.0.1:0").value;
          const address = listener.local_addr().value;
          const client = net.TcpStream.connect(address).value;
          parentPort.postMessage("blocked");
          ${call};
        });`,
      );
      await once(blocked, "message");
      await pause(100);
      await terminate(blocked);
      await pause(20);
      if (index === 1) before = count();
    }
    assert.ok(count() <= before + 4, `${count()} sockets are open after ${before}`);
  },

  async "process.exit() while workers are blocked"() {
    const child = runtime(
      `import "std-net";
      import { Worker } from "node:worker_threads";
      const code = 'import("std-net").then((net) => { require("node:worker_threads").parentPort.postMessage(0); net.TcpListener.bind("127.0.0.1:0").value.accept(); })';
      let ready = 0;
      for (let index = 0; index < 3; index++) {
        new Worker(code, { eval: true, execArgv: [] }).on("message", () => {
          if (++ready === 3) setTimeout(() => { console.log("exit"); process.exit(7); }, 100);
        });
      }`,
    );
    await once(child.stdout, "data");
    const begin = performance.now();
    const [code] = await once(child, "exit");
    assert.equal(code, 7);
    assert.ok(performance.now() - begin < 1000, `exit took ${performance.now() - begin} ms`);
  },

  async "signals: a listener that comes after the first socket, in every kind of wait"() {
    let heard = 0;
    const [client, server] = tcpPair();
    process.on("SIGTERM", () => heard++);
    const calls = [
      () => client.read(1),
      () => server.write_all(Buffer.alloc(100_000_000)),
      () => ok(net.UdpSocket.bind("127.0.0.1:0")).recv_from(1),
      () => ok(net.Poller.create()).wait(null),
      () => net.http.read_request(client),
    ];
    for (const call of calls) {
      spawn("sh", ["-c", `sleep 0.3; kill -TERM ${process.pid}`]);
      assert.equal(net.error_code(err(call())), "EINTR");
      if (call === calls[1]) {
        ok(client.set_nonblocking(true));
        while (client.read(1_000_000).isOk);
        ok(client.set_nonblocking(false));
      }
      await pause(50);
    }
    assert.equal(heard, calls.length);
  },

  async "TlsStream: client and server, verified names, half a connection"() {
    const { child, line } = await secureServer();
    const [port, file] = line.split(" ");
    const { readFileSync } = await import("node:fs");
    const ca = readFileSync(file, "utf8");
    const stream = ok(net.TlsStream.connect(`localhost:${port}`, { ca }));
    assert.match(ok(stream.protocol()), /^TLSv1\.[23]$/);
    assert.equal(ok(stream.alpn_protocol()), null);
    assert.match(ok(stream.peer_certificate()).subject, /localhost/);
    ok(stream.write_all("GET / HTTP/1.1\r\n\r\n"));
    assert.match(ok(stream.read_to_end()).toString(), /secure$/);
    stream.close();
    assert.match(
      err(net.TlsStream.connect(`127.0.0.1:${port}`, { ca })),
      /^tls handshake failed: certificate verify failed: /,
    );
    ok(net.TlsStream.connect(`127.0.0.1:${port}`, { insecure: true }));
    for (let round = 0; round < 5; round++) {
      const answer = ok(net.http.request({ method: "GET", url: `https://localhost:${port}/`, tls: { ca } }));
      assert.equal(answer.body, "secure");
    }
    child.kill();

    const key = readFileSync(file.replace("cert.pem", "key.pem"), "utf8");
    const thread = worker(
      `import("std-net").then((net) => {
        const listener = net.TcpListener.bind("127.0.0.1:0").value;
        parentPort.postMessage(listener.local_addr().value);
        const { key, cert } = workerData;
        const stream = net.TlsStream.server(listener.accept().value, { key, cert }).value;
        const request = net.http.read_request(stream).value;
        net.http.write_response(stream, { status: 200, body: request.body });
        stream.close();
      });`,
      { key, cert: ca },
    );
    const [address] = await once(thread, "message");
    const url = `https://localhost:${address.split(":")[1]}/`;
    const answer = ok(net.http.request({ method: "POST", url, body: { n: 2n ** 70n }, tls: { ca } }));
    assert.equal(answer.body.n, 2n ** 70n);
    await once(thread, "exit");
  },

  async "dropped listeners, datagram sockets and pollers come back too"() {
    const { readdirSync } = await import("node:fs");
    const count = () => readdirSync("/proc/self/fd").length;
    const make = () => {
      ok(net.Poller.create());
      listening();
      ok(net.UdpSocket.bind("127.0.0.1:0"));
      ok(net.UnixDatagram.pair());
    };
    make();
    const before = count();
    for (let round = 0; round < 20; round++) make();
    assert.ok(count() >= before + 90);
    for (let round = 0; round < 20 && count() > before + 10; round++) {
      globalThis.gc();
      await pause(20);
    }
    assert.ok(count() <= before + 10, `${count()} after ${before}`);
  },

  async "nothing is left open by 2,000 connections and requests"() {
    const { readdirSync } = await import("node:fs");
    const count = () => readdirSync("/proc/self/fd").length;
    const listener = listening();
    const address = ok(listener.local_addr());
    const before = count();
    for (let round = 0; round < 2000; round++) {
      const client = ok(net.TcpStream.connect(address));
      const server = ok(listener.accept());
      ok(client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
      ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 204 }));
      assert.equal(ok(net.http.read_response(client)).status, 204);
      err(net.TcpStream.connect("127.0.0.1:1"));
      client.close();
      server.close();
    }
    assert.ok(count() <= before + 2);
  },

  async "CommonJS: require"() {
    const child = runtime(
      `import { createRequire } from "node:module";
      const net = createRequire(import.meta.url)("std-net");
      console.log(net.TcpListener.bind("127.0.0.1:0").isOk, typeof net.http.request);`,
    );
    assert.equal(String((await once(child.stdout, "data"))[0]), "true function\n");
  },

  async tracing() {
    const child = runtime(
      `import * as net from "std-net";
      net.TcpListener.bind("127.0.0.1:0");
      net.TcpStream.connect("127.0.0.1:1");`,
      { NODE_DEBUG: "std-net" },
    );
    let text = "";
    child.stderr.on("data", (data) => {
      text += data;
    });
    await once(child, "close");
    assert.match(text, /TcpListener\.bind.*127\.0\.0\.1:0/);
    assert.match(text, /TcpStream\.connect.*os error 111/);
  },

  async "the command"() {
    const { child: server, line } = await python(
      "s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])\n" +
        "c = s.accept()[0]; c.recv(1000); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n42'); c.close()",
    );
    const flags = process.versions.deno === undefined ? [] : ["run", "-A"];
    const child = spawn(process.execPath, [
      ...flags,
      "dist/cli.js",
      "request",
      "GET",
      `http://127.0.0.1:${line}/`,
    ]);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => {
        text += data;
      });
    }
    const [code] = await once(child, "close");
    assert.equal(code, 0, text);
    assert.equal(JSON.parse(text).body, 42);
    server.kill();
  },
};

async function terminate(thread) {
  const begin = performance.now();
  await thread.terminate();
  assert.ok(performance.now() - begin < 1000, `terminate took ${performance.now() - begin} ms`);
}

/** An HTTPS server in Python, with a certificate of its own; prints its port and the certificate's file. */
function secureServer() {
  return python(
    "import ssl, subprocess, tempfile, os, threading\n" +
      "d = tempfile.mkdtemp(); k = d + '/key.pem'; c = d + '/cert.pem'\n" +
      "subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', k,\n" +
      "  '-out', c, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], check=True, stderr=subprocess.DEVNULL)\n" +
      "x = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); x.load_cert_chain(c, k)\n" +
      "s = socket.create_server(('', 0), family=socket.AF_INET6, dualstack_ipv6=True); print(s.getsockname()[1], c)\n" +
      "def serve(p):\n" +
      "  try:\n" +
      "    t = x.wrap_socket(p, server_side=True); t.recv(4096)\n" +
      "    t.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\nsecure'); t.unwrap()\n" +
      "  except OSError: pass\n" +
      "while True:\n" +
      "  p, _ = s.accept(); threading.Thread(target=serve, args=(p,), daemon=True).start()",
  );
}

const name = process.argv[2];
if (name === undefined) {
  console.log(Object.keys(checks).join("\n"));
} else {
  await checks[name]();
  process.exit(0);
}
