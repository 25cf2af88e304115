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

function tcpPair() {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
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
