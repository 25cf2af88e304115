import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as net from "std-net";
import { err, node, ok, python, startPeer } from "../support/peer.ts";
import fc from "../support/properties.ts";

type Request = net.http.ServerRequest;

const AGAIN = "http read failed: Resource temporarily unavailable (os error 11)";

const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
const address = ok(listener.local_addr());

/** Both ends of a connection, closed when the body is done. */
function connected<T>(body: (client: net.TcpStream, server: net.TcpStream) => T): T {
  const client = ok(net.TcpStream.connect(address));
  const server = ok(listener.accept());
  try {
    return body(client, server);
  } finally {
    client.close();
    server.close();
  }
}

function writeAll(stream: net.TcpStream, data: string | Uint8Array): void {
  let rest = typeof data === "string" ? Buffer.from(data, "latin1") : data;
  while (rest.length > 0) rest = rest.subarray(ok(stream.write(rest)));
}

function readToEnd(stream: net.TcpStream): string {
  let text = "";
  for (;;) {
    const bytes = ok(stream.read(65536));
    if (bytes.length === 0) return text;
    text += bytes.toString("utf8");
  }
}

/**
 * The next result that is not EAGAIN. What was written may still wait in the client's socket for an
 * acknowledgement (Nagle's algorithm), also on loopback.
 */
function eventually(server: net.TcpStream): ReturnType<typeof net.http.read_request> {
  for (const limit = performance.now() + 10_000; ; ) {
    const result = net.http.read_request(server);
    if (result.isOk || result.error !== AGAIN || performance.now() > limit) return result;
  }
}

/** What read_request makes of these bytes and the end of the stream. */
function received(
  data: string | Uint8Array,
  options?: net.http.ReadRequestOptions,
): ReturnType<typeof net.http.read_request> {
  return connected((client, server) => {
    writeAll(client, data);
    client.close();
    return net.http.read_request(server, options);
  });
}

function request(data: string | Uint8Array, options?: net.http.ReadRequestOptions): Request {
  return ok(received(data, options));
}

const get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const bigGet = (tail: string) => `GET / HTTP/1.1\r\nHost: x\r\nBig: ${"y".repeat(20_000)}\r\n\r\n${tail}`;
const post = (body: string, lines = "") =>
  `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${Buffer.byteLength(body, "latin1")}\r\n${lines}\r\n${body}`;
const chunked = (body: string) => `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;

describe("read_request", () => {
  test("gives the request's parts", () => {
    const text =
      'PUT /a%20b?q=%C3%A9&r HTTP/1.1\r\nHost: x\r\nX-A: 1\r\nx-a: 2\r\nCookie: a=b\r\nCookie: c=d\r\nContent-Length: 9\r\n\r\n{"n":[1]}';
    assert.deepEqual(request(text), {
      method: "PUT",
      path: "/a%20b",
      query: "q=%C3%A9&r",
      version: "HTTP/1.1",
      headers: { host: "x", "x-a": "1, 2", cookie: "a=b; c=d", "content-length": "9" },
      body: { n: [1] },
    });
    assert.deepEqual(request(text, { raw_headers: true }).raw_headers, [
      ["Host", "x"],
      ["X-A", "1"],
      ["x-a", "2"],
      ["Cookie", "a=b"],
      ["Cookie", "c=d"],
      ["Content-Length", "9"],
    ]);
    assert.equal(request("GET http://h/p?q HTTP/1.0\r\n\r\n").path, "http://h/p");
    const raw = request("GET /caf\xe9?q=\xc3\xa9 HTTP/1.0\r\n\r\n");
    assert.deepEqual([raw.path, raw.query], ["/café", "q=é"]);
    assert.deepEqual(Object.entries(request("GET / HTTP/1.0\r\n__proto__: x\r\n\r\n").headers), [
      ["__proto__", "x"],
    ]);
  });

  test("makes of the body null, JSON, or text", () => {
    const body = (text: string, options?: net.http.ReadRequestOptions) => request(post(text), options).body;
    assert.equal(body(""), null);
    assert.equal(body(" \r\n\t"), null);
    assert.deepEqual(body('[1,{"a":12345678901234567890}]'), [1, { a: 12345678901234567890n }]);
    assert.equal(body("a=b&c=d"), "a=b&c=d");
    assert.deepEqual(body("\xef\xbb\xbf[1]"), [1]);
    assert.equal(body("\xc3\xa9"), "é");
    assert.equal(request(get).body, null);
    assert.equal(body("[1]", { decode_body: "text" }), "[1]");
    assert.equal(body("\xff\0", { decode_body: "base64" }), "/wA=");
  });

  test("reads one request and no byte more", () => {
    connected((client, server) => {
      const big = "x".repeat(100_000);
      writeAll(client, get + post("[1]") + chunked("3\r\n[2]\r\n0\r\nT: u\r\n\r\n") + get);
      assert.equal(ok(net.http.read_request(server)).method, "GET");
      assert.deepEqual(ok(net.http.read_request(server)).body, [1]);
      assert.deepEqual(ok(net.http.read_request(server)).body, [2]);
      assert.equal(ok(net.http.read_request(server)).body, null);
      // A body larger than one look; a head larger than one look; then bytes that are no request.
      writeAll(client, post(big) + bigGet("tail"));
      assert.equal(ok(net.http.read_request(server)).body, big);
      assert.equal(ok(net.http.read_request(server)).headers.big?.length, 20_000);
      assert.equal(ok(server.read(100)).toString(), "tail");
    });
  });

  test("reads alike what comes after requests of one size, which it then expects", () => {
    const long = get.replace("/ ", `/${"x".repeat(50)} `);
    const short = "G / HTTP/1.0\r\n\r\n";
    const body = post("[1,2]");
    const streamed = chunked("3\r\n[3]\r\n0\r\n\r\n");
    const expected = new Map([
      [get, null],
      [long, null],
      [short, null],
      [body, [1, 2]],
      [streamed, [3]],
    ]);
    for (const usual of [get, body]) {
      for (const next of [
        short + get,
        short + body,
        long,
        streamed + short,
        body + streamed,
        get.repeat(3),
        "tail",
      ]) {
        connected((client, server) => {
          for (let i = 0; i < 4; i++) {
            writeAll(client, usual);
            assert.deepEqual(ok(net.http.read_request(server)).body, expected.get(usual));
          }
          writeAll(client, `${next === "tail" ? "" : next}${usual}tail`);
          let rest = `${next === "tail" ? "" : next}${usual}`;
          while (rest !== "") {
            const part = [...expected.keys()].find((text) => rest.startsWith(text)) as string;
            assert.deepEqual(ok(net.http.read_request(server)).body, expected.get(part));
            rest = rest.slice(part.length);
          }
          assert.equal(ok(server.read(99)).toString(), "tail");
        });
      }
    }
    // A first part that is shorter than what is expected, and a request that is refused.
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      for (const piece of [get, get, get, get.slice(0, 5), get.slice(5), get, get, get, `${short}\0`]) {
        writeAll(client, piece);
        if (piece === get.slice(0, 5)) assert.equal(err(net.http.read_request(server)), AGAIN);
        else ok(eventually(server));
      }
      assert.equal(err(net.http.read_request(server)), "invalid http request: malformed start line");
    });
  });

  test("takes a request without length as one without body", () => {
    connected((client, server) => {
      writeAll(client, `POST / HTTP/1.1\r\nHost: x\r\n\r\n${get}`);
      assert.equal(ok(net.http.read_request(server)).body, null);
      assert.equal(ok(net.http.read_request(server)).method, "GET");
    });
  });

  test("goes on after a body that is not UTF-8", () => {
    connected((client, server) => {
      writeAll(client, post("\xff") + get);
      assert.equal(err(net.http.read_request(server)), "request body is not utf-8");
      assert.equal(ok(net.http.read_request(server)).method, "GET");
    });
    assert.equal(err(received(post("\xff"), { decode_body: "text" })), "request body is not utf-8");
  });

  test("says where the connection ended", () => {
    for (const start of ["", "\r\n", "GET", get.slice(0, -1)]) {
      assert.equal(err(received(start)), "connection closed before request headers");
    }
    for (const start of [
      post("12345").slice(0, -1),
      chunked(""),
      chunked("5\r\nhe"),
      chunked("0\r\n"),
      chunked("0\r\nA: b\r\n"),
    ]) {
      assert.equal(err(received(start)), "connection closed before request body complete");
    }
  });

  test("refuses what can be read in two ways, and every request after it", () => {
    const head = (lines: string, version = "HTTP/1.1") => `POST / ${version}\r\nHost: x\r\n${lines}\r\n`;
    const cases: [string, string][] = [
      [
        head("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        "invalid http request: Content-Length together with Transfer-Encoding",
      ],
      [head("Content-Length: 1\r\nContent-Length: 2\r\n"), "invalid Content-Length header"],
      [head("Content-Length: +1\r\n"), "invalid Content-Length header"],
      [head("Content-Length: 1 1\r\n"), "invalid Content-Length header"],
      [head("Transfer-Encoding: gzip, chunked\r\n"), "invalid http request: unsupported Transfer-Encoding"],
      [
        head("Transfer-Encoding: chunked\r\n", "HTTP/1.0"),
        "invalid http request: Transfer-Encoding in HTTP/1.0",
      ],
      ["GET / HTTP/1.1\r\n\r\n", "invalid http request: missing Host header"],
      [head("host: y\r\n"), "invalid http request: more than one Host header"],
      ["GET / HTTP/2.0\r\n\r\n", "invalid http request: unsupported version"],
      ["GET / HTTP/1.1\nHost: x\n\n", "invalid http request: bare LF"],
      ["GET / HTTP/1.1\r\nHost: x\ry\r\n\r\n", "invalid http request: bare CR"],
      ["GET / HTTP/1.1\r\nHost: \0\r\n\r\n", "invalid http request: NUL"],
      [head("A: b\r\n c\r\n"), "invalid http request: folded header line"],
      [head("A : b\r\n"), "invalid http request: white space in a header name"],
      [chunked("5 \r\n"), "invalid http request: malformed chunk size"],
      [chunked("5; a\r\n"), "invalid http request: malformed chunk extension"],
      [chunked("1\r\nab\r\n"), "invalid http request: chunk data of another length than its size"],
      [chunked("0\r\nA b\r\n\r\n"), "invalid http request: white space in a header name"],
      ["A".repeat(65536), "http headers too large"],
      ["\r\n".repeat(32768), "http headers too large"],
      [head("a:b\r\n".repeat(128)), "http headers too large"],
      [chunked(`1;${"a".repeat(65536)}`), "http headers too large"],
      [chunked(`0\r\nA: ${"a".repeat(65536)}`), "http headers too large"],
      [head("Content-Length: 1048577\r\n"), "request body too large"],
      [head(`Content-Length: ${"9".repeat(50)}\r\n`), "request body too large"],
      [chunked("100001\r\n"), "request body too large"],
    ];
    for (const [text, message] of cases) {
      connected((client, server) => {
        // The client waits for an answer and ends nothing: the refusal needs no further byte.
        writeAll(client, text);
        assert.equal(err(net.http.read_request(server)), message, JSON.stringify(text.slice(0, 80)));
        writeAll(client, get);
        assert.equal(err(net.http.read_request(server)), message);
        assert.equal(err(net.http.read_request(server)), message);
        assert.ok(net.http.write_response(server, { status: 400 }).isOk, "it can still be told");
      });
    }
  });

  test("has limits that are options", () => {
    assert.equal(request(get, { max_header_bytes: get.length }).method, "GET");
    assert.equal(err(received(get, { max_header_bytes: get.length - 1 })), "http headers too large");
    assert.equal(request(get, { max_headers: 1 }).method, "GET");
    assert.equal(err(received(get, { max_headers: 0 })), "http headers too large");
    assert.equal(request(post("12345"), { max_body_bytes: 5 }).body, 12345);
    assert.equal(err(received(post("12345"), { max_body_bytes: 4 })), "request body too large");
    assert.equal(
      err(received(chunked("3\r\n123\r\n2\r\n45\r\n0\r\n\r\n"), { max_body_bytes: 4 })),
      "request body too large",
    );
    assert.equal(request(get, { max_body_bytes: 0 }).body, null);
    // Longer than a string can be: an error at once, and no exception at the end.
    const endless = `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${2 ** 40}\r\n\r\n`;
    const more = { max_body_bytes: Number.MAX_SAFE_INTEGER, timeout_ms: 5000 };
    assert.equal(err(received(endless, more)), "request body too large");
    assert.equal(
      request(get.replace("\r\n\r\n", `${"\r\na: b".repeat(500)}\r\n\r\n`), { max_headers: 501 }).method,
      "GET",
    );
  });

  test("has limits without options too: 64 KiB of header section, 128 fields, a body of 1 MiB, to the byte", () => {
    const padded = (size: number): string =>
      get.replace("\r\n\r\n", `\r\na: ${"x".repeat(size - get.length - 5)}\r\n\r\n`);
    assert.equal(Buffer.byteLength(padded(65536)), 65536);
    assert.equal(request(padded(65536)).method, "GET");
    assert.equal(err(received(padded(65537))), "http headers too large");
    const fields = (count: number): string =>
      get.replace("\r\n\r\n", `${"\r\na: b".repeat(count - 1)}\r\n\r\n`);
    assert.equal(request(fields(128)).method, "GET");
    assert.equal(err(received(fields(129))), "http headers too large");
    // Nor do other options change these.
    assert.equal(err(received(fields(129), { timeout_ms: 5000 })), "http headers too large");
    assert.equal(err(received(padded(65537), { timeout_ms: 5000 })), "http headers too large");
    const announced = (length: number): string =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
    assert.equal(err(received(announced(2 ** 20))), "connection closed before request body complete");
    assert.equal(err(received(announced(2 ** 20 + 1))), "request body too large");
    assert.equal(err(received(announced(2 ** 20 + 1), { timeout_ms: 5000 })), "request body too large");
  });

  test("has room for a megabyte of body, and with the option for more", () => {
    connected((client, server) => {
      client.set_nonblocking(true);
      server.set_nonblocking(true);
      for (const size of [1 << 20, 3_000_000]) {
        let rest = Buffer.from(post("z".repeat(size)));
        for (;;) {
          const sent = client.write(rest);
          if (sent.isOk) rest = rest.subarray(sent.value);
          const result = net.http.read_request(server, { max_body_bytes: size });
          if (result.isErr) {
            assert.equal(result.error, AGAIN);
            continue;
          }
          assert.equal(result.value.body, "z".repeat(size));
          break;
        }
      }
    });
  });

  test("goes on where it was when nothing more had come, at every byte", () => {
    const text = `\r\n${post("[1]", "A: \xc3\xa9\r\n")}${chunked("2;x=y\r\n[2\r\n1\r\n]\r\n0\r\nT: u\r\n\r\n")}${get}!`;
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      const requests: Request[] = [];
      for (const byte of Buffer.from(text, "latin1").subarray(0, -1)) {
        ok(client.write([byte]));
        const result = net.http.read_request(server);
        if (result.isOk) requests.push(result.value);
        else assert.equal(result.error, AGAIN);
      }
      while (requests.length < 3) requests.push(ok(eventually(server)));
      assert.deepEqual(
        requests.map(({ method, headers, body }) => [method, headers.a, body]),
        [
          ["POST", "é", [1]],
          ["POST", undefined, [2]],
          ["GET", undefined, null],
        ],
      );
      assert.equal(err(net.http.read_request(server)), AGAIN);
      writeAll(client, "!");
      assert.equal(ok(server.read(9)).toString(), "!");
    });
  });

  test("gives the same for any bytes in any pieces: a result, never an exception or a hang", () => {
    const fragment = fc.oneof(
      fc.constantFrom(
        get,
        post("[1]"),
        post("abc", "Expect: 100-continue\r\n"),
        chunked("3\r\n[2]\r\n0\r\n\r\n"),
        "\r\n",
        "\0",
        "HEAD",
      ),
      fc.string({ maxLength: 6, unit: "binary-ascii" }),
    );
    const messages = fc
      .array(fragment, { maxLength: 5 })
      .map((parts) => Buffer.from(parts.join(""), "latin1"));
    const outcome = (data: Buffer, cuts: number[]) =>
      connected((client, server) => {
        ok(server.set_nonblocking(true));
        ok(client.set_nonblocking(true));
        const results: unknown[] = [];
        let at = 0;
        for (const end of [...cuts, data.length, Number.NaN]) {
          if (Number.isNaN(end)) {
            // To close with an unread "100 Continue" would reset the connection.
            client.read(999);
            client.close();
          }
          if (end > at) writeAll(client, data.subarray(at, end));
          at = end;
          for (;;) {
            const result = net.http.read_request(server);
            if (result.isErr && result.error === AGAIN) {
              if (Number.isNaN(end)) continue;
              break;
            }
            if (result.isErr) return [...results, result.error];
            results.push(result.value);
          }
        }
        return results;
      });
    fc.assert(
      fc.property(messages, fc.array(fc.nat(200), { maxLength: 6 }), (data, cuts) => {
        const sorted = cuts.filter((cut) => cut <= data.length).sort((a, b) => a - b);
        assert.deepEqual(outcome(data, sorted), outcome(data, []));
      }),
      { numRuns: 500 },
    );
  });

  test("waits for nothing after the last request, though empty lines follow it", () => {
    connected((client, server) => {
      writeAll(client, "GET / HTTP/1.0\r\n\r\n\r\n\r\n");
      ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 204 }));
      const begun = performance.now();
      const next = net.http.read_request(server, { timeout_ms: 5000 });
      assert.equal(err(next), "connection closed before request headers");
      assert.ok(performance.now() - begun < 4000);
    });
  });

  test("finds 100-continue among other expectations: Expect is a list", () => {
    for (const [lines, isTold] of [
      ["Expect: 100-continue\r\nExpect: 100-Continue\r\n", true],
      ["Expect: 100-continue, 100-continue\r\n", true],
      ["Expect: 100-CONTINUE, foo\r\n", true],
      ['Expect: foo="bar";q=1,\t100-continue\r\n', true],
      ["Expect: ,, 100-continue ,\r\n", true],
      ["Expect: 100-continue ;a=b\r\n", true],
      ["Expect: foo\r\nX: y\r\nexpect: 100-continue\r\n", true],
      ["Expect: foo\r\n", false],
      ["Expect: 100-continued\r\n", false],
      ["Expect: 100-continue=yes\r\n", false],
      ["Expect: x100-continue, 100\r\n", false],
      ["Expect: \xa0100-continue\r\n", false],
      ["Expect:\r\n", false],
    ] as const) {
      for (const version of ["1.1", "1.0"]) {
        connected((client, server) => {
          ok(server.set_nonblocking(true));
          ok(client.set_nonblocking(true));
          writeAll(client, post("[1]", lines).slice(0, -3).replace("1.1", version));
          assert.equal(err(net.http.read_request(server)), AGAIN);
          const told = client.read(999).map(String).unwrapOr("");
          const expected = isTold && version === "1.1" ? "HTTP/1.1 100 Continue\r\n\r\n" : "";
          assert.equal(told, expected, `${version} ${lines}`);
          writeAll(client, "[1]");
          assert.deepEqual(ok(eventually(server)).body, [1]);
        });
      }
    }
  });

  test("reads Connection as a list, of one line or of several, in ASCII", () => {
    const answersOf = (lines: string, version = "1.1") =>
      connected((client, server) => {
        writeAll(client, get.replace("1.1", version).replace("\r\n\r\n", `\r\n${lines}\r\n`));
        ok(net.http.read_request(server));
        ok(net.http.write_response(server, { status: 204, headers: { connection: "keep-alive" } }));
        return /connection: (.*)\r\n/i.exec(ok(client.read(999)).toString())?.[1];
      });
    assert.equal(answersOf("Connection: foo, Close\r\n"), "close");
    assert.equal(answersOf("Connection: foo\r\nConnection:\r\nconnection: close ,\r\n"), "close");
    assert.equal(answersOf("Connection: foo\r\nConnection: Keep-Alive\r\n", "1.0"), "keep-alive");
    assert.equal(answersOf("Connection: keep-alive, close\r\n", "1.0"), "close");
    // U+212A is no K, and U+00A0 is no blank: these are other options.
    assert.equal(answersOf("Connection: \xe2\x84\xaaeep-alive\r\n", "1.0"), "close");
    assert.equal(answersOf("Connection: close\xa0\r\n"), "keep-alive");
  });

  test("tells a client that asks for it to go on, and only such a one", () => {
    const expecting = post("[1]", "Expect: 100-Continue\r\n");
    const head = expecting.slice(0, -3);
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      ok(client.set_nonblocking(true));
      writeAll(client, head);
      for (let i = 0; i < 3; i++) assert.equal(err(net.http.read_request(server)), AGAIN);
      assert.equal(ok(client.read(999)).toString(), "HTTP/1.1 100 Continue\r\n\r\n");
      writeAll(client, "[1]");
      assert.deepEqual(ok(eventually(server)).body, [1]);
      assert.match(err(client.read(999)), /os error 11/);
      // The body has begun to come; the client is too old; there is no body; the body will not be read.
      writeAll(client, `${head}[`);
      assert.equal(err(net.http.read_request(server)), AGAIN);
      writeAll(client, "2]");
      assert.deepEqual(ok(eventually(server)).body, [2]);
      writeAll(client, head.replace("1.1", "1.0"));
      assert.equal(err(net.http.read_request(server)), AGAIN);
      writeAll(client, "[3]");
      assert.deepEqual(ok(eventually(server)).body, [3]);
      writeAll(client, get.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
      assert.equal(ok(eventually(server)).body, null);
      assert.match(err(client.read(999)), /os error 11/);
    });
    // On connections of their own, where nothing that went before holds an answer back.
    for (const text of [`${head}[`, head.replace("1.1", "1.0")]) {
      connected((client, server) => {
        ok(server.set_nonblocking(true));
        ok(client.set_nonblocking(true));
        writeAll(client, text);
        assert.equal(err(net.http.read_request(server)), AGAIN);
        assert.match(err(client.read(999)), /os error 11/);
      });
    }
    connected((client, server) => {
      writeAll(client, head);
      assert.equal(err(net.http.read_request(server, { max_body_bytes: 2 })), "request body too large");
      server.close();
      assert.equal(readToEnd(client), "");
    });
  });

  test("ends with its timeout, which is for the whole request", () => {
    for (const start of ["", "GET / HT", post("123").slice(0, -1), chunked("5\r\nhe")]) {
      connected((client, server) => {
        writeAll(client, start);
        const began = performance.now();
        assert.equal(err(net.http.read_request(server, { timeout_ms: 60 })), "http read failed: timed out");
        const took = performance.now() - began;
        assert.ok(took >= 55 && took < 5000, `${took} ms`);
      });
    }
    // A byte now and then does not prolong it.
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      const began = performance.now();
      for (;;) {
        ok(client.write("G"));
        const error = err(net.http.read_request(server, { timeout_ms: 80 }));
        if (error === "http read failed: timed out") break;
        assert.equal(error, AGAIN);
        assert.ok(performance.now() - began < 5000);
      }
      assert.ok(performance.now() - began >= 75);
    });
    assert.equal(request(get, { timeout_ms: 5000 }).method, "GET");
    assert.equal(request(get, { timeout_ms: null }).method, "GET");
  });

  test("ends with its timeout also when the client takes not even the answer that tells it to go on", () => {
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      for (const size of [65536, 1, 1, 1]) {
        while (server.write("x".repeat(size)).isOk);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
      ok(server.set_nonblocking(false));
      writeAll(client, post("123").replace("\r\n\r\n123", "\r\nExpect: 100-continue\r\n\r\n"));
      const began = performance.now();
      assert.equal(err(net.http.read_request(server, { timeout_ms: 100 })), "http read failed: timed out");
      assert.ok(performance.now() - began < 5000);
      // Once there is room it is told, and once only.
      ok(client.set_read_timeout(100));
      const heard: string[] = [];
      for (let rounds = 0; rounds < 2; rounds++) {
        for (let got = client.read(1_000_000); got.isOk; got = client.read(1_000_000)) {
          heard.push(got.value.toString());
        }
        assert.equal(err(net.http.read_request(server, { timeout_ms: 100 })), "http read failed: timed out");
      }
      heard.push(client.read(1000).unwrapOr("").toString());
      assert.match(heard.join(""), /^x+HTTP\/1\.1 100 Continue\r\n\r\n$/);
      writeAll(client, "123");
      assert.equal(ok(net.http.read_request(server)).body, 123);
    });
  });

  test("waits for nothing more once the client's last request is answered", () => {
    for (const last of [
      "GET / HTTP/1.0\r\n\r\n",
      get.replace("\r\n\r\n", "\r\nConnection: x, Close\r\n\r\n"),
    ]) {
      connected((client, server) => {
        writeAll(client, last);
        ok(net.http.read_request(server));
        ok(net.http.write_response(server, { status: 200, headers: { Connection: "keep-alive" } }));
        assert.match(ok(client.read(999)).toString(), /\r\nConnection: close\r\n/);
        assert.equal(err(net.http.read_request(server)), "connection closed before request headers");
        // What comes all the same is there to be read.
        writeAll(client, get);
        assert.equal(ok(net.http.read_request(server)).path, "/");
      });
    }
  });

  test("waits as ever while a request that was read ahead is unanswered", () => {
    connected((client, server) => {
      writeAll(client, get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") + get);
      ok(net.http.read_request(server));
      ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 200 }));
      ok(server.set_nonblocking(true));
      assert.equal(err(net.http.read_request(server)), AGAIN);
    });
  });

  test("refuses arguments of any wrong kind", () => {
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    const wrong: unknown[] = [
      undefined,
      null,
      1,
      "x",
      {},
      [],
      () => 1,
      Symbol("s"),
      listener,
      revoked.proxy,
      new Proxy({}, {}),
    ];
    for (const stream of wrong) {
      assert.equal(err(net.http.read_request(stream as net.TcpStream)), "invalid tcp stream");
      assert.equal(
        err(net.http.write_response(stream as net.TcpStream, { status: 200 })),
        "invalid tcp stream",
      );
    }
    connected((client, server) => {
      writeAll(client, get);
      const options: [unknown, string | RegExp][] = [
        [null, "options must be an object"],
        [[], "options must be an object"],
        [5, "options must be an object"],
        [() => 1, "options must be an object"],
        [{ max_header_bytes: -1 }, "'max_header_bytes' must be a non-negative integer"],
        [{ max_header_bytes: "1" }, "'max_header_bytes' must be a non-negative integer"],
        [{ max_headers: 1.5 }, "'max_headers' must be a non-negative integer"],
        [{ max_body_bytes: Number.NaN }, "'max_body_bytes' must be a non-negative integer"],
        [{ max_body_bytes: 1n }, "'max_body_bytes' must be a non-negative integer"],
        [{ timeout_ms: 0 }, "timeout must be a positive number"],
        [{ timeout_ms: -1 }, "timeout must be a positive number"],
        [{ timeout_ms: Number.NaN }, "timeout must be a positive number"],
        [{ timeout_ms: "1" }, "timeout must be a positive number"],
        [{ decode_body: "xml" }, "'decode_body' must be 'json', 'text' or 'base64'"],
        [{ raw_headers: 1 }, "'raw_headers' must be a boolean"],
        [
          {
            get timeout_ms() {
              throw new Error("no");
            },
          },
          "options cannot be read: no",
        ],
        [revoked.proxy, /^options /],
      ];
      for (const [value, message] of options) {
        const error = err(net.http.read_request(server, value as net.http.ReadRequestOptions));
        if (typeof message === "string") assert.equal(error, message);
        else assert.match(error, message);
      }
      assert.equal(ok(net.http.read_request(server)).method, "GET");
      server.close();
      assert.equal(err(net.http.read_request(server)), "invalid tcp stream");
      assert.equal(err(net.http.write_response(server, { status: 200 })), "invalid tcp stream");
    });
  });
});

/** What write_response sends in answer to `asked`, split into head lines and body. */
function sent(
  response: unknown,
  asked = "",
): { lines: string[]; headers: Map<string, string>; body: string; text: string } {
  return connected((client, server) => {
    writeAll(client, asked);
    if (asked !== "") ok(net.http.read_request(server));
    ok(net.http.write_response(server, response as net.http.ServerResponse));
    server.close();
    const text = readToEnd(client);
    const end = text.indexOf("\r\n\r\n");
    const lines = text.slice(0, end).split("\r\n");
    const headers = new Map(lines.slice(1).map((line) => line.split(": ", 2) as [string, string]));
    return { lines, headers, body: text.slice(end + 4), text };
  });
}

describe("write_response", () => {
  test("sends JSON with what the caller left out", () => {
    const { lines, headers, body } = sent({ status: 200, body: { é: [1n, "x"] } });
    assert.equal(lines[0], "HTTP/1.1 200 OK");
    assert.equal(body, '{"é":[1,"x"]}');
    assert.equal(headers.get("Content-Type"), "application/json");
    assert.equal(headers.get("Connection"), "close");
    assert.equal(headers.get("Content-Length"), String(Buffer.byteLength(body)));
    assert.ok(Math.abs(Date.parse(headers.get("Date") ?? "") - Date.now()) < 60_000);
    assert.equal(headers.size, 4);
    assert.equal(sent({ status: 200 }).body, "null");
    assert.equal(sent({ status: 200, body: "text" }).body, '"text"');
    assert.equal(sent({ status: 799 }).lines[0], "HTTP/1.1 799 ");
  });

  test("keeps the caller's fields, and frames by itself", () => {
    const { lines, body } = sent({
      status: 200,
      headers: {
        "content-TYPE": "text/html",
        DATE: "never",
        connection: "keep-alive",
        "CONTENT-length": "999",
        "Transfer-Encoding": "chunked",
        "X-A": "€",
      },
      body: "<b>",
    });
    assert.deepEqual(lines, [
      "HTTP/1.1 200 OK",
      "content-TYPE: text/html",
      "DATE: never",
      "connection: keep-alive",
      "X-A: €",
      "Content-Length: 5",
    ]);
    assert.equal(body, '"<b>"');
  });

  test("sends text and bytes as they are", () => {
    const text = sent({ status: 200, body_text: "<é>" });
    assert.equal(text.body, "<é>");
    assert.equal(text.headers.get("Content-Type"), "text/plain; charset=utf-8");
    assert.equal(text.headers.get("Content-Length"), "4");
    const bytes = sent({ status: 200, body_base64: "aGk=", headers: { "Content-Type": "image/x" } });
    assert.equal(bytes.body, "hi");
    assert.equal(bytes.headers.get("Content-Type"), "image/x");
  });

  test("sends no body with 1xx, 204, 205 and 304, and no Content-Length with the first two", () => {
    const early = sent({
      status: 103,
      headers: { Link: "</a>", "Content-Length": "5", "transfer-encoding": "chunked" },
      body: [1],
    });
    assert.equal(early.text, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    const none = sent({ status: 204, body: [1], headers: { "Content-Length": "3" } });
    assert.ok(!none.headers.has("Content-Length"));
    assert.equal(none.body, "");
    const unmodified = sent({ status: 304, body: [1] });
    assert.equal(unmodified.headers.get("Content-Length"), "3");
    assert.equal(unmodified.body, "");
    assert.ok(!sent({ status: 304 }).headers.has("Content-Length"));
    const reset = sent({ status: 205, body: [1] });
    assert.equal(reset.headers.get("Content-Length"), "0");
    assert.equal(reset.body, "");
  });

  test("sends no body in answer to a HEAD, but its length", () => {
    const head = get.replace("GET", "HEAD");
    const { headers, body } = sent({ status: 200, body: [1] }, head);
    assert.equal(headers.get("Content-Length"), "3");
    assert.equal(body, "");
    assert.equal(sent({ status: 200, body: [1] }, get).body, "[1]");
    connected((client, server) => {
      // The answers are given in the order of the requests, read ahead or not; an interim one counts for none.
      writeAll(client, head + get + head);
      for (let i = 0; i < 3; i++) ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 102 }));
      for (const status of [201, 202, 203, 206])
        ok(net.http.write_response(server, { status, body: status }));
      server.close();
      const bodies = readToEnd(client).replace(/HTTP\/1.1 (\d+)[\s\S]*?\r\n\r\n/g, "<$1>");
      assert.equal(bodies, "<102><201><202>202<203><206>206");
    });
  });

  test("gives a 2xx answer to CONNECT neither body nor length", () => {
    const tunnel = sent({ status: 200, body: [1] }, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n");
    assert.ok(!tunnel.headers.has("Content-Length"));
    assert.equal(tunnel.body, "");
    assert.equal(sent({ status: 403, body: [1] }, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n").body, "[1]");
  });

  test("gives HTTP/1.0 clients what they understand", () => {
    const keep = { status: 200, headers: { Connection: "keep-alive" } };
    assert.equal(sent(keep, "GET / HTTP/1.0\r\n\r\n").headers.get("Connection"), "close");
    assert.equal(
      sent(keep, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").headers.get("Connection"),
      "keep-alive",
    );
    assert.equal(sent(keep, get).headers.get("Connection"), "keep-alive");
    assert.equal(sent({ status: 103 }, "GET / HTTP/1.0\r\n\r\n").text, "");
  });

  test("refuses what is no response, and sends nothing then", () => {
    const ring: unknown[] = [];
    ring.push(ring);
    const cases: [unknown, string][] = [
      [undefined, "response must be a JSON object"],
      [null, "response must be a JSON object"],
      [[], "response must be a JSON object"],
      ["x", "response must be a JSON object"],
      [() => 1, "response must be a JSON object"],
      [{}, "missing required field 'status'"],
      [{ status: "200" }, "'status' must be a number"],
      [{ status: null }, "'status' must be a number"],
      [{ status: 200n }, "'status' must be a number"],
      [{ status: Number.NaN }, "'status' must be a finite number"],
      [{ status: Number.POSITIVE_INFINITY }, "'status' must be a finite number"],
      [{ status: 200.5 }, "'status' must be an integer"],
      [{ status: 99 }, "status must be between 100 and 999"],
      [{ status: 1000 }, "status must be between 100 and 999"],
      [{ status: -200 }, "status must be between 100 and 999"],
      [{ status: 200, headers: null }, "'headers' must be an object"],
      [{ status: 200, headers: [] }, "'headers' must be an object"],
      [{ status: 200, headers: new Map([["a", "b"]]) }, "'headers' must be an object"],
      [{ status: 200, headers: "a: b" }, "'headers' must be an object"],
      [{ status: 200, headers: { A: 1 } }, "response header 'A' must be a string"],
      [{ status: 200, headers: { A: ["x"] } }, "response header 'A' must be a string"],
      [{ status: 200, headers: { "A b": "x" } }, "response header 'A b' is not a valid field"],
      [{ status: 200, headers: { "": "x" } }, "response header '' is not a valid field"],
      [{ status: 200, headers: { A: "x\r\nB: y" } }, "response header 'A' is not a valid field"],
      [{ status: 200, headers: { A: "x\n" } }, "response header 'A' is not a valid field"],
      [{ status: 200, headers: { A: "\0" } }, "response header 'A' is not a valid field"],
      [{ status: 204, headers: { A: "\0" } }, "response header 'A' is not a valid field"],
      [{ status: 200, body: Number.NaN }, "cannot serialize NaN to JSON"],
      [{ status: 200, body: [Number.NEGATIVE_INFINITY] }, "cannot serialize infinity to JSON"],
      [{ status: 200, body: [undefined] }, "cannot serialize undefined to JSON"],
      [{ status: 200, body: ring }, "cannot serialize a cycle to JSON"],
      [{ status: 200, body: () => 1 }, "cannot serialize a function to JSON"],
      [{ status: 200, body_text: 5 }, "'body_text' must be a string"],
      [{ status: 200, body_base64: "?" }, "'body_base64' is not valid base64"],
      [
        { status: 200, body: 1, body_text: "" },
        "only one of 'body', 'body_text' and 'body_base64' can be given",
      ],
      [
        {
          get status() {
            throw new Error("no");
          },
        },
        "response cannot be read: no",
      ],
      [
        {
          status: 200,
          headers: {
            get A() {
              throw new Error("no");
            },
          },
        },
        "response cannot be read: no",
      ],
      [
        {
          status: 200,
          headers: new Proxy(
            {},
            {
              ownKeys() {
                throw new Error("no");
              },
            },
          ),
        },
        "response cannot be read: no",
      ],
    ];
    connected((client, server) => {
      for (const [response, message] of cases) {
        assert.equal(err(net.http.write_response(server, response as net.http.ServerResponse)), message);
      }
      server.close();
      assert.equal(readToEnd(client), "");
    });
  });

  test("sends a response of many megabytes whole, also where it has to be continued", () => {
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      ok(client.set_nonblocking(true));
      const big = { status: 200, headers: { Connection: "keep-alive" }, body: "é".repeat(5_000_000) };
      const small = { status: 201 };
      let text = "";
      let attempts = 0;
      const drain = () => {
        const chunks: Buffer[] = [];
        for (
          let chunk = client.read(1 << 20);
          chunk.isOk && chunk.value.length > 0;
          chunk = client.read(1 << 20)
        )
          chunks.push(chunk.value);
        text += Buffer.concat(chunks).toString("latin1");
      };
      for (const response of [big, small]) {
        for (;;) {
          attempts++;
          const result = net.http.write_response(server, response);
          drain();
          if (result.isOk) break;
          assert.equal(net.error_code(result.error), "EAGAIN");
          assert.match(result.error, /^http write failed: /);
        }
      }
      assert.ok(attempts > 3, "it did not fit at once");
      server.close();
      drain();
      const [, first, second] = text.split(/HTTP\/1.1 20[01] [\s\S]*?\r\n\r\n/);
      assert.equal(Buffer.from(first ?? "", "latin1").toString(), JSON.stringify(big.body));
      assert.equal(second, "null");
    });
  });

  test("keeps what is left of a small response, whatever is sent elsewhere meanwhile", () => {
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      const response = (n: number) => ({ status: 200, body_text: `<${n}>${"x".repeat(20_000)}</${n}>` });
      let count = 0;
      let last = response(0);
      for (;;) {
        const result = net.http.write_response(server, last);
        if (result.isErr) break;
        last = response(++count);
      }
      connected((_client, other) =>
        ok(net.http.write_response(other, { status: 200, body: "y".repeat(20_000) })),
      );
      ok(client.set_nonblocking(true));
      let text = "";
      for (let finished = false; ; ) {
        const chunk = client.read(1 << 20);
        if (chunk.isOk) text += chunk.value.toString();
        else if (finished) break;
        if (!finished && net.http.write_response(server, last).isOk) {
          finished = true;
          ok(client.set_nonblocking(false));
          server.close();
        }
        if (chunk.isOk && chunk.value.length === 0) break;
      }
      const bodies = text.split(/HTTP\/1.1 200 [\s\S]*?\r\n\r\n/).slice(1);
      assert.deepEqual(
        bodies,
        [...Array(count + 1).keys()].map((n) => response(n).body_text),
      );
    });
  });

  test("counts a response that had to be continued as one answer", () => {
    connected((client, server) => {
      writeAll(client, get + get.replace("GET", "HEAD"));
      ok(net.http.read_request(server));
      ok(net.http.read_request(server));
      ok(server.set_nonblocking(true));
      ok(client.set_nonblocking(true));
      const big = { status: 200, body: "x".repeat(5_000_000) };
      let length = 0;
      while (net.http.write_response(server, big).isErr) {
        for (let chunk = client.read(1 << 20); chunk.isOk; chunk = client.read(1 << 20))
          length += chunk.value.length;
      }
      ok(client.set_nonblocking(false));
      ok(net.http.write_response(server, { status: 404, body: "not sent" }));
      server.close();
      assert.ok(readToEnd(client).endsWith("\r\n\r\n"));
      assert.ok(length > 0);
    });
  });

  test("says that the client has gone", () => {
    connected((client, server) => {
      client.close();
      const response = { status: 200, body: "x".repeat(100_000) };
      let result = net.http.write_response(server, response);
      for (let i = 0; i < 50 && result.isOk; i++) result = net.http.write_response(server, response);
      assert.match(err(result), /^http write failed: .*\(os error (32|104)\)$/);
    });
  });
});

/** A connection, which blocks; waiting for it does not, for a client that failed to start would never come. */
function acceptWithin(milliseconds: number): net.TcpStream {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  ok(listener.set_nonblocking(true));
  try {
    for (const limit = performance.now() + milliseconds; ; ) {
      const result = listener.accept();
      if (result.isOk || performance.now() > limit) return ok(result);
      Atomics.wait(pause, 0, 0, 1);
    }
  } finally {
    ok(listener.set_nonblocking(false));
  }
}

// The loop of a server, in this thread, for one connection after the other; the client is a child process.
function serve(connections: number, answer: (request: Request) => net.http.ServerResponse): Request[] {
  const seen: Request[] = [];
  for (let i = 0; i < connections; i++) {
    const stream = acceptWithin(20_000);
    for (;;) {
      const request = net.http.read_request(stream, { timeout_ms: 10_000, raw_headers: true });
      if (request.isErr) {
        assert.equal(request.error, "connection closed before request headers");
        break;
      }
      seen.push(request.value);
      ok(net.http.write_response(stream, answer(request.value)));
    }
    stream.close();
  }
  return seen;
}

const echo = ({ method, path, body }: Request): net.http.ServerResponse => ({
  status: 200,
  headers: { Connection: "keep-alive" },
  body: { method, path, body },
});

const url = `http://${address}`;

const notHere = (program: string): string | false =>
  spawnSync("which", [program]).status === 0 ? false : `${program} is not installed here`;

describe("foreign clients", () => {
  test("ab: HTTP/1.0, with a connection for each request and with one for all", {
    skip: notHere("ab"),
  }, async () => {
    for (const [connections, ...args] of [
      [10, "-n", "10"],
      [1, "-n", "50", "-k"],
      [1, "-n", "1", "-i"],
    ] as const) {
      await using peer = startPeer("ab", ["-q", "-s", "10", ...args, `${url}/ab`]);
      const seen = serve(connections, echo);
      const { stdout, code } = await peer.exit();
      assert.equal(code, 0);
      assert.equal(seen.length, Number(args[1]));
      assert.match(stdout, new RegExp(`^Complete requests: +${args[1]}$`, "m"));
      assert.match(stdout, /^Failed requests: +0$/m);
      assert.doesNotMatch(stdout, /^Non-2xx/m);
      if (args[2] === "-k") assert.match(stdout, /^Keep-Alive requests: +50$/m);
    }
  });

  test("wrk: as many requests as it can send, one by one and pipelined", {
    skip: notHere("wrk"),
  }, async () => {
    const directory = mkdtempSync(join(tmpdir(), "std-net-"));
    const script = join(directory, "pipeline.lua");
    writeFileSync(
      script,
      "init = function(args) r = wrk.format() .. wrk.format() .. wrk.format() end\nrequest = function() return r end\n",
    );
    for (const args of [[], ["-s", script]]) {
      await using peer = startPeer("wrk", ["-t1", "-c1", "-d1s", ...args, `${url}/wrk`]);
      let count = 0;
      // It looks first whether anybody listens, and goes at its end without reading what it asked for last.
      for (let connection = 0; connection < 2; connection++) {
        const stream = acceptWithin(20_000);
        for (;;) {
          const request = net.http.read_request(stream, { timeout_ms: 10_000 });
          if (request.isErr || net.http.write_response(stream, echo(request.value)).isErr) break;
          count++;
        }
        stream.close();
      }
      const { stdout, code } = await peer.exit();
      assert.equal(code, 0);
      const told = Number(/^ +(\d+) requests in /m.exec(stdout)?.[1]);
      assert.ok(told > 100 && told <= count, stdout);
      assert.doesNotMatch(stdout, /Socket errors|Non-2xx/);
    }
    rmSync(directory, { recursive: true });
  });

  test("curl: methods, bodies, chunks, Expect, HTTP/1.0, kept connections", async () => {
    const curl = async (connections: number, ...args: string[]) => {
      await using peer = startPeer("curl", ["-sS", "--max-time", "10", ...args]);
      const seen = serve(connections, echo);
      const exit = await peer.exit();
      assert.equal(exit.stderr, "");
      assert.equal(exit.code, 0);
      return { seen, stdout: exit.stdout };
    };
    const two = await curl(1, `${url}/a?b`, `${url}/c`);
    assert.equal(
      two.stdout,
      '{"method":"GET","path":"/a","body":null}{"method":"GET","path":"/c","body":null}',
    );

    const posted = await curl(1, "-d", '{"n":1}', "-H", "Content-Type: application/json", url);
    assert.equal(posted.stdout, '{"method":"POST","path":"/","body":{"n":1}}');

    const head = await curl(1, "-I", url);
    assert.match(head.stdout, /^HTTP\/1.1 200 OK\r\n/);
    assert.match(head.stdout, /Content-Length: 40\r\n/);

    // Written by another program: this one is blocked while it serves.
    const big = `python3 -c 'print("\\"" + "\\u00e9" * 400_000 + "\\"")'`;
    const upload = async (options: string) => {
      await using peer = startPeer("sh", [
        "-c",
        `PYTHONUTF8=1 ${big} | curl -sS --max-time 10 ${options} ${url}/up`,
      ]);
      const [seen] = serve(1, ({ body }) => ({ status: 200, body: String(body).length }));
      const { stdout, stderr } = await peer.exit();
      assert.equal(stderr, "");
      assert.equal(stdout, "400000");
      assert.equal(seen?.body, "é".repeat(400_000));
      return seen;
    };
    assert.equal((await upload("--data-binary @-")).headers["content-length"], "800003");
    assert.equal((await upload("-H Expect:100-continue --data-binary @-")).headers.expect, "100-continue");
    const streamed = await upload("-H Expect:100-continue -T -");
    assert.equal(streamed.headers["transfer-encoding"], "chunked");
    assert.equal(streamed.method, "PUT");

    const old = await curl(1, "-0", `${url}/old`);
    assert.equal(old.seen[0]?.version, "HTTP/1.0");
    assert.equal(old.stdout, '{"method":"GET","path":"/old","body":null}');

    const closing = await curl(1, "-H", "Connection: close", `${url}/close`);
    assert.equal(closing.stdout, '{"method":"GET","path":"/close","body":null}');
  });

  test("python's http.client: many requests on a connection, 204, HEAD, text beyond ASCII", async () => {
    await using peer = python(
      `
import http.client, json
c = http.client.HTTPConnection(sys.argv[1])
out = []
for i in range(20):
    c.request("POST", "/p%d" % i, json.dumps({"i": i, "text": "\\u00e9\\u20ac"}))
    r = c.getresponse()
    out.append([r.status, json.loads(r.read())])
c.request("HEAD", "/h")
r = c.getresponse()
out.append([r.status, r.getheader("content-length"), r.read().decode()])
c.request("GET", "/x", headers={"X-Text": "\\u00e9".encode()})
r = c.getresponse()
out.append([r.status, json.loads(r.read())])
c.close()
print(json.dumps(out))
`,
      address,
    );
    const seen = serve(1, echo);
    const exit = await peer.exit();
    assert.equal(exit.stderr, "");
    const out = JSON.parse(exit.stdout);
    assert.equal(out.length, 22);
    assert.deepEqual(out[3], [200, { method: "POST", path: "/p3", body: { i: 3, text: "é€" } }]);
    assert.deepEqual(out[20], [200, "41", ""]);
    assert.deepEqual(out[21], [200, { method: "GET", path: "/x", body: null }]);
    assert.equal(seen.at(-1)?.headers["x-text"], "é");
  });

  test("node's http and fetch: kept connections, streamed bodies", async () => {
    await using peer = node(
      `
import http from "node:http";
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const send = (path, method, pieces) => new Promise((resolve, reject) => {
  const request = http.request(process.argv[1] + path, { agent, method }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (piece) => { text += piece; }).on("end", () => resolve([response.statusCode, text]));
  }).on("error", reject);
  for (const piece of pieces) request.write(piece);
  request.end();
});
const out = [];
out.push(await send("/a", "GET", []));
out.push(await send("/b", "POST", ['{"x":', "[1,", "2]}"]));
out.push(await send("/c", "HEAD", []));
out.push(await send("/d", "PATCH", ["plain"]));
agent.destroy();
const response = await fetch(process.argv[1] + "/e", { method: "PUT", body: "[5]", headers: { connection: "close" } });
out.push([response.status, await response.text()]);
console.log(JSON.stringify(out));
process.exit(0);
`,
      url,
    );
    const seen = serve(2, echo);
    const exit = await peer.exit();
    assert.equal(exit.stderr, "");
    assert.deepEqual(JSON.parse(exit.stdout), [
      [200, '{"method":"GET","path":"/a","body":null}'],
      [200, '{"method":"POST","path":"/b","body":{"x":[1,2]}}'],
      [200, ""],
      [200, '{"method":"PATCH","path":"/d","body":"plain"}'],
      [200, '{"method":"PUT","path":"/e","body":[5]}'],
    ]);
    assert.equal(seen[1]?.headers["transfer-encoding"], "chunked");
  });

  test("a client that pipelines gets its answers in order", async () => {
    await using peer = python(
      `
host, port = sys.argv[1].rsplit(":", 1)
s = socket.create_connection((host, int(port)))
s.sendall(b"".join(b"GET /%d HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % i for i in range(200)) + b"GET /end HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
data = b""
while True:
    piece = s.recv(65536)
    if not piece: break
    data += piece
import re
print(b" ".join(re.findall(rb'"path":"/(\\w+)"', data)).decode())
`,
      address,
    );
    serve(1, echo);
    const expected = [...Array(200).keys(), "end"].join(" ");
    assert.equal((await peer.exit()).stdout.trim(), expected);
  });
});

test("answers to requests that were sent ahead do not wait for the client's acknowledgements", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const [host, port] = ok(listener.local_addr()).split(":");
  const rounds = 20;
  await using peer = python(
    `
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
begun = time.monotonic()
for r in range(${rounds}):
  s.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 3)
  answers = 0
  while answers < 3: answers += s.recv(65536).count(b"HTTP/1.1 200")
print(int((time.monotonic() - begun) * 1000))
`,
    host!,
    port!,
  );
  const stream = ok(listener.accept());
  for (let times = 0; times < 3 * rounds; times++) {
    ok(net.http.read_request(stream));
    ok(net.http.write_response(stream, { status: 200, headers: { connection: "keep-alive" }, body: 1 }));
  }
  // An acknowledgement is delayed by 40 ms, so that Nagle's algorithm would make this 800 ms.
  const milliseconds = Number(await peer.line());
  assert.ok(milliseconds < 400, `${milliseconds} ms`);
  stream.close();
  listener.close();
});
