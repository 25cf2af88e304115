// Bodies piece by piece, cut at every byte, cut short at every byte, and sent by peers that mean harm.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import zlib from "node:zlib";
import * as net from "std-net";
import { err, ok, openDescriptors } from "../support/peer.ts";
import { type RawServer, rawServer, type Step } from "../support/raw-server.ts";
import { streamPair } from "../support/sockets.ts";

const { http } = net;

let raw: RawServer;
before(async () => {
  raw = await rawServer();
});
after(async () => {
  await raw[Symbol.asyncDispose]();
});

const HEAD = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n`;
const latin1 = (bytes: Buffer): string => bytes.toString("latin1");
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

/** Lines, events, and every sort of line end, with characters of several bytes. */
const TEXT = "id: 7\r\ndata: é1\ndata: \u2028x\n\nevent: a\rdata:b;c\r\r:note\n\ndata: last;\r\n\r\nrest";
const BODY = latin1(Buffer.from(TEXT));
const GZIP = latin1(zlib.gzipSync(Buffer.from(TEXT)));

const messages: { readonly [kind: string]: string } = {
  "with its length": `${HEAD}Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
  "in chunks": `${CHUNKED}\r\n${chunk(BODY.slice(0, 9))}1;ext="a;b"\r\n${BODY[9]}\r\n${chunk(BODY.slice(10))}0\r\nTrailer: x\r\n\r\n`,
  "gzip in chunks": `${CHUNKED}Content-Encoding: gzip\r\n\r\n${[...GZIP.matchAll(/.{1,11}/gs)].map(([part]) => chunk(part)).join("")}0\r\n\r\n`,
};

type Reader = net.http.BodyReader;
type Found = net.Result<string, string>;

/** Each way to read: it adds what it finds, and returns an error other than the end. */
function* byReads(body: Reader): Iterable<Found> {
  for (;;) {
    const bytes = body.read(7);
    if (bytes.isOk && bytes.value.length === 0) return;
    yield bytes.map(latin1);
    if (bytes.isErr) return;
  }
}

function* byReadsInto(body: Reader): Iterable<Found> {
  const buffer = Buffer.alloc(5);
  for (;;) {
    const count = body.read_into(buffer);
    if (count.isErr) {
      yield net.Result.err(count.error);
      return;
    }
    if (count.value === 0) return;
    yield net.Result.ok(latin1(buffer.subarray(0, count.value)));
  }
}

function* byDelimiter(body: Reader): Iterable<Found> {
  for (;;) {
    const bytes = body.read_until("data:");
    if (bytes.isErr && bytes.error.includes("end of stream before the delimiter")) {
      const rest = body.read_to_end();
      if (rest.isErr || rest.value.length > 0) yield rest.map(latin1);
      return;
    }
    yield bytes.map(latin1);
    if (bytes.isErr) return;
  }
}

function* toEnd(body: Reader): Iterable<Found> {
  const rest = body.read_to_end();
  if (rest.isErr || rest.value.length > 0) yield rest.map(latin1);
}

function* byEvents(body: Reader): Iterable<Found> {
  for (const event of body.events()) yield event.map((found) => JSON.stringify(found));
}

const ways: {
  readonly [way: string]: readonly [read: (body: Reader) => Iterable<Found>, found: string[] | string];
} = {
  read: [byReads, BODY],
  read_into: [byReadsInto, BODY],
  read_to_end: [toEnd, BODY],
  read_until: [byDelimiter, BODY.split(/(?<=data:)/)],
  lines: [(body) => body.lines(), TEXT.split(/\r?\n/)],
  events: [
    byEvents,
    [
      { event: "message", data: "é1\n\u2028x", id: "7", retry: null },
      { event: "a", data: "b;c", id: "7", retry: null },
      { event: "message", data: "last;", id: "7", retry: null },
    ].map((event) => JSON.stringify(event)),
  ],
};

function assertFound(found: readonly string[], expected: readonly string[] | string, what: string): void {
  if (typeof expected === "string") assert.equal(found.join(""), expected, what);
  else assert.deepEqual(found, expected, what);
}

describe("a body is the same wherever its bytes are cut", () => {
  for (const [kind, message] of Object.entries(messages)) {
    for (const [way, [read, expected]] of Object.entries(ways)) {
      test(`${kind}, by ${way}`, () => {
        const bytes = Buffer.from(message, "latin1");
        const headEnd = message.indexOf("\r\n\r\n") + 4;
        for (let cut = headEnd; cut <= bytes.length; cut++) {
          const [client, server] = streamPair();
          ok(client.set_nonblocking(true));
          ok(server.write_all(bytes.subarray(0, cut)));
          const { body } = ok(http.open_response(client));
          const found: string[] = [];
          let isOver = false;
          for (let more = 0; !isOver && more < 2; more++) {
            if (more === 1 && cut < bytes.length) ok(server.write_all(bytes.subarray(cut)));
            isOver = true;
            for (const each of read(body)) {
              if (each.isOk) found.push(each.value);
              else {
                assert.equal(net.error_code(each.error), "EAGAIN", each.error);
                isOver = false;
              }
            }
          }
          assertFound(found, expected, `cut at ${cut}`);
          assert.equal(ok(body.read(1)).length, 0);
          ok(server.write_all(`${HEAD}Content-Length: 4\r\n\r\nnext`));
          assert.equal(ok(http.read_response(client)).body, "next");
          client.close();
          server.close();
        }
      });

      test(`${kind}, by ${way}, byte after byte on a connection of the client's own`, () => {
        const { body } = ok(http.open({ method: "GET", url: raw.url({ slowly: message }) }));
        assertFound([...read(body)].map(ok), expected, way);
      });
    }
  }
});

describe("a body that is cut short at any byte is an error, and nothing that was there is lost", () => {
  for (const [kind, message] of Object.entries(messages)) {
    test(kind, () => {
      const bytes = Buffer.from(message, "latin1");
      for (let cut = message.indexOf("\r\n\r\n") + 4; cut < bytes.length; cut++) {
        for (const [way, [read, expected]] of Object.entries(ways)) {
          const [client, server] = streamPair();
          ok(server.write_all(bytes.subarray(0, cut)));
          server.close();
          const { body } = ok(http.open_response(client));
          const found: string[] = [];
          const errors: string[] = [];
          for (const each of read(body)) {
            if (each.isOk) found.push(each.value);
            else errors.push(each.error);
          }
          const text = "connection closed before response body complete";
          assert.deepEqual(errors, [text], `${way}, cut at ${cut}`);
          assert.equal(err(body.read(1)), text);
          const whole = typeof expected === "string" ? expected : expected.join("");
          assert.ok(whole.startsWith(found.join("")), `${way}, cut at ${cut}`);
          client.close();
        }
      }
    });
  }
});

describe("peers that mean harm", () => {
  const bomb = (size: number, code: (bytes: Buffer) => Buffer): string => {
    const coded = code(Buffer.alloc(size, "x"));
    return `Content-Length: ${coded.length}\r\n\r\n${latin1(coded)}`;
  };
  const LINES = `http read failed: no line end within ${1 << 20} bytes`;
  const EVENTS = `http read failed: no event end within ${1 << 20} bytes`;
  const cases: { readonly [what: string]: Step[] } = {
    "a flood without line ends": [`${HEAD}\r\n`, { flood: "x" }],
    "a chunk of eight exbibytes": [`${CHUNKED}\r\nfffffffffffff\r\n`, { flood: "x" }],
    "a gzip bomb": [`${HEAD}Content-Encoding: gzip\r\n${bomb(1 << 26, zlib.gzipSync)}`],
    "a brotli bomb": [`${HEAD}Content-Encoding: br\r\n${bomb(1 << 26, zlib.brotliCompressSync)}`],
    "gzip in gzip": [
      `${HEAD}Content-Encoding: gzip, gzip\r\n${bomb(1 << 26, (bytes) => zlib.gzipSync(zlib.gzipSync(bytes)))}`,
    ],
  };
  for (const [what, steps] of Object.entries(cases)) {
    test(`${what}: an error at the limit, in little memory, and nobody else is touched`, () => {
      const good = raw.url(`${HEAD}Content-Length: 4\r\n\r\ngood`);
      const url = raw.url(...steps);
      assert.equal(ok(http.request({ method: "GET", url: good })).body, "good");
      const before = process.memoryUsage();
      const descriptors = openDescriptors();
      for (let again = 0; again < 3; again++) {
        for (const [iterate, text] of [
          [(body: Reader) => body.lines(), LINES],
          [(body: Reader) => body.events(), EVENTS],
          [(body: Reader) => [body.read_to_end(1 << 20)], /more than 1048576 bytes before the end/],
          [(body: Reader) => [body.read_until("\n")], /no delimiter within 65536 bytes/],
        ] as const) {
          const { body } = ok(http.open({ method: "GET", url }));
          const errors = [...iterate(body)].map((each) => err(each as net.Result<unknown, string>));
          if (typeof text === "string") assert.deepEqual(errors, [text]);
          else assert.match(errors[0]!, text);
          body.close();
          assert.equal(ok(http.request({ method: "GET", url: good })).body, "good");
        }
      }
      const { arrayBuffers } = process.memoryUsage();
      const more = (arrayBuffers - before.arrayBuffers) >> 20;
      assert.ok(more < 48, `${more} MiB more`);
      assert.equal(openDescriptors(), descriptors);
    });
  }

  test("each wait is limited, however little comes", () => {
    const request = { method: "GET", read_timeout_ms: 150 };
    const slow: readonly (readonly [head: string, drip: string])[] = [
      [`${HEAD}Content-Length: 10\r\n\r\n`, ""],
      [`${CHUNKED}\r\n`, "1"],
      [`${CHUNKED}\r\n3\r\nabc\r\n0\r\nTrail`, "er"],
      [`${HEAD}Content-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b\x08`, "\0\0\0"],
    ];
    for (const [head, drip] of slow) {
      const { body } = ok(http.open({ ...request, url: raw.url(head, { slowly: drip }, 600_000) }));
      const begin = performance.now();
      const bytes = body.read_to_end();
      assert.equal(err(bytes), "http read failed: timed out");
      assert.ok(performance.now() - begin < 10_000);
      assert.equal(err(body.read(1)), "http read failed: timed out");
    }
  });

  test("a request's body: cut short, malformed, too large, and nothing of it", () => {
    const post = "POST / HTTP/1.1\r\nHost: x\r\n";
    const chunked = `${post}Transfer-Encoding: chunked\r\n\r\n`;
    const whole = `${chunked}3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nA: b\r\n\r\n`;
    for (let cut = chunked.length; cut < whole.length; cut++) {
      const [client, server] = streamPair();
      ok(client.write_all(whole.slice(0, cut)));
      client.close();
      const { body } = ok(http.open_request(server));
      assert.equal(
        err(body.read_to_end()),
        "connection closed before request body complete",
        `cut at ${cut}`,
      );
    }
    for (const [sent, options, text] of [
      [`${chunked}x`, {}, "invalid http request: malformed chunk size"],
      [`${chunked}3\r\nabcd`, {}, "invalid http request: chunk data of another length than its size"],
      [`${chunked}6\r\nabcdef\r\n0\r\n\r\n`, { max_body_bytes: 5 }, "request body too large"],
      [`${chunked}3\r\n`, { read_timeout_ms: 50 }, "http read failed: timed out"],
      [`${post}Content-Length: 5\r\n\r\n`, { read_timeout_ms: 50 }, "http read failed: timed out"],
    ] as const) {
      const [client, server] = streamPair();
      ok(client.write_all(sent));
      const { body } = ok(http.open_request(server, options));
      assert.equal(err(body.read_to_end()), text);
      assert.equal(err(body.read(9)), text);
    }
  });
});
