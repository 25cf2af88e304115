// Reading, writing and the end of the stream, with foreign servers.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as net from "std-net";
import { err, node, ok, type Peer, peerPath, startPeer } from "../support/peer.ts";
import { reason, reasonPattern } from "../support/system-errors.ts";
import {
  ACCEPT,
  assertEmptyErrorQueue,
  ca,
  certificates,
  client,
  encryptedKey,
  LOOPBACK,
  options,
  pythonServer,
  readAll,
  writeAll,
} from "../support/tls-peers.ts";

test("a conversation with Python's ssl", async () => {
  for (const version of ["TLSv1_2", "TLSv1_3"]) {
    const { peer, addr } = await pythonServer(
      `${ACCEPT}print(tls.version(), tls.recv(100))\ntls.sendall(b'answer')\nprint(tls.recv(100))\n`,
      `context.maximum_version = ssl.TLSVersion.${version}`,
    );
    await using _ = peer;
    const stream = ok(net.TlsStream.connect(addr, options()));
    assert.equal(ok(stream.protocol()), version.replace("_", "."));
    assert.equal(ok(stream.alpn_protocol()), null);
    assert.equal(ok(stream.peer_addr()), addr);
    assert.match(ok(stream.local_addr()), /^127\.0\.0\.1:\d+$/);
    assert.equal(ok(stream.peer_certificate())?.subject, "CN=server.test");
    assert.equal(ok(stream.write("question")), 8);
    assert.equal(await peer.line(), `${version.replace("_", ".")} b'question'`);
    assert.equal(ok(stream.read(3)).toString(), "ans");
    assert.equal(ok(stream.read(100)).toString(), "wer");
    stream.close();
    // An empty read without SSLEOFError: close_notify came.
    assert.equal(await peer.line(), "b''");
    const closed = "invalid tls stream";
    assert.equal(err(stream.read(1)), closed);
    assert.equal(err(stream.write("x")), closed);
    assert.equal(err(stream.protocol()), closed);
    assert.equal(err(stream.alpn_protocol()), closed);
    assert.equal(err(stream.peer_certificate()), closed);
    assert.equal(err(stream.peer_addr()), closed);
    assert.equal(err(stream.local_addr()), closed);
    assert.equal(err(stream.set_nonblocking(true)), closed);
    stream.close();
    stream[Symbol.dispose]();
  }
});

test("the end of the stream: with close_notify an empty read, without it an error", async () => {
  for (const version of ["TLSv1_2", "TLSv1_3"]) {
    for (const [ending, expected] of [
      ["tls.unwrap()", null],
      ["tls.shutdown(socket.SHUT_RDWR)\ntls.close()", "tls read failed: unexpected eof"],
    ]) {
      const { peer, addr } = await pythonServer(
        `${ACCEPT}tls.recv(1)\ntls.sendall(b'0123456789')\n${ending}\n`,
        `context.maximum_version = ssl.TLSVersion.${version}`,
      );
      await using _ = peer;
      const stream = ok(net.TlsStream.connect(addr, options()));
      ok(stream.write("x"));
      assert.equal(readAll(stream, 10).toString(), "0123456789");
      for (let time = 0; time < 2; time++) {
        const result = stream.read(10);
        if (expected === null) assert.equal(ok(result).length, 0);
        else assert.equal(err(result), expected);
      }
      stream.close();
      assertEmptyErrorQueue();
    }
  }
});

test("a reset is the system's error, and stays one", async () => {
  const { peer, addr } = await pythonServer(
    `${ACCEPT}tls.recv(1)\nimport struct\nraw2 = tls\nraw2.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n` +
      "import os\nos.close(tls.detach())\nprint('gone')\n",
  );
  await using _ = peer;
  const stream = ok(net.TlsStream.connect(addr, options()));
  ok(stream.write("x"));
  assert.equal(await peer.line(), "gone");
  for (let time = 0; time < 2; time++) {
    const error = err(stream.read(10));
    assert.match(error, /^tls read failed: .*\(os error \d+\)$/);
    assert.equal(net.error_code(error), "ECONNRESET");
  }
  assert.match(err(stream.write("y")), /^tls write failed: .*\(os error \d+\)$/);
  stream.close();
  assertEmptyErrorQueue();
});

test("much data, both ways", async () => {
  const size = 8 * 1024 * 1024 + 17;
  const { peer, addr } = await pythonServer(
    `${ACCEPT}data = bytearray()\n` +
      `while len(data) < ${size}:\n    data += tls.recv(65536)\n` +
      "import threading\nthreading.Thread(target=tls.sendall, args=(data,)).start()\n",
  );
  await using _ = peer;
  const stream = ok(net.TlsStream.connect(addr, options()));
  const data = Buffer.alloc(size);
  for (let index = 0; index < size; index++) data[index] = (index * 31 + (index >> 8)) & 0xff;
  writeAll(stream, data);
  assert.ok(readAll(stream, size).equals(data));
  stream.close();
});

test("what was written before close arrives, though the server's tickets were never read", async () => {
  const size = 4 * 1024 * 1024;
  const { peer, addr } = await pythonServer(
    `${ACCEPT}time.sleep(0.2)\ntotal = 0\nwhile True:\n    data = tls.recv(65536)\n    if not data: break\n` +
      "    total += len(data)\nprint(total)\n",
    "raw_buffer = 1",
  );
  await using _ = peer;
  const stream = ok(net.TlsStream.connect(addr, options()));
  writeAll(stream, Buffer.alloc(size, "x"));
  stream.close();
  assert.equal(await peer.line(), String(size));
});

test("no call raises SIGPIPE, for which a program may listen", async () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  await using child = node(
    `let raised = 0;
    process.on("SIGPIPE", () => raised++);
    const plain = net.TcpStream.connect(process.argv[1]).value;
    plain.shutdown("write");
    const { error } = net.TlsStream.client(plain, "server.test", { insecure: true });
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    console.log(error, raised);`,
    ok(listener.local_addr()),
  );
  assert.equal(await child.line(), `tls handshake failed: ${reason("EPIPE")} 0`);
  listener.close();
});

test("a certificate for a server that requests it after it has read the request", async () => {
  const { peer, addr } = await pythonServer(
    readFileSync(peerPath("tls-ask-later.py"), "utf8"),
    "context.load_verify_locations(sys.argv[1] + '/root.pem')\n" +
      "context.verify_mode = ssl.CERT_REQUIRED\ncontext.post_handshake_auth = True",
  );
  await using _ = peer;
  const { cert, key } = client;
  const tls = { ca, cert, key, server_name: "server.test" };
  const url = `https://${addr}/secret`;
  const answer = net.http.request({ method: "GET", url, tls, timeout_ms: 10_000, keep_alive: false });
  assert.equal(ok(answer).body, "client");
  const { stdout } = await peer.exit();
  assert.equal(stdout.split("\n").slice(1).join("\n"), "TLSv1.3 b'GET /secre' None\nb''\n");
});

test("non-blocking mode: EAGAIN in place of waiting, and nothing lost or sent twice", async () => {
  const size = 4 * 1024 * 1024;
  const { peer, addr } = await pythonServer(
    `${ACCEPT}print(tls.recv(5))\nsys.stdin.readline()\nimport hashlib\nsum = hashlib.sha256()\nleft = ${size}\n` +
      "while left:\n    data = tls.recv(65536)\n    sum.update(data)\n    left -= len(data)\nprint(sum.hexdigest())\n" +
      "sys.stdin.readline()\ntls.sendall(b'done')\nprint('sent')\nsys.stdin.readline()\n",
  );
  await using _ = peer;
  const stream = ok(net.TlsStream.connect(addr, options()));
  ok(stream.write("begin"));
  assert.equal(await peer.line(), "b'begin'");
  ok(stream.set_nonblocking(true));
  assert.equal(net.error_code(err(stream.read(1))), "EAGAIN");
  const data = Buffer.alloc(size);
  for (let index = 0; index < size; index++) data[index] = (index * 7 + (index >> 9)) & 0xff;
  let sent = 0;
  let full = 0;
  while (sent < size) {
    const result = stream.write(data.subarray(sent));
    if (result.isOk) {
      sent += result.value;
      continue;
    }
    assert.equal(net.error_code(result.error), "EAGAIN");
    if (full++ === 0) {
      // What is half sent must come first.
      assert.match(
        err(stream.write("something else, long enough".repeat(1000))),
        /must be repeated with the same data/,
      );
      assert.equal(net.error_code(err(stream.write(data.subarray(sent)))), "EAGAIN");
      peer.process.stdin!.write("\n");
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(full > 0);
  const { createHash } = await import("node:crypto");
  assert.equal(await peer.line(), createHash("sha256").update(data).digest("hex"));
  peer.process.stdin!.write("\n");
  assert.equal(await peer.line(), "sent");
  assert.equal(ok(stream.read(10)).toString(), "done");
  stream.close();
});

test("openssl s_server: both versions, a client's certificate, new keys in the middle, a truncated end", async () => {
  const port = (peer: Peer) =>
    (async () => {
      for (;;) {
        const found = /^ACCEPT .*:(\d+)$/.exec(await peer.line());
        if (found) return found[1]!;
      }
    })();
  for (const version of ["1.3", "1.2"]) {
    await using peer = startPeer("openssl", [
      "s_server",
      ...["-accept", "127.0.0.1:0", "-naccept", "1", `-tls${version.replace(".", "_")}`],
      ...["-cert", certificates.path("server.pem"), "-key", certificates.path("server.key")],
      ...["-CAfile", certificates.path("root.pem"), "-Verify", "2", "-verify_return_error", "-alpn", "h2,x"],
    ]);
    const addr = `127.0.0.1:${await port(peer)}`;
    const identity = { cert: client.cert, key: encryptedKey, passphrase: "correct horse" };
    const stream = ok(net.TlsStream.connect(addr, { ...options(), ...identity, alpn: ["x"] }));
    assert.equal(ok(stream.protocol()), `TLSv${version}`);
    assert.equal(ok(stream.alpn_protocol()), "x");
    ok(stream.write_all("from here\n"));
    while ((await peer.line()) !== "from here");
    // s_server's commands: new keys on both sides (TLS 1.3), a renegotiation (1.2); Q closes the socket without close_notify.
    peer.process.stdin?.write(version === "1.3" ? "K\n" : "r\n");
    // It looks at its standard input before the connection, and prints nothing of the command itself.
    ok(stream.write_all("between\n"));
    while ((await peer.line()) !== "between");
    peer.process.stdin?.write("from there\n");
    assert.equal(ok(stream.read_until("\n")).toString(), "from there\n");
    ok(stream.write_all("once more\n"));
    while ((await peer.line()) !== "once more");
    peer.process.stdin?.write("Q\n");
    assert.equal(err(stream.read(1)), "tls read failed: unexpected eof");
    stream.close();
  }
});

test("a stream that an accessor among the arguments closes is an error, and no crash", async () => {
  const calls: ((stream: net.TlsStream, closing: readonly number[]) => { isErr: boolean })[] = [
    (stream, closing) => stream.write(closing),
    (stream, closing) => stream.write_all(closing),
    (stream, closing) => stream.read_until(closing),
    (stream) =>
      net.http.write_response(stream, {
        status: 200,
        get body() {
          stream.close();
          return null;
        },
      }),
  ];
  for (const call of calls) {
    const { peer, addr } = await pythonServer(`${ACCEPT}tls.recv(1)`);
    const stream = ok(net.TlsStream.connect(addr, options()));
    const closing = Object.defineProperty([1, 2], 0, {
      get() {
        stream.close();
        return 1;
      },
    });
    assert.match(err(call(stream, closing) as never), new RegExp(` failed: ${reasonPattern("EBADF")}$`));
    await peer.exit();
  }
});
