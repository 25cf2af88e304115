// Requests, responses and exchanges on connections that do not wait: each goes on where it was, at every byte.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { StoppedRead } from "../../src/engine/stopped-read.ts";
import { Failure } from "../../src/error.ts";
import { Exchange, type OwnReader, type Want } from "../../src/http/client/exchange.ts";
import type { Line } from "../../src/http/client/large-request.ts";
import { ExactInput } from "../../src/http/message/exact-input.ts";
import { ReadAheadInput } from "../../src/http/message/read-ahead-input.ts";
import { RequestReader } from "../../src/http/message/request-reader.ts";
import { ResponseReader } from "../../src/http/message/response-reader.ts";
import { monotonicTime } from "../../src/runtime/clock.ts";
import { Pieces } from "../support/pieces.ts";

const FOREVER = Number.POSITIVE_INFINITY;
const SECTION = { bytes: 64 * 1024, fields: 128 };
const LIMITS = { section: SECTION, keepFields: false, maxBodyBytes: 1_000_000, timeout: FOREVER };
const PLAN = {
  section: SECTION,
  keepFields: false,
  mayUpgrade: false,
  mostBodyBytes: () => 1_000_000,
  maxBodyBytes: 1_000_000,
};

function everyByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}

/** A connection that takes so many bytes of a request, and after `resume` as many again. */
class SlowLine extends Pieces {
  sent = "";
  readonly #most: number;
  #canSend = true;

  constructor(pieces: readonly Buffer[], most: number) {
    super(pieces, true);
    this.#most = most;
  }

  override resume(): void {
    super.resume();
    this.#canSend = true;
  }

  /** There is room for more of the request, and nothing has come. */
  resumeSending(): void {
    this.#canSend = true;
  }

  override send(source: Uint8Array, length: number): number {
    if (!this.#canSend) return this.wait();
    this.#canSend = false;
    const count = Math.min(length, this.#most);
    this.sent += Buffer.from(source.subarray(0, count)).toString("latin1");
    return count;
  }
}

function exchangeOn(line: SlowLine, bytes: Buffer, isShared: boolean, deadline = FOREVER): Exchange {
  const reader: OwnReader = new ResponseReader(new ReadAheadInput());
  const request = { bytes, length: bytes.length, isShared };
  return new Exchange(line, reader, request, "POST", PLAN, deadline);
}

describe("an exchange on a non-blocking connection", () => {
  const response = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");

  test("says what it waits for, and goes on from there", () => {
    const line = new SlowLine(everyByte(response), 4);
    const bytes = Buffer.from("0123456789");
    const exchange = exchangeOn(line, bytes, true);
    const wants: (Want | null)[] = [];
    const states: string[] = [];
    for (;;) {
      const want = exchange.advance();
      wants.push(want);
      states.push(exchange.state);
      if (want === null) break;
      // Another request is made in the same memory meanwhile.
      bytes.fill("x");
      if (want === "writable") line.resumeSending();
      else line.resume();
    }
    assert.equal(line.sent, "0123456789");
    assert.deepEqual(wants.slice(0, 3), ["writable", "writable", "readable"]);
    assert.equal(wants.length, 3 + response.length);
    const headLength = response.length - "hello".length;
    const expected = [
      ...["sending", "sending"],
      ...Array(headLength).fill("head"),
      ...Array("hello".length).fill("body"),
      "done",
    ];
    assert.deepEqual(states, expected);
    assert.equal(exchange.body.toString(), "hello");
    assert.equal(exchange.isSent, true);
  });

  test("sends a large request as there is room, in memory of its own when it has to wait", () => {
    const line = new SlowLine([response], 30_000);
    const text = "0123456789".repeat(10_000);
    const bytes = Buffer.from(text);
    const exchange = exchangeOn(line, bytes, true);
    for (let want = exchange.advance(); want !== null; want = exchange.advance()) {
      bytes.fill("x");
      assert.equal(want, exchange.isSent ? "readable" : "either");
      if (exchange.isSent) line.resume();
      else line.resumeSending();
    }
    assert.equal(exchange.state, "done");
    assert.ok(line.sent === text);
  });

  test("receives a response that comes before all of a large request was sent", () => {
    const refusal = Buffer.from("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    const line = new SlowLine([refusal], 30_000);
    const exchange = exchangeOn(line, Buffer.alloc(1_000_000), false);
    assert.equal(exchange.advance(), "either");
    line.resume();
    for (let want = exchange.advance(); want !== null; want = exchange.advance()) line.resume();
    assert.equal(exchange.state, "done");
    assert.equal(exchange.head?.status, 413);
    assert.equal(exchange.isSent, false);
  });

  test("ends at its deadline, whatever it waits for", () => {
    for (const bytes of [Buffer.from("0123456789"), Buffer.alloc(100_000)]) {
      const line = new SlowLine([response], 4);
      const deadline = monotonicTime() + 20;
      const exchange = exchangeOn(line, bytes, false, deadline);
      assert.notEqual(exchange.advance(), null);
      while (monotonicTime() < deadline);
      assert.equal(exchange.advance(), null);
      assert.equal(exchange.state, "failed");
      assert.equal(exchange.failure?.reason, "timed out");
      assert.equal(exchange.failure?.retry, "never");
    }
  });

  test("says when the request may be sent again", () => {
    const request = { bytes: Buffer.from("request"), length: 7, isShared: false };
    const failureOn = (line: Line) => {
      const reader: OwnReader = new ResponseReader(new ReadAheadInput());
      const exchange = new Exchange(line, reader, request, "GET", PLAN, FOREVER);
      assert.equal(exchange.advance(), null);
      return exchange.failure!;
    };
    const unanswered = failureOn(new Pieces([]));
    assert.equal(unanswered.reason, "connection closed before response headers");
    assert.equal(unanswered.retry, "if idempotent");
    for (const begun of ["H", "HTTP/1.1 100 Continue\r\n\r\n"]) {
      const { reason, retry } = failureOn(new Pieces([Buffer.from(begun)]));
      assert.equal(reason, "connection closed before response headers");
      assert.equal(retry, "never");
    }
    const { reason, retry } = failureOn(new Pieces([response.subarray(0, -1)]));
    assert.equal(reason, "connection closed before response body complete");
    assert.equal(retry, "never");
    const unsent = new Pieces([]);
    unsent.send = () => -104;
    assert.equal(failureOn(unsent).retry, "safe");
  });
});

describe("a reader of requests", () => {
  const requests = [
    "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    "GET /2 HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nA: b\r\n\r\n",
    "\r\n\r\nPOST /4 HTTP/1.0\r\nContent-Length: 1\r\n\r\n!",
  ];
  const expected = ["/1 hello", "/2 ", "/3 abcde", "/4 !", "connection closed before request headers"];

  function readAll(pieces: Pieces, input: ExactInput | ReadAheadInput): string[] {
    if (input instanceof ReadAheadInput) input.begin(pieces);
    const reader = new RequestReader(pieces.transport, input);
    const results: string[] = [];
    for (;;) {
      const read = reader.read(LIMITS, true, () => 0);
      if (read instanceof StoppedRead && read.wouldBlock) {
        // Before a request has begun, and behind its end, nothing of it is here.
        const isBetween =
          requests.some((_, index) => isLeft(pieces, index)) || isLeft(pieces, requests.length);
        if (input instanceof ExactInput) assert.equal(pieces.isReadInPart, !isBetween);
        pieces.resume();
        continue;
      }
      results.push(read instanceof Failure ? read.reason : `${read.head.path} ${read.body}`);
      if (read instanceof Failure) return results;
      // One request and no byte more.
      if (input instanceof ExactInput) {
        assert.equal(pieces.rest.toString(), requests.slice(results.length).join(""));
        assert.equal(pieces.isReadInPart, false);
      }
    }
  }

  /** Whether exactly the requests from this one on are still on the stream. */
  function isLeft(pieces: Pieces, from: number): boolean {
    return pieces.rest.toString() === requests.slice(from).join("");
  }

  const bytes = Buffer.from(requests.join(""));
  const inputs = {
    "that reads ahead": () => new ReadAheadInput(),
    "that is exact": (pieces: Pieces) => new ExactInput(pieces.transport, false),
    "that expects sizes": (pieces: Pieces) => new ExactInput(pieces.transport, true),
  };
  for (const [name, inputOf] of Object.entries(inputs)) {
    test(`on an input ${name} gives the same, however the stream is cut`, () => {
      const run = (cut: Buffer[], pauses: boolean) => {
        const pieces = new Pieces(cut, pauses);
        return readAll(pieces, inputOf(pieces));
      };
      assert.deepEqual(run([bytes], false), expected);
      assert.deepEqual(run(everyByte(bytes), false), expected);
      assert.deepEqual(run(everyByte(bytes), true), expected);
      for (let at = 1; at < bytes.length; at++) {
        assert.deepEqual(run([bytes.subarray(0, at), bytes.subarray(at)], true), expected, `cut at ${at}`);
      }
    });
  }
});

describe("a body that is read in pieces", () => {
  /** Reads the body behind a head of these fields; gives it and the sizes of the pieces. */
  function pieces(fields: string, body: Buffer[], size: number): { body: Buffer; sizes: number[] } {
    const reader: OwnReader = new ResponseReader(new ReadAheadInput());
    reader.input.begin(new Pieces([Buffer.from(`HTTP/1.1 200 OK\r\n${fields}\r\n`), ...body]));
    const head = reader.readHead(PLAN, FOREVER);
    assert.ok(typeof head !== "number" && !(head instanceof Failure));
    assert.equal(reader.beginBody(head, "GET", FOREVER, SECTION), undefined);
    const target = Buffer.alloc(size);
    const got: Buffer[] = [];
    for (;;) {
      const count = reader.body.read(target, size, FOREVER);
      assert.ok(typeof count === "number" && count >= 0);
      if (count === 0) break;
      got.push(Buffer.from(target.subarray(0, count)));
    }
    assert.ok(reader.body.isDone);
    assert.ok(reader.input.bytes.length <= 256 * 1024, "in constant memory");
    return { body: Buffer.concat(got), sizes: got.map(({ length }) => length) };
  }

  const data = Buffer.alloc(1_000_000, "0123456789");
  const hundred = Array.from({ length: 100 }, (_, i) => data.subarray(i * 10_000, (i + 1) * 10_000));

  test("gives what has come, of each framing", () => {
    for (const size of [1000, 65_536, 200_000]) {
      assert.ok(pieces(`Content-Length: ${data.length}\r\n`, hundred, size).body.equals(data));
      assert.ok(pieces("Connection: close\r\n", hundred, size).body.equals(data));
      const chunks = hundred.map((piece) =>
        Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
      );
      const chunked = [...chunks, Buffer.from("0\r\n\r\n")];
      const small = pieces("Transfer-Encoding: chunked\r\n", chunked, size);
      assert.ok(small.body.equals(data));
      const one = [Buffer.from(`${data.length.toString(16)}\r\n`), ...hundred, Buffer.from("\r\n0\r\n\r\n")];
      const large = pieces("Transfer-Encoding: chunked\r\n", one, size);
      assert.ok(large.body.equals(data));
      // No piece waits for the next one.
      if (size >= 10_000) for (const { sizes } of [small, large]) assert.equal(sizes.length, 100);
    }
  });
});
