// Core checks: HTTP and TLS, with foreign programs and with itself.
import assert from "node:assert/strict";
import { once } from "node:events";
import * as net from "std-net";
import { err, ok, python, secureServer, tcpPair, worker } from "./support.mjs";

export const checks = {
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

  "write_request and read_response"() {
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
};
