// TlsStream against foreign peers: Python's ssl, OpenSSL's own programs, curl, and node:tls.
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import * as tls from "node:tls";
import { Worker } from "node:worker_threads";
import * as net from "std-net";
import { type OpenSsl, openssl } from "../../src/tls/openssl.ts";
import { Certificates, type Identity } from "../support/certificates.ts";
import {
  err,
  FULL_QUEUE,
  node,
  ok,
  openDescriptors,
  type Peer,
  portOf,
  python,
  startPeer,
} from "../support/peer.ts";

/** Since Node 22.15. */
const { getCACertificates } = tls as { getCACertificates?: unknown };

const LOOPBACK = "127.0.0.1:0";

let certificates: Certificates;
let ca: string;
let server: Identity;
let client: Identity;
let encryptedKey: string;

before(() => {
  certificates = new Certificates();
  ca = certificates.authority("root").cert;
  server = certificates.make("server", "root");
  client = certificates.make("client", "root", {
    subject: "/CN=client",
    extensions: "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n",
  });
  encryptedKey = createPrivateKey(client.key).export({
    type: "pkcs8",
    format: "pem",
    cipher: "aes-256-cbc",
    passphrase: "correct horse",
  }) as string;
});

after(() => certificates?.remove());

const options = (): net.TlsConnectOptions => ({ ca, server_name: "server.test", timeout_ms: 10_000 });

/** A Python server that makes a context, prints its port, accepts once and then does as `program` says with `tls`. */
async function pythonServer(program: string, prepare = ""): Promise<{ peer: Peer; addr: string }> {
  const peer = python(
    "import ssl\n" +
      "context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n" +
      "context.load_cert_chain(sys.argv[1] + '/server.pem', sys.argv[1] + '/server.key')\n" +
      `${prepare}\n` +
      "listener = socket.create_server(('127.0.0.1', 0))\n" +
      "print(listener.getsockname()[1])\n" +
      `raw, _ = listener.accept()\n${program}`,
    certificates.directory,
  );
  return { peer, addr: `127.0.0.1:${await peer.line()}` };
}

const ACCEPT = "tls = context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)\n";

/** Reads until `size` bytes have come. */
function readAll(stream: net.TlsStream, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let total = 0; total < size; ) {
    const bytes = ok(stream.read(size - total));
    assert.notEqual(bytes.length, 0, "the stream ended early");
    parts.push(bytes);
    total += bytes.length;
  }
  return Buffer.concat(parts);
}

/** Writes all of it. */
function writeAll(stream: net.TlsStream, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length; ) sent += ok(stream.write(bytes.subarray(sent)));
}

/** Nothing of ours may be left where node:crypto would find it. */
function assertEmptyErrorQueue(): void {
  const ssl = openssl() as OpenSsl;
  assert.equal(Number(ssl.ERR_get_error()), 0, "OpenSSL's error queue is empty");
}

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

test("a plain-text server, a server that hangs up, one that sends rubbish", async () => {
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

/** Accepts and makes handshakes without end, with what `prepare` did to the context. */
const ACCEPT_ALL = `while True:
  try: context.wrap_socket(raw, server_side=True).close()
  except OSError: pass
  raw, _ = listener.accept()
`;

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

test("NODE_EXTRA_CA_CERTS counts, NODE_TLS_REJECT_UNAUTHORIZED does not", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  const program = `import { readFileSync } from "node:fs";
    import { http, TlsStream } from "std-net";
    const tls = { server_name: "server.test" };
    const stream = TlsStream.connect(process.argv[1], { ...tls, timeout_ms: 10_000 });
    console.log(stream.isOk ? "trusted" : stream.error);
    console.log(http.request({ method: "GET", url: "https://" + process.argv[1], tls, timeout_ms: 10_000 }).error);
    const ca = readFileSync(process.argv[2]);
    console.log(TlsStream.connect(process.argv[1], { ...tls, ca, timeout_ms: 10_000 }).error);`;
  const other = certificates.path("client.pem");
  const run = (environment: NodeJS.ProcessEnv) =>
    startPeer(process.execPath, ["--input-type=module", "-e", program, addr, other], environment);
  await using refusing = run({ NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_EXTRA_CA_CERTS: "" });
  assert.match(await refusing.line(), /^tls handshake failed: certificate verify failed: /);
  assert.match(
    await refusing.line(),
    /^http request failed: tls handshake failed: certificate verify failed: /,
  );
  await using trusting = run({ NODE_EXTRA_CA_CERTS: certificates.path("root.pem") });
  assert.equal(await trusting.line(), "trusted");
  assert.doesNotMatch(await trusting.line(), /certificate/);
  // The option `ca` is in place of all that, as in Node.
  assert.match(await trusting.line(), /^tls handshake failed: certificate verify failed: /);
});

test("NODE_EXTRA_CA_CERTS counts with a byte order mark, whoever reads it, as it counts in Node", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  const marked = certificates.path("marked.pem");
  // What stands before the certificates may be in any charset.
  writeFileSync(marked, Buffer.concat([Buffer.from("\ufeff"), readFileSync(certificates.path("root.pem"))]));
  const other = certificates.path("other-charset.pem");
  writeFileSync(other, Buffer.concat([Buffer.from([0xe9, 0xff, 0x0a]), readFileSync(marked).subarray(3)]));
  const connect = `
    const net = require("std-net");
    const stream = net.TlsStream.connect(ADDRESS, { server_name: "server.test", timeout_ms: 10_000 });
    TELL(stream.isOk ? "trusted" : stream.error);`;
  const here = connect.replace("ADDRESS", "process.argv[1]").replace("TELL", "console.log");
  const there = connect
    .replace("ADDRESS", 'require("node:worker_threads").workerData')
    .replace("TELL", 'require("node:worker_threads").parentPort.postMessage');
  const inWorker = (options: string) => `
    const { Worker } = require("node:worker_threads");
    new Worker(${JSON.stringify(there)}, { eval: true, workerData: process.argv[1], ${options} })
      .on("message", (text) => console.log(text));`;
  const inNode = `
    const [host, port] = process.argv[1].split(":");
    require("node:tls").connect({ host, port, servername: "server.test" })
      .on("secureConnect", function () { console.log("trusted"); this.destroy(); })
      .on("error", (error) => console.log(error.message));`;
  for (const file of [marked, other]) {
    for (const flags of [[], ["--use-openssl-ca"]]) {
      // Of the newer Node's list, a worker with an environment of its own gets what Node gives it.
      const isRead = getCACertificates === undefined || flags.length > 0;
      for (const program of [inNode, here, inWorker(""), ...(isRead ? [inWorker("env: {}")] : [])]) {
        await using child = startPeer(process.execPath, [...flags, "-e", program, addr], {
          NODE_EXTRA_CA_CERTS: file,
        });
        assert.equal(await child.line(), "trusted", `${file} ${flags} ${program}`);
      }
    }
  }
});

test("the trusted certificates are loaded once per process, on the first use", async () => {
  // Where they come from: tls.getCACertificates, or in an older Node a file beside the list.
  const uses = `
    const { readFileSync } = fs, { getCACertificates } = tls;
    let loads = 0;
    fs.readFileSync = (path, ...rest) => {
      if (path === process.env.NODE_EXTRA_CA_CERTS) loads++;
      return readFileSync(path, ...rest);
    };
    if (getCACertificates !== undefined) {
      tls.getCACertificates = (type) => {
        loads++;
        return getCACertificates(type);
      };
    }
    const counts = [loads];
    for (const alpn of [["one"], ["two"]]) {
      net.TlsStream.connect("127.0.0.1:1", { alpn });
      counts.push(loads);
    }`;
  const worker = `const fs = require("node:fs"), tls = require("node:tls"), net = require("std-net");
    ${uses} require("node:worker_threads").parentPort.postMessage(counts);`;
  await using child = startPeer(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import fs from "node:fs";
      import tls from "node:tls";
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      import * as net from "std-net";
      ${uses}
      console.log(...counts);
      const [others] = await once(new Worker(process.argv[1], { eval: true, execArgv: [] }), "message");
      console.log(...others);`,
      worker,
    ],
    { NODE_EXTRA_CA_CERTS: certificates.path("root.pem") },
  );
  assert.equal(await child.line(), "0 1 1");
  assert.equal(await child.line(), "0 0 0");
});

test("Node's own store of certificates, or OpenSSL's, by Node's flags and by how it was built", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  // Distributions configure Node with --openssl-use-def-ca-store; this is what one sees of it.
  const built = `Object.defineProperty(process, "config", {
    value: { target_defaults: { defines: ["NODE_OPENSSL_CERT_STORE"] } },
  });`;
  const program = `import { TlsStream } from "std-net";
    const stream = TlsStream.connect(process.argv[1], { server_name: "server.test", timeout_ms: 10_000 });
    console.log(stream.isOk ? "trusted" : stream.error);`;
  const run = async (prelude: string, ...flags: string[]) => {
    const args = [...flags, "--input-type=module", "-e", prelude + program, addr];
    await using child = startPeer(process.execPath, args, {
      SSL_CERT_FILE: certificates.path("root.pem"),
      SSL_CERT_DIR: certificates.path("none"),
      NODE_EXTRA_CA_CERTS: "",
    });
    return await child.line();
  };
  const refused = /certificate verify failed: unable to get local issuer certificate/;
  assert.match(await run(""), refused);
  assert.equal(await run("", "--use-openssl-ca"), "trusted");
  assert.equal(await run("", "--use_openssl_ca"), "trusted");
  assert.equal(await run(built), "trusted");
  assert.match(await run(built, "--use-bundled-ca"), refused);
});

test("Node's flags for versions and ciphers count, where no option says otherwise", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  const { peer: old, addr: oldAddr } = await pythonServer(
    ACCEPT_ALL,
    "context.maximum_version = ssl.TLSVersion.TLSv1_2",
  );
  await using __ = old;
  const program = `import { TlsStream } from "std-net";
    const [addr, min_version] = process.argv.slice(1);
    const stream = TlsStream.connect(addr, { insecure: true, min_version, timeout_ms: 10_000 });
    console.log(stream.isOk ? stream.value.protocol().value : stream.error);`;
  const run = async (flag: string, ...args: string[]) => {
    await using child = startPeer(process.execPath, [flag, "--input-type=module", "-e", program, ...args]);
    return await child.line();
  };
  assert.match(await run("--tls-min-v1.3", oldAddr), /^tls handshake failed: .*protocol version/);
  assert.equal(await run("--tls-min-v1.3", oldAddr, "TLSv1.2"), "TLSv1.2");
  assert.equal(await run("--tls-min-v1.0", oldAddr), "TLSv1.2");
  assert.equal(await run("--tls-max-v1.2", addr), "TLSv1.2");
  assert.equal(await run("--tls-cipher-list=TLS_AES_128_GCM_SHA256", addr), "TLSv1.3");
  assert.match(await run("--tls-cipher-list=TLS_AES_128_GCM_SHA256", oldAddr), /protocol version/);
  for (const list of ["nothing", "TLS_NOTHING:HIGH", "HIGH:!TLS_AES_128_GCM_SHA256"]) {
    const error = "tls handshake failed: Node's list of ciphers cannot be used: no cipher match";
    assert.equal(await run(`--tls-cipher-list=${list}`, addr), error);
  }
});

test("a handshake on a stream that is open already obeys its read timeout", async () => {
  await using child = node(
    `
    import { readFileSync } from "node:fs";
    const listener = net.TcpListener.bind("127.0.0.1:0").value;
    for (const handshake of [
      (stream) => net.TlsStream.client(stream, "server.test", { insecure: true }),
      (stream) => net.TlsStream.server(stream, { cert: readFileSync(process.argv[1]), key: readFileSync(process.argv[2]) }),
    ]) {
      const stream = net.TcpStream.connect(listener.local_addr().value).value;
      stream.set_read_timeout(200);
      const begun = performance.now();
      const { error } = handshake(stream);
      const took = performance.now() - begun;
      console.log(error, took >= 190 && took < 3000, stream.read(1).error);
    }`,
    certificates.path("server.pem"),
    certificates.path("server.key"),
  );
  for (let side = 0; side < 2; side++) {
    assert.equal(
      await child.line(),
      "tls handshake failed: Resource temporarily unavailable (os error 11) true invalid tcp stream",
    );
  }
});

test("bytes that a failed read gave back are the handshake's first", async () => {
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
  assert.equal(await child.line(), "tls handshake failed: Broken pipe (os error 32) 0");
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

test("a server that never answers costs its time and no more", async () => {
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

/** Serves one connection of each client program and gives what the server saw. */
async function served(
  settings: Partial<net.TlsServerOptions>,
  startClient: (port: string) => Peer,
  use: (stream: net.TlsStream) => void,
): Promise<{ error: string | null; exit: Awaited<ReturnType<Peer["exit"]>> }> {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  await using peer = startClient(portOf(ok(listener.local_addr())));
  const accepted = ok(listener.accept());
  const result = net.TlsStream.server(accepted, { ...server, ...settings });
  // Taken over in any case.
  assert.equal(err(accepted.read(1)), "invalid tcp stream");
  if (result.isOk) {
    use(result.value);
    result.value.close();
  }
  listener.close();
  assertEmptyErrorQueue();
  peer.process.stdin?.end();
  const exit = await peer.exit();
  return { error: result.isErr ? result.error : null, exit };
}

const curl = (port: string, ...args: string[]) =>
  startPeer("curl", [
    "-s",
    "--max-time",
    "10",
    "--cacert",
    certificates.path("root.pem"),
    "--resolve",
    `server.test:${port}:127.0.0.1`,
    ...args,
    `https://server.test:${port}/`,
  ]);

function answerHttp(stream: net.TlsStream): void {
  assert.match(ok(stream.read(10_000)).toString(), /^GET \/ HTTP\/1\.1\r\n/);
  writeAll(stream, Buffer.from("HTTP/1.0 200 OK\r\n\r\nhello"));
}

test("serving curl", async () => {
  for (const args of [[], ["--tls-max", "1.2"]]) {
    const { error, exit } = await served({}, (port) => curl(port, ...args), answerHttp);
    assert.equal(error, null);
    assert.equal(exit.stdout, "hello");
    assert.equal(exit.code, 0);
  }
  const distrusted = await served(
    {},
    (port) => curl(port, "--cacert", certificates.path("client.pem")),
    () => {},
  );
  assert.match(distrusted.error!, /^tls handshake failed: .*unknown ca/);
  const tooOld = await served(
    { min_version: "TLSv1.3" },
    (port) => curl(port, "--tls-max", "1.2"),
    () => {},
  );
  assert.match(tooOld.error!, /^tls handshake failed: unsupported protocol/);
});

test("serving with ALPN: the server's first choice, or a fatal alert", async () => {
  let seen: string | null = null;
  const use = (stream: net.TlsStream) => {
    seen = ok(stream.alpn_protocol());
    answerHttp(stream);
  };
  const common = await served({ alpn: ["spdy/9", "http/1.1"] }, (port) => curl(port), use);
  assert.equal(common.exit.stdout, "hello");
  assert.equal(seen, "http/1.1");
  const none = await served({ alpn: ["spdy/9"] }, (port) => curl(port), use);
  assert.equal(none.error, "tls handshake failed: no application protocol");
  assert.notEqual(none.exit.code, 0);
  const silent = await served({ alpn: ["http/1.1"] }, (port) => curl(port, "--no-alpn"), use);
  assert.equal(silent.exit.stdout, "hello");
  assert.equal(seen, null);
  // The server's order counts, not the client's.
  const program = `
    import ssl
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.set_alpn_protocols(["one", "two", "three"])
    tls = context.wrap_socket(socket.create_connection(("127.0.0.1", sys.argv[1])), server_hostname="server.test")
    print(tls.selected_alpn_protocol(), tls.recv(10))
  `.replace(/^ {4}/gm, "");
  const start = (port: string) => python(program, port, certificates.path("root.pem"));
  const ordered = await served({ alpn: ["three", "two"] }, start, (stream) =>
    writeAll(stream, Buffer.from("hi")),
  );
  assert.equal(ordered.exit.stdout, "three b'hi'\n");
});

test("asking clients for a certificate", async () => {
  const asking = { request_cert: true, ca };
  let subject: string | undefined;
  const use = (stream: net.TlsStream) => {
    subject = ok(stream.peer_certificate())?.subject;
    answerHttp(stream);
  };
  const identity = ["--cert", certificates.path("client.pem"), "--key", certificates.path("client.key")];
  const good = await served(asking, (port) => curl(port, ...identity), use);
  assert.equal(good.exit.stdout, "hello");
  assert.equal(subject, "CN=client");
  const notAsked = await served({ ...asking, request_cert: false }, (port) => curl(port), use);
  assert.equal(notAsked.exit.stdout, "hello");
  const missing = await served(asking, (port) => curl(port), use);
  assert.equal(missing.error, "tls handshake failed: peer did not return a certificate");
  const wrong = ["--cert", certificates.path("server.pem"), "--key", certificates.path("server.key")];
  const purpose = await served(asking, (port) => curl(port, ...wrong), use);
  assert.match(purpose.error!, /^tls handshake failed: certificate verify failed: .*purpose/);
});

test("showing a certificate to a server that asks for it when it has read the request", async () => {
  const { peer, addr } = await pythonServer(
    `
import select
${ACCEPT}
print(tls.version(), tls.recv(10000)[:10], tls.getpeercert())
tls.verify_client_post_handshake()
tls.do_handshake()
tls.setblocking(False)
while tls.getpeercert() is None:
    select.select([tls], [], [])
    try: print("unexpected", tls.recv(1))
    except ssl.SSLWantReadError: pass
tls.setblocking(True)
name = tls.getpeercert()["subject"][0][0][1]
tls.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(name), name.encode()))
print(tls.recv(1))
`,
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

test("serving openssl s_client and node:tls, which resume their sessions", async () => {
  const client = (port: string) =>
    startPeer("openssl", [
      "s_client",
      "-connect",
      `127.0.0.1:${port}`,
      "-CAfile",
      certificates.path("root.pem"),
      "-verify_return_error",
      "-quiet",
    ]);
  const said = await served({}, client, (stream) => writeAll(stream, Buffer.from("good day")));
  assert.equal(said.exit.stdout, "good day");

  const listener = ok(net.TcpListener.bind(LOOPBACK));
  await using peer = node(
    `
    import tls from "node:tls";
    import { readFileSync } from "node:fs";
    const connect = (session) => new Promise((resolve) => {
      let ticket;
      const options = { host: "127.0.0.1", port: process.argv[1], ca: readFileSync(process.argv[2]), servername: "server.test", session };
      const socket = tls.connect(options, () => console.log("reused", socket.isSessionReused()));
      socket.on("session", (session) => { ticket = session; });
      socket.on("data", (data) => console.log(String(data)));
      socket.on("close", () => resolve(ticket));
    });
    await connect(await connect());`,
    portOf(ok(listener.local_addr())),
    certificates.path("root.pem"),
  );
  for (const reused of [false, true]) {
    const stream = ok(net.TlsStream.server(ok(listener.accept()), server));
    ok(stream.write("hello"));
    stream.close();
    assert.equal(await peer.line(), `reused ${reused}`);
    assert.equal(await peer.line(), "hello");
  }
  assert.equal((await peer.exit()).code, 0);
  listener.close();
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

/** Passes on what the server at `addr` says as it comes up to the byte `from`, and then one byte every 30 ms. */
async function dripping(addr: string, from: number): Promise<{ peer: Peer; addr: string }> {
  const peer = python(
    `import threading
target, start = ("127.0.0.1", int(sys.argv[1])), int(sys.argv[2])
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1])
def pump(source, sink, drips):
    seen = 0
    try:
        while data := source.recv(65536):
            for at in range(len(data)) if drips else [slice(None)]:
                if drips and seen >= start: time.sleep(0.03)
                sink.sendall(bytes([data[at]]) if drips else data)
                seen += 1
    except OSError: pass
while True:
    client, _ = listener.accept()
    server = socket.create_connection(target)
    threading.Thread(target=pump, args=(client, server, False), daemon=True).start()
    threading.Thread(target=pump, args=(server, client, True), daemon=True).start()
`,
    portOf(addr),
    String(from),
  );
  return { peer, addr: `127.0.0.1:${await peer.line()}` };
}

test("a peer that sends its records byte by byte holds up no timeout and no worker's end", async () => {
  const { peer: echo, addr } = await echoServer();
  await using _echo = echo;
  const slowHandshake = await dripping(addr, 20);
  await using _1 = slowHandshake.peer;
  // Behind the handshake: its messages and the first tickets are some 1500 bytes.
  const slowData = await dripping(addr, 4000);
  await using _2 = slowData.peer;
  const took = (what: () => void): number => {
    const began = performance.now();
    what();
    return performance.now() - began;
  };
  const soon = (milliseconds: number) => assert.ok(milliseconds < 2000, `${milliseconds} ms`);
  const tls = { ca, server_name: "server.test" };

  soon(
    took(() => {
      const error = err(net.TlsStream.connect(slowHandshake.addr, { ...tls, timeout_ms: 300 }));
      assert.equal(error, "tls handshake failed: timed out");
    }),
  );
  const plain = ok(net.TcpStream.connect(slowHandshake.addr));
  ok(plain.set_read_timeout(300));
  soon(
    took(() => {
      const error = err(net.TlsStream.client(plain, "server.test", { ca }));
      assert.equal(net.error_code(error), "EAGAIN");
    }),
  );
  soon(
    took(() => {
      const url = `https://${slowHandshake.addr}/`;
      const error = err(net.http.request({ method: "GET", url, tls, timeout_ms: 300 }));
      assert.equal(error, "http request failed: timed out");
    }),
  );

  const stream = ok(net.TlsStream.connect(slowData.addr, { ...tls, timeout_ms: 10_000 }));
  ok(stream.set_read_timeout(300));
  ok(stream.write_all(Buffer.alloc(16_000)));
  let error: string | null = null;
  soon(
    took(() => {
      while (error === null) {
        const result = stream.read(100_000);
        if (result.isErr) error = result.error;
      }
    }),
  );
  assert.equal(net.error_code(error!), "EAGAIN");
  stream.close();

  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import("std-net").then((net) => {
      parentPort.postMessage("begins");
      net.TlsStream.connect(workerData);
    });`;
  const worker = new Worker(code, { eval: true, workerData: slowHandshake.addr });
  await new Promise((resolve) => worker.once("message", resolve));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = performance.now();
  await worker.terminate();
  const ending = performance.now() - began;
  assert.ok(ending < 500, `${ending} ms`);
});

test("a signal ends a write that has sent a part of its record", async () => {
  const { peer, addr } = await pythonServer(`${ACCEPT}time.sleep(9)\n`);
  await using _ = peer;
  await using child = node(
    `
    import { readFileSync } from "node:fs";
    process.on("SIGINT", () => console.log("listener"));
    const [addr, path] = process.argv.slice(1);
    const stream = net.TlsStream.connect(addr, { ca: readFileSync(path), server_name: "server.test" }).value;
    console.log("begins");
    console.log(net.error_code(stream.write_all(Buffer.alloc(50_000_000)).error));`,
    addr,
    certificates.path("root.pem"),
  );
  assert.equal(await child.line(), "begins");
  await new Promise((resolve) => setTimeout(resolve, 500));
  const began = performance.now();
  child.kill("SIGINT");
  assert.equal(await child.line(), "EINTR");
  assert.equal(await child.line(), "listener");
  assert.ok(performance.now() - began < 2000);
});

test("http's read_request and write_response over TLS, with curl", async () => {
  const { exit } = await served(
    {},
    (port) => curl(port, "-d", '{"a":[1,2,3]}', "-H", "Content-Type: application/json"),
    (stream) => {
      const request = ok(net.http.read_request(stream));
      assert.deepEqual(request.body, { a: [1, 2, 3] });
      ok(net.http.write_response(stream, { status: 200, body: { got: request.body } }));
    },
  );
  assert.equal(exit.stdout, '{"got":{"a":[1,2,3]}}');
  assert.equal(exit.code, 0);
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
    assert.match(err(call(stream, closing) as never), / failed: Bad file descriptor \(os error 9\)$/);
    await peer.exit();
  }
});

test("wrong options are error results, and no secret is in them", () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  const addr = ok(listener.local_addr());
  const secret = "-----BEGIN PRIVATE KEY-----\nTOPSECRET\n-----END PRIVATE KEY-----\n";
  const thrower = {
    get ca(): string {
      throw new Error("TOPSECRET");
    },
  };
  const wrong: unknown[] = [
    5,
    null,
    "x",
    { ca: 5 },
    { ca: [5] },
    { ca: [null] },
    { ca: "" },
    { ca: [] },
    { ca: "TOPSECRET" },
    { ca: Buffer.alloc(3) },
    { cert: server.cert },
    { key: server.key },
    { cert: server.cert, key: secret },
    { cert: server.cert, key: client.key },
    { cert: secret, key: secret },
    // A chain whose second certificate is damaged.
    { cert: `${client.cert}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, key: client.key },
    { cert: "", key: "" },
    { cert: server.cert, key: encryptedKey, passphrase: "TOPSECRET" },
    { cert: server.cert, key: encryptedKey, passphrase: "TOP\0SECRET" },
    { cert: server.cert, key: encryptedKey, passphrase: 5 },
    { alpn: "h2" },
    { alpn: [""] },
    { alpn: [5] },
    { alpn: ["x".repeat(256)] },
    { alpn: new Array(400).fill("x".repeat(250)) },
    { min_version: "TLSv1" },
    { min_version: 5 },
    { insecure: 1 },
    { insecure: "false" },
    { server_name: "" },
    { server_name: 5 },
    { server_name: "." },
    { server_name: ".server.test" },
    { server_name: "*.test" },
    { server_name: "a\0b" },
    { server_name: "a b" },
    { server_name: "x".repeat(300) },
    thrower,
    new Proxy(
      {},
      {
        get() {
          throw new Error("TOPSECRET");
        },
      },
    ),
  ];
  const descriptors = openDescriptors();
  for (const each of wrong) {
    const error = err(net.TlsStream.connect(addr, each as net.TlsConnectOptions));
    assert.match(error, /^(tls handshake failed: |timeout must|options )./);
    assert.doesNotMatch(error, /SECRET/);
    assertEmptyErrorQueue();
  }
  for (const timeout_ms of [0, -1, Number.NaN, "5", {}]) {
    const error = err(net.TlsStream.connect(addr, { timeout_ms } as net.TlsConnectOptions));
    assert.equal(error, "timeout must be a positive number");
  }
  assert.equal(err(net.TlsStream.connect(5 as unknown as string)), "expected string");
  assert.equal(err(net.TlsStream.connect("nowhere")), "failed to connect: invalid socket address");
  const unused = ok(net.TcpListener.bind(LOOPBACK));
  const closed = ok(unused.local_addr());
  unused.close();
  assert.match(err(net.TlsStream.connect(closed)), /^failed to connect: .*\(os error/);
  for (const stream of [undefined, null, 5, {}, listener]) {
    assert.equal(err(net.TlsStream.client(stream as unknown as net.TcpStream, "x")), "expected tcp stream");
    assert.equal(
      err(net.TlsStream.server(stream as unknown as net.TcpStream, server)),
      "expected tcp stream",
    );
  }
  for (const each of [
    undefined,
    null,
    {},
    { cert: server.cert },
    { ...server, request_cert: 1 },
    { ...server, ca: 5 },
  ]) {
    const plain = ok(net.TcpStream.connect(addr));
    const error = err(net.TlsStream.server(plain, each as unknown as net.TlsServerOptions));
    assert.match(error, /^tls handshake failed: ./);
    assert.equal(err(plain.read(1)), "invalid tcp stream");
    ok(listener.accept()).close();
  }
  assert.equal(openDescriptors(), descriptors);
  listener.close();
});

test("nobody is asked for a password at the terminal", async () => {
  // RFC 1421's encryption goes with any PEM; OpenSSL's prompt would go to the terminal, or here to standard error.
  const header = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00112233445566778899AABBCCDDEEFF\n\n";
  const cert = server.cert.replace("-----BEGIN CERTIFICATE-----\n", (line) => line + header);
  assert.notEqual(cert, server.cert);
  const program =
    "const [cert, plainCert, key] = JSON.parse(process.argv[1]);\n" +
    "for (const options of [{ ca: cert }, { cert, key }, { cert: plainCert, key }, " +
    "{ cert: plainCert, key, passphrase: 'wrong' }])\n" +
    "  console.log(net.TlsStream.connect('127.0.0.1:1', options).error);";
  // Without a terminal of its own, so that a prompt cannot escape to the one that the tests are run from.
  const secrets = JSON.stringify([cert, client.cert, encryptedKey]);
  const text = `import * as net from "std-net";\n${program}`;
  await using peer = startPeer("setsid", [
    "--wait",
    process.execPath,
    "--input-type=module",
    "-e",
    text,
    secrets,
  ]);
  peer.process.stdin?.end("correct horse\ncorrect horse\n");
  const { code, stdout, stderr } = await peer.exit();
  assert.equal(stderr, "");
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^(tls handshake failed: option '(ca|cert)' cannot be read: .+\n){2}(tls handshake failed: option 'key' cannot be read: .+\n){2}$/,
  );
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

/** A node:tls server for any number of clients, that echoes. */
async function echoServer(): Promise<{ peer: Peer; addr: string }> {
  const peer = node(
    `
    import tls from "node:tls";
    import { readFileSync } from "node:fs";
    const directory = process.argv[1];
    const options = { cert: readFileSync(directory + "/server.pem"), key: readFileSync(directory + "/server.key") };
    const server = tls.createServer(options, (socket) => {
      // Else the answer waits behind the tickets until the client's delayed acknowledgement.
      socket.setNoDelay(true).on("error", () => {}).pipe(socket);
    });
    server.on("tlsClientError", () => {});
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));`,
    certificates.directory,
  );
  return { peer, addr: `127.0.0.1:${await peer.line()}` };
}

test("two thousand handshakes cost neither memory nor descriptors", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  const descriptors = openDescriptors();
  const rounds = (count: number) => {
    for (let round = 0; round < count; round++) {
      // Every fourth fails, every other makes a full handshake.
      const name = round % 4 === 0 ? "other.test" : "server.test";
      const result = net.TlsStream.connect(addr, { ...options(), server_name: name });
      if (name === "other.test") {
        err(result);
        continue;
      }
      const stream = ok(result);
      ok(stream.write("x"));
      if (round % 2 === 0) assert.equal(ok(stream.read(1)).toString(), "x");
      stream.close();
    }
  };
  rounds(300);
  const before = process.memoryUsage().rss;
  rounds(2000);
  const grown = process.memoryUsage().rss - before;
  // One connection that is not freed keeps some 20 KiB: 2000 would be 40 MiB. V8's own heap comes and goes.
  assert.ok(grown < 16 * 1024 * 1024, `resident memory grew by ${grown} bytes`);
  assert.equal(openDescriptors(), descriptors);
  assertEmptyErrorQueue();
});

test("streams that were dropped give back descriptor and memory", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  await using child = startPeer(process.execPath, [
    "--expose-gc",
    "--input-type=module",
    "-e",
    `
    import * as net from "std-net";
    import { readdirSync, readFileSync } from "node:fs";
    const [addr, path] = process.argv.slice(1);
    const ca = readFileSync(path);
    const count = () => readdirSync("/proc/self/fd").length;
    const drop = () => net.TlsStream.connect(addr, { ca, server_name: "server.test" }).isOk;
    if (!drop()) throw new Error("no connection");
    const before = count();
    for (let round = 0; round < 50; round++) drop();
    for (let time = 0; time < 50 && count() > before; time++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    console.log(count() <= before);`,
    addr,
    certificates.path("root.pem"),
  ]);
  assert.equal(await child.line(), "true");
});

test("two worker threads at once, and one that is ended while it waits", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import("std-net").then((net) => {
      const { addr, ca } = workerData;
      for (let round = 0; round < 50; round++) {
        const stream = net.TlsStream.connect(addr, { ca, server_name: "server.test" });
        if (stream.isErr) throw new Error(stream.error);
        for (let time = 0; time < 5; time++) {
          stream.value.write("ping");
          if (String(stream.value.read(10).value) !== "ping") throw new Error("wrong answer");
        }
        stream.value.close();
      }
      parentPort.postMessage("done");
      net.TlsStream.connect(addr, { ca, server_name: "server.test" }).value.read(1);
    });`;
  const workers = [1, 2].map(() => new Worker(code, { eval: true, workerData: { addr, ca } }));
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          worker.on("message", resolve);
          worker.on("error", reject);
        }),
    ),
  );
  const began = performance.now();
  await Promise.all(workers.map((worker) => worker.terminate()));
  const took = performance.now() - began;
  assert.ok(took < 1000, `${took} ms`);
});

test("workers that end or are terminated leave none of OpenSSL's memory behind", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  await using child = node(
    `
    import { readFileSync } from "node:fs";
    import { Worker } from "node:worker_threads";
    const [addr, path] = process.argv.slice(1);
    const code = \`
      const { parentPort, workerData: { addr, ca, blocks } } = require("node:worker_threads");
      import("std-net").then((net) => {
        // With the certificates that Node trusts; and with others, a session to resume, and a connection left open.
        net.TlsStream.connect(addr);
        const connect = () => net.TlsStream.connect(addr, { ca, server_name: "server.test" }).value;
        const first = connect();
        first.write("x");
        first.read(1);
        first.close();
        const second = connect();
        parentPort.postMessage("ready");
        if (blocks) second.read(1);
      });\`;
    const ca = readFileSync(path, "utf8");
    const run = async (count) => {
      for (let number = 0; number < count; number++) {
        const blocks = number % 2 === 0;
        const worker = new Worker(code, { eval: true, execArgv: [], workerData: { addr, ca, blocks } });
        const ended = new Promise((resolve) => worker.once("exit", resolve));
        await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
        if (blocks) worker.terminate();
        await ended;
        // Each line has its own time limit, and on a busy machine all the workers together take longer than one.
        if (number % 10 === 9) console.log("ten more");
      }
    };
    await run(20);
    const before = process.memoryUsage().rss;
    await run(30);
    console.log((process.memoryUsage().rss - before) / 30 / 1024);`,
    addr,
    certificates.path("root.pem"),
  );
  for (let tens = 0; tens < 5; tens++) assert.equal(await child.line(), "ten more");
  const kibibytes = Number(await child.line());
  // A store of trusted certificates is 1000.
  assert.ok(kibibytes < 300, `${kibibytes} KiB a worker`);
});

test("a worker that waits in a handshake can be ended", async () => {
  const listener = ok(net.TcpListener.bind(LOOPBACK));
  const code = `
    const { parentPort, workerData } = require("node:worker_threads");
    import("std-net").then((net) => {
      parentPort.postMessage("begins");
      net.TlsStream.connect(workerData);
    });`;
  const worker = new Worker(code, { eval: true, workerData: ok(listener.local_addr()) });
  await new Promise((resolve) => worker.once("message", resolve));
  const accepted = ok(listener.accept());
  const began = performance.now();
  await worker.terminate();
  assert.ok(performance.now() - began < 1000);
  accepted.close();
  listener.close();
});

test("rubbish within the handshake and behind it gives an error result", async () => {
  await using peer = node(
    `
    import rawNet from "node:net";
    import { randomBytes } from "node:crypto";
    // Sends the head of a handshake or alert record and random bytes after it, or random bytes alone.
    const server = rawNet.createServer((socket) => {
      socket.on("error", () => {});
      socket.once("data", () => {
        const size = Math.floor(Math.random() * 300);
        const head = Buffer.from([20 + Math.floor(Math.random() * 5), 3, 3, size >> 8, size & 255]);
        socket.end(Math.random() < 0.8 ? Buffer.concat([head, randomBytes(size)]) : randomBytes(size + 1));
      });
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));`,
  );
  const addr = `127.0.0.1:${await peer.line()}`;
  for (let round = 0; round < 200; round++) {
    assert.match(err(net.TlsStream.connect(addr, options())), /^tls handshake failed: ./);
  }
  assertEmptyErrorQueue();
});

test("node:crypto does not see what failed here", async () => {
  const { peer, addr } = await echoServer();
  await using _ = peer;
  const failure = (): string => {
    try {
      createPrivateKey("no key");
      return "none";
    } catch (error) {
      return JSON.stringify(
        error,
        Object.getOwnPropertyNames(error).filter((name) => name !== "stack"),
      );
    }
  };
  const before = failure();
  err(net.TlsStream.connect(addr, { server_name: "server.test" }));
  err(net.TlsStream.connect(addr, { ca: "no certificate" }));
  assert.equal(failure(), before);
});
