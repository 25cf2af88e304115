import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as net from "std-net";
import {
  AGAIN,
  bigGet,
  chunked,
  connected,
  eventually,
  get,
  listener,
  post,
  type Request,
  received,
  request,
  writeAll,
} from "../support/http-server.ts";
import { err, ok } from "../support/peer.ts";
import fc from "../support/properties.ts";

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
        [{ decode_body: "xml" }, "'decode_body' must be 'json', 'text', 'bytes' or 'base64'"],
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
