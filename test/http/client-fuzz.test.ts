// http.request against anything: whatever the caller gives and the server answers, there is a result, in time.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as zlib from "node:zlib";
import * as net from "std-net";
import { StoppedRead } from "../../src/engine/stopped-read.ts";
import { Failure } from "../../src/error.ts";
import { Exchange } from "../../src/http/client/exchange.ts";
import { ReadAheadInput } from "../../src/http/message/read-ahead-input.ts";
import { cutShort, refusal } from "../../src/http/message/reader.ts";
import { ResponseReader, StreamResponseReader } from "../../src/http/message/response-reader.ts";
import { MessageError } from "../../src/http/wire/message-error.ts";
import { openDescriptors } from "../support/peer.ts";
import { Pieces } from "../support/pieces.ts";
import fc from "../support/properties.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";

let raw: RawServer;

before(async () => {
  raw = await rawServer();
});

after(() => raw[Symbol.asyncDispose]());

const FOREVER = Number.POSITIVE_INFINITY;
const MOST = 100_000;
const SECTION = { bytes: 64 * 1024, fields: 128 };

/** All that is made of a response, in a form that can be compared. */
type Outcome = unknown;

/** What is wrong first depends on how much is there. */
function wrong(reason: string): string {
  return reason.replace(/^(invalid http response).*/, "$1");
}

/** What an exchange of the client's makes of it, on a connection that it reads ahead. */
function outcome(pieces: Pieces, method: string): Outcome {
  const reader = new ResponseReader(new ReadAheadInput());
  const line = { transport: pieces.transport, isQuiet: () => pieces.isQuiet() };
  const request = { bytes: Buffer.from("a request"), length: 9, isShared: true };
  const plan = {
    section: SECTION,
    keepFields: true,
    mayUpgrade: false,
    mostBodyBytes: () => MOST,
    maxBodyBytes: MOST,
  };
  const exchange = new Exchange(line, reader, request, method, plan, FOREVER);
  for (;;) {
    const want = exchange.advance();
    if (want === null) break;
    assert.ok(pieces.nonblocking && want === "readable");
    pieces.resume();
  }
  const { head, body, failure } = exchange;
  assert.equal(exchange.state, failure === null ? "done" : "failed");
  if (head === null) return wrong(failure!.reason);
  if (failure !== null) return [head.status, head.fields, wrong(failure.reason)];
  return [head.status, head.fields, body.toString("latin1")];
}

/** What `read_response` makes of it, which takes no byte behind it. */
function exactOutcome(pieces: Pieces, method: string): { outcome: Outcome; rest: string } {
  const reader = new StreamResponseReader(pieces.transport);
  const limits = { section: SECTION, keepFields: true, maxBodyBytes: MOST, timeout: FOREVER };
  for (;;) {
    const read = reader.read(limits, method);
    const rest = pieces.rest.toString("latin1");
    if (read instanceof StoppedRead && read.wouldBlock) {
      pieces.resume();
      continue;
    }
    if (read instanceof Failure) return { outcome: wrong(read.reason), rest: "" };
    return { outcome: [read.head.status, read.head.fields, read.body.toString("latin1")], rest };
  }
}

/** The body in pieces of at most `size` bytes, as a streamed body is read. */
function streamedOutcome(pieces: Pieces, method: string, size: number): Outcome {
  const reader = new ResponseReader(new ReadAheadInput());
  reader.input.begin(pieces);
  const head = reader.readHead({ section: SECTION, keepFields: true }, FOREVER);
  if (typeof head === "number") return head === 0 ? cutShort("response", false) : head;
  if (head instanceof MessageError) return wrong(refusal("response", head, MOST));
  if (head.status === 101) return "the server switched protocols (101), which was not asked for";
  const failed = (reason: string) => [head.status, head.fields, wrong(reason)];
  const error = reader.beginBody(head, method, MOST, SECTION);
  if (error !== undefined) return failed(refusal("response", error, MOST));
  const target = Buffer.alloc(size);
  let text = "";
  for (;;) {
    const count = reader.body.read(target, size, FOREVER);
    if (count instanceof MessageError) return failed(refusal("response", count, MOST));
    assert.ok(count >= 0 && count <= size);
    if (count === 0) break;
    text += target.toString("latin1", 0, count);
  }
  return reader.body.isDone ? [head.status, head.fields, text] : failed(cutShort("response", true));
}

function split(bytes: Buffer, sizes: number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  pieces.push(bytes.subarray(at));
  return pieces;
}

const token = fc.stringMatching(/^[A-Za-z][A-Za-z-]{0,8}$/);
const value = fc.stringMatching(/^[!-~]{0,20}$/);
const field = fc.tuple(token, value).map(([name, text]) => `${name}: ${text}\r\n`);
const content = fc.string({ maxLength: 300 }).map((text) => Buffer.from(text).toString("latin1"));

/** Whole and good answers, of every framing. */
const goodAnswer = fc
  .record({
    interim: fc.array(
      fc.constantFrom("HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"),
      { maxLength: 3 },
    ),
    version: fc.constantFrom("HTTP/1.1", "HTTP/1.0"),
    status: fc.constantFrom(200, 204, 304, 404, 500),
    fields: fc.array(field, { maxLength: 5 }),
    framing: fc.constantFrom("length", "chunked", "close"),
    chunks: fc.array(content, { maxLength: 4 }),
    trailers: fc.array(field, { maxLength: 2 }),
  })
  .map(({ interim, version, status, fields, framing, chunks, trailers }) => {
    const body = chunks.join("");
    const coded = chunks
      .filter((chunk) => chunk !== "")
      .map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    const [line, text] = {
      length: [`Content-Length: ${body.length}\r\n`, body],
      chunked: ["Transfer-Encoding: chunked\r\n", `${coded.join("")}0\r\n${trailers.join("")}\r\n`],
      close: ["", body],
    }[framing] as [string, string];
    return `${interim.join("")}${version} ${status} Reason\r\n${fields.join("")}${line}\r\n${text}`;
  });

/** Such an answer with bytes changed, left out, put in or repeated; or no answer at all. */
const badAnswer = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
  fc
    .tuple(
      goodAnswer,
      fc.array(
        fc.record({
          at: fc.nat(),
          remove: fc.nat({ max: 3 }),
          insert: fc.oneof(
            fc.constantFrom(
              "\r",
              "\n",
              "\r\n",
              "\0",
              " ",
              ":",
              "0",
              "f",
              ";",
              ",",
              "\x80",
              "\r\n\r\n",
              "HTTP/1.1 200 OK\r\n",
            ),
            fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
          ),
        }),
        { minLength: 1, maxLength: 4 },
      ),
    )
    .map(([answer, changes]) => {
      let text = answer;
      for (const { at, remove, insert } of changes) {
        const place = at % (text.length + 1);
        text = text.slice(0, place) + insert + text.slice(place + remove);
      }
      return text;
    }),
);

const method = fc.constantFrom("GET", "HEAD", "POST", "CONNECT");

test("a response is the same however it is cut", () => {
  fc.assert(
    fc.property(
      fc.oneof(goodAnswer, badAnswer),
      method,
      fc.array(fc.nat({ max: 40 }), { maxLength: 30 }),
      (answer, asked, sizes) => {
        const bytes = Buffer.from(answer, "latin1");
        const whole = outcome(new Pieces([bytes]), asked);
        assert.deepEqual(outcome(new Pieces(split(bytes, sizes)), asked), whole);
        assert.deepEqual(outcome(new Pieces(split(bytes, sizes), true), asked), whole);
      },
    ),
    { numRuns: 1500 },
  );
});

test("a response is the same byte by byte", () => {
  fc.assert(
    fc.property(fc.oneof(goodAnswer, badAnswer), method, (answer, asked) => {
      const bytes = Buffer.from(answer, "latin1");
      const single = Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
      assert.deepEqual(outcome(new Pieces(single), asked), outcome(new Pieces([bytes]), asked));
    }),
    { numRuns: 500 },
  );
});

test("a body is the same in pieces of any size", () => {
  fc.assert(
    fc.property(
      fc.oneof(goodAnswer, badAnswer),
      method,
      fc.array(fc.nat({ max: 40 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 50 }),
      (answer, asked, sizes, size) => {
        const bytes = Buffer.from(answer, "latin1");
        const whole = outcome(new Pieces([bytes]), asked);
        assert.deepEqual(streamedOutcome(new Pieces(split(bytes, sizes)), asked, size), whole);
      },
    ),
    { numRuns: 1500 },
  );
});

test("read_response makes the same of an answer, however it is cut, and leaves what follows", () => {
  let left = 0;
  fc.assert(
    fc.property(
      fc.oneof(goodAnswer, badAnswer),
      method,
      fc.array(fc.nat({ max: 40 }), { maxLength: 30 }),
      fc.boolean(),
      (answer, asked, sizes, pauses) => {
        const bytes = Buffer.from(`${answer}and more`, "latin1");
        const whole = exactOutcome(new Pieces([bytes]), asked);
        assert.deepEqual(exactOutcome(new Pieces(split(bytes, sizes), pauses), asked), whole);
        if (whole.rest === "and more") left++;
        const ahead = outcome(new Pieces([bytes]), asked);
        // It says no more than what is wrong, not also how far it came.
        const expected = Array.isArray(whole.outcome) || !Array.isArray(ahead) ? ahead : ahead[2];
        if (!isSwitch(whole.outcome)) assert.deepEqual(whole.outcome, expected);
      },
    ),
    { numRuns: 1500 },
  );
  assert.ok(left > 100, `${left} answers with something behind`);
});

/** 101, which the client refuses and read_response gives. */
function isSwitch(outcome: Outcome): boolean {
  return Array.isArray(outcome) && outcome[0] === 101;
}

test("a response larger than the read buffer is the same however it is cut", () => {
  const body = Buffer.alloc(99_000, "0123456789");
  const interim = `HTTP/1.1 103 Hints\r\nLink: ${"x".repeat(60_000)}\r\n\r\n`;
  const answer = Buffer.from(
    `${interim}${interim}HTTP/1.1 200 OK\r\nX: ${"y".repeat(50_000)}\r\nContent-Length: 99000\r\n\r\n${body}`,
  );
  for (const size of [1000, 4096, 65_536, 131_072, 1_000_000]) {
    const pieces = split(
      answer,
      Array.from({ length: Math.floor(answer.length / size) }, () => size),
    );
    const [status, , text] = outcome(new Pieces(pieces), "GET") as [number, unknown, string];
    assert.equal(status, 200);
    assert.ok(text === body.toString());
  }
});

test("random and mutated responses over a connection: always a result, in time, and nothing left behind", () => {
  net.http.request({ method: "GET", url: raw.url("<end>") });
  const descriptors = openDescriptors();
  const begin = performance.now();
  let good = 0;
  fc.assert(
    fc.property(fc.oneof(goodAnswer, badAnswer), fc.constantFrom("GET", "HEAD", "POST"), (answer, asked) => {
      // What looks like a place-holder of the server's would be one.
      const url = raw.url(answer.replaceAll("{", "["), "<end>");
      const result = net.http.request({ method: asked, url, timeout_ms: 5000, max_redirects: 0 });
      if (result.isOk) good++;
      else assert.notEqual(result.error, "http request failed: timed out");
    }),
    { numRuns: 400 },
  );
  assert.ok(good > 50, `${good} good answers`);
  assert.ok(performance.now() - begin < 30_000);
  assert.ok(openDescriptors() <= descriptors + 1);
});

test("mutated compressed bodies: always a result", () => {
  const bodies = [zlib.gzipSync, zlib.deflateSync, zlib.deflateRawSync, zlib.brotliCompressSync].map(
    (compress) => compress("some text that is long enough to be compressed, compressed, compressed"),
  );
  fc.assert(
    fc.property(
      fc.constantFrom("gzip", "deflate", "br", "gzip, br"),
      fc.constantFrom(...bodies),
      fc.nat({ max: 80 }),
      fc.nat({ max: 255 }),
      (coding, body, at, byte) => {
        const changed = Buffer.from(body);
        changed[at % changed.length] = byte;
        const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${changed.length}\r\n\r\n`;
        const url = raw.url((head + changed.toString("latin1")).replaceAll("{", "["));
        const result = net.http.request({ method: "GET", url, decode_body: "base64", timeout_ms: 5000 });
        assert.ok(result.isOk || result.error.startsWith("http request failed: "));
      },
    ),
    { numRuns: 200 },
  );
});

test("any value from the caller: a result, never an exception", () => {
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withTypedArray: true,
  });
  const given = fc.record(
    {
      method: fc.oneof(fc.constant("GET"), anything),
      url: fc.oneof(
        fc.constant("http://127.0.0.1:1/"),
        fc.webUrl().map((url) => url.replace(/\/\/[^/]*/, "//127.0.0.1:1")),
        anything,
      ),
      headers: fc.oneof(fc.dictionary(fc.string(), fc.string()), anything),
      body: anything,
      body_text: fc.oneof(fc.string(), anything),
      body_base64: anything,
      timeout_ms: anything,
      connect_timeout_ms: anything,
      max_redirects: anything,
      max_body_bytes: anything,
      decode_body: anything,
      raw_headers: anything,
      keep_alive: anything,
      socket_path: anything,
      proxy: anything,
      tls: anything,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(given, anything), (request) => {
      const result = net.http.request(request as never);
      assert.ok(result.isErr && typeof result.error === "string");
    }),
    { numRuns: 2000 },
  );
});

test("a getter or a trap that throws in any place is an error result", () => {
  const request = {
    method: "POST",
    url: "http://127.0.0.1:1/",
    headers: { a: "b" },
    body: { c: 1 },
    tls: { ca: "x" },
  };
  const trapped = (value: object, count: { left: number }): object =>
    new Proxy(value, {
      get(target, name, receiver) {
        if (count.left-- === 0) throw new Error("trapped");
        const inner: unknown = Reflect.get(target, name, receiver);
        return typeof inner === "object" && inner !== null ? trapped(inner, count) : inner;
      },
      ownKeys(target) {
        if (count.left-- === 0) throw new Error("trapped");
        return Reflect.ownKeys(target);
      },
    });
  let trappedOnes = 0;
  for (let left = 0; left < 60; left++) {
    const result = net.http.request(trapped(request, { left }) as never);
    assert.ok(result.isErr);
    if (result.error.includes("trapped")) trappedOnes++;
  }
  assert.ok(trappedOnes >= 15, `${trappedOnes}`);
});
