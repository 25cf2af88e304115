// Options that cannot be used are error results, and tell no secret.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { err, ok, openDescriptors, startPeer } from "../support/peer.ts";
import { assertEmptyErrorQueue, client, encryptedKey, LOOPBACK, server } from "../support/tls-peers.ts";

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
  assert.match(
    err(net.TlsStream.connect("nowhere")),
    /^failed to connect: invalid socket address: no port is given/,
  );
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

test("no call prompts for a password at the terminal", async () => {
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
