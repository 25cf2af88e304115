// http.write_request and http.read_response: the client's halves on a stream that the caller keeps. And Unix sockets.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as zlib from "node:zlib";
import * as net from "std-net";
import { announced, fields, interim, padded } from "../support/answers.ts";
import { err, node, ok } from "../support/peer.ts";
import fc from "../support/properties.ts";
import { tcpPair, timed } from "../support/sockets.ts";
import { reason } from "../support/system-errors.ts";

const URL = "http://server.test/path?q";

/** What arrives at the other end. */
function arrived(server: net.TcpStream): string {
  return ok(server.read(100_000)).toString("latin1");
}

test("a request goes out as http.request makes it", () => {
  const { client, server } = tcpPair();
  ok(net.http.write_request(client, { method: "POST", url: URL, headers: { "X-A": "b" }, body: { a: 1 } }));
  const text = arrived(server);
  assert.match(text, /^POST \/path\?q HTTP\/1\.1\r\nHost: server\.test\r\n/);
  assert.match(text, /\r\nX-A: b\r\n/);
  assert.match(text, /\r\nContent-Length: 7\r\n\r\n\{"a":1\}$/);
  client.close();
  server.close();
});

test("a range: the request accepts no coding, and the body is left as it came", () => {
  const { client, server } = tcpPair();
  ok(net.http.write_request(client, { method: "GET", url: URL, headers: { Range: "bytes=0-9" } }));
  assert.match(arrived(server), /\r\nAccept-Encoding: identity\r\n/);
  const part = zlib.gzipSync("hello").subarray(0, 10);
  ok(server.write_all("HTTP/1.1 206 x\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n"));
  ok(server.write_all(part));
  const answer = ok(net.http.read_response(client, { decode_body: "base64" }));
  assert.equal(answer.body, part.toString("base64"));
  assert.equal(answer.headers["content-encoding"], "gzip");
  assert.equal(answer.headers["content-length"], "10");
  client.close();
  server.close();
});

test("a request that is refused sends nothing", () => {
  const { client, server } = tcpPair();
  assert.equal(
    err(net.http.write_request(client, { method: "G T", url: URL })),
    "'method' is not a valid method",
  );
  assert.equal(err(net.http.write_request(client, undefined as never)), "request must be a JSON object");
  assert.equal(err(net.http.write_request({} as never, { method: "GET", url: URL })), "invalid tcp stream");
  assert.equal(err(net.http.read_response(null as never)), "invalid tcp stream");
  assert.equal(err(net.http.read_response(client, 5 as never)), "options must be an object");
  assert.equal(err(net.http.read_response(client, { timeout_ms: 0 })), "timeout must be a positive number");
  client.close();
  assert.equal(err(net.http.write_request(client, { method: "GET", url: URL })), "invalid tcp stream");
  assert.equal(err(net.http.read_response(client)), "invalid tcp stream");
  assert.equal(ok(server.read(10)).length, 0);
  server.close();
});

test("one response is read, and no byte more", () => {
  for (const body of [
    "Content-Length: 3\r\n\r\n[1]",
    "Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\nT: x\r\n\r\n",
  ]) {
    const { client, server } = tcpPair();
    ok(server.write_all(`HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\n${body}rest`));
    const answer = ok(net.http.read_response(client));
    assert.deepEqual(answer.body, [1]);
    assert.equal(ok(client.peek(10)).toString(), "rest");
    assert.equal(ok(client.read(10)).toString(), "rest");
    client.close();
    server.close();
  }
});

test("pipelined requests: each response is read as that of its own request", () => {
  const { client, server } = tcpPair();
  for (const method of ["HEAD", "GET", "HEAD"]) ok(net.http.write_request(client, { method, url: URL }));
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
  ok(server.write_all(`${head}N: 1\r\n\r\n${head}N: 2\r\n\r\n[]${head}N: 3\r\n\r\n`));
  const answers = [1, 2, 3].map(() => ok(net.http.read_response(client)));
  assert.deepEqual(
    answers.map(({ headers, body }) => [headers.n, body]),
    [
      ["1", null],
      ["2", []],
      ["3", null],
    ],
  );
  client.close();
  server.close();
});

test("101 is a response, and the stream belongs to the other protocol", () => {
  const { client, server } = tcpPair();
  const headers = { Connection: "Upgrade", Upgrade: "echo" };
  ok(net.http.write_request(client, { method: "GET", url: URL, headers }));
  ok(server.write_all("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n\r\nhello"));
  assert.equal(ok(net.http.read_response(client)).status, 101);
  assert.equal(ok(client.read(10)).toString(), "hello");
  client.close();
  server.close();
});

test("a body that ends with the stream, and a coding", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"));
  ok(server.write_all(zlib.gzipSync("[1]")));
  server.close();
  assert.deepEqual(ok(net.http.read_response(client)).body, [1]);
  assert.equal(err(net.http.read_response(client)), "connection closed before response headers");
  client.close();
});

test("limits and errors, which stay", () => {
  for (const [answer, options, text] of [
    [
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",
      { max_body_bytes: 8 },
      "response body too large (more than 8 bytes: 'max_body_bytes' sets the limit)",
    ],
    ["HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\n\r\n", { max_headers: 1 }, "http headers too large"],
    ["HTTP/1.1 200 OK\r\nA: bbbbbbbbbbbbb\r\n\r\n", { max_header_bytes: 20 }, "http headers too large"],
    ["HTTP/1.1 200 OK\nA: b\r\n\r\n", {}, "invalid http response: bare LF"],
    ["HTTP/1.1 100 Continue\r\n\r\n".repeat(40), {}, "too many interim responses"],
    ["HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", {}, "invalid Content-Length header"],
  ] as const) {
    const { client, server } = tcpPair();
    ok(server.write_all(answer));
    assert.equal(err(net.http.read_response(client, options)), text);
    assert.equal(err(net.http.read_response(client)), text);
    client.close();
    server.close();
  }
});

test("limits without options: 64 KiB of header section, 128 fields, 32 interim responses, a body of 64 MiB", () => {
  for (const [answer, text] of [
    [padded(65536), null],
    [padded(65537), "http headers too large"],
    [fields(128), null],
    [fields(129), "http headers too large"],
    [interim(32), null],
    [interim(33), "too many interim responses"],
    [announced(64 * 2 ** 20), "http read failed: timed out"],
    [
      announced(64 * 2 ** 20 + 1),
      "response body too large (more than 67108864 bytes: 'max_body_bytes' sets the limit)",
    ],
  ] as const) {
    const { client, server } = tcpPair();
    ok(server.write_all(answer));
    const result = net.http.read_response(client, { timeout_ms: 50 });
    assert.equal(result.isOk ? null : result.error, text);
    client.close();
    server.close();
  }
});

test("a server of another protocol, which waits for the client, is an error at once", () => {
  for (const [greeting, text] of [
    ["220 mail.test ESMTP\r\n", "invalid http response: malformed start line"],
    ["SSH-2.0-x\r\n", "invalid http response: malformed start line"],
    ["H", "http read failed: timed out"],
    ["\r\n\r", "http read failed: timed out"],
    ["\r\nHTTP", "http read failed: timed out"],
  ] as const) {
    const { client, server } = tcpPair();
    ok(server.write_all(greeting));
    assert.equal(err(net.http.read_response(client, { timeout_ms: 100 })), text, greeting);
    client.close();
    server.close();
  }
});

test("the end of the stream within a response", () => {
  for (const [answer, text] of [
    ["HTTP/1.1 200 OK\r\n", "connection closed before response headers"],
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123", "connection closed before response body complete"],
    [
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n1",
      "connection closed before response body complete",
    ],
  ] as const) {
    const { client, server } = tcpPair();
    ok(server.write_all(answer));
    server.close();
    assert.equal(err(net.http.read_response(client)), text);
    client.close();
  }
});

test("a timeout loses nothing", () => {
  const { client, server } = tcpPair();
  ok(server.write_all("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234"));
  const { took, value } = timed(() => net.http.read_response(client, { timeout_ms: 100 }));
  assert.equal(err(value), "http read failed: timed out");
  assert.ok(took >= 99 && took < 2000, `${took} ms`);
  ok(server.write_all("56789"));
  assert.equal(ok(net.http.read_response(client, { decode_body: "text" })).body, "0123456789");
  client.close();
  server.close();
});

test("in non-blocking mode a response can come in any pieces", () => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n',
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...answers),
      fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 20 }),
      (answer, sizes) => {
        const { client, server } = tcpPair();
        ok(client.set_nonblocking(true));
        let at = 0;
        for (const size of sizes) {
          if (at + size >= answer.length) break;
          ok(server.write_all(answer.slice(at, at + size)));
          at += size;
          assert.equal(net.error_code(err(net.http.read_response(client))), "EAGAIN");
        }
        ok(server.write_all(`${answer.slice(at)}more`));
        assert.deepEqual(ok(net.http.read_response(client)).body, { a: 1 });
        assert.equal(ok(client.read(10)).toString(), "more");
        client.close();
        server.close();
      },
    ),
    { numRuns: 60 },
  );
});

test("a poller does not wake up for half a response: what came of it is kept, and not pushed back", () => {
  for (const [answer, body] of [
    ['HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}', { a: 1 }],
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n[1\r\n1\r\n]\r\n0\r\nT: u\r\n\r\n", [1]],
    ["HTTP/1.1 200 OK\r\n\r\nto the end", "to the end"],
  ] as const) {
    const { client, server } = tcpPair();
    ok(client.set_nonblocking(true));
    const poller = ok(net.Poller.create());
    ok(poller.add(client, { readable: true }));
    const last = answer.length - (body === "to the end" ? 0 : 1);
    for (let at = 0; at < last; at++) {
      ok(server.write_all(answer.slice(at, at + 1)));
      assert.equal(ok(poller.wait(2000)).length, 1);
      assert.equal(net.error_code(err(net.http.read_response(client))), "EAGAIN");
      assert.deepEqual(ok(poller.wait(0)), [], `after ${at + 1} bytes`);
    }
    ok(server.write_all(answer.slice(last)));
    server.close();
    assert.equal(ok(poller.wait(2000)).length, 1);
    assert.deepEqual(ok(net.http.read_response(client)).body, body);
    assert.equal(err(net.http.read_response(client)), "connection closed before response headers");
    poller.close();
    client.close();
  }
});

test("in non-blocking mode a large request is finished by calling again", async () => {
  const { client, server } = tcpPair();
  ok(client.set_nonblocking(true));
  const request = { method: "POST", url: URL, body_text: "x".repeat(8_000_000) };
  assert.equal(net.error_code(err(net.http.write_request(client, request))), "EAGAIN");
  let total = 0;
  for (let rounds = 0; rounds < 100_000; rounds++) {
    total += ok(server.read(1_000_000)).length;
    if (net.http.write_request(client, request).isOk) break;
  }
  while (total < 8_000_000) total += ok(server.read(1_000_000)).length;
  ok(server.write_all("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  ok(client.set_nonblocking(false));
  assert.equal(ok(net.http.read_response(client)).status, 200);
  client.close();
  server.close();
});

test("read_request and write_response at the other end", () => {
  const { client, server } = tcpPair();
  for (let i = 0; i < 50; i++) {
    ok(net.http.write_request(client, { method: "PUT", url: URL, body: { i } }));
    const request = ok(net.http.read_request(server));
    ok(
      net.http.write_response(server, {
        status: 200,
        headers: { Connection: "keep-alive" },
        body: request.body,
      }),
    );
    assert.deepEqual(ok(net.http.read_response(client)).body, { i });
  }
  client.close();
  server.close();
});

test("socket_path: HTTP over a Unix socket", async () => {
  const directory = mkdtempSync(join(tmpdir(), "std-net-test-"));
  const path = join(directory, "http.sock");
  await using server = node(
    `
    import { createServer } from "node:http";
    let connections = 0;
    const server = createServer((request, response) => {
      if (request.url === "/moved") return response.writeHead(302, { location: "http://elsewhere.test/" }).end();
      response.end(JSON.stringify({ url: request.url, host: request.headers.host, connections }));
    });
    server.on("connection", () => connections++).listen(process.argv[1], () => console.log("ready"));
  `,
    path,
  );
  await server.line();
  const get = (url: string, more: object = {}) =>
    net.http.request({ method: "GET", url, socket_path: path, ...more });
  assert.deepEqual(ok(get("http://docker/info?x")).body, { url: "/info?x", host: "docker", connections: 1 });
  assert.deepEqual(ok(get("http://docker/")).body, { url: "/", host: "docker", connections: 1 });
  // The environment's proxy is for what goes over the network.
  await using child = node(
    `process.env.NODE_USE_ENV_PROXY = "1";
    process.env.HTTP_PROXY = "http://127.0.0.1:1";
    const answer = net.http.request({ method: "HEAD", url: "http://docker/", socket_path: process.argv[1] });
    console.log(answer.isOk ? answer.value.status : answer.error);`,
    path,
  );
  assert.equal(await child.line(), "200");
  await child.exit();
  assert.deepEqual(ok(get("http://docker/moved")).body, { url: "/", host: "elsewhere.test", connections: 3 });
  assert.equal(
    err(get("http://docker/", { socket_path: join(directory, "none") })),
    `http request failed: ${reason("ENOENT")}`,
  );
  assert.match(err(get("http://docker/", { socket_path: "x".repeat(200) })), /^http request failed: /);
  assert.match(err(get("http://docker/", { socket_path: "" })), /^http request failed: /);
  assert.equal(err(get("http://docker/", { socket_path: 1 })), "'socket_path' must be a string");
  assert.equal(
    err(get("http://docker/", { proxy: "http://127.0.0.1:1" })),
    "'socket_path' and 'proxy' cannot be given together",
  );
  rmSync(directory, { recursive: true });
});
