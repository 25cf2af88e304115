import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ByteCollector } from "../../src/http/message/byte-collector.ts";
import { decodeBody } from "../../src/http/wire/body.ts";
import { ChunkedDecoder } from "../../src/http/wire/chunked.ts";
import {
  type Framing,
  INVALID_CONTENT_LENGTH,
  requestFraming,
  responseFraming,
} from "../../src/http/wire/framing.ts";
import { parseRequestHead, parseResponseHead } from "../../src/http/wire/head-parser.ts";
import { HeadSearch } from "../../src/http/wire/head-search.ts";
import { MessageError } from "../../src/http/wire/message-error.ts";
import { judgeRequest } from "../support/llhttp.ts";
import fc from "../support/properties.ts";

const LIMITS = { bytes: 1000, fields: 10 };

function framingOfRequest(lines: string, version = "HTTP/1.1"): Framing | string {
  const bytes = Buffer.from(`POST / ${version}\r\nHost: x\r\n${lines}\r\n`, "latin1");
  const head = parseRequestHead(bytes, 0, bytes.length, new HeadSearch(), LIMITS);
  assert.ok(head !== undefined && !(head instanceof MessageError));
  const framing = requestFraming(head);
  return framing instanceof MessageError ? framing.reason : framing;
}

function framingOfAnswer(method: string, status: number, lines = "", version = "HTTP/1.1"): Framing | string {
  const bytes = Buffer.from(`${version} ${status} x\r\n${lines}\r\n`, "latin1");
  const head = parseResponseHead(bytes, 0, bytes.length, new HeadSearch(), LIMITS);
  assert.ok(head !== undefined && !(head instanceof MessageError));
  const framing = responseFraming(head, method);
  return framing instanceof MessageError ? framing.reason : framing;
}

describe("the framing of a request", () => {
  test("is none without either field, whatever the method", () => {
    assert.deepEqual(framingOfRequest(""), { kind: "none" });
  });

  test("is a length of decimal digits and nothing else", () => {
    assert.deepEqual(framingOfRequest("Content-Length: 5\r\n"), { kind: "length", length: 5 });
    assert.deepEqual(framingOfRequest("content-length:\t005 \r\n"), { kind: "length", length: 5 });
    assert.deepEqual(framingOfRequest("Content-Length: 0\r\n"), { kind: "none" });
    const huge = framingOfRequest(`Content-Length: ${"9".repeat(400)}\r\n`);
    assert.deepEqual(huge, { kind: "length", length: Number.POSITIVE_INFINITY });
    for (const bad of [
      "",
      "+5",
      "-5",
      "5 5",
      "5,5",
      "5, 5",
      "0x5",
      "5e0",
      "5.0",
      "5;",
      "\u0665",
      "\xb2",
      "five",
    ]) {
      assert.equal(framingOfRequest(`Content-Length: ${bad}\r\n`), "invalid Content-Length header", bad);
    }
  });

  test("is refused when Content-Length comes twice, equal or not, as by llhttp", () => {
    for (const second of ["5", "6", "05", ""]) {
      const lines = `Content-Length: 5\r\nContent-Length: ${second}\r\n`;
      assert.equal(framingOfRequest(lines), "invalid Content-Length header");
      assert.notEqual(judgeRequest(Buffer.from(`POST / HTTP/1.1\r\nHost: x\r\n${lines}\r\n`)).error, null);
    }
  });

  test("is chunked only where that is the one and only coding", () => {
    assert.deepEqual(framingOfRequest("Transfer-Encoding: chunked\r\n"), { kind: "chunked" });
    assert.deepEqual(framingOfRequest("transfer-encoding: ChunkeD \r\n"), { kind: "chunked" });
    for (const bad of [
      "",
      "gzip",
      "gzip, chunked",
      "chunked, gzip",
      "chunked, chunked",
      "chunked,",
      ",chunked",
      "chunked;q=1",
      '"chunked"',
      "xchunked",
      "chunked\xa0",
      "identity",
      Buffer.from("chun\u212aed").toString("latin1"), // the Kelvin sign, whose lower case is "k"
    ]) {
      assert.equal(framingOfRequest(`Transfer-Encoding: ${bad}\r\n`), "unsupported Transfer-Encoding", bad);
    }
    const twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
    assert.equal(framingOfRequest(twice), "unsupported Transfer-Encoding");
    assert.equal(
      framingOfRequest("Transfer-Encoding: chunked\r\n", "HTTP/1.0"),
      "Transfer-Encoding in HTTP/1.0",
    );
  });

  test("is refused with both fields", () => {
    for (const lines of [
      "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
      "Transfer-Encoding: \r\nContent-Length: 0\r\n",
    ]) {
      assert.equal(framingOfRequest(lines), "Content-Length together with Transfer-Encoding");
    }
  });
});

describe("the framing of a response", () => {
  test("follows the rules of RFC 9112, 6.3, in their order", () => {
    const length = "Content-Length: 5\r\n";
    const chunked = "Transfer-Encoding: chunked\r\n";
    const none = { kind: "none" };
    for (const lines of ["", length, chunked]) {
      assert.deepEqual(framingOfAnswer("HEAD", 200, lines), none);
      assert.deepEqual(framingOfAnswer("CONNECT", 200, lines), none);
      for (const status of [100, 103, 204, 304])
        assert.deepEqual(framingOfAnswer("GET", status, lines), none);
    }
    assert.deepEqual(framingOfAnswer("CONNECT", 407, length), { kind: "length", length: 5 });
    assert.deepEqual(framingOfAnswer("GET", 200, chunked), { kind: "chunked" });
    assert.deepEqual(framingOfAnswer("GET", 200, length), { kind: "length", length: 5 });
    assert.deepEqual(framingOfAnswer("GET", 200, "Content-Length: 0\r\n"), none);
    assert.deepEqual(framingOfAnswer("GET", 200), { kind: "close" });
    assert.deepEqual(framingOfAnswer("GET", 200, "", "HTTP/1.0"), { kind: "close" });
  });

  test("takes equal lengths for one, and refuses the rest", () => {
    assert.deepEqual(framingOfAnswer("GET", 200, "Content-Length: 5, 5\r\nContent-Length: 5\r\n"), {
      kind: "length",
      length: 5,
    });
    for (const bad of ["5, 6", "5,", "", "-1", "5 5"]) {
      assert.equal(
        framingOfAnswer("GET", 200, `Content-Length: ${bad}\r\n`),
        "invalid Content-Length header",
        bad,
      );
    }
    assert.equal(
      framingOfAnswer("GET", 200, "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
      "Content-Length together with Transfer-Encoding",
    );
    assert.equal(
      framingOfAnswer("GET", 200, "Transfer-Encoding: gzip, chunked\r\n"),
      "unsupported Transfer-Encoding",
    );
  });

  test("takes no longer for a run of blanks in a length than for any other field", () => {
    const length = `5${" ".repeat(65_000)}6`;
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`);
    const limits = { bytes: 2 * bytes.length, fields: 10 };
    const head = parseResponseHead(bytes, 0, bytes.length, new HeadSearch(), limits);
    assert.ok(head !== undefined && !(head instanceof MessageError));
    const begun = performance.now();
    assert.equal(responseFraming(head, "GET"), INVALID_CONTENT_LENGTH);
    assert.ok(performance.now() - begun < 1500); // a thousandth of it; it was five seconds
  });
});

interface Decoded {
  body: string;
  used: number;
  done: boolean;
}

/** Decodes a piece slice by slice: adds the data to `data`, and gives the position behind what was read. */
function slices(
  decoder: ChunkedDecoder,
  bytes: Buffer,
  start: number,
  end: number,
  data: Buffer[],
): number | MessageError {
  let at = start;
  do {
    const next = decoder.decode(bytes, at, end);
    if (typeof next !== "number") return next;
    assert.ok(decoder.dataEnd <= next && decoder.dataStart <= decoder.dataEnd);
    data.push(bytes.subarray(decoder.dataStart, decoder.dataEnd));
    at = next;
  } while (at < end && !decoder.done);
  return at;
}

/** Decodes in pieces that end at the given positions. */
function decode(bytes: Buffer, cuts: number[] = [], maxBytes = 1000, limits = LIMITS): Decoded | string {
  const decoder = new ChunkedDecoder(maxBytes, limits);
  const data: Buffer[] = [];
  let at = 0;
  for (const end of [...cuts, bytes.length]) {
    const used = slices(decoder, bytes, at, end, data);
    if (typeof used !== "number") return used.reason;
    at = used;
    if (decoder.done) break;
    assert.equal(used, end, "everything is used until it is done");
  }
  return { body: Buffer.concat(data).toString("latin1"), used: at, done: decoder.done };
}

test("a chunk's data may be received elsewhere, and counts all the same", () => {
  const bytes = Buffer.from("5\r\nhe");
  const decoder = new ChunkedDecoder(1000, LIMITS);
  assert.equal(decoder.dataLeft, 0);
  assert.equal(decoder.decode(bytes, 0, bytes.length), bytes.length);
  assert.equal(decoder.dataLeft, 3);
  decoder.skip(1);
  assert.equal(decoder.dataLeft, 2);
  decoder.skip(2);
  assert.equal(decoder.dataLeft, 0);
  const rest = Buffer.from("\r\n0\r\n\r\n");
  assert.equal(decoder.decode(rest, 0, rest.length), rest.length);
  assert.ok(decoder.done);
});

function everyByte(bytes: Buffer): number[] {
  return [...bytes.keys()];
}

describe("the chunked coding", () => {
  test("is undone, and what follows is left alone", () => {
    const text = '5\r\nhello\r\n1;a=b;c="d;\\"e"\r\n \r\nA\r\n0123456789\r\n000\r\nX: y\r\nZ:\r\n\r\nnext';
    const bytes = Buffer.from(text);
    const expected = { body: "hello 0123456789", used: text.length - 4, done: true };
    assert.deepEqual(decode(bytes), expected);
    assert.deepEqual(decode(bytes, everyByte(bytes)), expected);
    assert.deepEqual(decode(Buffer.from("0\r\n\r\nGET")), { body: "", used: 5, done: true });
    assert.deepEqual(decode(Buffer.from("5\r\nhel")), { body: "hel", used: 6, done: false });
    assert.deepEqual(decode(Buffer.from("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n")), {
      body: "01234567890123456789",
      used: 35,
      done: true,
    });
  });

  test("is refused where it is malformed", () => {
    const cases: [string, string][] = [
      ["\r\n", "malformed chunk size"],
      ["g\r\n", "malformed chunk size"],
      ["-1\r\n", "malformed chunk size"],
      ["+1\r\n", "malformed chunk size"],
      ["0x1\r\n", "malformed chunk size"],
      [" 1\r\n", "malformed chunk size"],
      ["1 \r\n", "malformed chunk size"],
      ["1 ;a\r\n", "malformed chunk size"],
      ["1\n", "malformed chunk size"],
      ["1\rx", "malformed chunk size"],
      [";a\r\n", "malformed chunk size"],
      ["00000000000000001\r\n", "malformed chunk size"],
      ["1;\r\n", "malformed chunk extension"],
      ["1; a\r\n", "malformed chunk extension"],
      ["1;a=\r\n", "malformed chunk extension"],
      ["1;a =b\r\n", "malformed chunk extension"],
      ["1;a=b c\r\n", "malformed chunk extension"],
      ['1;a="b\r\n', "malformed chunk extension"],
      ["1;a\n", "malformed chunk extension"],
      ["1;a\0\r\n", "malformed chunk extension"],
      ["1\r\nab\r\n", "chunk data of another length than its size"],
      ["1\r\na\n", "chunk data of another length than its size"],
      ["1\r\na\rx", "chunk data of another length than its size"],
      ["0\r\nA: b\n\r\n", "malformed trailer"],
      ["0\r\nA: b\rc\r\n\r\n", "malformed trailer"],
      ["0\r\n\r\r\n", "malformed trailer"],
      ["0\r\n\n", "malformed trailer"],
      ["0\r\nA: \0\r\n\r\n", "malformed trailer"],
      ["0\r\nA : b\r\n\r\n", "white space in a header name"],
      ["0\r\n A: b\r\n\r\n", "white space before a header line"],
      ["0\r\nA: b\r\n c\r\n\r\n", "folded header line"],
      ["0\r\nno-colon\r\n\r\n", "malformed header line"],
      ["0\r\nContent-Length: 5\r\n\r\n", "content-length in a trailer"],
      ["0\r\nTransfer-Encoding: chunked\r\n\r\n", "transfer-encoding in a trailer"],
      ["0\r\nHost: x\r\n\r\n", "host in a trailer"],
    ];
    for (const [text, reason] of cases) {
      const bytes = Buffer.from(text, "latin1");
      assert.equal(decode(bytes), reason, JSON.stringify(text));
      assert.equal(decode(bytes, everyByte(bytes)), reason, JSON.stringify(text));
    }
  });

  test("has limits: data, extensions, trailer bytes, trailer fields", () => {
    assert.equal(decode(Buffer.from("5\r\nhello\r\n6\r\n"), [], 10), "body too large");
    assert.deepEqual(decode(Buffer.from("5\r\nhello\r\n5\r\nhello\r\n0\r\n\r\n"), [], 10), {
      body: "hellohello",
      used: 25,
      done: true,
    });
    // Refused by its announcement: before a byte of data has come.
    assert.equal(decode(Buffer.from("fffffffffffffff"), [], 10), "body too large");
    const limits = { bytes: 20, fields: 2 };
    assert.equal(decode(Buffer.from(`1;${"a".repeat(20)}\r\n`), [], 10, limits), "http headers too large");
    const piecemeal = "1;aaaaaa\r\nx\r\n".repeat(3);
    assert.equal(decode(Buffer.from(piecemeal), [], 10, limits), "http headers too large");
    assert.equal(decode(Buffer.from(`0\r\nA: ${"b".repeat(20)}`), [], 10, limits), "http headers too large");
    // To the byte: what stands behind the semicolon's place, and the trailer section with its empty line.
    assert.ok(typeof decode(Buffer.from(`1;${"a".repeat(19)}\r\nx`), [], 10, limits) === "object");
    assert.ok(typeof decode(Buffer.from(`0\r\nA: ${"b".repeat(13)}\r\n\r\n`), [], 10, limits) === "object");
    assert.equal(
      decode(Buffer.from(`0\r\nA: ${"b".repeat(14)}\r\n\r\n`), [], 10, limits),
      "http headers too large",
    );
    assert.equal(
      decode(Buffer.from("0\r\nA:\r\nB:\r\nC:\r\n\r\n"), [], 10, limits),
      "http headers too large",
    );
    assert.ok(typeof decode(Buffer.from("0\r\nA:\r\nB:\r\n\r\n"), [], 10, limits) === "object");
  });

  test("is undone in time that grows with its length, also byte by byte", () => {
    const limits = { bytes: 1 << 20, fields: 1e6 };
    const text = `${"1;a=b\r\nx\r\n".repeat(20_000)}0\r\n${"a: b\r\n".repeat(40_000)}\r\n`;
    const bytes = Buffer.from(text);
    const started = performance.now();
    const decoded = decode(bytes, everyByte(bytes), 1 << 20, limits);
    assert.ok(typeof decoded === "object" && decoded.done);
    assert.ok(performance.now() - started < 5_000);
  });

  test("comes back whole for any data, any chunks and any cuts, as in llhttp", () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 });
    fc.assert(
      fc.property(chunks, fc.array(fc.nat(400), { maxLength: 10 }), (pieces, cuts) => {
        const coded = Buffer.concat([
          ...pieces.flatMap((piece) => [
            Buffer.from(`${piece.length.toString(16)}\r\n`),
            piece,
            Buffer.from("\r\n"),
          ]),
          Buffer.from("0\r\n\r\n"),
        ]);
        const data = Buffer.concat(pieces);
        const sorted = cuts.filter((cut) => cut < coded.length).sort((a, b) => a - b);
        const decoded = decode(Buffer.concat([coded, Buffer.from("next")]), sorted);
        assert.deepEqual(decoded, { body: data.toString("latin1"), used: coded.length, done: true });
        const head = Buffer.from("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        assert.deepEqual(judgeRequest(Buffer.concat([head, coded])).messages[0]?.body, data);
      }),
    );
  });

  test("gives a result for any bytes, and is refused where llhttp refuses it", () => {
    const fragment = fc.oneof(
      fc.constantFrom(
        "5\r\nhello\r\n",
        "0\r\n",
        "\r\n",
        "1",
        "a",
        ";",
        "=",
        '"',
        " ",
        "\r",
        "\n",
        "A: b\r\n",
        "x",
        "\xff",
        "\0",
      ),
      fc.string({ maxLength: 4, unit: "binary-ascii" }),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 8 }), fc.boolean(), (fragments, ends) => {
        const bytes = Buffer.from(fragments.join("") + (ends ? "0\r\n\r\n" : ""), "latin1");
        const decoded = decode(bytes);
        const split = decode(bytes, everyByte(bytes));
        assert.deepEqual(split, decoded);
        if (typeof decoded === "string" || !decoded.done) return;
        accepted++;
        const head = Buffer.from("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
        const { messages } = judgeRequest(Buffer.concat([head, bytes.subarray(0, decoded.used)]));
        assert.ok(messages[0]?.complete, "llhttp refuses");
        assert.equal(messages[0].body.toString("latin1"), decoded.body);
      }),
      { numRuns: 8000 },
    );
    assert.ok(accepted > 300, `only ${accepted} accepted`);
  });
});

test("ByteCollector keeps what is appended, in whatever pieces", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), fc.nat(10), (pieces, capacity) => {
      const collector = new ByteCollector(capacity);
      for (const piece of pieces) {
        collector.append(Buffer.concat([Buffer.from("x"), piece]), 1, piece.length + 1);
      }
      assert.deepEqual(collector.bytes(), Buffer.concat(pieces));
    }),
  );
});

describe("the value of a body", () => {
  const value = (text: string | Buffer, decoding: "json" | "text" | "base64" = "json") =>
    decodeBody(Buffer.from(text as string), decoding, Number.POSITIVE_INFINITY);

  test("is null when empty or white space, JSON when valid, else the text", () => {
    assert.equal(value(""), null);
    assert.equal(value(" \t\r\n"), null);
    assert.equal(value("null"), null);
    assert.deepEqual(value(' {"a":[1,"é"]} '), { a: [1, "é"] });
    assert.deepEqual(value('{"é":12345678901234567890}'), { é: 12345678901234567890n });
    assert.equal(value("12345678901234567890"), 12345678901234567890n);
    assert.equal(value("{broken"), "{broken");
    assert.equal(value(" text "), " text ");
    assert.equal(value("NaN"), "NaN");
  });

  test("has no byte order mark", () => {
    assert.deepEqual(value("\ufeff[1]"), [1]);
    assert.equal(value("\ufeff"), null);
    assert.equal(value("\ufefftext"), "text");
    assert.equal(value("\ufeff\ufefftext"), "\ufefftext");
    assert.equal(value("\ufeff[1]", "text"), "[1]");
    assert.equal(value("\ufeff", "base64"), "77u/");
  });

  test("is the text, or base64, where an option says so", () => {
    assert.equal(value("[1]", "text"), "[1]");
    assert.equal(value("", "text"), "");
    assert.equal(value(" ", "text"), " ");
    assert.equal(value("", "base64"), "");
    assert.equal(value(Buffer.from([0xff, 0xfe]), "base64"), "//4=");
  });

  test("is never mangled: bytes that are not UTF-8 are no text", () => {
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x22, 0xe9, 0x22]]) {
      assert.equal(value(Buffer.from(bytes)), undefined);
      assert.equal(value(Buffer.from(bytes), "text"), undefined);
    }
  });

  test("is what JSON.parse gives for any JSON text", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        fc.pre(!/\d{16}/.test(json));
        assert.deepEqual(value(json), JSON.parse(json));
      }),
    );
  });
});

test("blanks in a chunk's line are read only where that is allowed (RFC 9112, 7.1.1)", () => {
  for (const line of ["1 ", "1\t \t", "1 ; a = b", '1;a ; b= "c" ']) {
    const bytes = Buffer.from(`${line}\r\nx\r\n0 \r\n\r\n`);
    const lenient = new ChunkedDecoder(10, LIMITS, true);
    const data: Buffer[] = [];
    assert.equal(slices(lenient, bytes, 0, bytes.length, data), bytes.length, line);
    assert.equal(Buffer.concat(data).toString(), "x");
    const strict = slices(new ChunkedDecoder(10, LIMITS), bytes, 0, bytes.length, []);
    assert.ok(strict instanceof MessageError, line);
  }
  for (const line of [" 1", "1 1", "1 a", "1 ;", "1; ;a", "1;a =", "1 \n"]) {
    const bytes = Buffer.from(`${line}\r\nx\r\n0\r\n\r\n`);
    const refused = slices(new ChunkedDecoder(100, LIMITS, true), bytes, 0, bytes.length, []);
    assert.ok(refused instanceof MessageError, line);
  }
});
