// http.request: what is checked before anything is sent, what goes out, and how the answer is framed.
import assert from "node:assert/strict";
import { constants } from "node:buffer";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import * as net from "std-net";
import { announced, fields, interim, padded } from "../support/answers.ts";
import { err, node, ok, openDescriptors, type Peer, python } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";
import { reason } from "../support/system-errors.ts";

let raw: RawServer;
let echo: Peer;
let echoUrl: string;

before(async () => {
  raw = await rawServer();
  // Node's own server tells what it understood.
  echo = node(`
    import { createServer } from "node:http";
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("latin1").on("data", (part) => { body += part; }).on("end", () => {
        response.setHeader("content-type", "application/json");
        const { method, url, rawHeaders, headers } = request;
        response.end(JSON.stringify({ method, url, rawHeaders, headers, body }));
      });
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  echoUrl = `http://127.0.0.1:${await echo.line()}`;
});

after(async () => {
  await raw[Symbol.asyncDispose]();
  await echo[Symbol.asyncDispose]();
});

/** What the server understood of a request. */
interface Understood {
  method: string;
  url: string;
  rawHeaders: string[];
  headers: { [name: string]: string | undefined };
  body: string;
}

function understood(request: Omit<net.http.ClientRequest, "url">, path = "/"): Understood {
  const answer = ok(net.http.request({ ...request, url: echoUrl + path }));
  assert.equal(answer.status, 200);
  return answer.body as unknown as Understood;
}

/** A GET of what the raw server is told to do. */
function get(url: string, more: object = {}) {
  return net.http.request({ method: "GET", url, ...more });
}

// Checks

const throwing = {
  get method(): string {
    throw new Error("no");
  },
};

for (const [request, text] of [
  [undefined, "request must be a JSON object"],
  [null, "request must be a JSON object"],
  [[], "request must be a JSON object"],
  ["GET", 'request must be a JSON object, such as { method: "GET", url: "..." }'],
  [new URL("http://a/"), 'request must be a JSON object, such as { method: "GET", url: "..." }'],
  [() => {}, "request must be a JSON object"],
  [{}, "missing required field 'method'"],
  [{ method: 1 }, "'method' must be a string"],
  [{ method: null }, "'method' must be a string"],
  [{ method: "" }, "'method' is not a valid method"],
  [{ method: "GET /" }, "'method' is not a valid method"],
  [{ method: "GET\r\n" }, "'method' is not a valid method"],
  [{ method: "GÉT" }, "'method' is not a valid method"],
  [{ method: "GET" }, "missing required field 'url'"],
  [{ method: "GET", url: 7 }, "'url' must be a string"],
  [{ method: "GET", url: "" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "/path" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "ftp://a/" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "file:///etc/passwd" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "http://" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "http://a:99999/" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "http://[::1/" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "http://a b/" }, "'url' is not a valid http or https URL"],
  [{ method: "GET", url: "http://a/", headers: null }, "'headers' must be a JSON object"],
  [{ method: "GET", url: "http://a/", headers: [] }, "'headers' must be a JSON object"],
  [{ method: "GET", url: "http://a/", headers: new Headers({ a: "b" }) }, "'headers' must be a JSON object"],
  [{ method: "GET", url: "http://a/", headers: new Map([["a", "b"]]) }, "'headers' must be a JSON object"],
  [{ method: "GET", url: "http://a/", headers: "X: y" }, "'headers' must be a JSON object"],
  [{ method: "GET", url: "http://a/", headers: { X: 1 } }, "header 'X' must be a string"],
  [{ method: "GET", url: "http://a/", headers: { X: ["a"] } }, "header 'X' must be a string"],
  [{ method: "GET", url: "http://a/", headers: { "X Y": "a" } }, "header 'X Y' is not a valid field"],
  [{ method: "GET", url: "http://a/", headers: { "": "a" } }, "header '' is not a valid field"],
  [{ method: "GET", url: "http://a/", headers: { X: "a\r\nY: b" } }, "header 'X' is not a valid field"],
  [{ method: "GET", url: "http://a/", headers: { X: "a\0" } }, "header 'X' is not a valid field"],
  [{ method: "GET", url: "http://a/", body: Number.NaN }, "cannot serialize NaN to JSON"],
  [
    { method: "GET", url: "http://a/", body: { a: Number.POSITIVE_INFINITY } },
    "cannot serialize infinity to JSON",
  ],
  [{ method: "GET", url: "http://a/", body: () => {} }, "cannot serialize a function to JSON"],
  [{ method: "GET", url: "http://a/", body_text: 1 }, "'body_text' must be a string"],
  [{ method: "GET", url: "http://a/", body_base64: "?" }, "'body_base64' is not valid base64"],
  [
    { method: "GET", url: "http://a/", body: 1, body_text: "1" },
    "only one of 'body', 'body_text', 'body_bytes' and 'body_base64' can be given",
  ],
  [{ method: "GET", url: "http://a/", timeout_ms: 0 }, "timeout must be a positive number"],
  [{ method: "GET", url: "http://a/", timeout_ms: "5" }, "timeout must be a positive number"],
  [{ method: "GET", url: "http://a/", timeout_ms: Number.NaN }, "timeout must be a positive number"],
  [{ method: "GET", url: "http://a/", connect_timeout_ms: -1 }, "timeout must be a positive number"],
  [{ method: "GET", url: "http://a/", max_redirects: -1 }, "'max_redirects' must be a non-negative integer"],
  [{ method: "GET", url: "http://a/", max_redirects: 1.5 }, "'max_redirects' must be a non-negative integer"],
  [
    { method: "GET", url: "http://a/", max_body_bytes: "1" },
    "'max_body_bytes' must be a non-negative integer",
  ],
  [
    { method: "GET", url: "http://a/", decode_body: "xml" },
    "'decode_body' must be 'json', 'text', 'bytes' or 'base64'",
  ],
  [{ method: "GET", url: "http://a/", raw_headers: 1 }, "'raw_headers' must be a boolean"],
  [{ method: "GET", url: "http://a/", keep_alive: "no" }, "'keep_alive' must be a boolean"],
  [throwing, "request cannot be read: no"],
  [
    new Proxy(
      {},
      {
        get() {
          throw Symbol("no");
        },
      },
    ),
    "request cannot be read: Symbol(no)",
  ],
] as [net.http.ClientRequest, string][]) {
  test(`the request is refused: ${text}, ${typeof request}`, () => {
    assert.equal(err(net.http.request(request)), text);
  });
}

// What goes out

test("a GET carries what every server wants, and no body", () => {
  const { method, url, headers, body } = understood({ method: "GET" }, "/a%20b?c=%41&d#fragment");
  assert.equal(method, "GET");
  assert.equal(url, "/a%20b?c=%41&d");
  assert.equal(headers.host, echoUrl.slice("http://".length));
  assert.equal(headers["content-length"], undefined);
  assert.equal(headers["content-type"], undefined);
  assert.match(headers["accept-encoding"] ?? "", /^gzip, deflate, br(, zstd)?$/);
  assert.equal(body, "");
});

test("the path is what the URL standard makes of it", () => {
  assert.equal(understood({ method: "GET" }, "/a/../b c/é?q=ü|").url, "/b%20c/%C3%A9?q=%C3%BC|");
  assert.equal(understood({ method: "GET" }, "").url, "/");
  assert.equal(understood({ method: "GET" }, "?x").url, "/?x");
});

test("the body goes out as JSON, null included, with its length in bytes", () => {
  for (const [body, text] of [
    [null, "null"],
    ["", '""'],
    [0, "0"],
    [{ é: [1n << 64n] }, '{"é":[18446744073709551616]}'],
  ] as [net.Json, string][]) {
    const seen = understood({ method: "POST", body });
    assert.equal(Buffer.from(seen.body, "latin1").toString(), text);
    assert.equal(seen.headers["content-type"], "application/json");
    assert.equal(seen.headers["content-length"], String(Buffer.byteLength(text)));
  }
});

test("a GET can have a body", () => {
  const seen = understood({ method: "GET", body: [1] });
  assert.equal(seen.body, "[1]");
  assert.equal(seen.headers["content-length"], "3");
});

test("body_text and body_base64 go out as they are", () => {
  const text = understood({ method: "PUT", body_text: "é" });
  assert.equal(Buffer.from(text.body, "latin1").toString(), "é");
  assert.equal(text.headers["content-type"], "text/plain; charset=utf-8");
  const bytes = understood({ method: "PUT", body_base64: "AP+A" });
  assert.equal(bytes.body, "\0\xff\x80");
  assert.equal(bytes.headers["content-type"], "application/octet-stream");
});

test("POST and PUT without a body say so; other methods say nothing", () => {
  assert.equal(understood({ method: "POST" }).headers["content-length"], "0");
  assert.equal(understood({ method: "PUT" }).headers["content-length"], "0");
  assert.equal(understood({ method: "DELETE" }).headers["content-length"], undefined);
});

test("a body of any size arrives whole", () => {
  for (const size of [1000, 1025, 65536, 200_000, 5_000_000]) {
    const { body } = understood({ method: "POST", body_text: "x".repeat(size) });
    assert.equal(body.length, size);
  }
});

test("the caller's fields go out in their order and win over the defaults; the framing does not", () => {
  const { rawHeaders, headers, body } = understood({
    method: "POST",
    headers: {
      "X-One": "1",
      "content-type": "text/x",
      "Content-Length": "99",
      "Transfer-Encoding": "chunked",
      Accept: "a/b",
      "accept-encoding": "identity",
      "User-Agent": "me",
      Host: "other.example",
      "x-two": "é",
    },
    body: 5,
  });
  assert.deepEqual(
    rawHeaders.filter((_, index) => index % 2 === 0).filter((name) => /^x-/i.test(name)),
    ["X-One", "x-two"],
  );
  assert.equal(headers["content-length"], "1");
  assert.equal(headers["transfer-encoding"], undefined);
  assert.equal(headers["content-type"], "text/x");
  assert.equal(headers.accept, "a/b");
  assert.equal(headers["accept-encoding"], "identity");
  assert.equal(headers["user-agent"], "me");
  assert.equal(headers.host, "other.example");
  assert.equal(Buffer.from(headers["x-two"] ?? "", "latin1").toString(), "é");
  assert.equal(rawHeaders.filter((name) => /^host$/i.test(name)).length, 1);
  assert.equal(body, "5");
});

test("a request for a range accepts no coding, unless the caller chose one", () => {
  const codingsAsked = (headers: { [name: string]: string }) =>
    understood({ method: "GET", headers }).headers["accept-encoding"];
  assert.match(codingsAsked({ "X-Range": "bytes=0-1", "If-Range": '"a"' }) ?? "", /^gzip, deflate, br/);
  for (const name of ["Range", "range", "RANGE"]) {
    assert.equal(codingsAsked({ [name]: "bytes=0-1" }), "identity");
    assert.equal(codingsAsked({ [name]: "bytes=0-1", "Accept-ENCODING": "gzip" }), "gzip");
    assert.equal(codingsAsked({ "accept-encoding": "", [name]: "bytes=0-1" }), "");
  }
});

/** The request as the raw server got it. */
function sent(
  request: object,
  base = raw.url("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{request}", "<end>"),
): string {
  const answer = ok(net.http.request({ method: "GET", url: base, decode_body: "text", ...request }));
  return Buffer.from(String(answer.body), "base64").toString("latin1");
}

test("any token is a method, sent as given; the Host field comes first", () => {
  assert.match(sent({ method: "pu$h" }), /^pu\$h \/script\/\S+ HTTP\/1\.1\r\nHost: 127\.0\.0\.1:\d+\r\n/);
});

test("user and password of the URL become Basic credentials, percent-decoded, unless the caller has some", () => {
  const url = (userinfo: string) => echoUrl.replace("://", `://${userinfo}@`);
  const authorization = (request: { url: string; headers?: { [name: string]: string } }) =>
    (ok(net.http.request({ method: "GET", ...request })).body as unknown as Understood).headers.authorization;
  const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;
  assert.equal(authorization({ url: url("me:secret") }), basic("me:secret"));
  assert.equal(authorization({ url: url("me%40x:a%3Ab%C3%A9%zz") }), basic("me@x:a:bé%zz"));
  assert.equal(authorization({ url: url("me") }), basic("me:"));
  assert.equal(authorization({ url: url("me:secret"), headers: { Authorization: "Bearer x" } }), "Bearer x");
  assert.equal(authorization({ url: echoUrl }), undefined);
});

test("keep_alive false sends Connection: close and leaves no connection", () => {
  assert.equal(understood({ method: "GET", keep_alive: false }).headers.connection, "close");
  const url = raw.url("HTTP/1.1 200 OK\r\nContent-Length: {connection}\r\n\r\n".replace("{connection}", "0"));
  assert.equal(ok(get(url, { keep_alive: false })).status, 200);
});

// Framing of the answer (RFC 9112, 6.3)

const plain = (body: string, head = "") =>
  `HTTP/1.1 200 OK\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`;

for (const [name, answer, body] of [
  ["Content-Length", plain('{"a":1}'), { a: 1 }],
  ["Content-Length of 0", plain(""), null],
  [
    "a repeated equal Content-Length",
    "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
    1,
  ],
  [
    "chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\n[1,\r\n2  \r\n2]\r\n0\r\nT: x\r\n\r\n",
    [1, 2],
  ],
  ["the end of the stream", "HTTP/1.1 200 OK\r\n\r\ntext", "text"],
  ["HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\ntrue", true],
  ["204, whatever it says", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", null],
  ["304, whatever it says", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", null],
  ["no reason phrase", "HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n1", 1],
  ["white space alone", plain(" \r\n "), null],
  ["a byte order mark", plain("\xef\xbb\xbf[]"), []],
  ["text that is no JSON", plain("[1"), "[1"],
  [
    "interim answers before it",
    `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${plain("1")}`,
    1,
  ],
  ["a folded field", plain("1", "X: a\r\n b\r\n"), 1],
] as [string, string, net.Json][]) {
  test(`the response's body: ${name}`, () => {
    const end = answer.includes("Length") || answer.includes("chunked") ? [] : ["<end>" as const];
    for (const url of [raw.url(answer, ...end), raw.url({ slowly: answer }, ...end)]) {
      assert.deepEqual(ok(get(url)).body, body);
    }
  });
}

test("the response to HEAD has no body, and the connection goes on", () => {
  const url = raw.url("HTTP/1.1 200 OK\r\nContent-Length: 500\r\nX-On: {connection}\r\n\r\n");
  const first = ok(net.http.request({ method: "HEAD", url }));
  const second = ok(net.http.request({ method: "HEAD", url }));
  assert.equal(first.body, null);
  assert.equal(first.headers["content-length"], "500");
  assert.equal(second.headers["x-on"], first.headers["x-on"]);
});

test("names come in lower case, lines of one name are joined, and __proto__ is a name like any other", () => {
  const answer = ok(
    get(raw.url(plain("", "X-A: 1\r\nx-a:\t2 \r\n__proto__: p\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\n")), {
      raw_headers: true,
    }),
  );
  assert.equal(answer.headers["x-a"], "1, 2");
  assert.ok(Object.hasOwn(answer.headers, "__proto__"));
  assert.equal(Object.getPrototypeOf(answer.headers), Object.prototype);
  assert.deepEqual(answer.raw_headers, [
    ["X-A", "1"],
    ["x-a", "2"],
    ["__proto__", "p"],
    ["Set-Cookie", "a=b"],
    ["Set-Cookie", "c=d"],
    ["Content-Length", "0"],
  ]);
});

for (const [name, steps, text] of [
  ["nothing", ["<end>"], "connection closed before response headers"],
  ["half a head", ["HTTP/1.1 200 OK\r\nContent-", "<end>"], "connection closed before response headers"],
  [
    "half a body",
    ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123", "<end>"],
    "connection closed before response body complete",
  ],
  [
    "half a chunk",
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123", "<end>"],
    "connection closed before response body complete",
  ],
  [
    "chunks without the last one",
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n", "<end>"],
    "connection closed before response body complete",
  ],
  ["a reset", ["HTTP/1.1 200 OK\r\n\r\n123", 50, "<reset>"], reason("ECONNRESET")],
  [
    "101",
    ["HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"],
    "the server switched protocols (101), which was not asked for",
  ],
  ["interim answers without end", ["HTTP/1.1 100 Continue\r\n\r\n".repeat(40)], "too many interim responses"],
  [
    "a bad chunk size",
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n"],
    "invalid http response: malformed chunk size",
  ],
  [
    "both framings",
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n"],
    "invalid http response: Content-Length together with Transfer-Encoding",
  ],
  [
    "an unknown transfer coding",
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"],
    "invalid http response: unsupported Transfer-Encoding",
  ],
  [
    "differing lengths",
    ["HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1"],
    "invalid Content-Length header",
  ],
  [
    "a length with a sign",
    ["HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n1"],
    "invalid Content-Length header",
  ],
  ["another protocol", ["220 smtp.example ESMTP\r\n"], undefined],
  ["HTTP/2", ["HTTP/2 200\r\n\r\n"], undefined],
  ["a status of two digits", ["HTTP/1.1 20 OK\r\n\r\n"], "invalid http response: malformed status line"],
  ["too long a head", [`HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}\r\n\r\n`], "http headers too large"],
  ["a head without end", ["HTTP/1.1 200 OK\r\n", { flood: "x" }], "http headers too large"],
  ["too many fields", [`HTTP/1.1 200 OK\r\n${"X: x\r\n".repeat(129)}\r\n`], "http headers too large"],
  [
    "trailers without end",
    ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", { flood: "x" }],
    "http headers too large",
  ],
  [
    "a body that is not UTF-8",
    [plain("\xff")],
    'response body is not utf-8 (decode_body "bytes" or "base64" gives its bytes)',
  ],
] as [string, (string | number | { flood: string })[], string | undefined][]) {
  test(`a response that is an error: ${name}`, () => {
    const before = openDescriptors();
    const text2 = err(get(raw.url(...(steps as [])), { timeout_ms: 10_000, keep_alive: false }));
    if (text === undefined) assert.match(text2, /^http request failed: invalid http response: /);
    else assert.equal(text2, `http request failed: ${text}`);
    assert.equal(openDescriptors(), before);
  });
}

test("limits without options: 64 KiB of header section, 128 fields, 32 interim responses, a body of 64 MiB", () => {
  const short = "connection closed before response body complete";
  for (const [answer, text] of [
    [padded(65536), null],
    [padded(65537), "http headers too large"],
    [fields(128), null],
    [fields(129), "http headers too large"],
    [interim(32), null],
    [interim(33), "too many interim responses"],
    [announced(64 * 2 ** 20), short],
    [
      announced(64 * 2 ** 20 + 1),
      "response body too large (more than 67108864 bytes: 'max_body_bytes' sets the limit)",
    ],
  ] as const) {
    const url = raw.url(answer, "<end>");
    const result = get(url, { keep_alive: false });
    assert.equal(result.isOk ? null : result.error, text === null ? null : `http request failed: ${text}`);
  }
});

test("limits: one byte more than max_body_bytes is an error, by each framing", () => {
  const big = "x".repeat(1000);
  const all = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${`fa\r\n${"x".repeat(250)}\r\n`.repeat(4)}0\r\n\r\n`;
  for (const url of [raw.url(plain(big)), raw.url(all), raw.url(`HTTP/1.1 200 OK\r\n\r\n${big}`, "<end>")]) {
    assert.equal(ok(get(url, { max_body_bytes: 1000 })).body, big);
    assert.equal(
      err(get(url, { max_body_bytes: 999 })),
      "http request failed: response body too large (more than 999 bytes: 'max_body_bytes' sets the limit)",
    );
  }
  // A length that nothing stands behind allocates nothing, and one beyond any integer is a length all the same.
  const lie = raw.url("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n");
  assert.equal(
    err(get(lie)),
    "http request failed: response body too large (more than 67108864 bytes: 'max_body_bytes' sets the limit)",
  );
  const flood = raw.url("HTTP/1.1 200 OK\r\n\r\n", { flood: "x" });
  assert.equal(
    err(get(flood, { max_body_bytes: 5_000_000 })),
    "http request failed: response body too large (more than 5000000 bytes: 'max_body_bytes' sets the limit)",
  );
});

test("decode_body", () => {
  const url = raw.url(plain('\xef\xbb\xbf{"a":1}'));
  assert.equal(ok(get(url, { decode_body: "text" })).body, '{"a":1}');
  assert.equal(
    ok(get(url, { decode_body: "base64" })).body,
    Buffer.from('\xef\xbb\xbf{"a":1}', "latin1").toString("base64"),
  );
  assert.equal(ok(get(raw.url(plain("\xff\0")), { decode_body: "base64" })).body, "/wA=");
  assert.equal(ok(get(raw.url(plain("")), { decode_body: "text" })).body, "");
  assert.match(err(get(raw.url(plain("\xff")), { decode_body: "text" })), /base64/);
  assert.deepEqual(ok(get(raw.url(plain("[18446744073709551616]")))).body, [18446744073709551616n]);
});

test("a connection that is refused, and one to nowhere", () => {
  assert.equal(err(get("http://127.0.0.1:1/")), `http request failed: ${reason("ECONNREFUSED")}`);
  assert.match(
    err(get("http://does-not-exist.invalid/")),
    /^http request failed: failed to lookup address information: /,
  );
  assert.equal(net.error_code(err(get("http://127.0.0.1:1/"))), "ECONNREFUSED");
});

test("Python's http.server and a kept connection", async () => {
  await using server = python(`
import http.server, json
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        answer = json.dumps({"port": self.client_address[1], "body": json.loads(body)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1])
server.serve_forever()
`);
  const url = `http://127.0.0.1:${await server.line()}/`;
  const ports = new Set<unknown>();
  for (let i = 0; i < 20; i++) {
    const body = ok(net.http.request({ method: "POST", url, body: { i, text: "é".repeat(i) } })).body as {
      port: number;
      body: net.Json;
    };
    assert.deepEqual(body.body, { i, text: "é".repeat(i) });
    ports.add(body.port);
  }
  assert.equal(ports.size, 1);
});

test("IPv6 hosts", async () => {
  await using server = node(`
    import { createServer } from "node:http";
    const server = createServer((request, response) => response.end(JSON.stringify(request.headers.host)));
    server.listen(0, "::1", () => console.log(server.address().port));
  `);
  const port = await server.line();
  assert.equal(ok(get(`http://[::1]:${port}/`)).body, `[::1]:${port}`);
});

test("a limit beyond the longest string is that string's length, and no exception", () => {
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${constants.MAX_STRING_LENGTH + 1}\r\n\r\n`;
  const more = { max_body_bytes: Number.MAX_SAFE_INTEGER, timeout_ms: 5000 };
  for (const decode_body of ["json", "text", "base64"] as const) {
    const reason = err(get(raw.url(head), { ...more, decode_body }));
    assert.match(reason, /^http request failed: response body too large \(more than \d+ bytes/);
  }
  const coded = gzipSync("1").toString("latin1");
  const answer = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${coded.length}\r\n\r\n${coded}`;
  assert.equal(ok(get(raw.url(answer), more)).body, 1);
});
