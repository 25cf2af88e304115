// http.request through proxies.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { error_code } from "std-net";
import { Failure } from "../../src/error.ts";
import { proxyFor, readEnvironment } from "../../src/http/client/proxy.ts";
import { parseTarget } from "../../src/http/wire/url.ts";
import { arrived, get, SEEN } from "../support/http-requests.ts";
import { type HttpsEcho, httpsEcho } from "../support/https-echo.ts";
import { err, node, nodeFile, ok, openDescriptors, type Peer } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";

let raw: RawServer;
let secure: HttpsEcho;
let proxy: Peer;
let proxyAddress: string;

before(async () => {
  raw = await rawServer();
  secure = await httpsEcho();
  proxy = nodeFile("http-proxy.mjs");
  proxyAddress = `127.0.0.1:${await proxy.line()}`;
});

after(async () => {
  await raw[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

/** A URL that answers with the request as it came. */
const seenUrl = () => raw.url(SEEN, "<end>");

/** The next request that the proxy got: method, target, header fields, and the port of its connection. */
const lineOf = async () =>
  JSON.parse(await proxy.line()) as [string, string, { [name: string]: string }, number];

test("http through a proxy: absolute form, credentials for the proxy, one connection for all origins", async () => {
  const via = `http://me:pass%21@${proxyAddress}`;
  const text = arrived({ url: seenUrl(), proxy: via });
  assert.match(text, /^GET \/script\//);
  const [method, url, headers, port] = await lineOf();
  assert.equal(method, "GET");
  assert.equal(url, seenUrl());
  assert.equal(headers.host, `127.0.0.1:${raw.port}`);
  assert.equal(headers["proxy-authorization"], `Basic ${Buffer.from("me:pass!").toString("base64")}`);
  arrived({ url: seenUrl().replace("127.0.0.1", "localhost"), proxy: via });
  const again = await lineOf();
  assert.equal(again[3], port);
  arrived({ url: seenUrl(), proxy: `http://you@${proxyAddress}` });
  assert.notEqual((await lineOf())[3], port, "another user of the proxy, another connection");
});

test("https through a proxy: a tunnel, whose credentials the server does not see", async () => {
  const tls = { ca: secure.root };
  const url = secure.url;
  const seen = ok(get(url, { tls, proxy: `http://me:x@${proxyAddress}`, headers: { "X-A": "1" } })).body as {
    headers: object;
  };
  const [method, target, headers] = await lineOf();
  assert.equal(method, "CONNECT");
  assert.equal(target, secure.url.slice("https://".length));
  assert.equal(headers["proxy-authorization"], "Basic bWU6eA==");
  assert.equal(headers["x-a"], undefined);
  assert.equal("proxy-authorization" in seen.headers, false);
  // The second request goes through the same tunnel; the caller's own credentials make another one.
  ok(get(url, { tls, proxy: `http://me:x@${proxyAddress}` }));
  const own = ok(
    get(url, { tls, proxy: `http://${proxyAddress}`, headers: { "Proxy-Authorization": "Basic own" } }),
  );
  assert.equal((await lineOf())[2]["proxy-authorization"], "Basic own");
  assert.equal("proxy-authorization" in (own.body as { headers: object }).headers, false);
});

test("a CONNECT that is refused is an error with the proxy's status", async () => {
  const before = openDescriptors();
  assert.equal(
    err(get("https://refused.test/", { proxy: `http://${proxyAddress}` })),
    "http request failed: proxy refused CONNECT: 407 Proxy Authentication Required",
  );
  assert.equal((await lineOf())[1], "refused.test:443");
  assert.equal(openDescriptors(), before);
});

test("a proxy URL that is invalid, and a proxy that breaks the protocol", async () => {
  for (const proxy of ["", "proxy:8080", "https://a:1", "socks5://a:1", "http://"]) {
    assert.equal(err(get("http://a/", { proxy })), "'proxy' is not a valid http proxy URL");
  }
  assert.equal(err(get("http://a/", { proxy: 1 })), "'proxy' must be a string");
  assert.equal(error_code(err(get("https://a/", { proxy: "http://127.0.0.1:1" }))), "ECONNREFUSED");
  // What comes before we have spoken TLS is not from the server.
  await using eager = node(`
    import { createServer } from "node:net";
    const server = createServer((socket) => {
      socket.on("error", () => {}).once("data", () => socket.write("HTTP/1.1 200 OK\\r\\n\\r\\nhello"));
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  assert.equal(
    err(get("https://a/", { proxy: `http://127.0.0.1:${await eager.line()}`, timeout_ms: 10_000 })),
    "http request failed: proxy CONNECT failed: unexpected bytes in the tunnel",
  );
});

test("the environment's proxies count with NODE_USE_ENV_PROXY=1 alone", async () => {
  const program = `
    const answer = net.http.request({ method: "GET", url: process.argv[1] });
    const direct = net.http.request({ method: "GET", url: process.argv[1], proxy: null });
    console.log(answer.isOk, direct.isOk);
  `;
  const run = async (environment: NodeJS.ProcessEnv) => {
    const variables = Object.entries(environment).map(([name, value]) => `process.env.${name} = "${value}";`);
    await using child = node(variables.join("") + program, seenUrl());
    assert.equal(await child.line(), "true true");
  };
  // If it counted where it must not, the next line would be of that request.
  await run({ HTTP_PROXY: `http://one@${proxyAddress}` });
  for (const not of ["0", "true", "11"]) {
    await run({ NODE_USE_ENV_PROXY: not, HTTP_PROXY: `http://${not}@${proxyAddress}` });
  }
  await run({ NODE_USE_ENV_PROXY: "1", HTTP_PROXY: `http://two@${proxyAddress}`, NO_PROXY: "a, 127.0.0.1" });
  await run({ NODE_USE_ENV_PROXY: "1", HTTP_PROXY: `http://three@${proxyAddress}` });
  const [, , headers] = await lineOf();
  assert.equal(headers["proxy-authorization"], `Basic ${Buffer.from("three:").toString("base64")}`);
});

test("the environment is read once, as in Node", async () => {
  await using child = node(
    `
    const ask = () => net.http.request({ method: "GET", url: process.argv[1] }).isOk;
    const first = ask();
    process.env.NODE_USE_ENV_PROXY = "1";
    process.env.HTTP_PROXY = "http://127.0.0.1:1";
    console.log(first, ask());
  `,
    seenUrl(),
  );
  assert.equal(await child.line(), "true true");
});

test("NO_PROXY's rules", () => {
  const uses = (url: string, no_proxy: string) => {
    const environment = readEnvironment({
      NODE_USE_ENV_PROXY: "1",
      http_proxy: "http://p:1",
      https_proxy: "http://q:2",
      no_proxy,
    })!;
    const found = proxyFor(parseTarget(url)!, environment);
    return found !== null && !(found instanceof Failure);
  };
  assert.ok(uses("http://example.com/", ""));
  assert.ok(!uses("http://example.com/", "*"));
  assert.ok(!uses("http://EXAMPLE.com/", "a,Example.COM"));
  assert.ok(uses("http://sub.example.com/", "example.com"));
  assert.ok(!uses("http://sub.example.com/", ".example.com"));
  assert.ok(!uses("http://example.com/", ".example.com"));
  assert.ok(uses("http://notexample.com/", ".example.com"));
  assert.ok(!uses("http://sub.example.com/", "*.example.com"));
  assert.ok(uses("http://notexample.com/", "*.example.com"));
  assert.ok(!uses("http://example.com:8080/", "example.com:8080"));
  assert.ok(uses("http://example.com:8081/", "example.com:8080"));
  assert.ok(!uses("https://example.com/", "example.com:443"));
  assert.ok(!uses("http://192.168.1.50/", "192.168.1.1-192.168.1.100"));
  assert.ok(!uses("http://192.168.1.50/", "a, 192.168.1.1 - 192.168.1.100"));
  assert.ok(uses("http://192.168.1.101/", "192.168.1.1-192.168.1.100"));
  assert.ok(!uses("http://192.168.1.1/", "192.168.1.1"));
  assert.ok(!uses("http://[::1]/", "::1"));
  assert.ok(!uses("http://[::1]/", "[::1]"));
  assert.ok(uses("http://a-b/", "a-b-c"));
  assert.ok(!uses("http://a-b-c/", "a-b-c"));
  assert.equal(readEnvironment({ HTTP_PROXY: "http://p:1" }), null);
  const both = readEnvironment({
    NODE_USE_ENV_PROXY: "1",
    http_proxy: "http://low:1",
    HTTP_PROXY: "http://up:1",
  })!;
  assert.equal((proxyFor(parseTarget("http://a/")!, both) as { address: string }).address, "low:1");
  assert.equal(proxyFor(parseTarget("https://a/")!, both), null);
  const wrong = readEnvironment({ NODE_USE_ENV_PROXY: "1", HTTPS_PROXY: "nonsense" })!;
  const failure = proxyFor(parseTarget("https://a/")!, wrong);
  assert.ok(failure instanceof Failure);
  assert.equal(failure.reason, "HTTPS_PROXY is not a valid http proxy URL");
});

test("NO_PROXY: one host in whatever spelling", () => {
  const uses = (url: string, no_proxy: string) => {
    const environment = readEnvironment({ NODE_USE_ENV_PROXY: "1", HTTP_PROXY: "http://p:1", no_proxy })!;
    return proxyFor(parseTarget(url)!, environment) !== null;
  };
  const spellings: [hosts: string[], entries: string[]][] = [
    [
      ["example.com", "EXAMPLE.com", "example.com."],
      ["example.com", "Example.Com.", ".example.com", ".EXAMPLE.com.", "example.com:80", "example.com.:80"],
    ],
    [
      ["sub.example.com", "sub.example.com."],
      [".example.com", ".example.com.", "*.example.com", "*.Example.com.", "*.example.com:80"],
    ],
    [
      ["m\u00fcller.test", "xn--mller-kva.test."],
      ["M\u00dcLLER.test", "xn--mller-kva.test", ".m\u00fcller.test."],
    ],
    [
      ["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]"],
      ["::1", "[::1]", "0:0:0:0:0:0:0:1", "[0::1]:80", "[0:0::0:1]", "::0.0.0.1", "0000:0000::0001"],
    ],
    [["[fe80::a:b]"], ["FE80::A:B", "[fe80:0::000a:B]", "fe80:0:0:0:0:0:a:b"]],
    [
      ["127.0.0.1", "127.1", "0x7f.0.0.1", "127.0.0.1.", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
      ["127.0.0.1", "127.1", "127.0.0.1:80", "::ffff:127.0.0.1", "[::FFFF:7f00:1]", "127.0.0.0-127.0.0.9"],
    ],
    [
      ["anything.test", "[::1]", "10.0.0.1"],
      ["*", "*:80"],
    ],
  ];
  for (const [hosts, entries] of spellings) {
    for (const host of hosts) {
      for (const entry of entries) assert.ok(!uses(`http://${host}/`, ` x, ${entry} ,`), `${host} ${entry}`);
    }
  }
  for (const [host, entry] of [
    ["example.com", "example.com:81"],
    ["example.com:81", "example.com.:80"],
    ["example.com", "*.example.com"],
    ["example.com", "*.example.com."],
    ["example.com", "example.com.."],
    ["badexample.com", ".example.com."],
    ["[::1]", "::2"],
    ["[::1]", "[::1]:81"],
    ["[::1:80]", "[::1]:80"],
    ["[::1]", "1"],
    ["[::ffff:127.0.0.2]", "127.0.0.1"],
    ["[::7f00:1]", "127.0.0.1"],
    ["example.com", "x@example.com"],
    ["example.com", "example.com/x"],
    ["example.com", "http://example.com"],
    ["example.com", "."],
    ["example.com.", "."],
    ["example.com", "*."],
    ["example.com", ":80"],
    ["10.0.0.5", "10.0.0.1-10.0.0.4-10.0.0.9"],
  ]) {
    assert.ok(uses(`http://${host}/`, entry!), `${host} ${entry}`);
  }
});
