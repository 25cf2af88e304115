import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  parseRequestHead,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
} from "../../src/http/wire/head-parser.ts";
import { HeadSearch } from "../../src/http/wire/head-search.ts";
import { MessageError } from "../../src/http/wire/message-error.ts";
import { judgeRequest, methods } from "../support/llhttp.ts";
import fc from "../support/properties.ts";

const LIMITS = { bytes: 64 * 1024, fields: 128 };

type Parse<T> = (
  view: Buffer,
  start: number,
  end: number,
  search: HeadSearch,
  limits: { bytes: number; fields: number },
  keepFields?: boolean,
) => T | MessageError | undefined;

function whole<T>(parse: Parse<T>, text: string | Buffer, limits = LIMITS): T | MessageError | undefined {
  const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  return parse(bytes, 0, bytes.length, new HeadSearch(), limits, true);
}

/** Fed byte by byte; the first verdict, and after how many bytes. */
function dripped<T>(parse: Parse<T>, bytes: Buffer, limits = LIMITS): T | MessageError | undefined {
  const search = new HeadSearch();
  for (let end = 0; end <= bytes.length; end++) {
    const verdict = parse(bytes, 0, end, search, limits, true);
    if (verdict !== undefined) return verdict;
  }
  return undefined;
}

function request(text: string | Buffer): RequestHead {
  const head = whole(parseRequestHead, text);
  assert.ok(head !== undefined && !(head instanceof MessageError), JSON.stringify(head));
  return head;
}

function response(text: string): ResponseHead {
  const head = whole(parseResponseHead, text);
  assert.ok(head !== undefined && !(head instanceof MessageError), JSON.stringify(head));
  return head;
}

function refusal(text: string | Buffer, parse: Parse<unknown> = parseRequestHead, limits = LIMITS): string {
  const verdict = whole(parse, text, limits);
  assert.ok(verdict instanceof MessageError, `accepted: ${JSON.stringify(text)}`);
  const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  assert.deepEqual(dripped(parse, bytes, limits), verdict, "the same verdict byte by byte");
  return verdict.reason;
}

describe("request heads", () => {
  test("give method, path, query, version and headers", () => {
    const head = request(
      "POST /a%20b?x=1?y&z HTTP/1.1\r\nHost: example.com:80\r\nX-One:  two words \t\r\nEmpty:\r\n\r\nrest",
    );
    assert.equal(head.method, "POST");
    assert.equal(head.path, "/a%20b");
    assert.equal(head.query, "x=1?y&z");
    assert.equal(head.version, "HTTP/1.1");
    assert.deepEqual(head.headers, { host: "example.com:80", "x-one": "two words", empty: "" });
    assert.deepEqual(head.fields, [
      ["Host", "example.com:80"],
      ["X-One", "two words"],
      ["Empty", ""],
    ]);
    assert.equal(head.size, head.size);
    assert.equal(
      head.size,
      "POST /a%20b?x=1?y&z HTTP/1.1\r\nHost: example.com:80\r\nX-One:  two words \t\r\nEmpty:\r\n\r\n".length,
    );
  });

  test("take every token as method, and every form of target", () => {
    assert.equal(request("M-S!#$%&'*+.^_`|~1 / HTTP/1.1\r\nHost: x\r\n\r\n").method, "M-S!#$%&'*+.^_`|~1");
    assert.equal(request("GET http://h:1/p?q HTTP/1.1\r\nHost: x\r\n\r\n").path, "http://h:1/p");
    assert.equal(request("GET http://h:1/p?q HTTP/1.1\r\nHost: x\r\n\r\n").query, "q");
    assert.equal(request("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").path, "*");
    assert.equal(request("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n").path, "h:443");
    assert.equal(request("CONNECT [::1]:443 HTTP/1.1\r\nHost: h\r\n\r\n").path, "[::1]:443");
    assert.equal(request("GET /? HTTP/1.1\r\nHost: x\r\n\r\n").query, "");
  });

  test("need no Host in HTTP/1.0, and take an empty one", () => {
    assert.equal(request("GET / HTTP/1.0\r\n\r\n").version, "HTTP/1.0");
    assert.deepEqual(request("GET / HTTP/1.1\r\nHost:\r\n\r\n").headers, { host: "" });
    for (const host of ["a.example", "a_b.example:8080", "[::1]:80", "[fe80::1%25eth0]", "1.2.3.4", "a:"]) {
      assert.equal(request(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).headers.host, host);
    }
  });

  test("join lines of one name, cookie with a semicolon", () => {
    const head = request(
      "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\na: 2\r\nA:\r\nCookie: a=b\r\ncookie: c=d\r\n\r\n",
    );
    assert.deepEqual(head.headers, { host: "x", a: "1, 2, ", cookie: "a=b; c=d" });
    assert.deepEqual(head.fields.slice(1, 4), [
      ["A", "1"],
      ["a", "2"],
      ["A", ""],
    ]);
  });

  test("take __proto__ and constructor as ordinary names", () => {
    const head = request(
      "GET / HTTP/1.1\r\nHost: x\r\n__proto__: a\r\nconstructor: b\r\n__PROTO__: c\r\nConstructor: d\r\nhasOwnProperty: e\r\n\r\n",
    );
    assert.equal(Object.getPrototypeOf(head.headers), Object.prototype);
    assert.deepEqual(Object.entries(head.headers), [
      ["host", "x"],
      ["__proto__", "a, c"],
      ["constructor", "b, d"],
      ["hasownproperty", "e"],
    ]);
  });

  test("read values as UTF-8, and as ISO-8859-1 where they are not that", () => {
    const utf8 = Buffer.concat([
      Buffer.from("GET / HTTP/1.1\r\nHost: x\r\nA: 10 € 😀 \ufffd"),
      Buffer.from("\r\nB: \xe9\xff\r\n\r\n", "latin1"),
    ]);
    assert.deepEqual(request(utf8).headers, { host: "x", a: "10 € 😀 \ufffd", b: "éÿ" });
  });

  test("may have bytes beyond ASCII in path and query, each read as a value is", () => {
    const target = (...parts: Buffer[]) => {
      const head = request(
        Buffer.concat([
          Buffer.from("GET "),
          ...parts,
          Buffer.from(" HTTP/1.1\r\nHost: x\r\nA: \xe9\r\n\r\n"),
        ]),
      );
      return [head.path, head.query];
    };
    const utf8 = (text: string) => Buffer.from(text);
    const latin1 = (text: string) => Buffer.from(text, "latin1");
    assert.deepEqual(target(utf8("/città/日本?q=été%20😀")), ["/città/日本", "q=été%20😀"]);
    assert.deepEqual(target(latin1("/caf\xe9?q=\xff")), ["/café", "q=ÿ"]);
    assert.deepEqual(target(utf8("/é?"), latin1("\xe9")), ["/é", "é"]);
    assert.deepEqual(target(utf8("http://h/é?é")), ["http://h/é", "é"]);
    // All of them, as nginx takes them.
    for (let byte = 0x80; byte <= 0xff; byte++) {
      const text = Buffer.from([0x2f, byte, 0x3f, byte]);
      const character = String.fromCharCode(byte);
      assert.deepEqual(target(text), [`/${character}`, character]);
    }
  });

  test("are refused where the contract says so", () => {
    const cases: [string, string | RegExp][] = [
      ["GET / HTTP/1.1\r\n\r\n", "missing Host header"],
      ["GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "more than one Host header"],
      ["GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n", "more than one Host header"],
      ["GET / HTTP/1.1\r\nHost:\r\nHost:\r\n\r\n", "more than one Host header"],
      ["GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "malformed Host header"],
      ["GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "malformed Host header"],
      ["GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", "malformed Host header"],
      ["GET / HTTP/2.0\r\nHost: a\r\n\r\n", "unsupported version"],
      ["GET / HTTP/1.2\r\nHost: a\r\n\r\n", "unsupported version"],
      ["GET / HTTP/0.9\r\nHost: a\r\n\r\n", "unsupported version"],
      ["PRI * HTTP/2.0\r\n\r\n", "unsupported version"],
      ["GET / http/1.1\r\nHost: a\r\n\r\n", "malformed start line"],
      ["GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "malformed request line"],
      ["GET / HTTP/1.10\r\nHost: a\r\n\r\n", "malformed request line"],
      ["GET /\r\nHost: a\r\n\r\n", "malformed request line"],
      ["GET\r\nHost: a\r\n\r\n", "malformed request line"],
      ["GET HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request line"],
      ["GET  HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request line"],
      ["GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", /malformed/],
      ["GET /\t HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /\xe9 \xe9 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /\xe9\t HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /\xe9\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "control character"],
      ["GET /\xe9\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "control character"],
      ["GET /\xe9# HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET \xe9 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET http://\xe9/ HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["CONNECT \xe9:1 HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /\xe9 HTTP/1.1\r\nHost: \xe9\r\n\r\n", "malformed Host header"],
      ["GET a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET a-b://h/ HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET http://h#/ HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET http://h/#f HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET /?# HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["GET * HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["CONNECT a HTTP/1.1\r\nHost: a\r\n\r\n", "malformed request target"],
      ["G(T / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed method"],
      [" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed start line"],
      ["\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed start line"],
      ["\r\n\rGET / HTTP/1.1\r\nHost: a\r\n\r\n", "malformed start line"],
      ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc", "malformed start line"],
      ["GET / HTTP/1.1\nHost: a\n\n", "bare LF"],
      ["GET / HTTP/1.1\r\nHost: a\nA: b\r\n\r\n", "bare LF"],
      ["GET / HTTP/1.1\r\nHost: a\r\n\n", "bare LF"],
      ["GET / HTTP/1.1\rHost: a\r\r", "bare CR"],
      ["GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", "bare CR"],
      ["GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", "bare CR"],
      ["GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", "NUL"],
      ["GET / HTTP/1.1\r\nHost: a\r\nA: \x01\r\n\r\n", "control character"],
      ["GET / HTTP/1.1\r\nHost: a\r\nA: \x7f\r\n\r\n", "control character"],
      ["GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n c\r\n\r\n", "folded header line"],
      ["GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n\t\r\n\r\n", "folded header line"],
      ["GET / HTTP/1.1\r\n Host: a\r\n\r\n", "white space before a header line"],
      ["GET / HTTP/1.1\r\nHost : a\r\n\r\n", "white space in a header name"],
      ["GET / HTTP/1.1\r\nHost: a\r\nA\t: b\r\n\r\n", "white space in a header name"],
      ["GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n", "white space in a header name"],
      ["GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "white space in a header name"],
      ["GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "malformed header line"],
      ["GET / HTTP/1.1\r\nHost: a\r\nA(b: c\r\n\r\n", "malformed header line"],
      ["GET / HTTP/1.1\r\nHost: a\r\nNo-Colon\r\n\r\n", "malformed header line"],
      ["GET / HTTP/1.1\r\nHost: a\r\n\xe9: c\r\n\r\n", "malformed header line"],
    ];
    for (const [text, reason] of cases) {
      const found = refusal(text);
      if (typeof reason === "string") assert.equal(found, reason, JSON.stringify(text));
      else assert.match(found, reason);
    }
  });

  test("say what they are not before the peer is done", () => {
    // A peer that speaks something else waits for an answer: it must get one without another byte.
    for (const start of ["\x16\x03\x01", "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\rH", "\0", "{"]) {
      const verdict = whole(parseRequestHead, start);
      assert.equal(verdict instanceof MessageError, start !== "{" || verdict !== undefined, start);
    }
  });

  test("may have empty lines before them, which count towards the limit", () => {
    const head = request("\r\n\r\nGET / HTTP/1.0\r\n\r\n");
    assert.equal(head.method, "GET");
    assert.equal(head.size, 4 + 18);
    assert.equal(
      refusal("\r\n".repeat(50), parseRequestHead, { bytes: 100, fields: 9 }),
      "http headers too large",
    );
    assert.equal(whole(parseRequestHead, "\r\n".repeat(49), { bytes: 100, fields: 9 }), undefined);
    const padded = `${"\r\n".repeat(42)}GET / HTTP/1.0\r\n\r\n`; // 84 + 18 bytes
    assert.equal(refusal(padded, parseRequestHead, { bytes: 101, fields: 9 }), "http headers too large");
    assert.ok(!(whole(parseRequestHead, padded, { bytes: 102, fields: 9 }) instanceof MessageError));
  });

  test("have limits: so many bytes, so many fields, and not one more", () => {
    const line = "GET / HTTP/1.0\r\n";
    const exact = `${line}A: ${"x".repeat(LIMITS.bytes - line.length - 7)}\r\n\r\n`;
    assert.equal(exact.length, LIMITS.bytes);
    assert.equal(request(exact).size, LIMITS.bytes);
    assert.equal(refusal(exact.replace("A: ", "A: x")), "http headers too large");
    assert.equal(refusal("x".repeat(LIMITS.bytes)), "http headers too large");
    assert.equal(whole(parseRequestHead, "x".repeat(LIMITS.bytes - 1)), undefined);
    const fields = (count: number) => `${line}${"a:b\r\n".repeat(count)}\r\n`;
    assert.equal(request(fields(128)).fields.length, 128);
    assert.equal(refusal(fields(129)), "http headers too large");
  });

  test("are read in time that grows with their length, also byte by byte", () => {
    const limits = { bytes: 1 << 20, fields: 1e6 };
    for (const text of [`GET / HTTP/1.0\r\n${"a: b\r\n".repeat(30_000)}\r\n`, "\r\n".repeat(100_000)]) {
      const started = performance.now();
      dripped(parseRequestHead, Buffer.from(text), limits);
      // Looking again from the start for each byte would take minutes.
      assert.ok(performance.now() - started < 5_000);
    }
  });
});

describe("response heads", () => {
  test("give status, reason and headers, joined", () => {
    const head = response("HTTP/1.1 404 Not  Found\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n\r\n");
    assert.deepEqual(
      [head.status, head.reason, head.version, head.headers],
      [404, "Not  Found", "HTTP/1.1", { "set-cookie": "a, b" }],
    );
    assert.deepEqual(head.fields, [
      ["Set-Cookie", "a"],
      ["Set-Cookie", "b"],
    ]);
  });

  test("may leave out the reason, be HTTP/1.0, and need no Host", () => {
    assert.equal(response("HTTP/1.0 200\r\n\r\n").status, 200);
    assert.equal(response("HTTP/1.1 200 \r\n\r\n").reason, "");
    assert.equal(response("HTTP/1.1 999 x\r\n\r\n").status, 999);
    assert.equal(response("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n").status, 103);
  });

  test("read a folded line as a space, and keep control characters", () => {
    const head = response(
      "HTTP/1.1 200 OK\r\nA: one\r\n two \r\n\t\tthree\r\nB:\r\n four\r\nC: x\r\n \r\nD: \x01\r\n\r\n",
    );
    assert.deepEqual(head.headers, { a: "one two three", b: "four", c: "x", d: "\x01" });
    const folds = `HTTP/1.1 200 OK\r\nA: b\r\n${" c\r\n".repeat(128)}\r\n`;
    assert.equal(refusal(folds, parseResponseHead), "http headers too large");
  });

  test("are refused where they are no response", () => {
    for (const text of [
      "HTTP/2 200\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\n\r\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "HTTP/1.1 +20 OK\r\n\r\n",
      "HTTP/1.1200 OK\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "<html>\r\n\r\n",
      "HTTP/1.1 200 OK\n\n",
      "HTTP/1.1 200 OK\r\nA: b\0\r\n\r\n",
      "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
      "HTTP/1.1 200 OK\r\n folded: b\r\n\r\n",
      "HTTP/1.1 200 OK\r\nno-colon\r\n\r\n",
    ]) {
      refusal(text, parseResponseHead);
    }
  });
});

// Requests made of pieces that matter, and then damaged.
const goodLine = fc.constantFrom(
  "A: b\r\n",
  "Accept: */*\r\n",
  "Cookie: a=b\r\n",
  "__proto__: x\r\n",
  "B:\t\xe9 \r\n",
  "C:\r\n",
);
const piece = fc.oneof(
  { arbitrary: goodLine, weight: 6 },
  fc.constantFrom(
    "\r\n",
    "\r",
    "\n",
    " ",
    "\t",
    ":",
    "\0",
    "\x01",
    "\x7f",
    "\xe9",
    "?",
    "#",
    "/",
    "*",
    "HTTP/1.1",
    "\r\n\r\n",
  ),
  fc.constantFrom(
    "Host: x\r\n",
    "A: b\r\n",
    "Connection: close\r\n",
    " folded\r\n",
    "Cookie: a=b\r\n",
    "__proto__: x\r\n",
  ),
  fc.string({ maxLength: 5, unit: "binary-ascii" }),
);
const startLine = fc
  .tuple(
    fc.constantFrom(...methods, "get", "FOO"),
    fc.constantFrom(
      "/",
      "/a?b",
      "/\xe9?\xff",
      "*",
      "http://x/y?z",
      "h:1",
      "x",
      '/"<>\\^`{|}',
      "//",
      "http://",
      "/#?",
    ),
    fc.constantFrom("HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "http/1.1"),
  )
  .map((parts) => `${parts.join(" ")}\r\n`);
const message = fc
  .tuple(startLine, fc.array(piece, { maxLength: 8 }), fc.nat(), piece, fc.boolean())
  .map(([line, pieces, at, wound, wounded]) => {
    const text = `${line}Host: x\r\n${pieces.join("")}\r\n\r\n`;
    const cut = at % text.length;
    return Buffer.from(wounded ? text.slice(0, cut) + wound + text.slice(cut) : text, "latin1");
  });

const target = fc
  .tuple(
    fc.constantFrom(
      "",
      "/",
      "*",
      "//",
      "h:1",
      "[::1]:1",
      "/a?b",
      "http://",
      "a-b://h",
      "http://h",
      "http://u@h",
      "http://[::1]",
    ),
    fc.array(fc.oneof(fc.string({ maxLength: 1 }), fc.constantFrom(..."/?#@:[]%\xe9\xff")), { maxLength: 4 }),
    fc.constantFrom("", "/", ":80", "?"),
  )
  .map(([start, middle, end]) => start + middle.join("") + end);

/** A request with an ASCII letter in place of each other byte of its start line: some versions of llhttp refuse those. */
function asciiTarget(bytes: Buffer): Buffer {
  const [startLine = ""] = /^(?:\r\n)*[^\r\n]*/.exec(bytes.toString("latin1")) ?? [];
  const ascii = Buffer.from(startLine.replaceAll(/[\x80-\xff]/g, "e"), "latin1");
  return Buffer.concat([ascii, bytes.subarray(ascii.length)]);
}

describe("any bytes", () => {
  test("in a target are refused where llhttp refuses them", () => {
    fc.assert(
      fc.property(fc.constantFrom("GET", "CONNECT", "OPTIONS"), target, (method, text) => {
        const bytes = Buffer.from(`${method} ${text} HTTP/1.1\r\nHost: x\r\n\r\n`, "latin1");
        const head = whole(parseRequestHead, bytes);
        if (head === undefined || head instanceof MessageError) return;
        assert.ok(judgeRequest(asciiTarget(bytes)).messages.length > 0, "llhttp refuses");
        assert.equal(head.path + (text.includes("?") ? `?${head.query}` : ""), text);
      }),
      { numRuns: 10_000 },
    );
  });

  test("give a result, and the same one however they are split", () => {
    const anything = fc.oneof(
      message,
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    );
    for (const parse of [parseRequestHead, parseResponseHead] as Parse<unknown>[]) {
      fc.assert(
        fc.property(anything, (bytes) => {
          const verdict = whole(parse, bytes, { bytes: 150, fields: 4 });
          const split = dripped(parse, bytes, { bytes: 150, fields: 4 });
          // Byte by byte the first error is found first; which one that is may differ, that there is one may not.
          if (verdict instanceof MessageError) assert.ok(split instanceof MessageError);
          else assert.deepEqual(split, verdict);
        }),
        { numRuns: 2000 },
      );
    }
  });

  test("are refused where llhttp refuses them, and read alike where it reads them", () => {
    let both = 0;
    let refused = 0;
    fc.assert(
      fc.property(message, (bytes) => {
        const mine = whole(parseRequestHead, bytes);
        const verdict = judgeRequest(asciiTarget(bytes));
        const theirs = verdict.messages[0];
        if (mine === undefined || mine instanceof MessageError) {
          refused++;
          return;
        }
        const isKnown = methods.includes(mine.method);
        if (!isKnown) return;
        assert.ok(theirs !== undefined, `llhttp refuses: ${verdict.error}`);
        both++;
        const url = theirs.url.includes("?") ? `${mine.path}?${mine.query}` : mine.path;
        assert.equal(url.replaceAll(/[\x80-\xff]/g, "e"), theirs.url);
        assert.equal(mine.version, theirs.version);
        assert.deepEqual(
          mine.fields
            .flat()
            .map((text) =>
              Buffer.from(text, /[^\x00-\xff]/.test(text) ? "utf8" : "latin1").toString("latin1"),
            ),
          theirs.headers.map((text) => text.replace(/[ \t]+$/, "")),
        );
      }),
      { numRuns: 6000 },
    );
    assert.ok(both > 300, `only ${both} accepted by both`);
    assert.ok(refused > 300, `only ${refused} refused`);
  });
});

describe("a head that is known", () => {
  const text = Buffer.from("HTTP/1.1 200 OK\r\n__proto__: a\r\nContent-Length: 2\r\n\r\n{}");
  const read = (limits = LIMITS) =>
    parseResponseHead(text, 0, text.length, new HeadSearch(), limits) as ResponseHead;

  test("reads as at the first time, with headers of its own", () => {
    const first = read();
    first.headers.changed = "by the caller";
    const second = read();
    assert.deepEqual(Object.entries(second.headers), [
      ["__proto__", "a"],
      ["content-length", "2"],
    ]);
    delete second.headers["content-length"];
    assert.equal(read().headers["content-length"], "2");
  });

  test("is refused all the same where the limits are narrower", () => {
    read();
    assert.ok((read({ bytes: 20, fields: 9 }) as unknown) instanceof MessageError);
    assert.ok((read({ bytes: 900, fields: 1 }) as unknown) instanceof MessageError);
  });

  test("is another one from the first byte to the last that differs", () => {
    for (let at = 0; at < text.length - 2; at++) {
      read();
      const other = Buffer.from(text);
      other[at]! ^= 1;
      const fresh = parseResponseHead(other, 0, other.length, new HeadSearch(), { ...LIMITS });
      assert.deepEqual(parseResponseHead(other, 0, other.length, new HeadSearch(), LIMITS), fresh, `${at}`);
    }
  });
});

test("a head that differs from the last one in any byte is read anew, wherever it lies", () => {
  const text = "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nX: 1\r\n\r\n";
  for (const start of [0, 1, 2, 4, 7]) {
    // The same memory each time: it is compared in another way when it is seen again.
    const view = Buffer.alloc(start + text.length + 8, 0x41);
    const parse = (keepFields: boolean) =>
      parseResponseHead(view, start, start + text.length, new HeadSearch(), LIMITS, keepFields);
    for (let at = 0; at < text.length; at++) {
      for (const byte of [0x35, 0x78]) {
        view.write(text, start, "latin1");
        assert.deepEqual(parse(false), { ...(parse(true) as ResponseHead), fields: [] });
        assert.deepEqual(parse(false), { ...(parse(true) as ResponseHead), fields: [] });
        view[start + at] = byte;
        const anew = parse(true);
        const found = parse(false);
        if (anew === undefined || anew instanceof MessageError) assert.deepEqual(found, anew);
        else assert.deepEqual(found, { ...anew, fields: [] });
      }
    }
  }
});
