// http.serve: what clients get from it, in order and framed as HTTP wants it.
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import * as net from "std-net";
import { err, node, ok } from "../support/peer.ts";
import { RawClient, said, served } from "../support/served.ts";
import { isWindows } from "../support/system-errors.ts";

const ECHO = `({ method, path, query, version, body }) => ({ status: 200, body: { method, path, query, version, body } })`;
const get = (path: string, lines = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
const last = (path: string) => get(path, "Connection: close\r\n");
const bodyOf = (text: string): string => text.slice(text.lastIndexOf("\r\n\r\n") + 4);

const path = join(tmpdir(), `std-net-serve-${process.pid}.sock`);
after(() => rmSync(path, { force: true }));

describe("http.serve", () => {
  test("keeps connections, and says so; ends them when the client or the handler wants it", async () => {
    await using server = await served(
      `({ path }) => ({ status: 200, headers: path === "/end" ? { connection: "close" } : {}, body_text: path })`,
    );
    using client = await RawClient.open(server.port);
    for (let count = 1; count <= 3; count++) {
      client.write(get(`/${count}`));
      await client.until(() => client.text.endsWith(`/${count}`));
    }
    assert.equal(client.text.match(/\r\nConnection: keep-alive\r\n/g)?.length, 3);
    assert.ok(!client.ended);
    client.write(get("/end"));
    assert.match(await client.end(), /\r\nconnection: close\r\n.*\/end$/s);
    assert.match(
      await said(server.port, last("/x")),
      /^HTTP\/1\.1 200 OK\r\n.*\r\nConnection: close\r\n.*\/x$/s,
    );
    // HTTP/1.0 ends the connection, unless its client wants to keep it.
    assert.match(await said(server.port, "GET /old HTTP/1.0\r\n\r\n"), /\r\nConnection: close\r\n.*\/old$/s);
    using old = await RawClient.open(server.port);
    for (const path of ["/a", "/b"]) {
      old.write(`GET ${path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`);
      await old.until(() => old.text.endsWith(path));
    }
    assert.equal(old.text.match(/\r\nConnection: keep-alive\r\n/g)?.length, 2);
  });

  test("responds to pipelined requests in their order, also when they come in pieces of any size", async () => {
    await using server = await served(ECHO);
    const requests = Array.from({ length: 300 }, (_, index) =>
      index % 3 === 0
        ? get(`/${index}`)
        : `POST /${index} HTTP/1.1\r\nHost: a\r\n${
            index % 3 === 1
              ? "Content-Length: 5\r\n\r\n[1,2]"
              : "Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n0\r\n\r\n"
          }`,
    );
    const text = requests.join("") + last("/last");
    for (const size of [text.length, 7, 1000]) {
      using client = await RawClient.open(server.port);
      for (let at = 0; at < text.length; at += size) {
        client.write(text.slice(at, at + size));
        if (size < 1000) await new Promise(setImmediate);
      }
      const paths = [...(await client.end()).matchAll(/"path":"\/(\w+)"/g)].map(([, path]) => path);
      assert.deepEqual(paths, [...requests.map((_, index) => String(index)), "last"], `pieces of ${size}`);
    }
  });

  test("gives the request as read_request does, with the options of that", async () => {
    await using server = await served(
      "({ method, body, raw_headers }) => ({ status: 200, body: { method, body, raw_headers: raw_headers ?? null } })",
      "{ decode_body: 'base64', raw_headers: true, max_body_bytes: 10, max_headers: 3 }",
    );
    const response = await said(
      server.port,
      "PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nb\x00a",
    );
    assert.equal(
      bodyOf(response),
      '{"method":"PUT","body":"YgBh","raw_headers":[["Host","a"],["Connection","close"],["Content-Length","3"]]}',
    );
    const large = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n12345678901";
    assert.match(await said(server.port, large), /^HTTP\/1\.1 413 Content Too Large\r\n/);
    assert.match(await said(server.port, get("/", "A: 1\r\nB: 2\r\nC: 3\r\n")), /^HTTP\/1\.1 431 /);
  });

  test("a HEAD gets the head alone, and 204 and 304 have no body", async () => {
    await using server = await served("({ path }) => ({ status: Number(path.slice(1)), body_text: 'body' })");
    using client = await RawClient.open(server.port);
    client.write("HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n");
    client.write(get("/204") + get("/304") + last("/200"));
    const text = await client.end();
    assert.deepEqual(client.statuses, [200, 204, 304, 200]);
    assert.equal(text.match(/body/g)?.length, 1);
    assert.match(text, /^HTTP\/1\.1 200 OK\r\n.*?\r\nContent-Length: 4\r\n\r\nHTTP\/1\.1 204 /s);
  });

  test("tells a client to go on that waits for it before it sends its body", async () => {
    await using server = await served(ECHO);
    using client = await RawClient.open(server.port);
    const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n";
    for (let count = 1; count <= 2; count++) {
      client.write(head);
      await client.until(() => client.text.match(/HTTP\/1\.1 100 Continue\r\n\r\n$/) !== null);
      client.write("null");
      await client.until(() => client.text.endsWith('"body":null}'));
    }
    assert.deepEqual(client.statuses, [200, 200]);
  });

  test("a slow reader of a large response delays nobody, and gets all of it", async () => {
    await using server = await served(
      "({ path }) => ({ status: 200, body_text: path === '/large' ? 'x'.repeat(30_000_000) : 'small' })",
    );
    using slow = await RawClient.open(server.port);
    slow.socket.pause();
    slow.write(get("/large") + last("/small"));
    for (let count = 0; count < 20; count++) assert.match(await said(server.port, last("/")), /small$/);
    slow.socket.resume();
    const text = await slow.end();
    assert.equal(text.match(/x/g)?.length, 30_000_000 + 2); // and those of "text/plain"
    assert.match(text, /small$/);
  });

  test("a client that half-closes after its request gets the response", async () => {
    await using server = await served(ECHO);
    using client = await RawClient.open(server.port);
    client.socket.end(get("/half"));
    assert.match(await client.end(), /"path":"\/half"/);
  });

  test("silent clients and those with half a request delay nobody", async () => {
    await using server = await served(ECHO);
    const others: RawClient[] = [];
    for (let count = 0; count < 200; count++) {
      const other = await RawClient.open(server.port);
      if (count % 2 === 0) other.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nnu");
      others.push(other);
    }
    const begin = performance.now();
    for (let count = 0; count < 100; count++)
      assert.match(await said(server.port, last("/")), /^HTTP\/1\.1 200 /);
    assert.ok(performance.now() - begin < 5000);
    for (const [index, other] of others.entries()) {
      if (index % 2 === 0) {
        other.write("ll");
        await other.until(() => other.text.endsWith('"body":null}'));
      }
      other.close();
    }
  });

  test("serves several listeners at once, until the last one is closed", async () => {
    await using server = node(
      `
      const one = net.TcpListener.bind("127.0.0.1:0").unwrap();
      const two = ${isWindows ? 'net.TcpListener.bind("127.0.0.1:0")' : "net.UnixListener.bind(process.argv[1])"}.unwrap();
      console.log(one.local_addr().unwrap().split(":").at(-1));
      const result = net.http.serve([one, two], ({ path }, stream) => {
        if (path === "/one") one.close();
        if (path === "/two") two.close();
        return { status: 200, body_text: stream.constructor.name };
      });
      console.log("ended " + result);`,
      path,
    );
    const port = Number(await server.line());
    const target = isWindows ? undefined : path;
    assert.match(await said(port, last("/")), /TcpStream$/);
    if (target === undefined) return;
    assert.match(await said(target, last("/")), /UnixStream$/);
    assert.match(await said(port, last("/one")), /TcpStream$/);
    await assert.rejects(said(port, last("/")));
    assert.match(await said(target, last("/two")), /UnixStream$/);
    assert.equal(await server.line(), "ended Ok()");
  });

  test("says what is wrong with its arguments, and serves nobody then", () => {
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const closed = ok(net.TcpListener.bind("127.0.0.1:0"));
    closed.close();
    const handler = () => ({ status: 200 });
    const { serve } = net.http;
    for (const wrong of [
      undefined,
      null,
      {},
      [],
      "x",
      ok(net.UdpSocket.bind("127.0.0.1:0")),
      [listener, 1],
    ]) {
      assert.equal(err(serve(wrong as never, handler)), "expected listener");
    }
    assert.equal(err(serve(closed, handler)), "invalid tcp listener");
    assert.equal(err(serve([listener, closed], handler)), "invalid tcp listener");
    assert.equal(err(serve(listener, null as never)), "expected function");
    for (const [options, error] of [
      [1, "options must be an object"],
      [[], "options must be an object"],
      [{ idle_timeout_ms: 0 }, "timeout must be a positive number"],
      [{ request_timeout_ms: "1" }, "timeout must be a positive number"],
      [{ max_connections: 0 }, "'max_connections' must be a positive integer"],
      [{ max_connections: 1.5 }, "'max_connections' must be a positive integer"],
      [{ max_body_bytes: -1 }, "'max_body_bytes' must be a non-negative integer"],
      [{ decode_body: "xml" }, "'decode_body' must be 'json', 'text', 'bytes' or 'base64'"],
      [{ on_error: 1 }, "'on_error' must be a function"],
      [{ on_refusal: {} }, "'on_refusal' must be a function"],
      [{ stop: new Int32Array(1) }, "'stop' must be an Int32Array on shared memory"],
      [{ tls: 1 }, "'tls' must be a JSON object"],
      [{ tls: {} }, "tls handshake failed: missing option 'cert'"],
      [
        Object.defineProperty({}, "tls", {
          get() {
            throw new Error("no");
          },
        }),
        "options cannot be read: no",
      ],
    ] as const) {
      assert.equal(err(serve(listener, handler, options as never)), error);
    }
    assert.ok(listener.local_addr().isOk, "the listener is still open");
  });
});
