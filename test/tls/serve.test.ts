// http.serve over TLS: https for many clients in one thread.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, request } from "node:https";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { connect, type TLSSocket } from "node:tls";
import { node, type Peer, python, startPeer } from "../support/peer.ts";
import { RawClient } from "../support/served.ts";
import { ca, certificates, client as identity } from "../support/tls-peers.ts";

const TLS = `{ cert: fs.readFileSync(process.argv[1]), key: fs.readFileSync(process.argv[2]), ca: fs.readFileSync(process.argv[3]) }`;
const get = (path: string, lines = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
const last = (path: string) => get(path, "Connection: close\r\n");

/** Serves https with a handler and options, as JavaScript; `tls` is there for the options. */
async function https(
  handler: string,
  options = "{ tls }",
): Promise<{ server: Peer; port: number } & AsyncDisposable> {
  const server = node(
    `import fs from "node:fs";
     const tls = ${TLS};
     const listener = net.TcpListener.bind("127.0.0.1:0").unwrap();
     console.log(listener.local_addr().unwrap().split(":").at(-1));
     console.log("ended " + net.http.serve(listener, ${handler}, ${options}));`,
    certificates.path("server.pem"),
    certificates.path("server.key"),
    certificates.path("root.pem"),
  );
  return {
    server,
    port: Number(await server.line()),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A client of node:tls that keeps all it receives. */
class TlsClient {
  readonly socket: TLSSocket;
  text = "";
  ended = false;
  error: Error | null = null;

  constructor(port: number, more: object = {}) {
    this.socket = connect({ port, host: "127.0.0.1", ca, servername: "server.test", ...more });
    this.socket.setEncoding("latin1");
    this.socket.on("data", (text) => {
      this.text += text;
    });
    this.socket.on("end", () => {
      this.ended = true;
    });
    this.socket.on("error", (error) => {
      this.error = error;
    });
  }

  async until(isSo: () => boolean): Promise<void> {
    const end = performance.now() + 15_000;
    while (!isSo()) {
      if (performance.now() > end) throw new Error(`it never came: ${this.text.slice(0, 500)} ${this.error}`);
      await sleep(5);
    }
  }

  async end(): Promise<string> {
    await this.until(() => this.ended || this.error !== null);
    if (this.error !== null) throw this.error;
    return this.text;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

async function said(port: number, text: string): Promise<string> {
  using client = new TlsClient(port);
  client.socket.write(text);
  return await client.end();
}

const ECHO = `({ method, path, body }, stream) =>
  ({ status: 200, body: { method, path, body, stream: stream.constructor.name, protocol: stream.protocol().unwrapOr(null) } })`;

test("serves https with keep-alive, pipelined requests and bodies, and a farewell", async () => {
  await using server = await https(ECHO);
  using client = new TlsClient(server.port);
  client.socket.write(get("/1"));
  await client.until(() => client.text.endsWith("}"));
  assert.match(
    client.text,
    /\{"method":"GET","path":"\/1","body":null,"stream":"TlsStream","protocol":"TLSv1.3"\}$/,
  );
  const body = JSON.stringify("x".repeat(100_000));
  client.socket.write(
    `${get("/2")}POST /3 HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}${last("/4")}`,
  );
  // An end without close_notify would be an error.
  const text = await client.end();
  assert.deepEqual(
    [...text.matchAll(/"path":"(\/\d)"/g)].map(([, path]) => path),
    ["/1", "/2", "/3", "/4"],
  );
  assert.ok(text.includes(body));
});

test("curl, Python and node:https, which resume their sessions", async () => {
  await using server = await https(ECHO);
  const url = `https://127.0.0.1:${server.port}`;
  for (const version of ["1.2", "1.3"]) {
    await using curl = startPeer("curl", [
      ...["-sS", "--max-time", "10", "--cacert", certificates.path("root.pem"), "--tls-max", version],
      ...["-d", "[1]", `${url}/a`, `${url}/b`],
    ]);
    const { stdout, stderr } = await curl.exit();
    assert.equal(stderr, "");
    assert.deepEqual(stdout.match(/"path":"\/[ab]","body":\[1\]/g)?.length, 2);
    assert.ok(stdout.includes(`TLSv${version}`));
  }
  await using urllib = python(
    `import ssl, urllib.request
context = ssl.create_default_context(cafile=sys.argv[2])
for path in "/x", "/y":
  print(urllib.request.urlopen(sys.argv[1] + path, context=context, timeout=10).read().decode())`,
    url,
    certificates.path("root.pem"),
  );
  assert.match(await urllib.line(), /"path":"\/x"/);
  assert.match(await urllib.line(), /"path":"\/y"/);
  assert.equal((await urllib.exit()).code, 0);
  const agent = new Agent({ ca, maxCachedSessions: 10 });
  const resumed: boolean[] = [];
  for (let count = 0; count < 3; count++) {
    const sent = request(`${url}/${count}`, { agent, servername: "server.test" });
    sent.end();
    const [response] = await once(sent, "response");
    resumed.push((response.socket as TLSSocket).isSessionReused());
    response.resume();
    await once(response, "end");
  }
  assert.equal(resumed[0], false);
  assert.ok(resumed[2]);
  agent.destroy();
});

test("clients that never finish their handshake delay nobody, and are closed in time", async () => {
  await using server = await https(ECHO, "{ tls, request_timeout_ms: 1000 }");
  const silent: RawClient[] = [];
  for (let count = 0; count < 60; count++) {
    const client = await RawClient.open(server.port);
    // Nothing; half a ClientHello; no TLS at all.
    if (count % 3 === 1) client.write(Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]));
    if (count % 3 === 2) client.write(get("/plain"));
    silent.push(client);
  }
  const begin = performance.now();
  for (let count = 0; count < 10; count++)
    assert.match(await said(server.port, last("/")), /^HTTP\/1\.1 200 /);
  assert.ok(performance.now() - begin < 10_000);
  for (const client of silent) {
    await client.until(() => client.ended || client.error !== null);
    assert.doesNotMatch(client.text, /HTTP/);
    client.close();
  }
});

test("a slow reader of a large response delays nobody, and gets all of it", async () => {
  await using server = await https(
    "({ path }) => ({ status: 200, body_text: path === '/large' ? 'x'.repeat(20_000_000) : 'small' })",
  );
  using slow = new TlsClient(server.port);
  await once(slow.socket, "secureConnect");
  slow.socket.pause();
  slow.socket.write(get("/large") + last("/small"));
  for (let count = 0; count < 10; count++) assert.match(await said(server.port, last("/")), /small$/);
  slow.socket.resume();
  const text = await slow.end();
  assert.equal(text.match(/x/g)?.length, 20_000_000 + 2); // and those of "text/plain"
  assert.match(text, /small$/);
});

test("refusals are read by clients that send all before they read", async () => {
  await using server = await https(ECHO, "{ tls }");
  // Another one: the first is not done with a client that it has refused as soon as that client is.
  await using narrow = await https(ECHO, "{ tls, max_connections: 1 }");
  await using client = python(
    `import ssl
context = ssl.create_default_context(cafile=sys.argv[3])
def talk(port, start, length):
  raw = socket.create_connection(("127.0.0.1", int(port)), timeout=15)
  c = context.wrap_socket(raw, server_hostname="server.test", suppress_ragged_eofs=False)
  c.sendall(start); c.sendall(b"x" * length)
  answer = b""
  while data := c.recv(65536): answer += data
  return c, answer.split(b"\\r\\n")[0].decode()
print(talk(sys.argv[1], b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 20000000\\r\\n\\r\\n", 20000000)[1])
print(talk(sys.argv[1], b"no HTTP\\r\\n\\r\\n", 3000000)[1])
kept = context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname="server.test")
kept.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n"); kept.recv(10)
print(talk(sys.argv[2], b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", 0)[1])`,
    String(server.port),
    String(narrow.port),
    certificates.path("root.pem"),
  );
  assert.equal(await client.line(), "HTTP/1.1 413 Content Too Large");
  assert.equal(await client.line(), "HTTP/1.1 400 Bad Request");
  assert.equal(await client.line(), "HTTP/1.1 503 Service Unavailable");
  assert.equal((await client.exit()).code, 0);
});

test("a handler streams its response, takes the stream over, and sees the client's certificate", async () => {
  await using server = await https(
    `({ path, headers }, stream) => {
      if (path === "/who") return { status: 200, body_text: stream.peer_certificate().unwrap().subject };
      if (headers.upgrade !== undefined) {
        net.http.write_response(stream, { status: 101, headers: { upgrade: "x", connection: "upgrade" } }).unwrap();
        stream.write_all("[" + stream.read_exact(6).unwrap() + "]").unwrap();
        stream.close();
        return null;
      }
      const writer = net.http.start_response(stream, { status: 200 }).unwrap();
      for (const part of ["one", "two"]) writer.write_all(part).unwrap();
      writer.finish().unwrap();
      return null;
    }`,
    "{ tls: { ...tls, request_cert: true } }",
  );
  using client = new TlsClient(server.port, { cert: identity.cert, key: identity.key });
  client.socket.write(
    `${get("/parts")}${get("/who")}${get("/up", "Connection: upgrade\r\nUpgrade: x\r\n")}abcdef`,
  );
  const text = await client.end();
  assert.match(text, /\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n.*CN=.*\r\n\r\n\[abcdef\]$/s);
  using stranger = new TlsClient(server.port);
  await stranger.until(() => stranger.error !== null || stranger.ended);
  assert.equal(stranger.text, "");
});

test("a signal ends it: what is under way is finished, with a farewell", async () => {
  await using server = await https(
    `({ path }) => {
      if (path === "/end") listener.close();
      return { status: 200, body_text: path };
    }`,
  );
  using silent = await RawClient.open(server.port);
  using idle = new TlsClient(server.port);
  await once(idle.socket, "secureConnect");
  using client = new TlsClient(server.port);
  client.socket.write(get("/end"));
  assert.match(await client.end(), /\/end$/);
  assert.equal(await idle.end(), "");
  await silent.until(() => silent.ended || silent.error !== null);
  assert.equal(await server.server.line(), "ended Ok()");
});
