// http.open_response and http.open_request: bodies piece by piece off a stream of the caller's.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import zlib from "node:zlib";
import * as net from "std-net";
import { AGAIN } from "../support/http-server.ts";
import { err, ok } from "../support/peer.ts";
import { streamPair } from "../support/sockets.ts";

const { http } = net;

const HEAD = "HTTP/1.1 200 OK\r\n";
const sized = (body: string): string => `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunked = (...parts: string[]): string =>
  `Transfer-Encoding: chunked\r\n\r\n${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
const post = (body: string, more = ""): string =>
  `POST /x HTTP/1.1\r\nHost: example\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;

const rest = (stream: net.UnixStream | net.TcpStream): string => {
  ok(stream.set_nonblocking(true));
  const bytes = stream.read(10_000);
  ok(stream.set_nonblocking(false));
  return bytes.isOk ? bytes.value.toString() : "";
};

describe("open_response", () => {
  test("takes no byte behind the body off the stream", () => {
    for (const first of [
      sized("hello"),
      `${HEAD}${chunked("he", "llo")}`,
      `${HEAD}Content-Length: 0\r\n\r\n`,
    ]) {
      const [client, server] = streamPair();
      ok(server.write_all(`${first}behind`));
      const { body } = ok(http.open_response(client));
      assert.equal(ok(body.read_to_end()).toString(), first.includes("th: 0") ? "" : "hello");
      assert.equal(ok(client.read(100)).toString(), "behind");
      ok(server.write_all(sized("next")));
      assert.equal(ok(http.read_response(client)).body, "next");
    }
  });

  test("reads lines without reading ahead of the body, and goes on with the next response", () => {
    const [client, server] = streamPair();
    ok(server.write_all(sized("one\ntwo") + HEAD + chunked("data: x\n", "\n")));
    const first = ok(http.open_response(client));
    assert.deepEqual([...first.body.lines()].map(ok), ["one", "two"]);
    const second = ok(http.open_response(client));
    assert.deepEqual(
      [...second.body.events()].map(ok).map(({ data }) => data),
      ["x"],
    );
  });

  test("knows the method of the request", () => {
    const [client, server] = streamPair();
    ok(http.write_request(client, { method: "HEAD", url: "http://example/" }));
    ok(http.write_request(client, { method: "CONNECT", url: "http://example:80/" }));
    ok(server.write_all(`${HEAD}Content-Length: 5\r\n\r\n${HEAD}\r\ntunnel`));
    const head = ok(http.open_response(client));
    assert.equal(head.headers["content-length"], "5");
    assert.equal(ok(head.body.read(1)).length, 0);
    const tunnel = ok(http.open_response(client));
    assert.equal(ok(tunnel.body.into_stream()), client);
    assert.equal(ok(client.read(100)).toString(), "tunnel");
  });

  test("a body that is not read to its end stands before the next response", () => {
    const [client, server] = streamPair();
    ok(server.write_all(sized("hello") + sized("next")));
    const { body } = ok(http.open_response(client));
    ok(body.read(2));
    const text = "http read failed: the response before is not read to its end";
    assert.equal(err(http.open_response(client)), text);
    assert.equal(err(http.read_response(client)), text);
    body.close();
    assert.equal(ok(http.read_response(client)).body, "next");
    ok(server.write_all(`${HEAD}Content-Length: 5\r\n\r\nhe`));
    ok(http.open_response(client)).body.close();
    assert.equal(err(http.read_response(client)), text);
  });

  test("in non-blocking mode loses nothing, at any split", () => {
    const text = "data: one\n\ndata: two\n\n";
    for (const whole of [
      sized(text),
      `${HEAD}${chunked(...text)}`,
      `${HEAD}Content-Encoding: gzip\r\n${chunked(zlib.gzipSync(text).toString("latin1"))}`,
    ]) {
      const bytes = Buffer.from(whole, "latin1");
      const [client, server] = streamPair();
      ok(client.set_nonblocking(true));
      let response: net.http.OpenResponse | null = null;
      const found: string[] = [];
      for (const byte of bytes) {
        ok(server.write_all([byte]));
        if (response === null) {
          const result = http.open_response(client);
          if (result.isOk) response = result.value;
          else assert.equal(result.error, AGAIN);
          continue;
        }
        for (const event of response.body.events()) {
          if (event.isOk) found.push(event.value.data);
          else assert.equal(net.error_code(event.error), "EAGAIN");
        }
      }
      assert.deepEqual(found, ["one", "two"]);
      assert.equal(ok(response!.body.read(1)).length, 0);
    }
  });

  test("has its own limits and timeouts", () => {
    const [client, server] = streamPair();
    assert.equal(err(http.open_response(client, { timeout_ms: 20 })), "http read failed: timed out");
    assert.equal(
      err(http.open_response(client, { read_timeout_ms: 0 })),
      "timeout must be a positive number",
    );
    ok(server.write_all(`${HEAD}Content-Length: 5\r\n\r\nhe`));
    const { body } = ok(http.open_response(client, { read_timeout_ms: 50 }));
    assert.equal(ok(body.read(9)).toString(), "he");
    assert.equal(err(body.read(9)), "http read failed: timed out");
    // The caller's own stream goes on.
    ok(server.write_all("llo"));
    assert.equal(ok(body.read_to_end()).toString(), "llo");
    ok(server.write_all(sized("0123456789")));
    assert.equal(
      err(http.open_response(client, { max_body_bytes: 9 })),
      "response body too large (more than 9 bytes: 'max_body_bytes' sets the limit)",
    );
  });
});

describe("open_request", () => {
  test("gives the head, then the body piece by piece, and no byte more", () => {
    for (const body of [post("hello"), `POST /x?y=1 HTTP/1.1\r\nHost: example\r\n${chunked("he", "llo")}`]) {
      const [client, server] = streamPair();
      ok(client.write_all(`${body}GET /next HTTP/1.1\r\nHost: example\r\n\r\n`));
      const request = ok(http.open_request(server, { raw_headers: true }));
      assert.equal(request.method, "POST");
      assert.equal(request.path, "/x");
      assert.equal(request.raw_headers?.length, 2);
      assert.equal(ok(request.body.read_to_end()).toString(), "hello");
      assert.equal(ok(http.read_request(server)).path, "/next");
    }
  });

  test("tells the client to go on with the first read, and not before", () => {
    const [client, server] = streamPair();
    ok(client.write_all(post("hello", "Expect: 100-continue\r\n").slice(0, -5)));
    const { body } = ok(http.open_request(server));
    assert.equal(rest(client), "");
    ok(server.set_nonblocking(true));
    assert.equal(net.error_code(err(body.read(5))), "EAGAIN");
    assert.equal(rest(client), "HTTP/1.1 100 Continue\r\n\r\n");
    ok(client.write_all("hello"));
    assert.equal(ok(body.read(5)).toString(), "hello");
    assert.equal(rest(client), "");
    const [other, refusing] = streamPair();
    ok(other.write_all(post("hello", "Expect: 100-continue\r\n").slice(0, -5)));
    ok(http.open_request(refusing));
    ok(http.write_response(refusing, { status: 413, headers: { connection: "keep-alive" } }));
    assert.match(rest(other), /^HTTP\/1.1 413 Content Too Large\r\n(?:.*\r\n)*Connection: close\r\n/);
    assert.equal(err(http.open_request(refusing)), "connection closed before request headers");
  });

  test("a response keeps the connection only when the rest of the body has arrived", () => {
    const keep = { status: 200, headers: { connection: "keep-alive" } };
    for (const body of [post("hello"), `POST /x HTTP/1.1\r\nHost: example\r\n${chunked("he", "llo")}`]) {
      const [client, server] = streamPair();
      ok(client.write_all(`${body}GET /next HTTP/1.1\r\nHost: example\r\n\r\n`));
      ok(http.open_request(server));
      ok(http.write_response(server, keep));
      assert.match(rest(client), /connection: keep-alive/);
      assert.equal(ok(http.open_request(server)).path, "/next");
    }
    const [client, server] = streamPair();
    ok(client.write_all(post("hello").slice(0, -1)));
    const { body } = ok(http.open_request(server));
    ok(http.write_response(server, keep));
    assert.match(rest(client), /Connection: close/);
    assert.equal(err(body.read(1)), "invalid body");
  });

  test("errors stay", () => {
    const [client, server] = streamPair();
    ok(client.write_all(post("hello").slice(0, -1)));
    client.close();
    const { body } = ok(http.open_request(server));
    assert.equal(ok(body.read(100)).toString(), "hell");
    for (let again = 0; again < 2; again++) {
      assert.equal(err(body.read(100)), "connection closed before request body complete");
      assert.equal(err(http.read_request(server)), "connection closed before request body complete");
    }
    const [bad, other] = streamPair();
    ok(bad.write_all("POST /x HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\n\r\nzz"));
    const request = ok(http.open_request(other));
    assert.equal(err(request.body.read(1)), "invalid http request: malformed chunk size");
    assert.equal(err(http.read_request(other)), "invalid http request: malformed chunk size");
    assert.match(err(request.body.into_stream()), /^a request switches/);
  });
});
