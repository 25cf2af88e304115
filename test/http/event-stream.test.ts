import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createParser } from "eventsource-parser";
import { EventParser, type ServerSentEvent } from "../../src/http/wire/event-stream.ts";
import fc from "../support/properties.ts";

const LIMIT = 1 << 20;

/** What is found in pieces. A buffer grows with each of them, as a reader's does. */
function eventsOf(pieces: readonly Buffer[], limit = LIMIT): ServerSentEvent[] | "too long" {
  const parser = new EventParser();
  const events: ServerSentEvent[] = [];
  let rest: Buffer = Buffer.alloc(0);
  for (const piece of pieces) {
    rest = Buffer.concat([rest, piece]);
    do {
      const used = parser.parse(rest, 0, rest.length, limit);
      if (used < 0) return "too long";
      rest = rest.subarray(used);
      if (parser.event !== null) events.push(parser.event);
    } while (parser.event !== null);
  }
  return events;
}

const singly = (text: string): Buffer[] => Array.from(Buffer.from(text), (byte) => Buffer.from([byte]));
const message = (data: string, rest: Partial<ServerSentEvent> = {}): ServerSentEvent => ({
  event: "message",
  data,
  id: "",
  retry: null,
  ...rest,
});

/** The same in one piece, at every split, and byte by byte. */
function expectEvents(text: string, expected: readonly ServerSentEvent[]): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at <= bytes.length; at++) {
    const pieces = [bytes.subarray(0, at), bytes.subarray(at)];
    assert.deepEqual(eventsOf(pieces), expected, `${JSON.stringify(text)} split at ${at}`);
  }
  assert.deepEqual(eventsOf(singly(text)), expected, `${JSON.stringify(text)} byte by byte`);
}

describe("server-sent events", () => {
  test("the standard's own examples", () => {
    expectEvents("data: YHOO\ndata: +2\ndata: 10\n\n", [message("YHOO\n+2\n10")]);
    expectEvents(
      ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
      [message("first event", { id: "1" }), message("second event")],
    );
    expectEvents("data\n\ndata\ndata\n\ndata:", [message(""), message("\n")]);
    expectEvents("data:test\n\ndata: test\n\n", [message("test"), message("test")]);
    expectEvents("event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\n", [
      message("73857293", { event: "add" }),
      message("2153", { event: "remove" }),
    ]);
  });

  test("lines end at CR, LF or CR LF, mixed as they like, and at nothing else", () => {
    for (const end of ["\n", "\r", "\r\n"]) {
      expectEvents(`data: a${end}data: b${end}${end}data: c${end}${end}`, [message("a\nb"), message("c")]);
    }
    expectEvents(
      "data: a\r\rdata: b\n\r\ndata: c\r\n\ndata: d\n\r",
      ["a", "b", "c", "d"].map((d) => message(d)),
    );
    expectEvents("data: a\u2028b\u2029c\u0085d\v\f\n\n", [message("a\u2028b\u2029c\u0085d\v\f")]);
  });

  test("an event is there with the last byte of its empty line", () => {
    for (const text of ["data: x\n\n", "data: x\r\r", "data: x\r\n\n", "data: x\r\n\r"]) {
      assert.deepEqual(eventsOf([Buffer.from(text)]), [message("x")], JSON.stringify(text));
    }
    assert.deepEqual(eventsOf([Buffer.from("data: x\r\n")]), []);
  });

  test("a byte order mark is dropped at the start and nowhere else", () => {
    expectEvents("\ufeffdata: x\n\n", [message("x")]);
    expectEvents("\ufeff: comment\n\ndata: \ufeffx\n\n\ufeffdata: y\n\n", [message("\ufeffx")]);
  });

  test("ids stay, one with NUL is ignored, and an event without data counts for its id and retry", () => {
    expectEvents("id: 7\nretry: 250\n\ndata: a\n\ndata: b\nid: x\0y\n\ndata: c\nid:\n\n", [
      message("a", { id: "7", retry: 250 }),
      message("b", { id: "7" }),
      message("c"),
    ]);
    expectEvents("retry: 1x\nretry: -1\nretry:\nretry: 1.5\ndata\n\n", [message("")]);
    expectEvents("event: lost\n\ndata: a\n\n", [message("a")]);
  });

  test("fields are told apart by case and by the first colon", () => {
    expectEvents("Data: a\n data: b\ndata : c\nunknown\nevent:: x\ndata:y:z\n\n", [
      message("y:z", { event: ": x" }),
    ]);
  });

  test("characters of several bytes are whole", () => {
    expectEvents("data: 日本 ✓ 🎉\n\n", [message("日本 ✓ 🎉")]);
    assert.deepEqual(eventsOf([Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0x0a, 0x0a])]), [
      message("\ufffd"),
    ]);
  });

  test("what is too long is noticed before it ends, and comments without end are not too long", () => {
    assert.equal(eventsOf([Buffer.from(`data: ${"x".repeat(100)}`)], 100), "too long");
    assert.equal(eventsOf(Array(50).fill(Buffer.from("data: x\n")), 100), "too long");
    assert.equal(eventsOf([Buffer.from(`:${"x".repeat(100)}`)], 100), "too long");
    assert.deepEqual(eventsOf([Buffer.from(`data: ${"x".repeat(93)}\n\n`)], 100), [message("x".repeat(93))]);
    assert.equal(eventsOf([Buffer.from(`data: ${"x".repeat(94)}\n\n`)], 100), "too long");
    assert.deepEqual(eventsOf(Array(500).fill(Buffer.from(": ping\n")), 100), []);
    assert.deepEqual(eventsOf(Array(500).fill(Buffer.from("\n")), 100), []);
  });

  test("finds what eventsource-parser finds, whatever the pieces", () => {
    const part = fc.constantFrom(
      ..."data,data: ,data:,event: ,event:,id: ,id:,retry: ,retry:5,:,: x,\n,\n\n,\r,\r\n,\r\r,x,7, ,\0,é,\u2028,🎉".split(
        ",",
      ),
    );
    const text = fc.array(part, { maxLength: 40 }).map((parts) => parts.join(""));
    fc.assert(
      fc.property(text, fc.array(fc.nat(80), { maxLength: 4 }), (stream, cuts) => {
        // The last CR may belong to a line end that is not whole, which the referee waits for.
        const whole = `${stream}x`;
        const expected: { event: string; data: string }[] = [];
        const referee = createParser({
          onEvent: ({ event = "message", data }) => expected.push({ event, data }),
        });
        referee.feed(whole);
        const bytes = Buffer.from(whole);
        const ends = [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
        const pieces = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
        const found = eventsOf(pieces);
        assert.ok(found !== "too long");
        assert.deepEqual(
          found.map(({ event, data }) => ({ event, data })),
          expected,
        );
      }),
      { numRuns: 2000 },
    );
  });
});
