// Streamed bodies over every kind of connection: through proxies, tunnels and TLS, on both sides.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import * as net from "std-net";
import { Certificates } from "../support/certificates.ts";
import { type HttpsEcho, httpsEcho } from "../support/https-echo.ts";
import { err, node, nodeFile, ok, openDescriptors, type Peer, portOf, startPeer } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";

const { http } = net;

let raw: RawServer;
let secure: HttpsEcho;
let proxy: Peer;
let proxyUrl: string;
let certificates: Certificates;
let ca: string;
let identity: { cert: string; key: string };

before(async () => {
  raw = await rawServer();
  secure = await httpsEcho();
  proxy = nodeFile("http-proxy.mjs");
  proxyUrl = `http://127.0.0.1:${await proxy.line()}`;
  certificates = new Certificates();
  ca = certificates.authority("root").cert;
  identity = certificates.make("server", "root");
});

after(async () => {
  for (const each of [raw, secure, proxy]) await each[Symbol.asyncDispose]();
  certificates.remove();
});

const HEAD = "HTTP/1.1 200 OK\r\n";

/** What the proxy saw of the next request: its method, target, and the port of its connection. */
async function seenByProxy(): Promise<[method: string, target: string, port: number]> {
  const [method, target, , port] = JSON.parse(await proxy.line()) as [string, string, object, number];
  return [method, target, port];
}

/** Waits until the peer's system has nothing left to send on this connection (proc_net_tcp: tx_queue), which is one on this computer. */
async function allArrived(stream: net.TlsStream): Promise<void> {
  const hexadecimal = (address: string): string =>
    Number(portOf(address)).toString(16).toUpperCase().padStart(4, "0");
  const [peer, own] = [hexadecimal(ok(stream.peer_addr())), hexadecimal(ok(stream.local_addr()))];
  const queue = new RegExp(`^ *\\d+: 0100007F:${peer} 0100007F:${own} \\w\\w ([0-9A-F]{8}):`, "m");
  const end = performance.now() + 20_000;
  for (;;) {
    const waiting = queue.exec(readFileSync("/proc/net/tcp", "latin1"))?.[1];
    assert.ok(waiting !== undefined, "the peer's socket is there");
    if (waiting === "00000000") return;
    assert.ok(performance.now() < end, "all has arrived within 20 seconds");
    await new Promise((done) => setTimeout(done, 5));
  }
}

describe("through a proxy", () => {
  test("http: a body piece by piece, and the proxy's connection is kept", async () => {
    const chunks = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
    const url = raw.url(chunks, "4\r\none\n\r\n", 30, "4\r\ntwo\n\r\n0\r\n\r\n");
    const ports = new Set<number>();
    for (let again = 0; again < 2; again++) {
      const { body } = ok(http.open({ method: "GET", url, proxy: proxyUrl }));
      assert.deepEqual([...body.lines()].map(ok), ["one", "two"]);
      const [method, target, port] = await seenByProxy();
      assert.deepEqual([method, target], ["GET", url]);
      ports.add(port);
    }
    assert.equal(ports.size, 1);
  });

  test("https: the same in a tunnel", async () => {
    const request = { method: "POST", url: secure.url, tls: { ca: secure.root }, proxy: proxyUrl };
    const { status, body } = ok(http.open({ ...request, body_parts: ["one ", "two"] }));
    assert.equal(status, 200);
    assert.match(ok(body.read_to_end()).toString(), /"transfer-encoding":"chunked"/);
    assert.deepEqual((await seenByProxy()).slice(0, 2), ["CONNECT", secure.url.slice("https://".length)]);
  });

  test("CONNECT: into_stream gives the tunnel", async () => {
    http.open({ method: "CONNECT", url: "http://refused.test:80/", proxy: proxyUrl }).unwrap().body.close();
    assert.equal((await seenByProxy())[1], "refused.test:80");
    const before = openDescriptors();
    const url = `http://127.0.0.1:${raw.port}/`;
    const { status, body } = ok(http.open({ method: "CONNECT", url, proxy: proxyUrl }));
    assert.equal(status, 200);
    assert.deepEqual((await seenByProxy()).slice(0, 2), ["CONNECT", `127.0.0.1:${raw.port}`]);
    assert.equal(ok(body.read(1)).length, 0);
    const tunnel = ok(body.into_stream());
    assert.ok(tunnel instanceof net.TcpStream);
    ok(http.write_request(tunnel, { method: "GET", url: raw.url(`${HEAD}Content-Length: 5\r\n\r\nhello`) }));
    const inner = ok(http.open_response(tunnel));
    assert.equal(ok(inner.body.read_to_end()).toString(), "hello");
    tunnel.close();
    assert.equal(openDescriptors(), before);
  });

  test("a CONNECT that is refused has a body, and becomes no stream", async () => {
    const { status, body } = ok(
      http.open({ method: "CONNECT", url: "http://refused.test:80/", proxy: proxyUrl }),
    );
    await seenByProxy();
    assert.equal(status, 407);
    assert.equal(err(body.into_stream()), "the response switches to no other protocol");
    assert.equal(ok(body.read_to_end()).toString(), "no");
  });
});

describe("over TLS", () => {
  test("into_stream gives a TlsStream, with the bytes behind the head", async () => {
    await using peer = node(
      `
      import https from "node:https";
      import { readFileSync } from "node:fs";
      const [cert, key] = process.argv.slice(1).map((path) => readFileSync(path));
      const server = https.createServer({ cert, key });
      server.on("upgrade", (request, socket) => {
        socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: echo\\r\\n\\r\\nfirst ");
        socket.write("words");
        socket.on("data", (data) => socket.write(data)).on("end", () => socket.end());
      });
      server.listen(0, "127.0.0.1", () => console.log(server.address().port));
    `,
      certificates.path("server.pem"),
      certificates.path("server.key"),
    );
    const url = `https://127.0.0.1:${await peer.line()}/`;
    const before = openDescriptors();
    const headers = { connection: "upgrade", upgrade: "echo" };
    const { status, body } = ok(http.open({ method: "GET", url, headers, tls: { ca } }));
    assert.equal(status, 101);
    const stream = ok(body.into_stream());
    assert.ok(stream instanceof net.TlsStream);
    assert.equal(ok(stream.read_exact(11)).toString(), "first words");
    const large = Buffer.alloc(100_000, "0123456789");
    ok(stream.write_all(large));
    assert.ok(ok(stream.read_exact(large.length)).equals(large));
    stream.close();
    assert.equal(openDescriptors(), before);
  });

  /** Serves the connection that comes of this program. */
  async function served(
    start: (port: string) => Peer,
    serve: (stream: net.TlsStream, peer: Peer) => void | Promise<void>,
  ): Promise<{ stdout: string; code: number | null }> {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    await using peer = start(portOf(ok(listener.local_addr())));
    const stream = ok(net.TlsStream.server(ok(listener.accept()), identity));
    await serve(stream, peer);
    stream.close();
    listener.close();
    return await peer.exit();
  }

  const curl = (port: string, ...args: string[]): Peer =>
    startPeer(
      "curl",
      ["-sN", "--max-time", "15", "--cacert", certificates.path("root.pem"), ...args].concat(
        `https://127.0.0.1:${port}/1`,
      ),
    );

  test("start_response: pieces of any size, and the connection is kept", async () => {
    const large = Buffer.alloc(300_000, "abcdefghij");
    // Not to a pipe, which would be full while nobody reads it.
    const files = ["one", "two"].map((name) => certificates.path(name)) as [string, string];
    const { code } = await served(
      (port) => curl(port, "-o", files[0], `https://127.0.0.1:${port}/0`, "-o", files[1]),
      (stream) => {
        for (const connection of ["keep-alive", "close"]) {
          ok(http.read_request(stream));
          const writer = ok(http.start_response(stream, { status: 200, headers: { connection } }));
          ok(writer.write_all("small "));
          ok(writer.write_all(large));
          ok(writer.send_event({ data: "event" }));
          ok(writer.finish());
        }
      },
    );
    for (const file of files) {
      assert.ok(readFileSync(file, "latin1") === `small ${large}data: event\n\n`, file);
    }
    assert.equal(code, 0);
  });

  test("start_response that is given up: curl sees a body that was cut short", async () => {
    const { stdout, code } = await served(
      (port) => curl(port),
      (stream) => {
        ok(http.read_request(stream));
        const writer = ok(http.start_response(stream, { status: 200 }));
        ok(writer.write_all("half"));
        writer.close();
      },
    );
    assert.equal(stdout, "half");
    assert.notEqual(code, 0);
  });

  test("open_request: an upload in chunks, piece by piece", async () => {
    let size = 0;
    const { stdout } = await served(
      (port) => curl(port, "-T", process.execPath, "-H", "Transfer-Encoding: chunked", "-r", "0-3000000"),
      (stream) => {
        const { body } = ok(http.open_request(stream));
        const buffer = Buffer.alloc(100_000);
        for (let count = ok(body.read_into(buffer)); count > 0; count = ok(body.read_into(buffer)))
          size += count;
        ok(http.write_response(stream, { status: 200, body_text: "thanks" }));
      },
    );
    assert.equal(stdout, "thanks");
    assert.ok(size > 1_000_000);
  });

  test("start_response after an upload that came in hundreds of TLS records keeps the connection", {
    skip:
      process.platform === "linux" ? false : "only Linux tells in /proc when all that was sent has arrived",
  }, async () => {
    const text = `POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${"1\r\nx\r\n".repeat(50)}0\r\n\r\n`;
    await served(
      (port) =>
        node(
          `
          import tls from "node:tls";
          import { readFileSync } from "node:fs";
          const [port, ca] = process.argv.slice(1);
          const text = ${JSON.stringify(text)};
          const socket = tls.connect({ port, host: "127.0.0.1", ca: readFileSync(ca) }, async () => {
            for (const letter of text) await new Promise((done) => socket.write(letter, done));
            socket.write("GET /next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", () => console.log("sent"));
          });
          socket.resume();
        `,
          port,
          certificates.path("root.pem"),
        ),
      async (stream, peer) => {
        const { body } = ok(http.open_request(stream));
        ok(body.read(1));
        await peer.line();
        await allArrived(stream);
        const writer = ok(
          http.start_response(stream, { status: 200, headers: { connection: "keep-alive", x: "y" } }),
        );
        ok(writer.finish());
        assert.equal(ok(http.open_request(stream)).path, "/next");
      },
    );
  });
});
