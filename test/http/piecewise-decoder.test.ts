import assert from "node:assert/strict";
import { describe, test } from "node:test";
import zlib from "node:zlib";
import { Failure } from "../../src/error.ts";
import { decodeContent } from "../../src/http/wire/content-coding.ts";
import { PiecewiseDecoder, piecewiseCodings } from "../../src/http/wire/piecewise-decoder.ts";
import fc from "../support/properties.ts";

const MOST = 1 << 30;
const zstdCompress = (zlib as { zstdCompressSync?: (bytes: Buffer) => Buffer }).zstdCompressSync;

const ENCODERS: { readonly [coding: string]: (bytes: Buffer) => Buffer } = {
  gzip: (bytes) => zlib.gzipSync(bytes),
  "x-gzip": (bytes) => zlib.gzipSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  "deflate (raw)": (bytes) => zlib.deflateRawSync(bytes),
  br: (bytes) => zlib.brotliCompressSync(bytes),
  ...(zstdCompress === undefined ? {} : { zstd: zstdCompress }),
};
const codingOf = (name: string): string => name.replace(" (raw)", "");

/** What comes out of pieces, decoded into memory of `room` bytes at a time; or the reason of a failure. */
function decoded(
  codings: readonly string[],
  pieces: readonly Uint8Array[],
  room = 64 * 1024,
): Buffer | string {
  const decoder = PiecewiseDecoder.create(codings);
  if (decoder instanceof Failure) return decoder.reason;
  const parts: Buffer[] = [];
  const output = Buffer.alloc(room);
  try {
    for (const piece of pieces) {
      decoder.feed(piece, 0, piece.length);
      while (decoder.isReady) {
        const made = decoder.decode(output, room);
        if (made instanceof Failure) return made.reason;
        parts.push(Buffer.from(output.subarray(0, made)));
      }
    }
    return decoder.finish()?.reason ?? Buffer.concat(parts);
  } finally {
    decoder.close();
  }
}

function whole(codings: readonly string[], bytes: Buffer): Buffer | string {
  const result = decodeContent(bytes, codings, MOST);
  return result instanceof Failure ? result.reason : result;
}

const halves = (bytes: Buffer, at: number): Buffer[] => [bytes.subarray(0, at), bytes.subarray(at)];
const singly = (bytes: Buffer): Buffer[] => Array.from(bytes, (byte) => Buffer.from([byte]));

const TEXT = Buffer.from("What passes through here is the same whatever the pieces. ".repeat(6));

describe("codings undone piece by piece", () => {
  test("are those that node:zlib has", () => {
    const expected = ["gzip", "deflate", "br", ...(zstdCompress === undefined ? [] : ["zstd"])];
    assert.deepEqual(piecewiseCodings(), expected);
  });

  for (const [name, encode] of Object.entries(ENCODERS)) {
    const codings = [codingOf(name)];

    test(`${name}: at every split, and with any room`, () => {
      const bytes = encode(TEXT);
      for (let at = 0; at <= bytes.length; at++) assert.deepEqual(decoded(codings, halves(bytes, at)), TEXT);
      for (const room of [1, 2, 3, 7, TEXT.length - 1, TEXT.length, TEXT.length + 1]) {
        assert.deepEqual(decoded(codings, [bytes], room), TEXT);
        assert.deepEqual(decoded(codings, singly(bytes), room), TEXT);
      }
    });

    test(`${name}: data of nothing, and no data`, () => {
      assert.deepEqual(decoded(codings, [encode(Buffer.alloc(0))]), Buffer.alloc(0));
      assert.deepEqual(decoded(codings, []), Buffer.alloc(0));
    });

    test(`${name}: an error when it is cut short anywhere`, () => {
      const bytes = encode(TEXT);
      for (let length = 1; length < bytes.length; length++) {
        const cut = bytes.subarray(0, length);
        assert.equal(decoded(codings, [cut]), `response body does not decode as ${codings[0]}`);
        assert.equal(decoded(codings, singly(cut)), `response body does not decode as ${codings[0]}`);
      }
    });

    test(`${name}: what follows is as for a body that is there as a whole`, () => {
      const bytes = encode(TEXT);
      const ends = ["x", "xyz", "\0", "\0\0\0", "\0\0x", "\x1f", "\x1f\x8b", "\x28\xb5\x2f\xfd"];
      for (const end of ends.map((text) => Buffer.from(text, "latin1"))) {
        const all = Buffer.concat([bytes, end]);
        const expected = whole(codings, all);
        assert.deepEqual(decoded(codings, [all]), expected, JSON.stringify(end.toString("latin1")));
        assert.equal(typeof decoded(codings, singly(all)), typeof expected);
        assert.equal(typeof decoded(codings, [bytes, end]), typeof expected);
      }
    });

    test(`${name}: corrupt data gives what a whole body gives`, () => {
      const bytes = encode(TEXT);
      const change = fc.tuple(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.nat(bytes.length),
      );
      fc.assert(
        fc.property(change, ([position, flip, split]) => {
          const corrupt = Buffer.from(bytes);
          corrupt[position]! ^= flip;
          const expected = whole(codings, corrupt);
          const result = decoded(codings, halves(corrupt, split));
          if (typeof expected === "string") assert.equal(typeof result, "string");
          else assert.deepEqual(result, expected);
        }),
      );
    });

    test(`${name}: any bytes give a result`, () => {
      fc.assert(
        fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 }), { maxLength: 5 }), (pieces) => {
          decoded(codings, pieces);
        }),
      );
    });
  }

  test("several members of gzip are one body, at every split", () => {
    const bytes = Buffer.concat([zlib.gzipSync("one "), zlib.gzipSync(""), zlib.gzipSync("two")]);
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(decoded(["gzip"], halves(bytes, at)), Buffer.from("one two"));
    }
    assert.deepEqual(decoded(["gzip"], singly(bytes), 1), Buffer.from("one two"));
  });

  test("several frames of zstd, and skippable ones, are one body", {
    skip: zstdCompress === undefined,
  }, () => {
    const skippable = Buffer.from("522a4d1803000000414243", "hex");
    const bytes = Buffer.concat([
      skippable,
      zstdCompress!(Buffer.from("one ")),
      skippable,
      zstdCompress!(Buffer.alloc(0)),
      zstdCompress!(Buffer.from("two")),
      Buffer.from("502a4d1800000000", "hex"),
    ]);
    for (let at = 0; at <= bytes.length; at++) {
      assert.deepEqual(decoded(["zstd"], halves(bytes, at)), Buffer.from("one two"));
    }
    assert.deepEqual(decoded(["zstd"], singly(bytes), 1), Buffer.from("one two"));
  });

  test("several codings are undone from the last to the first", () => {
    const bytes = zlib.brotliCompressSync(zlib.deflateSync(zlib.gzipSync(TEXT)));
    const codings = ["gzip", "deflate", "br"];
    for (let at = 0; at <= bytes.length; at++) assert.deepEqual(decoded(codings, halves(bytes, at)), TEXT);
    assert.deepEqual(decoded(codings, singly(bytes), 1), TEXT);
    const cut = zlib.gzipSync(zlib.gzipSync(TEXT).subarray(0, 30));
    assert.equal(decoded(["gzip", "gzip"], [cut]), "response body does not decode as gzip");
    assert.equal(decoded(Array(5).fill("gzip"), []), "too many content codings");
    assert.equal(decoded(["gzip", "compress"], []), "unknown content coding 'compress'");
    assert.equal(decoded(["__proto__"], []), "unknown content coding '__proto__'");
  });

  test("a bomb never makes more than there is room for, and takes no memory", () => {
    const zeros = Buffer.alloc(256 << 20);
    const bombs: [string, Buffer][] = [
      ["gzip", zlib.gzipSync(zeros)],
      ["br", zlib.brotliCompressSync(zeros, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 3 } })],
    ];
    if (zstdCompress !== undefined) bombs.push(["zstd", zstdCompress(zeros)]);
    for (const [coding, bomb] of bombs) {
      const decoder = PiecewiseDecoder.create([coding]) as PiecewiseDecoder;
      const output = Buffer.alloc(64 * 1024);
      const before = process.memoryUsage.rss();
      let total = 0;
      let highest = before;
      decoder.feed(bomb, 0, bomb.length);
      while (decoder.isReady) {
        const made = decoder.decode(output, output.length);
        assert.ok(typeof made === "number" && made <= output.length);
        total += made;
        if (total % (16 << 20) === 0) highest = Math.max(highest, process.memoryUsage.rss());
      }
      assert.equal(total, zeros.length);
      assert.equal(decoder.finish(), undefined);
      decoder.close();
      assert.ok(highest - before < 48 << 20, `${coding} took ${(highest - before) >> 20} MiB`);
    }
  });

  test("nothing is written to a decoder that has failed or is closed", () => {
    const decoder = PiecewiseDecoder.create(["gzip"]) as PiecewiseDecoder;
    const output = Buffer.alloc(10);
    const rubbish = Buffer.from("rubbish");
    for (let again = 0; again < 3; again++) {
      decoder.feed(rubbish, 0, rubbish.length);
      assert.ok(decoder.decode(output, output.length) instanceof Failure);
    }
    assert.ok(decoder.finish() instanceof Failure);
    decoder.close();
    decoder.close();
    decoder.feed(rubbish, 0, rubbish.length);
    assert.ok(decoder.decode(output, output.length) instanceof Failure);
  });
});
