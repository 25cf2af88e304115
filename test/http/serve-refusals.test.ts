// http.serve against clients that are wrong, slow, silent or too many.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pythonFile, startPeer } from "../support/peer.ts";
import { RawClient, said, served } from "../support/served.ts";
import { isWindows } from "../support/system-errors.ts";

const HELLO = `() => ({ status: 200, body_text: "hello" })`;
const REQUEST = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const post = (lines: string, body = "") => `POST / HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n${body}`;

describe("http.serve refuses", () => {
  test("what is no proper request, each with its status, in words, and ends the connection", async () => {
    await using server = await served(
      HELLO,
      `{ max_body_bytes: 100, max_header_bytes: 1000, on_refusal(status, reason, stream) {
        console.log(status + " " + stream.peer_addr().unwrap().split(":")[0] + " " + reason);
        throw new Error("on_refusal throws");
      } }`,
    );
    for (const [text, status, reason] of [
      ["no HTTP at all\r\n\r\n", 400, /^invalid http request: /],
      ["GET / HTTP/1.1\r\n\r\n", 400, "invalid http request: missing Host header"],
      ["GET / HTTP/1.1\nHost: a\n\n", 400, "invalid http request: bare LF"],
      [post("Content-Length: x"), 400, "invalid Content-Length header"],
      [post("Content-Length: 1\r\nContent-Length: 1"), 400, "invalid Content-Length header"],
      [
        post("Content-Length: 1\r\nTransfer-Encoding: chunked"),
        400,
        "invalid http request: Content-Length together with Transfer-Encoding",
      ],
      [post("Transfer-Encoding: chunked", "x\r\n"), 400, /^invalid http request: /],
      [post("Content-Length: 2", "\xff\xff"), 400, "request body is not utf-8"],
      [post("Content-Length: 101"), 413, "request body too large"],
      [post("Content-Length: 101\r\nExpect: 100-continue"), 413, "request body too large"],
      [
        post("Transfer-Encoding: chunked", `65\r\n${"x".repeat(101)}\r\n0\r\n\r\n`),
        413,
        "request body too large",
      ],
      [post("Expect: 200-ok"), 417, "unknown expectation"],
      [post("Expect: 100-continue, 200-ok\r\nContent-Length: 9"), 417, "unknown expectation"],
      [post("Expect: 200-ok\r\nContent-Length: 9", "123"), 417, "unknown expectation"],
      [`GET / HTTP/1.1\r\nHost: a\r\nLong: ${"x".repeat(1000)}\r\n\r\n`, 431, "http headers too large"],
      [`GET /${"x".repeat(2000)}`, 431, "http headers too large"],
      [post("Transfer-Encoding: gzip, chunked"), 501, "invalid http request: unsupported Transfer-Encoding"],
      ["GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "invalid http request: unsupported version"],
      ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, /^invalid http request: /],
    ] as const) {
      const answer = await said(server.port, Buffer.from(REQUEST + text, "latin1"));
      const [first = "", second = ""] = answer.split(/(?<=hello)/);
      assert.match(first, /^HTTP\/1\.1 200 OK\r\n/);
      assert.match(
        second,
        new RegExp(`^HTTP/1\\.1 ${status} [A-Z].*\\r\\nconnection: close\\r\\n`, "s"),
        text,
      );
      const { error } = JSON.parse(second.slice(second.indexOf("\r\n\r\n"))) as { error: string };
      if (typeof reason === "string") assert.equal(error, reason);
      else assert.match(error, reason);
      assert.equal(await server.server.line(), `${status} 127.0.0.1 ${error}`);
    }
    // An HTTP/1.0 client can expect nothing (RFC 9110, 10.1.1).
    assert.match(await said(server.port, "GET / HTTP/1.0\r\nExpect: x\r\n\r\n"), /^HTTP\/1\.1 200 /);
  });

  test("nobody who ends the connection between two requests, or within a head", async () => {
    await using server = await served(
      HELLO,
      `{ on_refusal: (status, reason) => console.log("refused " + status + " " + reason) }`,
    );
    for (const text of ["", REQUEST, `${REQUEST}GET / HT`, "\r\n", REQUEST + REQUEST]) {
      using client = await RawClient.open(server.port);
      client.socket.end(text);
      assert.doesNotMatch(await client.end(), / 400 /);
    }
    // But within a body, which was promised.
    using client = await RawClient.open(server.port);
    client.socket.end(post("Content-Length: 5", "abc"));
    assert.match(await client.end(), /^HTTP\/1\.1 400 .*"connection closed before request body complete"/s);
    assert.equal(await server.server.line(), "refused 400 connection closed before request body complete");
  });

  test("a client that sends all of a large request before it reads, and it reads why", async () => {
    await using server = await served(HELLO);
    await using client = pythonFile("http-refused.py", String(server.port));
    for (const expected of ["413 True", "431 True", "400 True", "200 False"]) {
      assert.equal(await client.line(), expected);
    }
    assert.equal((await client.exit()).code, 0);
  });

  test("a client that goes on sending for ever, after a bounded time", async () => {
    await using server = await served(HELLO, "{ max_body_bytes: 10 }");
    using client = await RawClient.open(server.port);
    client.write(post("Content-Length: 1000000000"));
    await client.until(() => client.ended);
    assert.deepEqual(client.statuses, [413]);
    const begin = performance.now();
    // It is silent now: the connection is closed after some seconds, and a write finds that out.
    while (client.error === null && performance.now() - begin < 15_000) {
      await sleep(6500);
      client.write("x");
      await sleep(200);
      client.write("x");
      await sleep(200);
    }
    assert.notEqual(client.error, null);
  });

  test("half a head and half a body with 408, in time, also when a byte comes now and then", async () => {
    await using server = await served(HELLO, "{ request_timeout_ms: 700, idle_timeout_ms: 60_000 }");
    for (const [text, drip] of [
      ["GET / HTTP/1.1\r\nHost: a\r\nX: ", "x"],
      ["GE", "T"],
      [post("Content-Length: 1000", "abc"), "x"],
      [post("Transfer-Encoding: chunked", "5\r\nab"), ""],
    ] as const) {
      using client = await RawClient.open(server.port);
      client.write(REQUEST);
      await client.until(() => client.text.endsWith("hello"));
      const begin = performance.now();
      client.write(text);
      const dripping = setInterval(() => client.write(drip), 50);
      await client.until(() => client.ended);
      clearInterval(dripping);
      assert.deepEqual(client.statuses, [200, 408], text);
      const time = performance.now() - begin;
      assert.ok(time > 600 && time < 5000, `${text}: ${time} ms`);
    }
  });

  test("a long body that comes steadily takes longer than a head may", async () => {
    await using server = await served(
      "({ body }) => ({ status: 200, body_text: String(body.length) })",
      "{ request_timeout_ms: 500, decode_body: 'text' }",
    );
    using client = await RawClient.open(server.port);
    client.write(post("Content-Length: 16000\r\nConnection: close"));
    for (let count = 0; count < 16; count++) {
      client.write("x".repeat(1000));
      await sleep(100);
    }
    assert.match(await client.end(), /^HTTP\/1\.1 200 .*16000$/s);
  });

  test("idle connections after their time without a word, new ones and kept ones; null is no limit", async () => {
    await using server = await served(HELLO, "{ idle_timeout_ms: 500, request_timeout_ms: null }");
    using silent = await RawClient.open(server.port);
    using kept = await RawClient.open(server.port);
    using slow = await RawClient.open(server.port);
    const begin = performance.now();
    kept.write(REQUEST);
    slow.write("GET / HT");
    assert.equal(await silent.end(), "");
    const time = performance.now() - begin;
    assert.ok(time > 400 && time < 5000, `${time} ms`);
    await kept.until(() => kept.ended);
    assert.deepEqual(kept.statuses, [200]);
    slow.write("TP/1.1\r\nHost: a\r\n\r\n");
    await slow.until(() => slow.text.endsWith("hello"));
  });

  test("a client that takes nothing of its response", async () => {
    await using server = await served(
      `() => ({ status: 200, body_text: "x".repeat(50_000_000) })`,
      "{ idle_timeout_ms: 500 }",
    );
    using client = await RawClient.open(server.port);
    client.socket.pause();
    client.write(REQUEST);
    await sleep(2500);
    client.socket.resume();
    await client.until(() => client.ended || client.error !== null);
    assert.ok(client.text.length < 50_000_000, `${client.text.length} bytes came`);
  });

  test("clients beyond max_connections with 503, until others have gone", async () => {
    await using server = await served(HELLO, "{ max_connections: 3 }");
    const clients = [1, 2, 3].map(() => new RawClient(server.port));
    for (const client of clients) {
      client.write(REQUEST);
      await client.until(() => client.text.endsWith("hello"));
    }
    for (let count = 0; count < 50; count++) {
      assert.match(await said(server.port, LAST), /^HTTP\/1\.1 503 .*\{"error":"too many connections"\}$/s);
    }
    const many = Array.from({ length: 100 }, () => said(server.port, LAST));
    for (const answer of await Promise.all(many)) assert.match(answer, /^HTTP\/1\.1 503 /);
    clients[0]!.close();
    let answer = "";
    for (let tries = 0; tries < 100 && !answer.startsWith("HTTP/1.1 200 "); tries++) {
      answer = await said(server.port, LAST);
    }
    assert.match(answer, /^HTTP\/1\.1 200 /);
    clients[1]!.write(LAST);
    assert.match(await clients[1]!.end(), /hello$/);
    for (const client of clients) client.close();
  });

  test("no client for good when descriptors are used up: it rests, and goes on", {
    skip: isWindows ? "Windows has no such limit" : false,
  }, async () => {
    const text = `import * as net from "std-net";
      import { openSync } from "node:fs";
      const listener = net.TcpListener.bind("127.0.0.1:0").unwrap();
      console.log(listener.local_addr().unwrap().split(":").at(-1));
      net.http.serve(listener, () => ({ status: 200, body: process.cpuUsage() }), { max_connections: 1000 });`;
    await using server = startPeer("sh", [
      "-c",
      'ulimit -n 64; exec "$0" --input-type=module -e "$1"',
      process.execPath,
      text,
    ]);
    const port = Number(await server.line());
    const clients = Array.from({ length: 100 }, () => new RawClient(port));
    using first = clients[0]!;
    first.write(REQUEST);
    await first.until(() => first.text.endsWith("}"));
    const before = JSON.parse(first.text.slice(first.text.indexOf("\r\n\r\n"))) as NodeJS.CpuUsage;
    await sleep(1500);
    first.text = "";
    first.write(REQUEST);
    await first.until(() => first.text.endsWith("}"));
    const after = JSON.parse(first.text.slice(first.text.indexOf("\r\n\r\n"))) as NodeJS.CpuUsage;
    const spent = (after.user + after.system - before.user - before.system) / 1000;
    assert.ok(spent < 750, `${spent} ms of processor time in 1500 ms`);
    for (const client of clients.slice(1, 60)) client.close();
    // Those that waited in the backlog are served now.
    for (const client of clients.slice(60)) client.write(LAST);
    for (const client of clients.slice(60)) assert.match(await client.end(), /^HTTP\/1\.1 200 /);
    for (const client of clients) client.close();
  });
});
