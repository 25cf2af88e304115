// The handshake: with foreign peers, its options, its end.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { err, FULL_QUEUE, nodeFile, ok, openDescriptors, portOf, python } from "../support/peer.ts";
import { reason } from "../support/system-errors.ts";
import {
  ACCEPT,
  ACCEPT_ALL,
  assertEmptyErrorQueue,
  ca,
  certificates,
  client,
  encryptedKey,
  LOOPBACK,
  options,
  pythonServer,
  server,
} from "../support/tls-peers.ts";

test("a plain-text server, a server that closes, one that sends an alert", async () => {
  const answers: [string, RegExp][] = [
    ["raw.sendall(b'HTTP/1.1 400 Bad Request\\r\\n\\r\\n')\ntime.sleep(9)", /wrong version number/],
    [
      "raw.sendall(b'220 mail.test ESMTP ready, hello to you all\\r\\n')\ntime.sleep(9)",
      /wrong version number/,
    ],
    ["raw.recv(10000)\nraw.close()", /unexpected eof/],
    [
      "raw.recv(10000)\nraw.sendall(b'\\x15\\x03\\x03\\x00\\x02\\x02\\x28')\ntime.sleep(9)",
      /handshake failure/,
    ],
    // An alert that nobody has defined.
    [
      "raw.recv(10000)\nraw.sendall(b'\\x15\\x03\\x03\\x00\\x02\\x02\\x7b')\ntime.sleep(9)",
      /SSL routines: reason\(1123\)/,
    ],
  ];
  for (const [program, expected] of answers) {
    const { peer, addr } = await pythonServer(program);
    await using _ = peer;
    const error = err(net.TlsStream.connect(addr, options()));
    assert.match(error, /^tls handshake failed: ./);
    assert.match(error, expected);
    assertEmptyErrorQueue();
  }
});

test("SNI names the server where it has a name, and is left out for an address", async () => {
  const { peer, addr } = await pythonServer(
    ACCEPT_ALL,
    "context.sni_callback = lambda tls, name, context: print(name)",
  );
  await using _ = peer;
  for (const [server_name, sent] of [
    ["server.test", "server.test"],
    ["SERVER.test.", "server.test"],
    ["127.0.0.1", "None"],
    ["[::1]", "None"],
  ] as const) {
    ok(net.TlsStream.connect(addr, { ...options(), server_name })).close();
    assert.equal(await peer.line(), sent);
  }
  ok(net.TlsStream.connect(addr, { ca, timeout_ms: 10_000 })).close();
  assert.equal(await peer.line(), "None");
});

test("a handshake on a stream that is open already obeys its read timeout", async () => {
  await using child = nodeFile(
    "tls-handshake-timeout.mjs",
    certificates.path("server.pem"),
    certificates.path("server.key"),
  );
  for (let side = 0; side < 2; side++) {
    assert.equal(await child.line(), `tls handshake failed: ${reason("EAGAIN")} true invalid tcp stream`);
  }
});

test("bytes that a failed read pushed back are the handshake's first", async () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  await using peer = python(
    `import ssl
context = ssl.create_default_context(cafile=sys.argv[2])
tls = context.wrap_socket(socket.create_connection(("127.0.0.1", sys.argv[1])), server_hostname="server.test")
print(tls.recv(10))`,
    portOf(ok(listener.local_addr())),
    certificates.path("root.pem"),
  );
  const plain = ok(listener.accept());
  // More than the client says before it is answered.
  ok(plain.set_read_timeout(200));
  assert.equal(net.error_code(err(plain.read_exact(100_000))), "EAGAIN");
  ok(plain.set_read_timeout(10_000));
  const stream = ok(net.TlsStream.server(plain, server));
  ok(stream.write("hello"));
  stream.close();
  assert.equal(await peer.line(), "b'hello'");
  listener.close();
});

test("a handshake that cannot begin closes the connection all the same", () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  const before = openDescriptors();
  for (const handshake of [
    (stream: net.TcpStream) => net.TlsStream.client(stream, "server.test", { alpn: [""] }),
    (stream: net.TcpStream) => net.TlsStream.client(stream, ".server.test"),
    (stream: net.TcpStream) => net.TlsStream.server(stream, { cert: "", key: "" }),
  ]) {
    const stream = ok(net.TcpStream.connect(ok(listener.local_addr())));
    const peer = ok(listener.accept());
    ok(peer.set_read_timeout(5000));
    assert.match(err(handshake(stream)), /^tls handshake failed: (option|invalid)/);
    assert.equal(ok(peer.read(1)).length, 0, "nothing was sent, and the end of the stream was");
    peer.close();
    assert.equal(openDescriptors(), before);
  }
  listener.close();
});

test("a server that never responds costs the timeout and no more", async () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  const began = performance.now();
  const error = err(net.TlsStream.connect(ok(listener.local_addr()), { ...options(), timeout_ms: 300 }));
  const took = performance.now() - began;
  assert.equal(error, "tls handshake failed: timed out");
  assert.ok(took >= 250 && took < 2000, `${took} ms`);
  listener.close();
});

test("timeout_ms is for connection and handshake together", async () => {
  // The queue is full when the first SYN comes; the kernel repeats it after a second, and then there is room.
  await using server = python(`${FULL_QUEUE}print("%s:%d" % s.getsockname())
time.sleep(0.5)
while True: fill.append(s.accept()[0])
`);
  const addr = await server.line();
  const began = performance.now();
  const error = err(net.TlsStream.connect(addr, { ...options(), timeout_ms: 1500 }));
  const took = performance.now() - began;
  assert.match(error, / timed out$/);
  assert.ok(took >= 1490 && took < 2400, `${took} ms`);
});

test("ALPN", async () => {
  const { peer, addr } = await pythonServer(
    `${ACCEPT}print(tls.selected_alpn_protocol())\n`,
    "context.set_alpn_protocols(['http/1.1', 'h2'])",
  );
  await using _ = peer;
  const stream = ok(net.TlsStream.connect(addr, { ...options(), alpn: ["h2", "http/1.1"] }));
  assert.equal(ok(stream.alpn_protocol()), "http/1.1");
  assert.equal(await peer.line(), "http/1.1");
  stream.close();
});

test("a client's certificate, with an encrypted key", async () => {
  const prepare =
    "context.verify_mode = ssl.CERT_REQUIRED\ncontext.load_verify_locations(sys.argv[1] + '/root.pem')";
  const program = `${ACCEPT}print(tls.getpeercert()['subject'])\ntls.unwrap()\n`;
  const identity = { cert: client.cert, key: encryptedKey };
  {
    const { peer, addr } = await pythonServer(program, prepare);
    await using _ = peer;
    const wrong = err(
      net.TlsStream.connect(addr, { ...options(), ...identity, passphrase: "battery staple" }),
    );
    assert.match(wrong, /^tls handshake failed: option 'key' cannot be read: ./);
    assert.doesNotMatch(wrong, /battery|horse/);
    const missing = err(net.TlsStream.connect(addr, { ...options(), ...identity }));
    assert.match(missing, /^tls handshake failed: option 'key' cannot be read: ./);
    const stream = ok(
      net.TlsStream.connect(addr, { ...options(), ...identity, passphrase: "correct horse" }),
    );
    assert.equal(await peer.line(), "((('commonName', 'client'),),)");
    assert.equal(ok(stream.read(1)).length, 0);
    stream.close();
    // Not even after the right one.
    const again = { ...options(), ...identity, passphrase: "battery staple" };
    assert.match(
      err(net.TlsStream.connect(addr, again)),
      /^tls handshake failed: option 'key' cannot be read: ./,
    );
  }
  // Without one: in TLS 1.2 the handshake fails, in TLS 1.3 the client learns of it behind its handshake.
  for (const [version, where] of [
    ["TLSv1_2", /^tls handshake failed: .*handshake failure/],
    ["TLSv1_3", /^tls read failed: .*certificate required/],
  ] as const) {
    const { peer, addr } = await pythonServer(
      program,
      `${prepare}\ncontext.maximum_version = ssl.TLSVersion.${version}`,
    );
    await using _ = peer;
    const result = net.TlsStream.connect(addr, options());
    assert.match(result.isErr ? result.error : err(result.value.read(1)), where);
    if (result.isOk) result.value.close();
    assertEmptyErrorQueue();
  }
});

test("a stream that is open already (STARTTLS)", async () => {
  const { peer, addr } = await pythonServer(
    `raw.sendall(b'go ahead')\nraw.recv(8)\n${ACCEPT}print(tls.recv(10))\ntls.sendall(b'secret')\ntls.recv(1)\n`,
  );
  await using _ = peer;
  const plain = ok(net.TcpStream.connect(addr));
  assert.equal(ok(plain.read(8)).toString(), "go ahead");
  ok(plain.write("STARTTLS"));
  ok(plain.set_read_timeout(5000));
  ok(plain.set_write_timeout(6000));
  const stream = ok(net.TlsStream.client(plain, "server.test", { ca }));
  assert.equal(err(plain.read(1)), "invalid tcp stream");
  assert.deepEqual([ok(stream.read_timeout()), ok(stream.write_timeout())], [5000, 6000]);
  ok(stream.write("hello"));
  assert.equal(await peer.line(), "b'hello'");
  assert.equal(ok(stream.read(10)).toString(), "secret");
  stream.close();
  assert.equal(err(net.TlsStream.client(plain, "server.test", { ca })), "invalid tcp stream");
});

test("a name in Unicode is sent and checked in A-labels", async () => {
  const identity = certificates.make("unicode", "root", {
    extensions: "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:xn--bcher-kva.test\n",
  });
  const { peer, addr } = await pythonServer(
    `${ACCEPT}tls.recv(1)\n`,
    `context.load_cert_chain(sys.argv[1] + '/unicode.pem', sys.argv[1] + '/unicode.key')\n` +
      "context.sni_callback = lambda socket, name, context: print(name)\n",
  );
  await using _ = peer;
  assert.ok(identity.cert);
  const stream = ok(net.TlsStream.connect(addr, { ...options(), server_name: "bücher.test" }));
  assert.equal(await peer.line(), "xn--bcher-kva.test");
  stream.close();
});

test("random bytes within the handshake and behind it give an error result", async () => {
  await using peer = nodeFile("tls-rubbish.mjs");
  const addr = `127.0.0.1:${await peer.line()}`;
  for (let round = 0; round < 200; round++) {
    assert.match(err(net.TlsStream.connect(addr, options())), /^tls handshake failed: ./);
  }
  assertEmptyErrorQueue();
});
