// http.request over TLS: kept connections, resumption, verification, proxies' neighbours, and what goes wrong.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as net from "std-net";
import { Certificates } from "../support/certificates.ts";
import { err, node, ok, openDescriptors, type Peer, python } from "../support/peer.ts";
import { reasonPattern } from "../support/system-errors.ts";

let certificates: Certificates;
let ca: string;
let peer: Peer;
let port: number;

/** Answers with what it saw: the method, the body, whether the session was resumed, and how many connections there were. */
const SERVER = `
  import https from "node:https";
  import { readFileSync } from "node:fs";
  const directory = process.argv[1];
  const read = (name) => readFileSync(directory + "/" + name);
  let connections = 0;
  const options = {
    cert: read("server.pem"), key: read("server.key"), ca: read("root.pem"), requestCert: true, rejectUnauthorized: false,
  };
  const server = https.createServer(options, (request, response) => {
    let body = "";
    request.on("data", (data) => { body += data; }).on("end", () => {
      const { socket } = request;
      if (request.url === "/cut") return socket.write("HTTP/1.1 200 OK\\r\\n\\r\\nhalf", () => socket._handle.close());
      if (request.url === "/whole") {
        return socket.write("HTTP/1.1 200 OK\\r\\nContent-Length: 4\\r\\n\\r\\nfull", () => socket.destroy());
      }
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify({
        method: request.method, body, connections, reused: socket.isSessionReused(), name: socket.servername,
        client: socket.getPeerCertificate().subject?.CN ?? null,
      }));
    });
  });
  server.keepAliveTimeout = 60000;
  server.on("secureConnection", () => { connections++; });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

before(async () => {
  certificates = new Certificates();
  ca = certificates.authority("root").cert;
  certificates.make("server", "root", {
    extensions: "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,DNS:server.test,IP:127.0.0.1\n",
  });
  certificates.make("client", "root", { subject: "/CN=client", extensions: "extendedKeyUsage=clientAuth\n" });
  peer = node(SERVER, certificates.directory);
  port = Number(await peer.line());
});

after(async () => {
  await peer?.[Symbol.asyncDispose]();
  certificates?.remove();
});

interface Seen {
  method: string;
  body: string;
  connections: number;
  reused: boolean;
  name: string | false;
  client: string | null;
}

function get(request: Partial<net.http.ClientRequest> & { path?: string; host?: string } = {}): Seen {
  const { path = "/", host = "127.0.0.1", ...rest } = request;
  const url = `https://${host}:${port}${path}`;
  const answer = ok(net.http.request({ method: "GET", url, tls: { ca }, ...rest }));
  assert.equal(answer.status, 200);
  return answer.body as unknown as Seen;
}

test("nothing of TLS is loaded before the first https request", async () => {
  await using child = node(
    `const loaded = () => process.moduleLoadList.filter((name) => /^NativeModule (?:tls|crypto|zlib)$/.test(name));
    const [url, ca] = process.argv.slice(1);
    const { readFileSync } = await import("node:fs");
    console.log(net.http.request({ method: "GET", url: "http://127.0.0.1:1/" }).isErr, ...loaded());
    const tls = { ca: readFileSync(ca) };
    console.log(net.http.request({ method: "GET", url, tls }).value.status, loaded().includes("NativeModule tls"));`,
    `https://127.0.0.1:${port}/`,
    certificates.path("root.pem"),
  );
  assert.equal(await child.line(), "true");
  assert.equal(await child.line(), "200 true");
});

test("connections are kept, and by name or address they are others", () => {
  const first = get();
  for (let round = 0; round < 5; round++) assert.equal(get().connections, first.connections);
  const named = get({ host: "localhost" });
  assert.equal(named.connections, first.connections + 1);
  assert.equal(named.name, "localhost");
  assert.equal(get({ host: "localhost" }).connections, named.connections);
  assert.equal(get({ method: "POST", body: { a: 1 } }).body, '{"a":1}');
});

test("a new connection resumes the session of the one before", () => {
  get({ keep_alive: false });
  for (let round = 0; round < 5; round++) assert.equal(get({ keep_alive: false }).reused, true);
});

test("a session of TLS 1.2 is resumed too, by its ticket or by its id", async () => {
  await using server = python(
    `
import ssl
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
for options in 0, ssl.OP_NO_TICKET:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.options |= options
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    for _ in range(3):
        c = context.wrap_socket(s.accept()[0], server_side=True)
        c.recv(65536)
        body = b'["%s", %s]' % (c.version().encode(), b"true" if c.session_reused else b"false")
        c.sendall(b"HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
        c.unwrap().close() # without close_notify the server would forget the session
`,
    certificates.path("server.pem"),
    certificates.path("server.key"),
  );
  const url = `https://127.0.0.1:${await server.line()}/`;
  const seen = Array.from(
    { length: 6 },
    () => ok(net.http.request({ method: "GET", url, tls: { ca } })).body,
  );
  const [first, resumed] = [
    ["TLSv1.2", false],
    ["TLSv1.2", true],
  ];
  assert.deepEqual(seen, [first, resumed, resumed, first, resumed, resumed]);
});

test("connections and sessions of different tls options are never shared", () => {
  const options: net.TlsClientOptions[] = [
    { ca },
    { ca, server_name: "server.test" },
    { ca, min_version: "TLSv1.3" },
    { insecure: true },
    { ca, alpn: ["http/1.1"] },
    {
      ca,
      cert: certificates.read("client.pem"),
      key: certificates.read("client.key"),
    },
  ];
  const seen = options.map((tls) => get({ tls, path: "/a" }));
  assert.equal(new Set(seen.slice(1).map(({ connections }) => connections)).size, options.length - 1);
  assert.deepEqual(
    seen.slice(1).map(({ reused }) => reused),
    options.slice(1).map(() => false),
  );
  assert.deepEqual(
    seen.map(({ client }) => client),
    [null, null, null, null, null, "client"],
  );
  // Options that say the same in another object, or in other words, do share.
  assert.equal(
    get({ tls: { insecure: true, min_version: "TLSv1.2" } }).connections,
    get({ tls: { insecure: true } }).connections,
  );
});

test("what is not trusted is refused, whatever was trusted before", () => {
  get({ tls: { insecure: true } });
  const request = (tls?: net.TlsClientOptions) =>
    err(
      net.http.request({
        method: "GET",
        url: `https://127.0.0.1:${port}/`,
        ...(tls === undefined ? {} : { tls }),
      }),
    );
  assert.match(
    request(),
    /^http request failed: .*certificate verify failed: self.signed certificate in certificate chain$/,
  );
  assert.match(request({ ca, server_name: "other.test" }), /^http request failed: .*hostname mismatch$/);
  assert.match(request({ ca: 5 } as unknown as net.TlsClientOptions), /^http request failed: .*option 'ca'/);
});

test("a response whose length is known needs no close_notify; one that ends with the connection does", () => {
  const url = (path: string) => `https://127.0.0.1:${port}${path}`;
  const whole = ok(net.http.request({ method: "GET", url: url("/whole"), tls: { ca }, keep_alive: false }));
  assert.equal(whole.body, "full");
  const cut = err(net.http.request({ method: "GET", url: url("/cut"), tls: { ca }, keep_alive: false }));
  assert.match(cut, /^http request failed: .*unexpected eof/);
});

test("a wrong TLS option is an error result that says so, and nothing is sent", () => {
  const before = openDescriptors();
  for (const [tls, text] of [
    [{ ca: 5 }, "option 'ca' must be PEM text or bytes"],
    [{ min_version: "TLSv1" }, `option 'min_version' must be "TLSv1.2" or "TLSv1.3"`],
    [{ server_name: ".server.test" }, "invalid server name"],
    [{ server_name: "*.test" }, "invalid server name"],
  ] as const) {
    const result = net.http.request({ method: "GET", url: `https://127.0.0.1:${port}/`, tls: tls as object });
    assert.equal(err(result), `http request failed: tls handshake failed: ${text}`);
  }
  assert.equal(openDescriptors(), before);
});

test("a plain-text server, and a silent one", async () => {
  await using plain = python(
    "listener = socket.create_server(('127.0.0.1', 0))\nprint(listener.getsockname()[1])\n" +
      "raw, _ = listener.accept()\nraw.recv(10000)\nraw.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n')\ntime.sleep(9)\n",
  );
  const request = (address: string) =>
    net.http.request({ method: "GET", url: `https://${address}/`, tls: { ca }, timeout_ms: 400 });
  assert.match(
    err(request(`127.0.0.1:${await plain.line()}`)),
    /^http request failed: .*wrong version number/,
  );
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const began = performance.now();
  assert.equal(err(request(ok(listener.local_addr()))), "http request failed: timed out");
  assert.ok(performance.now() - began < 3000);
  listener.close();
});

test("a server that sends a byte of its handshake every millisecond does not hold a call past its time", async () => {
  await using peer = python(
    "listener = socket.create_server(('127.0.0.1', 0))\nprint(listener.getsockname()[1])\n" +
      "while True:\n  raw, _ = listener.accept()\n  raw.recv(10000)\n  try:\n" +
      // A record and in it a ServerHello, both of 16 KiB.
      "    raw.sendall(bytes.fromhex('16030340000200 3ffc'))\n" +
      "    while True:\n      raw.sendall(b'x')\n      time.sleep(0.001)\n  except OSError: pass\n",
  );
  const address = `127.0.0.1:${await peer.line()}`;
  const began = performance.now();
  const url = `https://${address}/`;
  assert.equal(
    err(net.http.request({ method: "GET", url, timeout_ms: 300 })),
    "http request failed: timed out",
  );
  assert.equal(err(net.TlsStream.connect(address, { timeout_ms: 300 })), "tls handshake failed: timed out");
  const stream = ok(net.TcpStream.connect(address));
  ok(stream.set_read_timeout(300));
  assert.match(err(net.TlsStream.client(stream, "localhost")), new RegExp(reasonPattern("EAGAIN")));
  assert.ok(performance.now() - began < 4000);
});

/** Gives a socket's buffer (of SOL_SOCKET) so little room that it is soon full. */
const LITTLE_ROOM = `
  import koffi from "koffi";
  const setsockopt = koffi.load(null).func("int setsockopt(int, int, int, void *, unsigned int)");
  const little = (socket, option) => setsockopt(socket.as_fd().value, 1, option, Int32Array.of(4096), 4);
`;

/**
 * Asks for new keys (RFC 8446, 4.6.3) without end, and reads no answer unless it is told to; says how often, once it cannot
 * any more.
 */
const FLOOD = `
  ${LITTLE_ROOM}
  const [directory, path, reads] = process.argv.slice(1);
  const library = koffi.load(null);
  const f = (prototype) => library.func(prototype);
  const context = f("void *SSL_CTX_new(void *)")(f("void *TLS_server_method()")());
  f("int SSL_CTX_use_certificate_file(void *, const char *, int)")(context, directory + "/server.pem", 1);
  f("int SSL_CTX_use_PrivateKey_file(void *, const char *, int)")(context, directory + "/server.key", 1);
  const listener = path ? net.UnixListener.bind(path).value : net.TcpListener.bind("127.0.0.1:0").value;
  little(listener, 8); // SO_RCVBUF
  console.log(path ? "listening" : listener.local_addr().value);
  const ssl = f("void *SSL_new(void *)")(context);
  const descriptor = listener.accept().value.into_fd().value;
  f("int SSL_set_fd(void *, int)")(ssl, descriptor);
  if (f("int SSL_accept(void *)")(ssl) !== 1) throw new Error("no handshake");
  process.on("SIGPIPE", () => {});
  const update = f("int SSL_key_update(void *, int)");
  const handshake = f("int SSL_do_handshake(void *)");
  const recv = f("long recv(int, void *, size_t, int)");
  const bin = Buffer.alloc(65536);
  let count = 0;
  while (update(ssl, 1) === 1 && handshake(ssl) === 1) {
    if (++count % 64 === 0 && reads) recv(descriptor, bin, bin.length, 0x40 /* MSG_DONTWAIT */);
  }
  console.log(count);
`;

test("a server that requests new keys without end, and reads no response, does not hold up a call for ever", async () => {
  const path = certificates.path("flood.sock");
  await using flood = node(FLOOD, certificates.directory, path);
  assert.equal(await flood.line(), "listening");
  const request = {
    method: "GET",
    url: "https://server.test/",
    socket_path: path,
    tls: { ca },
    timeout_ms: 1500,
  };
  const begun = performance.now();
  assert.equal(err(net.http.request(request)), "http request failed: timed out");
  // Nor does the farewell wait for the room that there is not.
  assert.ok(performance.now() - begun < 4500, "the time was over long ago");
  // Each answer is 27 bytes long, and 256 KiB of them are kept.
  const count = Number(await flood.line());
  assert.ok(count > 1000 && count < 25_000, `${count} were heard`);
});

test("nor does it hold up a non-blocking program, whether it reads the responses or not", async () => {
  for (const reads of ["", "reads"]) {
    await using flood = node(FLOOD, certificates.directory, "", reads);
    await using child = node(
      `${LITTLE_ROOM}
      const [addr, ca, reads] = process.argv.slice(1);
      const connection = net.TcpStream.connect(addr).value;
      little(connection, 7); // SO_SNDBUF
      const stream = net.TlsStream.client(connection, "server.test", { ca }).value;
      stream.set_nonblocking(true);
      const poller = net.Poller.create().value;
      poller.add(stream, { readable: true });
      for (let code = "EAGAIN"; code === "EAGAIN"; ) {
        poller.wait(null);
        code = net.error_code(stream.read(1).error);
        console.log(code);
        if (reads) break;
      }`,
      await flood.line(),
      ca,
      reads,
    );
    let line = await child.line();
    for (let calls = 0; line === "EAGAIN" && !reads && calls < 500; calls++) line = await child.line();
    assert.equal(line, reads ? "EAGAIN" : "ENOBUFS");
  }
});

test("failed and closed connections leave no descriptor", () => {
  const request = (name: string) =>
    net.http.request({
      method: "GET",
      url: `https://127.0.0.1:${port}/`,
      tls: { ca, server_name: name },
      keep_alive: false,
    });
  ok(request("server.test"));
  const before = openDescriptors();
  for (let round = 0; round < 100; round++) {
    ok(request("server.test"));
    err(request("other.test"));
  }
  assert.equal(openDescriptors(), before);
});
