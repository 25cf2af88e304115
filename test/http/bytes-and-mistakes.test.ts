// Bodies as bytes, and the mistakes of those who come from another library: each is an error that names what they want.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { http } from "std-net";
import { err, node, ok, type Peer } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";
import { streamPair } from "../support/sockets.ts";

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, index) => index));

let echo: Peer;
let url: string;
let raw: RawServer;

before(async () => {
  raw = await rawServer();
  echo = node(`
    import { createServer } from "node:http";
    const server = createServer((request, response) => {
      const parts = [];
      request.on("data", (part) => parts.push(part)).on("end", () => {
        response.setHeader("content-type", "application/octet-stream");
        response.setHeader("x-type", request.headers["content-type"] ?? "none");
        response.setHeader("x-url", request.url);
        response.end(Buffer.concat(parts));
      });
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  url = `http://127.0.0.1:${await echo.line()}/`;
});

after(async () => {
  await echo[Symbol.asyncDispose]();
  await raw[Symbol.asyncDispose]();
});

const post = (more: object) => http.request({ method: "POST", url, decode_body: "bytes", ...more });

/** A Uint8Array whose own idea of its length is wrong. */
class Liar extends Uint8Array {
  override get length(): number {
    return 2 ** 31;
  }
}

describe("bytes", () => {
  test("go out as they are, of any size, and come back as a Buffer", () => {
    const view = EVERY_BYTE.subarray(10, 20);
    for (const bytes of [
      EVERY_BYTE,
      view,
      new Uint8Array(view),
      Buffer.alloc(0),
      Buffer.alloc(3_000_000, 0xfe),
    ]) {
      const { headers, body } = ok(post({ body_bytes: bytes }));
      const echoed: Buffer = body as unknown as Buffer;
      assert.ok(Buffer.isBuffer(echoed));
      assert.equal(echoed.compare(bytes), 0);
      assert.equal(headers["x-type"], "application/octet-stream");
    }
    const { headers } = ok(post({ body_bytes: view, headers: { "Content-Type": "image/png" } }));
    assert.equal(headers["x-type"], "image/png");
    const lied = ok(post({ body_bytes: new Liar([1, 2, 3]) })).body as unknown as Buffer;
    assert.deepEqual([...lied], [1, 2, 3]);
  });

  test("go out and come back on a stream and in http.open too", () => {
    const [client, server] = streamPair();
    ok(http.write_request(client, { method: "PUT", url: "http://example/", body_bytes: EVERY_BYTE }));
    const request = ok(http.read_request(server, { decode_body: "bytes" }));
    const received: Buffer = request.body;
    assert.deepEqual(received, EVERY_BYTE);
    ok(http.write_response(server, { status: 200, body_bytes: received }));
    const response = ok(http.read_response(client, { decode_body: "bytes" }));
    const answered: Buffer = response.body;
    assert.deepEqual(answered, EVERY_BYTE);
    const { body } = ok(http.open({ method: "POST", url, body_bytes: EVERY_BYTE }));
    assert.deepEqual(ok(body.read_to_end()), EVERY_BYTE);
    const typed: Buffer = ok(http.request({ method: "GET", url, decode_body: "bytes" })).body;
    assert.equal(typed.length, 0);
  });

  test("are the caller's own: no later message changes them", () => {
    const first = ok(post({ body_bytes: Buffer.alloc(1000, 1) })).body as unknown as Buffer;
    const second = ok(post({ body_bytes: Buffer.alloc(1000, 2) })).body as unknown as Buffer;
    assert.ok(first.every((byte) => byte === 1) && second.every((byte) => byte === 2));
    const [client, server] = streamPair();
    const bodies = [3, 4].map((byte) => {
      ok(
        http.write_request(client, { method: "PUT", url: "http://a/", body_bytes: Buffer.alloc(500, byte) }),
      );
      return ok(http.read_request(server, { decode_body: "bytes" })).body;
    });
    assert.deepEqual(bodies, [Buffer.alloc(500, 3), Buffer.alloc(500, 4)]);
  });

  test("come with their content coding undone, and are neither JSON nor text", () => {
    const zipped = gzipSync(EVERY_BYTE).toString("latin1");
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${zipped.length}\r\n\r\n`;
    const unzipped = ok(http.request({ method: "GET", url: raw.url(head + zipped), decode_body: "bytes" }));
    assert.deepEqual(unzipped.body, EVERY_BYTE);
    const json = ok(post({ body: { a: 1 } })).body as unknown as Buffer;
    assert.equal(json.toString(), '{"a":1}');
    const marked = ok(post({ body_text: "\ufeffx" })).body as unknown as Buffer;
    assert.equal(
      createHash("sha1").update(marked).digest("hex"),
      createHash("sha1").update("\ufeffx").digest("hex"),
    );
  });
});

describe("a body that JSON would lose", () => {
  const form = new FormData();
  form.set("a", "b");
  const cases: [unknown, RegExp][] = [
    [Buffer.from("x"), /which has no Buffer: use 'body_bytes'$/],
    [new Uint8Array(2), /which has no Uint8Array: use 'body_bytes'$/],
    [new Float32Array(2), /which has no Float32Array: use 'body_bytes'$/],
    [new DataView(new ArrayBuffer(2)), /which has no DataView: use 'body_bytes'$/],
    [new ArrayBuffer(2), /which has no ArrayBuffer: use 'body_bytes'$/],
    [new Map([["a", 1]]), /which has no Map: use 'body' with Object\.fromEntries\(map\)$/],
    [new Set([1]), /which has no Set: use 'body' with \[\.\.\.set\]$/],
    [new Blob(["x"]), /which has no Blob: use 'body_bytes' with /],
    [form, /which has no FormData: use 'body_bytes' with /],
    [new URLSearchParams("a=b"), /which has no URLSearchParams: use 'body_text' with /],
    [Promise.resolve(1), /which has no Promise: /],
    [{ file: Buffer.from("x") }, /^cannot serialize a Buffer to JSON$/],
    [[new Map()], /^cannot serialize a Map to JSON$/],
  ];

  test("is an error that names the right field, in requests and responses", () => {
    const [client, server] = streamPair();
    for (const [body, text] of cases) {
      assert.match(err(post({ body })), text);
      assert.match(err(http.open({ method: "POST", url, body: body as never })), text);
      assert.match(err(http.write_request(client, { method: "POST", url, body: body as never })), text);
      assert.match(err(http.write_response(server, { status: 200, body: body as never })), text);
    }
    server.set_nonblocking(true);
    assert.match(err(server.read(1)), /os error/); // nothing was sent
  });
});

describe("a name from another library", () => {
  const theirs: { readonly [name: string]: RegExp } = {
    timeout: /^unknown field 'timeout': use 'timeout_ms', in milliseconds$/,
    json: /: use 'body'$/,
    data: /: use 'body' for JSON, 'body_text' for text or 'body_bytes' for bytes$/,
    form: /: use 'body_text' with /,
    files: /: use 'body_bytes' with /,
    params: /: put the query into 'url'$/,
    query: /: put the query into 'url'$/,
    searchParams: /: put the query into 'url'$/,
    auth: /'headers': \{ authorization: \.\.\. \}/,
    followRedirect: /'max_redirects'/,
    follow_redirects: /'max_redirects'/,
    allow_redirects: /'max_redirects'/,
    maxRedirects: /'max_redirects'/,
    maxRedirections: /'max_redirects'/,
    redirect: /'max_redirects'/,
    rejectUnauthorized: /'tls': \{ insecure: true \}/,
    verify: /'tls': \{ insecure: true \}/,
    ca: /'tls'/,
    agent: /'keep_alive', 'proxy' and 'tls'/,
    httpsAgent: /'keep_alive', 'proxy' and 'tls'/,
    dispatcher: /'keep_alive', 'proxy' and 'tls'/,
    proxies: /'proxy'/,
    signal: /'timeout_ms'/,
    responseType: /'decode_body'/,
    maxContentLength: /'max_body_bytes'/,
    socketPath: /'socket_path'/,
    cookies: /'headers': \{ cookie: \.\.\. \}/,
    bodyText: /'body_text'/,
    keepAlive: /'keep_alive'/,
  };

  test("is an error that names ours", () => {
    const [client] = streamPair();
    for (const [name, text] of Object.entries(theirs)) {
      const request = { method: "GET", url, [name]: 1 };
      for (const result of [http.request(request), http.open(request), http.write_request(client, request)]) {
        assert.match(err(result as never), text, name);
      }
      assert.equal(ok(http.request({ ...request, [name]: undefined })).status, 200, name);
    }
  });

  test("is one in a response and in options as well", () => {
    const [client, server] = streamPair();
    for (const [name, text] of [
      ["statusCode", /^unknown field 'statusCode': use 'status'$/],
      ["json", /: use 'body'$/],
      ["data", /: use 'body' for JSON/],
      ["contentType", /'content-type'/],
    ] as const) {
      assert.match(err(http.write_response(server, { status: 200, [name]: 1 } as never)), text);
      assert.match(err(http.start_response(server, { status: 200, [name]: 1 } as never) as never), text);
    }
    for (const read of [http.read_request, http.open_request, http.read_response, http.open_response]) {
      const result = (read as (stream: typeof client, options: object) => unknown)(client, { timeout: 5 });
      assert.equal(err(result as never), "unknown option 'timeout': use 'timeout_ms', in milliseconds");
    }
  });

  test("that nobody has is ignored, so that data with more fields passes", () => {
    const more = { id: 7, note: "x", name: null, tags: [], toString: 1, __proto__: { timeout: undefined } };
    assert.equal(ok(post({ ...more, body: 1 })).status, 200);
    const [client, server] = streamPair();
    ok(http.write_request(client, { method: "GET", url, ...more } as never));
    ok(http.read_request(server, { ...more } as never));
    ok(http.write_response(server, { status: 200, ...more } as never));
    ok(http.read_response(client));
  });
});

test("url may be a URL", () => {
  const target = new URL("a b?q=é#part", url);
  assert.equal(ok(http.request({ method: "GET", url: target })).headers["x-url"], "/a%20b?q=%C3%A9");
  const opened = ok(http.open({ method: "GET", url: target }));
  assert.equal(opened.headers["x-url"], "/a%20b?q=%C3%A9");
  opened.body.close();
  const [client, server] = streamPair();
  ok(http.write_request(client, { method: "GET", url: target }));
  assert.equal(ok(http.read_request(server)).path, "/a%20b");
  const file = http.request({ method: "GET", url: new URL("file:///x") });
  assert.equal(err(file), "'url' is not a valid http or https URL");
});

test("a URL in place of the request says what a request looks like", () => {
  const text = 'request must be a JSON object, such as { method: "GET", url: "..." }';
  const [client] = streamPair();
  for (const given of [url, "", "GET", new URL(url)]) {
    assert.equal(err(http.request(given as never)), text);
    assert.equal(err(http.open(given as never) as never), text);
    assert.equal(err(http.write_request(client, given as never)), text);
  }
  assert.equal(err(http.request(null as never)), "request must be a JSON object");
});
