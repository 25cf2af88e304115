// http.request undoes content codings.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as zlib from "node:zlib";
import * as net from "std-net";
import { framesOf } from "../../src/http/wire/zstd.ts";
import { get } from "../support/http-requests.ts";
import { err, ok } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";

let raw: RawServer;

before(async () => {
  raw = await rawServer();
});

after(() => raw[Symbol.asyncDispose]());

const text = JSON.stringify({ text: "é".repeat(5000) });
const zstd = (zlib as unknown as { zstdCompressSync?: (data: string) => Buffer }).zstdCompressSync;

function coded(coding: string, body: Buffer, more: object = {}) {
  const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return get(raw.url(head + body.toString("latin1")), more);
}

for (const [coding, body] of [
  ["gzip", zlib.gzipSync(text)],
  ["x-gzip", zlib.gzipSync(text)],
  ["GZip", zlib.gzipSync(text)],
  ["gzip", Buffer.concat([zlib.gzipSync(text.slice(0, 99)), zlib.gzipSync(text.slice(99))])],
  ["deflate", zlib.deflateSync(text)],
  ["deflate", zlib.deflateRawSync(text)],
  ["br", zlib.brotliCompressSync(text)],
  ["gzip, br", zlib.brotliCompressSync(zlib.gzipSync(text))],
  ["deflate,identity, gzip", zlib.gzipSync(zlib.deflateSync(text))],
] as [string, Buffer][]) {
  test(`a coding is undone: ${coding}`, () => {
    const answer = ok(coded(coding, body, { raw_headers: true }));
    assert.deepEqual(answer.body, JSON.parse(text));
    assert.equal(answer.headers["content-encoding"], undefined);
    assert.equal(answer.headers["content-length"], undefined);
    assert.deepEqual(answer.raw_headers?.[0], ["Content-Encoding", coding]);
  });
}

test("identity is no coding: nothing is undone, and the fields that tell of the body stay", () => {
  for (const coding of ["identity", "Identity , identity", ""]) {
    const body = Buffer.from(text);
    const answer = ok(coded(coding, body));
    assert.deepEqual(answer.body, JSON.parse(text));
    assert.equal(answer.headers["content-encoding"], coding);
    assert.equal(answer.headers["content-length"], String(body.length));
    // Nor is there room for more bytes than come out.
    assert.match(
      err(coded(coding, body, { max_body_bytes: body.length - 1 })),
      /response body too large \(more than \d+ bytes: 'max_body_bytes' sets the limit\)$/,
    );
    assert.equal(ok(coded(coding, body, { max_body_bytes: body.length })).status, 200);
  }
});

test("a part of coded data is not decoded, whatever its coding", () => {
  const gzip = zlib.gzipSync(text);
  const partial = (coding: string, body: Buffer, more: object) => {
    const lines = `Content-Encoding: ${coding}\r\nContent-Range: bytes 0-${body.length - 1}/9999\r\n`;
    const head = `HTTP/1.1 206 Partial Content\r\n${lines}Content-Length: ${body.length}\r\n\r\n`;
    return get(raw.url(head + body.toString("latin1")), more);
  };
  for (const coding of ["gzip", "br", "compress", "a, b, c, d, e, f"]) {
    const answer = ok(partial(coding, gzip.subarray(0, 20), { decode_body: "base64" }));
    assert.equal(answer.status, 206);
    assert.equal(answer.body, gzip.subarray(0, 20).toString("base64"));
    assert.equal(answer.headers["content-encoding"], coding);
    assert.equal(answer.headers["content-length"], "20");
  }
  const multipart = Buffer.from("--x\r\nContent-Range: bytes 0-1/4\r\n\r\nab\r\n--x--\r\n");
  assert.equal(ok(partial("gzip", multipart, {})).body, multipart.toString());
  assert.match(
    err(partial("gzip", gzip.subarray(0, 20), {})),
    /is not utf-8 \(decode_body "bytes" or "base64" gives/,
  );
  assert.match(
    err(partial("gzip", gzip.subarray(0, 20), { max_body_bytes: 19 })),
    /response body too large \(more than \d+ bytes: 'max_body_bytes' sets the limit\)$/,
  );
  // Every other status has the whole of it.
  const refusal = `HTTP/1.1 416 x\r\nContent-Encoding: gzip\r\nContent-Length: ${gzip.length}\r\n\r\n`;
  assert.deepEqual(ok(get(raw.url(refusal + gzip.toString("latin1")))).body, JSON.parse(text));
});

test("a coding is undone: zstd", { skip: zstd === undefined && "this node:zlib knows no zstd" }, () => {
  assert.deepEqual(ok(coded("zstd", zstd!(text))).body, JSON.parse(text));
  const body = zstd!(text + Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 1000).join());
  for (const length of [body.length - 1, body.length >> 1, 5, 1]) {
    assert.match(err(coded("zstd", body.subarray(0, length))), /does not decode as zstd$/);
  }
  assert.match(err(coded("zstd", Buffer.concat([body, Buffer.from("more")]))), /does not decode|goes on/);
  assert.ok(String(ok(coded("zstd", body)).body).length > 1_000_000);
});

/** Zstd data of one block that is not compressed. */
function zstdFrame(content: string): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, content.length, 0, 0, 0]);
  head.writeUIntLE((content.length << 3) | 1, 6, 3);
  return Buffer.concat([head, Buffer.from(content)]);
}
const zstdSkippable = Buffer.from("5a2a4d1803000000abcdef", "hex");

test("zstd data is any number of frames, skippable ones among them", () => {
  const [one, two] = [zstdFrame('{"a":'), zstdFrame("1}")];
  const whole = Buffer.concat([zstdSkippable, one, zstdSkippable, two]);
  assert.deepEqual(framesOf(one), { frames: [one], end: one.length });
  assert.deepEqual(framesOf(whole), { frames: [one, two], end: whole.length });
  const end = whole.length - two.length;
  assert.deepEqual(framesOf(whole.subarray(0, end)), { frames: [one], end });
  for (let length = end + 4; length < whole.length; length++) {
    assert.equal(framesOf(whole.subarray(0, length)), undefined);
  }
  assert.deepEqual(framesOf(Buffer.concat([one, Buffer.from("more")])), { frames: [one], end: one.length });
  assert.equal(framesOf(zstdSkippable.subarray(0, 5)), undefined);
  assert.deepEqual(framesOf(Buffer.alloc(0)), { frames: [], end: 0 });
  if (zstd === undefined) return; // this node:zlib knows no zstd
  assert.deepEqual(ok(coded("zstd", whole)).body, { a: 1 });
  assert.equal(ok(coded("zstd", whole, { max_body_bytes: 7, decode_body: "text" })).body, '{"a":1}');
  for (const most of [1, 5, 6]) {
    assert.match(
      err(coded("zstd", whole, { max_body_bytes: most })),
      /response body too large \(more than \d+ bytes: 'max_body_bytes' sets the limit\)$/,
    );
  }
  assert.match(err(coded("zstd", whole.subarray(0, -1))), /does not decode as zstd$/);
  assert.match(
    err(coded("zstd", Buffer.concat([whole, Buffer.from("more")]))),
    /goes on after its zstd data$/,
  );
});

test("chunks and a coding", () => {
  const body = zlib.gzipSync(text).toString("latin1");
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n";
  const answer = ok(get(raw.url(`${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)));
  assert.deepEqual(answer.body, JSON.parse(text));
});

test("codings that are unknown, and data that does not decode", () => {
  const gzip = zlib.gzipSync(text);
  const failure = (coding: string, body: Buffer) =>
    err(coded(coding, body)).replace("http request failed: ", "");
  assert.equal(failure("compress", gzip), "unknown content coding 'compress'");
  assert.equal(failure("constructor", gzip), "unknown content coding 'constructor'");
  assert.equal(failure("gzip, gzip, gzip, gzip, gzip", gzip), "too many content codings");
  assert.equal(failure("gzip", Buffer.from("nonsense")), "response body does not decode as gzip");
  for (const [coding, body] of [
    ["gzip", gzip],
    ["deflate", zlib.deflateSync(text)],
    ["deflate", zlib.deflateRawSync(text)],
    ["br", zlib.brotliCompressSync(text)],
  ] as const) {
    assert.equal(failure(coding, body.subarray(0, -1)), `response body does not decode as ${coding}`);
    assert.match(
      failure(coding, Buffer.concat([body, Buffer.from("more")])),
      /^response body (does not decode|goes on)/,
    );
  }
});

test("zero bytes behind gzip and deflate data are padding, and nothing else is", () => {
  // Sizes about those of node:zlib's own buffer: data that ends where one is full.
  for (const size of [0, 1, 5000, 16_383, 16_384, 16_385, 32_768, 100_000]) {
    const plain = "x".repeat(size);
    for (const [coding, body] of [
      ["gzip", zlib.gzipSync(plain)],
      ["x-gzip", zlib.gzipSync(plain)],
      ["gzip", Buffer.concat([zlib.gzipSync(plain.slice(1)), zlib.gzipSync(plain.slice(0, 1))])],
      ["deflate", zlib.deflateSync(plain)],
      ["deflate", zlib.deflateRawSync(plain)],
    ] as [string, Buffer][]) {
      const padded = (...more: Uint8Array[]) =>
        coded(coding, Buffer.concat([body, ...more]), { decode_body: "text" });
      for (const zeros of [1, 2, 10, 1000]) {
        assert.equal(ok(padded(Buffer.alloc(zeros))).body, plain, `${coding} ${size} ${zeros}`);
      }
      for (const more of [
        Buffer.of(0, 1),
        Buffer.of(1, 0),
        Buffer.from("more"),
        Buffer.concat([Buffer.alloc(9), body]),
      ]) {
        assert.match(err(padded(more)), /^http request failed: response body (does not decode|goes on)/);
      }
    }
  }
  const body = Buffer.concat([zlib.gzipSync(text), Buffer.alloc(3)]);
  const twice = Buffer.concat([zlib.deflateSync(body), Buffer.alloc(3)]);
  assert.deepEqual(ok(coded("gzip, deflate", twice)).body, JSON.parse(text));
  assert.match(err(coded("gzip", Buffer.alloc(10))), /does not decode as gzip$/);
  // Padding counts as what comes, and the data as what comes out.
  const most = { max_body_bytes: 1000 };
  const bomb = Buffer.concat([zlib.gzipSync("x".repeat(1001)), Buffer.alloc(9)]);
  assert.match(
    err(coded("gzip", bomb, most)),
    /response body too large \(more than \d+ bytes: 'max_body_bytes' sets the limit\)$/,
  );
  const endless = Buffer.concat([zlib.gzipSync("x"), Buffer.alloc(3000)]);
  assert.match(
    err(coded("gzip", endless, most)),
    /response body too large \(more than \d+ bytes: 'max_body_bytes' sets the limit\)$/,
  );
  const brotli = Buffer.concat([zlib.brotliCompressSync(text), Buffer.alloc(3)]);
  assert.match(err(coded("br", brotli)), /does not decode|goes on after its br data$/);
});

test("no body, no coding: HEAD and an empty response", () => {
  const url = raw.url("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 50\r\n\r\n");
  const answer = ok(net.http.request({ method: "HEAD", url }));
  assert.equal(answer.headers["content-encoding"], "gzip");
  assert.equal(answer.headers["content-length"], "50");
  assert.equal(ok(coded("gzip", Buffer.alloc(0))).body, null);
});

test("a bomb is an error, not a full memory", () => {
  const bomb = zlib.gzipSync(Buffer.alloc(200_000_000));
  const before = process.memoryUsage().rss;
  assert.equal(
    err(coded("gzip", bomb, { max_body_bytes: 1_000_000 })),
    "http request failed: response body too large (more than 1000000 bytes: 'max_body_bytes' sets the limit)",
  );
  assert.equal(
    err(coded("br, gzip", zlib.gzipSync(bomb), { max_body_bytes: 1_000_000 })).includes(
      "http request failed: ",
    ),
    true,
  );
  assert.ok(process.memoryUsage().rss - before < 100_000_000);
});

test("max_body_bytes counts what comes out, to the byte", () => {
  const body = zlib.gzipSync("x".repeat(1000));
  assert.equal(ok(coded("gzip", body, { max_body_bytes: 1000 })).body, "x".repeat(1000));
  assert.match(
    err(coded("gzip", body, { max_body_bytes: 999 })),
    /response body too large \(more than \d+ bytes: 'max_body_bytes' sets the limit\)$/,
  );
  // Data that does not compress is a little longer on the way.
  const noise = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 7919) % 251));
  const answer = ok(
    coded("gzip", zlib.gzipSync(noise, { level: 0 }), { max_body_bytes: 1000, decode_body: "base64" }),
  );
  assert.equal(answer.body, noise.toString("base64"));
});

test("a coding that the caller accepted by its own header is undone as well", () => {
  const answer = ok(coded("gzip", zlib.gzipSync("1"), { headers: { "Accept-Encoding": "gzip" } }));
  assert.equal(answer.body, 1);
});
