// http.request_all: the same results as http.request's, in their order, and servers that do not behave.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import zlib from "node:zlib";
import * as net from "std-net";
import { SEEN } from "../support/http-requests.ts";
import { type HttpsEcho, httpsEcho } from "../support/https-echo.ts";
import { err, node, nodeFile, ok, openDescriptors, type Peer } from "../support/peer.ts";
import { type RawServer, rawServer, type Step } from "../support/raw-server.ts";

const { request, request_all } = net.http;

let raw: RawServer;
let secure: HttpsEcho;
let proxy: Peer;
let proxyAddress: string;
let unix: Peer;
let socketPath: string;
const folder = mkdtempSync(join(tmpdir(), "std-net-"));

before(async () => {
  raw = await rawServer();
  secure = await httpsEcho();
  proxy = nodeFile("http-proxy.mjs");
  proxyAddress = `127.0.0.1:${await proxy.line()}`;
  socketPath = join(folder, "http.socket");
  unix = node(
    `import { createServer } from "node:http";
    createServer((request, response) => response.end(JSON.stringify(request.url))).listen(process.argv[1], () => console.log(""));`,
    socketPath,
  );
  await unix.line();
});

after(async () => {
  for (const peer of [raw, secure, proxy, unix]) await peer[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const HEAD = "HTTP/1.1 200 OK\r\n";
const sized = (body: string, more = ""): string =>
  `${HEAD}${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const get = (...steps: Step[]): net.http.ClientRequest => ({ method: "GET", url: raw.url(...steps) });
const gzipped = (text: string): string => {
  const bytes = zlib.gzipSync(text).toString("latin1");
  return sized(bytes, "Content-Encoding: gzip\r\n");
};
const moved = (location: string, status = 302): string =>
  `HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`;

/** All sorts of requests, each with one result that is always the same. */
function everything(): { [name: string]: unknown } {
  const tls = { ca: secure.root };
  const via = `http://${proxyAddress}`;
  const here = `http://127.0.0.1:${raw.port}`;
  return {
    json: get(sized('{"a": 12345678901234567890}')),
    text: { ...get(sized("hello")), decode_body: "text", raw_headers: true },
    base64: { ...get(sized("\x00\xff")), decode_body: "base64" },
    "not utf-8": get(sized("\xff\xfe")),
    chunked: get(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n`),
    "to the end of the stream": get(`${HEAD}\r\nhello`, "<end>"),
    "byte by byte": get({ slowly: sized("hello") }),
    "interim responses": get(`HTTP/1.1 103 Early\r\n\r\n${sized("x")}`),
    gzip: get(gzipped("hello".repeat(1000))),
    "corrupt gzip": get(sized("no gzip", "Content-Encoding: gzip\r\n")),
    "unknown coding": get(sized("x", "Content-Encoding: y\r\n")),
    large: { ...get(sized("x".repeat(1_000_000))), decode_body: "text" },
    "too large": { ...get(sized("x".repeat(1000))), max_body_bytes: 999 },
    "a large request": { method: "PUT", url: raw.url(sized("x")), body_text: "y".repeat(3_000_000) },
    POST: { method: "POST", url: raw.url(SEEN, "<end>"), body: { a: 1 }, decode_body: "text" },
    HEAD: { method: "HEAD", url: raw.url(`${HEAD}Content-Length: 5\r\n\r\n`) },
    "204": get("HTTP/1.1 204 None\r\n\r\n"),
    "304": get("HTTP/1.1 304 Same\r\n\r\n"),
    "404": get("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"),
    "101": get("HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"),
    redirects: get(moved(raw.url(moved(raw.url(sized("here")))))),
    "POST redirected": { method: "POST", url: raw.url(moved(raw.url(SEEN, "<end>"), 307)), body: [1] },
    "too many redirects": { ...get(moved(raw.url(moved("/")))), max_redirects: 1 },
    "a redirect's own response": { ...get(moved("/")), max_redirects: 0 },
    "redirect to https": { ...get(moved(`${secure.url}/`)), tls, decode_body: "text", max_redirects: 0 },
    "redirect refused": { method: "GET", url: `${secure.url}/to/${b64(`${here}/`)}`, tls },
    "no Location that can be": get(moved("ftp://x/")),
    truncated: get(`${HEAD}Content-Length: 5\r\n\r\nhel`, "<end>"),
    "truncated head": get("HTTP/1.1 200", "<end>"),
    "nothing at all": get("<end>"),
    reset: get(`${HEAD}Content-Length: 5\r\n\r\nhel`, 20, "<reset>"),
    "no HTTP": get("SSH-2.0\r\n\r\n"),
    "two lengths": get(`${HEAD}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`),
    refused: { method: "GET", url: "http://127.0.0.1:1/" },
    "refused by name": { method: "GET", url: "http://localhost:1/" },
    "by name": { method: "GET", url: raw.url(sized("x")).replace("127.0.0.1", "localhost") },
    "no such name": { method: "GET", url: "http://nowhere.invalid/" },
    "timed out": { ...get(5000), timeout_ms: 50 },
    "timed out in the body": { ...get(`${HEAD}Content-Length: 5\r\n\r\nhel`, 5000), timeout_ms: 50 },
    "certificate refused": { method: "GET", url: `${secure.url}/` },
    "TLS where none is": { method: "GET", url: `https://127.0.0.1:${raw.port}/`, timeout_ms: 300 },
    "a Unix socket": { method: "GET", url: "http://x/path", socket_path: socketPath, decode_body: "text" },
    "no Unix socket": { method: "GET", url: "http://x/", socket_path: join(folder, "none") },
    proxy: { ...get(sized("x")), proxy: via },
    "proxy refuses": { method: "GET", url: "https://refused.test/", proxy: via },
    "no proxy": { ...get(sized("x")), proxy: "http://127.0.0.1:1" },
    "no tunnel": { method: "GET", url: "https://x/", proxy: "http://127.0.0.1:1" },
    "keep_alive false": { ...get(SEEN, "<end>"), keep_alive: false },
    "no object": 7,
    "no URL": { method: "GET" },
    "wrong URL": { method: "GET", url: "x" },
    "wrong body": { method: "GET", url: `${here}/`, body: Number.NaN },
    "wrong tls": { method: "GET", url: `${secure.url}/`, tls: { ca: "no" } },
    "a getter that throws": {
      get method(): string {
        throw new Error("boom");
      },
    },
  };
}

const b64 = (text: string): string => Buffer.from(text).toString("base64url");

/** A result as plain data, without what is different each time. */
function plain(result: net.Result<net.http.ClientResponse, string> | undefined): unknown {
  if (result === undefined || result.isErr) return result?.error;
  const { headers, raw_headers, ...rest } = result.value;
  const { date: _, ...others } = headers;
  return { ...rest, headers: others, raw_headers };
}

describe("each result is what http.request gives", () => {
  test("all sorts of requests, at once and one by one", () => {
    const named = everything();
    const names = Object.keys(named);
    const requests = Object.values(named) as net.http.ClientRequest[];
    const expected = Object.fromEntries(names.map((name, index) => [name, plain(request(requests[index]!))]));
    for (const concurrency of [50, 3, 1]) {
      const results = request_all(requests, { concurrency });
      assert.equal(results.length, names.length);
      const found = Object.fromEntries(names.map((name, index) => [name, plain(results[index])]));
      assert.deepEqual(found, expected, `${concurrency} at once`);
    }
    for (const name of names) {
      assert.deepEqual(plain(request_all([named[name] as net.http.ClientRequest])[0]), expected[name], name);
    }
  });

  test("https, straight and through a tunnel, over kept connections", () => {
    const tls = { ca: secure.root };
    const url = `${secure.url}/`;
    const requests = Array.from({ length: 40 }, (_, index) => ({
      method: index % 2 === 0 ? "GET" : "POST",
      url,
      tls,
      headers: { "x-index": String(index) },
      ...(index % 4 === 0 ? { proxy: `http://${proxyAddress}` } : {}),
    }));
    const results = request_all(requests, { concurrency: 8 });
    const seen = results.map(
      (result) => ok(result).body as { headers: { [n: string]: string }; port: number },
    );
    assert.deepEqual(
      seen.map(({ headers }) => headers["x-index"]),
      requests.map((_, index) => String(index)),
    );
    assert.ok(new Set(seen.map(({ port }) => port)).size <= 16, "eight each way are kept");
    // And they serve http.request afterwards.
    const ports = new Set(seen.map(({ port }) => port));
    const one = ok(request({ method: "GET", url, tls })).body as { port: number };
    assert.ok(ports.has(one.port));
  });
});

describe("connections", () => {
  const which = sized("x", "X: {connection}\r\n");
  const connectionOf = (result: net.Result<net.http.ClientResponse, string>): string =>
    ok(result).headers["x"]!;

  test("are kept, of the pool and for the pool, in blocking mode", () => {
    const first = connectionOf(request(get(which)));
    const used = request_all(Array(30).fill(get(which)), { concurrency: 4 }).map(connectionOf);
    assert.ok(used.includes(first), "the one of http.request");
    assert.equal(new Set(used).size, 4);
    assert.ok(used.includes(connectionOf(request(get(10, which)))), "and back, where http.request waits");
  });

  test("of a server that closed them are replaced unseen, for idempotent methods only", () => {
    const once: Step = { first: [which], later: ["<end>"] };
    const before = request_all(Array(4).fill(get(once)), { concurrency: 4 }).map(connectionOf);
    assert.equal(new Set(before).size, 4);
    const again = request_all(Array(4).fill(get(once)), { concurrency: 4 }).map(connectionOf);
    for (const each of again) assert.ok(!before.includes(each));
    const posts = request_all(Array(4).fill({ ...get(once), method: "POST" }), { concurrency: 4 });
    for (const post of posts) {
      assert.equal(err(post), "http request failed: connection closed before response headers");
    }
  });

  test("that serve a POST again are watched for 20 ms, without holding up the others", async () => {
    const post = { method: "POST", url: raw.url(which) };
    const results = request_all(Array(20).fill(post), { concurrency: 4 }).map(connectionOf);
    assert.equal(new Set(results).size, 4);
    // A server that says more than was wanted: its bytes are nobody's response.
    await using other = await rawServer();
    const noisy = other.url(which, 3, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    const posts = request_all(Array(60).fill({ method: "POST", url: noisy }), { concurrency: 3 });
    const wrong = posts.filter((result) => ok(result).body !== "x").length;
    // On a busy machine the server can be later than the trial lasts (20 ms). Without a trial nearly half are wrong.
    assert.ok(wrong <= 6, `${wrong} wrong responses`);
  });

  test("no descriptor is lost, whatever the servers do", () => {
    const requests = Object.values(everything()) as net.http.ClientRequest[];
    const run = (): number => {
      request_all(requests);
      // Those that are kept are of 64 places at most, and of few here.
      return openDescriptors();
    };
    run();
    const most = Math.max(run(), run());
    assert.ok(run() <= most + 2, "as many as before");
  });
});

describe("time", () => {
  test("a request's limit counts from when it begins", () => {
    const slow = { ...get(100, sized("x")), timeout_ms: 5000 };
    const begin = performance.now();
    const results = request_all(Array(6).fill(slow), { concurrency: 2 });
    assert.ok(performance.now() - begin >= 290);
    for (const result of results) ok(result);
    const short = { ...get(100, sized("x")), timeout_ms: 2000 };
    for (const result of request_all(Array(40).fill(short), { concurrency: 1 })) ok(result);
  });

  test("the whole call's limit ends what is not done", () => {
    const begin = performance.now();
    const results = request_all([get(sized("x")), get(60_000), get(60_000), get(60_000)], {
      concurrency: 2,
      timeout_ms: 300,
    });
    assert.ok(performance.now() - begin < 5000);
    ok(results[0]!);
    assert.deepEqual(results.slice(1).map(err), Array(3).fill("http request failed: timed out"));
    const queued = request_all([get(60_000), get(sized("x"))], { concurrency: 1, timeout_ms: 100 });
    assert.deepEqual(queued.map(err), Array(2).fill("http request failed: timed out"));
    const [one] = request_all([get(60_000)], { timeout_ms: 100 });
    assert.equal(err(one!), "http request failed: timed out");
  });

  test("slow ones hold up nobody, and end at their own limits", () => {
    const limits = [100, 200, 300];
    const slow = limits.flatMap((timeout_ms) => [
      { ...get(60_000), timeout_ms },
      { ...get(HEAD, 60_000), timeout_ms },
      { ...get({ slowly: sized("x".repeat(100_000)) }), timeout_ms },
      { ...get({ flood: `${HEAD}X: ${"y".repeat(100)}` }), timeout_ms },
      { ...get({ flood: "HTTP/1.1 100 Continue\r\n\r\n" }), timeout_ms },
    ]);
    const quick = Array.from({ length: 100 }, () => get(sized("x")));
    const begin = performance.now();
    const results = request_all([...slow, ...quick], { concurrency: 20 });
    assert.ok(performance.now() - begin < 5000);
    for (const result of results.slice(0, slow.length)) err(result);
    for (const result of results.slice(slow.length)) assert.equal(ok(result).body, "x");
  });

  test("a hundred at once wait for one another's server time once", () => {
    const begin = performance.now();
    for (const result of request_all(Array(100).fill(get(200, sized("x"))), { concurrency: 100 })) ok(result);
    assert.ok(performance.now() - begin < 5000, "100 times 200 ms would be 20 s");
  });
});

describe("arguments", () => {
  const texts = (results: readonly net.Result<unknown, string>[]): string[] =>
    results.map((result) => err(result));

  test("no list: a list with that error", () => {
    for (const wrong of [undefined, null, 7, "x", {}, new Set(), (): void => {}]) {
      assert.deepEqual(texts(request_all(wrong as never)), ["requests must be a list"]);
    }
    assert.deepEqual(request_all([]), []);
    const trap = new Proxy([], {
      get() {
        throw new Error("boom");
      },
    });
    assert.deepEqual(texts(request_all(trap)), ["request cannot be read: boom"]);
  });

  test("wrong options: that error in every place, and nothing is sent", () => {
    const requests = [get(sized("x")), get(sized("x"))];
    const range = "'concurrency' must be an integer from 1 to 1024";
    const time = "timeout must be a positive number";
    for (const [options, text] of [
      [{ concurrency: 0 }, range],
      [{ concurrency: 1025 }, range],
      [{ concurrency: 1.5 }, range],
      [{ concurrency: "2" }, range],
      [{ concurrency: null }, range],
      [{ timeout_ms: 0 }, time],
      [{ timeout_ms: "1" }, time],
      [null, "options must be an object"],
      [7, "options must be an object"],
      [
        {
          get concurrency() {
            throw new Error("boom");
          },
        },
        "options cannot be read: boom",
      ],
    ]) {
      assert.deepEqual(texts(request_all(requests, options as never)), [text, text]);
    }
    for (const concurrency of [1, 1024]) ok(request_all(requests, { concurrency, timeout_ms: null })[1]!);
  });

  test("body_parts are an error, alone and among others", () => {
    const parts = { method: "POST", url: raw.url(sized("x")), body_parts: ["a"] };
    const text = "'body_parts' cannot be sent by request_all and request_each";
    assert.equal(err(request_all([parts])[0]!), text);
    const [good, bad] = request_all([get(sized("x")), parts]);
    ok(good!);
    assert.equal(err(bad!), text);
  });

  test("a million wrong requests need no stack", () => {
    assert.equal(request_all(Array(100_000).fill(7)).length, 100_000);
  });

  test("an element that cannot be read is an error of its own", () => {
    const requests = [get(sized("x")), get(sized("x"))];
    Object.defineProperty(requests, 0, {
      get() {
        throw new Error("boom");
      },
    });
    const [bad, good] = request_all(requests);
    assert.equal(err(bad!), "request cannot be read: boom");
    ok(good!);
  });
});
