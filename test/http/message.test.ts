import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Failure } from "../../src/error.ts";
import { readBody, readFields } from "../../src/http/message/caller-message.ts";
import { encode } from "../../src/http/message/encode.ts";
import { contentLength } from "../../src/http/wire/body.ts";
import { isToken } from "../../src/http/wire/fields.ts";
import { parseRequestHead, parseResponseHead } from "../../src/http/wire/head-parser.ts";
import { HeadSearch } from "../../src/http/wire/head-search.ts";
import { dateNow, fieldLine, responseHead } from "../../src/http/wire/head-writer.ts";
import { MessageError } from "../../src/http/wire/message-error.ts";
import fc from "../support/properties.ts";

const LIMITS = { bytes: 1 << 20, fields: 1000 };

describe("a caller's headers", () => {
  const fields = (headers: { [name: string]: unknown }) => {
    const result = readFields(headers, "header");
    return result instanceof Failure ? result.reason : result;
  };

  test("become field lines in their order, names as they are", () => {
    assert.deepEqual(fields({ "X-B": "1", a: "", "x-b": "€" }), [
      ["X-B", "1"],
      ["a", ""],
      ["x-b", "€"],
    ]);
    assert.deepEqual(fields(JSON.parse('{"__proto__":"x"}')), [["__proto__", "x"]]);
    assert.deepEqual(fields(Object.create({ inherited: "x" })), []);
  });

  test("are refused when a value is no string, or a line could be broken", () => {
    for (const value of [1, null, undefined, true, ["a"], {}, 1n, Symbol("s"), () => "x"]) {
      assert.equal(fields({ "X-A": value }), "header 'X-A' must be a string");
    }
    for (const value of ["a\r\nb", "a\rb", "a\nb", "a\0b"]) {
      assert.equal(fields({ "X-A": value }), "header 'X-A' is not a valid field");
    }
    for (const name of ["", " ", "a b", "a:", "a\r\n", "a\0", "é", "a,b", "(a)", "a\u212a"]) {
      assert.equal(fields({ [name]: "x" }), `header '${name}' is not a valid field`);
    }
  });

  test("that are accepted come back alike through the reader", () => {
    const name = fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}$/);
    const value = fc.string({ unit: "grapheme" }).map((text) => text.trim());
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 10 }), (pairs) => {
        const lines = [["Host", "x"] as const, ...pairs.filter(([key]) => key.toLowerCase() !== "host")];
        const expected = lines.map(([key, text]) => [key, text.replace(/^[ \t]+|[ \t]+$/g, "")]);
        for (const parse of [parseRequestHead, parseResponseHead]) {
          const text = lines.map(([key, value]) => fieldLine(key, value)).join("");
          const head = parse === parseRequestHead ? `GET / HTTP/1.1\r\n${text}\r\n` : responseHead(200, text);
          const { bytes, length } = encode(head, "");
          const read = parse(bytes, 0, length, new HeadSearch(), LIMITS, true);
          assert.ok(read !== undefined && !(read instanceof MessageError), JSON.stringify(read));
          assert.equal(read.size, length);
          assert.deepEqual(read.fields, expected);
        }
      }),
    );
  });
});

describe("a caller's body", () => {
  const body = (message: { [name: string]: unknown }) => {
    const result = readBody(message);
    return result instanceof Failure ? result.reason : result;
  };

  test("is JSON text, text or bytes", () => {
    assert.equal(body({}), null);
    assert.equal(body({ body: undefined }), null);
    assert.deepEqual(body({ body: null }), { content: "null", contentType: "application/json" });
    assert.deepEqual(body({ body: "é" }), { content: '"é"', contentType: "application/json" });
    assert.deepEqual(body({ body: { n: 2n ** 64n } }), {
      content: '{"n":18446744073709551616}',
      contentType: "application/json",
    });
    assert.deepEqual(body({ body_text: "<é>" }), {
      content: "<é>",
      contentType: "text/plain; charset=utf-8",
    });
    assert.deepEqual(body({ body_base64: "//79" }), {
      content: Buffer.from([0xff, 0xfe, 0xfd]),
      contentType: "application/octet-stream",
    });
    for (const given of [Buffer.from([0, 255]), new Uint8Array([0, 255])]) {
      assert.deepEqual(body({ body_bytes: given }), {
        content: new Uint8Array([0, 255]),
        contentType: "application/octet-stream",
      });
    }
    assert.deepEqual(body({ body_base64: "" }), {
      content: Buffer.alloc(0),
      contentType: "application/octet-stream",
    });
  });

  test("is an error where it cannot be sent as it is", () => {
    assert.equal(body({ body: Number.NaN }), "cannot serialize NaN to JSON");
    assert.equal(body({ body_text: 1 }), "'body_text' must be a string");
    assert.equal(body({ body_base64: 1 }), "'body_base64' must be a string");
    for (const bad of ["a", "====", "aaa", "a-_a", "aa==aa==", "aaaa\n", "aa=a"]) {
      assert.equal(body({ body_base64: bad }), "'body_base64' is not valid base64", bad);
    }
    const both = "only one of 'body', 'body_text', 'body_bytes' and 'body_base64' can be given";
    assert.equal(body({ body: null, body_text: "" }), both);
    assert.equal(body({ body: null, body_base64: "" }), both);
    assert.equal(body({ body_text: "", body_base64: "" }), both);
    for (const other of ["body", "body_text", "body_base64"]) {
      assert.equal(body({ body_bytes: Buffer.alloc(0), [other]: "" }), both);
    }
    for (const wrong of [
      "text",
      [1, 2],
      new Uint16Array(2),
      new ArrayBuffer(2),
      new DataView(new ArrayBuffer(2)),
      1,
      null,
    ]) {
      assert.equal(body({ body_bytes: wrong }), "'body_bytes' must be a Uint8Array");
    }
  });
});

describe("bytes", () => {
  test("are head and body, of any size and script", () => {
    const units = fc.constantFrom("a", "é", "€", "😀", "\0", "\ud800");
    fc.assert(
      fc.property(fc.array(units), fc.constantFrom(1, 100, 3000), (characters, times) => {
        const text = characters.join("").repeat(times);
        const head = responseHead(200, fieldLine("X", "é"));
        const { bytes, length } = encode(head, text);
        assert.ok(bytes.subarray(0, length).equals(Buffer.from(head + text)));
        assert.equal(contentLength({ content: text, contentType: "" }), Buffer.byteLength(text));
        const binary = encode(head, Buffer.from(text));
        assert.ok(binary.bytes.subarray(0, binary.length).equals(Buffer.from(head + text)));
      }),
    );
  });

  test("are head and body also when the body was made ready for a head, and the head is longer than thought", () => {
    for (const character of ["a", "é", "😀"]) {
      for (const length of [10, 2000, 20_000]) {
        const text = character.repeat(100_000);
        const body = readBody({ body_text: text });
        assert.ok(body !== null && !(body instanceof Failure));
        const head = responseHead(200, fieldLine("X", "é".repeat(length)));
        assert.equal(contentLength(body), Buffer.byteLength(text));
        const { bytes, length: total } = encode(head, body.content);
        assert.ok(bytes.subarray(0, total).equals(Buffer.from(head + text)));
      }
    }
  });

  test("of a start line have the reason of the registry, or none", () => {
    assert.equal(responseHead(404, ""), "HTTP/1.1 404 Not Found\r\n\r\n");
    assert.equal(responseHead(799, ""), "HTTP/1.1 799 \r\n\r\n");
    assert.equal(responseHead(200, fieldLine("A", "b")), "HTTP/1.1 200 OK\r\nA: b\r\n\r\n");
  });
});

test("the date is the present one, in the form of RFC 9110", (context) => {
  assert.match(dateNow(), /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
  context.mock.timers.enable({ apis: ["Date"], now: 0 });
  assert.equal(dateNow(), "Thu, 01 Jan 1970 00:00:00 GMT");
  context.mock.timers.setTime(999);
  assert.equal(dateNow(), "Thu, 01 Jan 1970 00:00:00 GMT");
  context.mock.timers.setTime(1000);
  assert.equal(dateNow(), "Thu, 01 Jan 1970 00:00:01 GMT");
});

test("a token is RFC 9110's", () => {
  assert.ok(isToken("!#$%&'*+-.^_`|~09azAZ"));
  for (const bad of ["", " ", "a b", "a/b", "a@b", "{}", "\x7f", "é", "a\u0100"])
    assert.ok(!isToken(bad), bad);
});
