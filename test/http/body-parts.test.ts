// Bodies that go out part by part: body_parts and body_length.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as net from "std-net";
import { err, node, ok, openDescriptors, type Peer } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";
import { streamPair } from "../support/sockets.ts";
import { isWindows } from "../support/system-errors.ts";

let raw: RawServer;
let echo: Peer;
let url: string;
before(async () => {
  raw = await rawServer();
  echo = node(`
    import { createServer } from "node:http";
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("latin1").on("data", (part) => { body += part; }).on("end", () => {
        const { method, headers } = request;
        response.end(JSON.stringify({ method, headers, body: body.length > 1000 ? body.length : body }));
      });
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  url = `http://127.0.0.1:${await echo.line()}/`;
});
after(async () => {
  await raw[Symbol.asyncDispose]();
  await echo[Symbol.asyncDispose]();
});

interface Understood {
  method: string;
  headers: { [name: string]: string | undefined };
  body: string | number;
}
const { http } = net;
const sent = (more: Partial<net.http.ClientRequest>): Understood =>
  ok(http.request<Understood>({ method: "PUT", url, ...more })).body as Understood;

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

describe("body_parts", () => {
  test("goes out in chunks, or with a length that is given", () => {
    const parts = ["one ", Buffer.from("two "), [116, 104], "", new Uint8Array(0), "ree é"];
    const chunks = sent({ body_parts: parts });
    assert.equal(chunks.body, Buffer.from("one two three é").toString("latin1"));
    assert.equal(chunks.headers["transfer-encoding"], "chunked");
    assert.equal(chunks.headers["content-type"], "application/octet-stream");
    const known = sent({
      body_parts: ["12", "345"],
      body_length: 5,
      headers: { "content-type": "text/plain" },
    });
    assert.deepEqual([known.body, known.headers["content-length"]], ["12345", "5"]);
    assert.equal(known.headers["transfer-encoding"], undefined);
    assert.equal(known.headers["content-type"], "text/plain");
    assert.equal(sent({ body_parts: [] }).body, "");
    assert.equal(sent({ body_parts: [], body_length: 0 }).headers["content-length"], "0");
  });

  test("is walked through once, in constant memory, and may be a generator that makes requests", () => {
    let walks = 0;
    function* parts(): Generator<net.Bytes> {
      walks++;
      yield ok(http.request({ method: "GET", url, decode_body: "text" })).body as string;
      const part = Buffer.alloc(1 << 20, "x");
      for (let i = 0; i < 64; i++) yield part;
    }
    const upload = (): void => {
      const { body } = ok(http.open({ method: "POST", url, body_parts: parts() }));
      assert.ok(JSON.parse(ok(body.read_to_end()).toString()).body > 64 << 20);
    };
    upload();
    assert.equal(walks, 1);
    const before = process.memoryUsage().arrayBuffers;
    upload();
    const more = process.memoryUsage().arrayBuffers - before;
    assert.ok(more < 16 << 20, `${more >> 20} MiB more`);
  });

  test("of another length is an error, and the connection ends", () => {
    sent({ body_parts: ["x"], keep_alive: false });
    const before = openDescriptors();
    const put = (body_parts: Iterable<net.Bytes>, body_length?: number): string =>
      err(
        http.request({
          method: "PUT",
          url,
          keep_alive: false,
          body_parts,
          ...(body_length && { body_length }),
        }),
      );
    assert.equal(put(["12"], 3), "http request failed: body_parts have 2 of 3 bytes");
    assert.equal(put(["12", "34"], 3), "http request failed: body_parts have more than 3 bytes");
    assert.equal(put([1 as never]), "http request failed: body_parts: expected list of ints");
    let ended = false;
    function* failing(): Generator<net.Bytes> {
      try {
        yield "x";
        throw new Error("disk full");
      } finally {
        ended = true;
      }
    }
    assert.equal(put(failing()), "http request failed: body_parts threw: disk full");
    assert.ok(ended);
    assert.equal(openDescriptors(), before);
  });

  test("is checked before anything is sent", () => {
    for (const [more, text] of [
      [{ body_parts: "text" }, "'body_parts' must be an iterable of bytes"],
      [{ body_parts: Buffer.from("x") }, "'body_parts' must be an iterable of bytes"],
      [{ body_parts: 7 }, "'body_parts' must be an iterable of bytes"],
      [{ body_parts: null }, "'body_parts' must be an iterable of bytes"],
      [{ body_length: 7 }, "'body_length' goes with 'body_parts'"],
      [{ body_parts: [], body_length: -1 }, "'body_length' must be a non-negative integer"],
      [{ body_parts: [], body_length: 1.5 }, "'body_length' must be a non-negative integer"],
      [{ body_parts: [], body: 1 }, "'body_parts' cannot be given together with another body"],
    ] as const) {
      assert.equal(err(http.request({ method: "PUT", url, ...(more as object) })), text);
    }
  });

  test("a redirect drops it, or needs it again", () => {
    const target = raw.url(OK);
    const redirect = (status: number): net.Result<net.http.ClientResponse, string> => {
      const from = raw.url(`HTTP/1.1 ${status} x\r\nLocation: ${target}\r\nContent-Length: 0\r\n\r\n`);
      return http.request({ method: "POST", url: from, body_parts: ["hello"], body_length: 5 });
    };
    for (const status of [301, 302, 303]) assert.equal(ok(redirect(status)).body, "ok");
    for (const status of [307, 308]) {
      assert.equal(err(redirect(status)), "http request failed: redirect needs the body again");
    }
  });

  test("is not sent again once it has begun", () => {
    const which = "HTTP/1.1 200 OK\r\nX: {connection}\r\nContent-Length: 1\r\n\r\nx";
    // Hosts that no other test uses, so that the idle connection is the one of the first request.
    const at = (later: "<reset>" | "<end>") =>
      raw
        .url({ first: [which], later: [later] })
        .replace("127.0.0.1", later === "<end>" ? "localhost" : "127.0.0.2");
    for (const later of ["<reset>", "<end>"] as const) {
      let walks = 0;
      function* parts(): Generator<net.Bytes> {
        walks++;
        yield "one";
        yield "two";
      }
      const first = ok(http.request({ method: "GET", url: at(later) }));
      const failure = err(
        http.request({ method: "PUT", url: at(later), body_parts: parts(), body_length: 6 }),
      );
      assert.match(
        failure,
        /^http request failed: (connection closed before response headers|.*\(os error \d+\))$/,
      );
      assert.equal(walks, 1);
      const again = ok(http.request({ method: "GET", url: at(later) }));
      assert.notEqual(again.headers["x"], first.headers["x"]);
    }
  });

  test("an early response ends the sending", () => {
    const early = raw.url(
      "<early>",
      "HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\n\r\nlong",
      "<deaf>",
    );
    let parts = 0;
    let ended = false;
    function* endless(): Generator<net.Bytes> {
      try {
        for (;;) {
          parts++;
          yield Buffer.alloc(64 * 1024);
        }
      } finally {
        ended = true;
      }
    }
    const { status, body } = ok(http.request({ method: "PUT", url: early, body_parts: endless() }));
    assert.deepEqual([status, body, ended], [413, "long", true]);
    assert.ok(parts < 1000);
    assert.equal(ok(http.request({ method: "GET", url: raw.url(OK) })).body, "ok");
  });

  test("ends at timeout_ms when the server reads nothing", () => {
    const deaf = raw.url("<early>", "<deaf>", 600_000);
    function* endless(): Generator<net.Bytes> {
      for (;;) yield Buffer.alloc(1 << 20);
    }
    const late = http.request({ method: "PUT", url: deaf, body_parts: endless(), timeout_ms: 300 });
    assert.equal(err(late), "http request failed: timed out");
  });

  test("goes through write_request, also in non-blocking mode", () => {
    const [client, server] = streamPair();
    ok(client.set_nonblocking(true));
    ok(server.set_nonblocking(true));
    const parts = ["a", "b", "c"].map((letter) => Buffer.alloc(1 << 20, letter));
    const request = { method: "PUT", url: "http://example/", body_parts: parts };
    let received: net.http.ServerRequest | null = null;
    for (let isSent = false; received === null; ) {
      if (!isSent) {
        const result = http.write_request(client, request);
        isSent = result.isOk;
        if (result.isErr) {
          assert.equal(net.error_code(result.error), "EAGAIN");
          const text = "http write failed: the request before is not sent to its end";
          assert.equal(err(http.write_request(client, { ...request })), text);
        }
      }
      const read = http.read_request(server, { decode_body: "text", max_body_bytes: 1 << 24 });
      if (read.isOk) received = read.value;
      else assert.equal(net.error_code(read.error), "EAGAIN");
    }
    assert.ok(received.body === parts.join(""), "the body is whole");
    const [failing, other] = streamPair();
    const text = "http write failed: body_parts have 2 of 3 bytes";
    assert.equal(
      err(
        http.write_request(failing, {
          method: "PUT",
          url: "http://example/",
          body_parts: ["12"],
          body_length: 3,
        }),
      ),
      text,
    );
    assert.equal(err(failing.write("x")), `invalid ${isWindows ? "tcp" : "unix"} stream`);
    assert.equal(err(http.read_request(other)), "connection closed before request body complete");
  });
});
