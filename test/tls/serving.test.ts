// TlsStream.server, with curl, openssl s_client and node:tls.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { err, nodeFile, ok, type Peer, portOf, python, startPeer } from "../support/peer.ts";
import { assertEmptyErrorQueue, ca, certificates, LOOPBACK, server, writeAll } from "../support/tls-peers.ts";

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

test("request_cert requests certificates from clients", async () => {
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
  await using peer = nodeFile(
    "tls-resume.mjs",
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
