// http.request: redirects, proxies and content codings.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as zlib from "node:zlib";
import * as net from "std-net";
import { Failure } from "../../src/error.ts";
import { proxyFor, readEnvironment } from "../../src/http/client/proxy.ts";
import { isRedirect, redirected } from "../../src/http/client/redirect.ts";
import { parseTarget } from "../../src/http/wire/url.ts";
import { framesOf } from "../../src/http/wire/zstd.ts";
import { Certificates, type Identity } from "../support/certificates.ts";
import { err, node, ok, openDescriptors, type Peer } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";

let raw: RawServer;
let certificates: Certificates;
let secure: Peer;
let secureUrl: string;
let proxy: Peer;
let proxyAddress: string;
let root: string;
let identity: Identity;

before(async () => {
  raw = await rawServer();
  certificates = new Certificates();
  root = certificates.authority("root").cert;
  certificates.make("server", "root");
  identity = certificates.make("client", "root", {
    subject: "/CN=client.test",
    extensions: "extendedKeyUsage=clientAuth\n",
  });
  // Says what it got; /to/URL (base64url) redirects there.
  secure = node(
    `
    import { createServer } from "node:https";
    import { readFileSync } from "node:fs";
    const [cert, key, ca] = process.argv.slice(1).map((name) => readFileSync(name));
    const server = createServer({ cert, key, ca, requestCert: true, rejectUnauthorized: false }, (request, response) => {
      const to = /^\\/to\\/(.*)/.exec(request.url)?.[1];
      if (to !== undefined) return response.writeHead(307, { location: Buffer.from(to, "base64url").toString() }).end();
      const { method, headers, socket } = request;
      const client = socket.getPeerCertificate().subject?.CN ?? null;
      response.end(JSON.stringify({ method, headers, client, port: socket.remotePort }));
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `,
    certificates.path("server.pem"),
    certificates.path("server.key"),
    certificates.path("root.pem"),
  );
  secureUrl = `https://127.0.0.1:${await secure.line()}`;
  // A proxy as Node's own http makes one: it forwards, digs tunnels, refuses the name "refused.test", and wants a
  // password where the user is "locked". It prints what it is asked.
  proxy = node(`
    import { createServer, request as ask } from "node:http";
    import { connect } from "node:net";
    const log = (request) => console.log(JSON.stringify([request.method, request.url, request.headers, request.socket.remotePort]));
    const server = createServer((request, response) => {
      log(request);
      const { method, headers } = request;
      request.pipe(ask(request.url, { method, headers }, (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      }));
    });
    server.on("connect", (request, socket) => {
      log(request);
      if (request.url.startsWith("refused.test:")) return socket.end("HTTP/1.1 407 Proxy Authentication Required\\r\\n\\r\\nno");
      const [host, port] = request.url.split(":");
      const server = connect(port, host, () => {
        socket.write("HTTP/1.1 200 Connection established\\r\\n\\r\\n");
        server.pipe(socket);
        socket.pipe(server);
      });
      for (const end of [socket, server]) end.on("error", () => {});
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  proxyAddress = `127.0.0.1:${await proxy.line()}`;
});

after(async () => {
  await raw[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
  certificates.remove();
});

function get(url: string, more: object = {}) {
  return net.http.request({ method: "GET", url, ...more });
}

const SEEN = "HTTP/1.1 200 OK\r\n\r\n{request}";

/** A URL that answers with the request as it came. */
const seenUrl = () => raw.url(SEEN, "<end>");

/** A URL that redirects. */
function redirect(location: string, status = 302, more = "", body = ""): string {
  const length = `Content-Length: ${body.length}\r\n`;
  return raw.url(`HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\n${more}${length}\r\n${body}`);
}

/** The request that arrived at the end of the redirects. */
function arrived(request: object): string {
  const answer = ok(net.http.request({ method: "GET", url: "", decode_body: "text", ...request }));
  assert.equal(answer.status, 200);
  return Buffer.from(String(answer.body), "base64").toString("latin1");
}

// Redirects

for (const [status, method, expected] of [
  [301, "POST", "GET"],
  [302, "POST", "GET"],
  [303, "POST", "GET"],
  [307, "POST", "POST"],
  [308, "POST", "POST"],
  [301, "PUT", "PUT"],
  [302, "DELETE", "DELETE"],
  [303, "PUT", "GET"],
  [303, "GET", "GET"],
  [301, "GET", "GET"],
] as const) {
  test(`${status} after ${method}: ${expected}`, () => {
    const headers = {
      "Content-Type": "x/y",
      "content-language": "de",
      "Content-Location": "/x",
      "X-Kept": "1",
    };
    const text = arrived({ method, url: redirect(seenUrl(), status), headers, body: { a: 1 } });
    assert.ok(text.startsWith(`${expected} `), text);
    assert.match(text, /X-Kept: 1/);
    const keeps = expected === method && !(status === 303);
    assert.equal(/content-type: x\/y/i.test(text), keeps, text);
    assert.equal(/content-language/i.test(text), keeps);
    assert.equal(/content-location/i.test(text), keeps);
    assert.equal(text.endsWith('{"a":1}'), keeps);
    assert.equal(/content-length/i.test(text), keeps);
  });
}

test("303 after HEAD stays HEAD", () => {
  const target = parseTarget("http://a/")!;
  const next = redirected(
    { method: "HEAD", target, fields: [], body: null },
    { status: 303, locations: ["/b"] },
  );
  assert.ok(!(next instanceof Failure) && next.method === "HEAD" && next.target.path === "/b");
});

test("answers that are no redirects: 300, 304, 3xx without Location, others with one", () => {
  for (const status of [300, 304, 305, 306]) assert.equal(isRedirect({ status, locations: ["/"] }), false);
  assert.equal(isRedirect({ status: 302, locations: [] }), false);
  assert.equal(
    ok(get(raw.url("HTTP/1.1 300 Choices\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"))).status,
    300,
  );
  assert.equal(ok(get(raw.url("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"))).status, 302);
  assert.equal(ok(get(raw.url("HTTP/1.1 201 Made\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"))).status, 201);
});

test("an empty Location is no redirect: its answer is the answer, and a POST is sent once", () => {
  for (const location of ["", " ", " \t ", "\x01 \x0b\x1f"]) {
    for (const status of [301, 302, 303, 307, 308]) {
      const url = raw.url(
        `HTTP/1.1 ${status} x\r\nLocation:${location}\r\nX-On: {connection}.{exchange}\r\nContent-Length: 4\r\n\r\nhere`,
      );
      get(raw.url("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
      const answer = ok(net.http.request({ method: "POST", url, body: { pay: 1 } }));
      assert.equal(answer.status, status);
      assert.equal(answer.body, "here");
      assert.match(answer.headers["x-on"]!, /\.1$/);
    }
  }
  const twice = "HTTP/1.1 302 x\r\nLocation: \r\nLocation:\r\nContent-Length: 0\r\n\r\n";
  assert.equal(ok(get(raw.url(twice))).status, 302);
});

test("max_redirects: 0 gives the answer itself, one too many is an error", () => {
  const once = redirect(seenUrl(), 302, "", "body");
  const answer = ok(get(once, { max_redirects: 0 }));
  assert.equal(answer.status, 302);
  assert.equal(answer.body, "body");
  const twice = redirect(once);
  assert.equal(ok(get(twice, { max_redirects: 2 })).status, 200);
  assert.equal(err(get(twice, { max_redirects: 1 })), "http request failed: too many redirects");
});

test("a circle ends after 20", async () => {
  await using server = node(`
    import { createServer } from "node:http";
    const server = createServer(({ url }, response) => {
      const left = Number(url.slice(1));
      response.writeHead(left > 0 ? 302 : 200, { location: "/" + (left - 1) }).end();
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  const port = await server.line();
  assert.equal(ok(get(`http://127.0.0.1:${port}/20`)).status, 200);
  assert.equal(err(get(`http://127.0.0.1:${port}/21`)), "http request failed: too many redirects");
  const self = raw.url(
    "HTTP/1.1 302 Found\r\nLocation: #again\r\nX-N: {exchange}\r\nContent-Length: 0\r\n\r\n",
  );
  assert.equal(err(get(self)), "http request failed: too many redirects");
});

test("Location is resolved as a URL is", () => {
  const path = new URL(seenUrl()).pathname;
  assert.match(arrived({ url: redirect(path) }), /^GET \/script\//);
  assert.match(arrived({ url: redirect(`//127.0.0.1:${raw.port}${path}#x`) }), /^GET \/script\/[\w-]+ HTTP/);
  assert.match(arrived({ url: redirect(`${path}?\u00c3\u00bc b`) }), /\?%C3%BC%20b HTTP/);
});

test("a Location's octets are asked for as they are, whatever charset they are in", () => {
  const path = new URL(seenUrl()).pathname;
  for (const [octets, asked] of [
    ["?caf\xe9", "?caf%E9"],
    ["?caf\xc3\xa9", "?caf%C3%A9"],
    ["?\xd6\xd0\xce\xc4=\x81\x40", "?%D6%D0%CE%C4=%81@"], // GBK
    ["?\x80\xff", "?%80%FF"],
    ["?%E9\xe9%C3%A9", "?%E9%E9%C3%A9"],
    ["?\xef\xbb\xbf", "?%EF%BB%BF"],
    ["?a#\xe9", "?a"],
  ] as const) {
    const text = arrived({ url: redirect(path + octets) });
    assert.equal(text.slice("GET ".length, text.indexOf(" HTTP/1.1")), path + asked);
  }
  const next = (location: string) => {
    const asked = { method: "GET", target: parseTarget("http://a/b/c")!, fields: [], body: null };
    const found = redirected(asked, { status: 302, locations: [location] });
    return found instanceof Failure ? found.reason : found.target.origin + found.target.path;
  };
  assert.equal(next("caf\xe9/x?y=\xb0\xa1"), "http://a/b/caf%E9/x?y=%B0%A1");
  assert.equal(next("/\xd6\xd0\xce\xc4.html"), "http://a/%D6%D0%CE%C4.html");
  // A name in UTF-8 is the name; what is none in UTF-8 is none.
  assert.equal(next("//m\xc3\xbcller.test/\xfc"), "http://xn--mller-kva.test/%FC");
  assert.match(next("//m\xfcller.test/"), /not a valid http or https URL$/);
});

test("two Location lines: equal ones are one, others an error", () => {
  const path = new URL(seenUrl()).pathname;
  const to = (...lines: string[]) =>
    raw.url(`HTTP/1.1 302 x\r\n${lines.map((line) => `${line}\r\n`).join("")}Content-Length: 0\r\n\r\n`);
  const same = arrived({ url: to(`Location: ${path}`, `LOCATION:${path} `, `location: ${path}`) });
  assert.ok(same.startsWith(`GET ${path} HTTP/1.1\r\n`));
  // A comma is a character like any other in a URL.
  const list = `${path}?, ${path}?`;
  assert.ok(arrived({ url: to(`Location: ${list}`) }).startsWith(`GET ${list.replace(" ", "%20")} HTTP`));
  for (const other of ["/other", "", `${path}?`, "ftp://x/"]) {
    for (const lines of [
      [path, other],
      [other, path],
      [path, path, other],
    ]) {
      const url = to(...lines.map((location) => `Location: ${location}`));
      assert.equal(err(get(url)), "http request failed: redirect to more than one URL");
      assert.equal(ok(get(url, { max_redirects: 0 })).headers.location, lines.join(", "));
    }
  }
  // Where nothing is followed, the lines are a list like any other's.
  const made = `HTTP/1.1 201 x\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n`;
  assert.equal(ok(get(raw.url(made))).headers.location, "/a, /b");
});

test("a Location that is no http URL is an error", () => {
  for (const location of ["ftp://a/", "file:///etc/passwd", "http://", "javascript:1"]) {
    assert.equal(
      err(get(redirect(location))),
      "http request failed: redirect to a URL that is not a valid http or https URL",
    );
  }
});

test("credentials go no further than their origin", () => {
  const headers = {
    Authorization: "Bearer x",
    Cookie: "a=b",
    "Proxy-Authorization": "Basic y",
    Host: "v.test",
    "X-Kept": "1",
  };
  const same = arrived({ url: redirect(seenUrl()), headers });
  for (const line of [
    "Authorization: Bearer x",
    "Cookie: a=b",
    "Proxy-Authorization: Basic y",
    "Host: v.test",
  ]) {
    assert.ok(same.includes(`\r\n${line}\r\n`), line);
  }
  const other = arrived({ url: redirect(seenUrl().replace("127.0.0.1", "localhost")), headers });
  assert.match(other, /X-Kept: 1/);
  assert.match(other, /\r\nHost: localhost:/);
  assert.doesNotMatch(other, /authorization|cookie|v\.test/i);
});

test("another scheme, host or port is another origin", () => {
  const target = parseTarget("http://me:secret@a.test:8443/")!;
  const fields = [
    ["Authorization", "x"],
    ["COOKIE", "x"],
    ["proxy-authorization", "x"],
    ["Host", "v.test"],
    ["Kept", "x"],
  ] as const;
  const asked = { method: "GET", target, fields, body: null };
  for (const [location, stays] of [
    ["/b", true],
    ["http://a.test:8443/b", true],
    ["http://a.test:8444/b", false],
    ["http://a.test/b", false],
    ["https://a.test:8443/b", false],
    ["http://b.test:8443/b", false],
    ["http://sub.a.test:8443/b", false],
  ] as const) {
    const next = redirected(asked, { status: 307, locations: [location] });
    assert.ok(!(next instanceof Failure));
    assert.deepEqual(next.fields, stays ? fields : [["Kept", "x"]], location);
    assert.equal(next.target.authorization !== null, stays, location);
  }
});

test("a URL's user and password go no further than their origin either", () => {
  const withUser = (url: string) => url.replace("://", "://me:secret@");
  const basic = `Authorization: Basic ${Buffer.from("me:secret").toString("base64")}`;
  assert.ok(arrived({ url: withUser(redirect(seenUrl())) }).includes(basic));
  assert.doesNotMatch(
    arrived({ url: withUser(redirect(seenUrl().replace("127.0.0.1", "localhost"))) }),
    /authorization/i,
  );
  assert.ok(arrived({ url: redirect(withUser(seenUrl())) }).includes(basic));
});

test("a redirect's connection is used again, and its body does not matter", () => {
  const tell = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-On: {connection}.{exchange}\r\n\r\n";
  const closing = raw.url("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
  get(closing);
  const answer = ok(get(redirect(raw.url(tell), 302, "", "x".repeat(1000)), { max_body_bytes: 0 }));
  assert.match(answer.headers["x-on"]!, /\.2$/);
  // A body that is too large, cut short or malformed costs the connection, no more.
  for (const body of [
    `Content-Length: 100000\r\n\r\n${"x".repeat(100_000)}`,
    "Content-Length: 5\r\n\r\n",
    "Transfer-Encoding: chunked\r\n\r\nnonsense",
  ]) {
    const url = raw.url(`HTTP/1.1 302 Found\r\nLocation: ${raw.url(tell)}\r\n${body}`, "<end>");
    assert.match(ok(get(url)).headers["x-on"]!, /\.1$/);
  }
});

test("https: to http is refused, http to https is followed", () => {
  const tls = { ca: root, server_name: "server.test" };
  const down = `${secureUrl}/to/${Buffer.from(seenUrl()).toString("base64url")}`;
  assert.equal(err(get(down, { tls })), "http request failed: redirect from https to http refused");
  const up = ok(get(redirect(`${secureUrl}/`), { tls: { ca: root } }));
  assert.equal((up.body as { method: string }).method, "GET");
});

test("https: connections are kept, and never shared between different tls options", () => {
  const port = (tls: object, more: object = {}) =>
    (ok(get(secureUrl, { tls, ...more })).body as { port: number }).port;
  const first = port({ ca: root });
  assert.equal(port({ ca: root }), first);
  for (let i = 0; i < 5; i++) assert.equal(port({ ca: root }, { method: "POST", body: i }), first);
  assert.notEqual(port({ ca: root, server_name: "server.test" }), first);
  assert.notEqual(port({ insecure: true }), first);
  assert.match(
    err(get(secureUrl)),
    /^http request failed: tls handshake failed: certificate verify failed: /,
  );
});

test("https: who we are stays with the first origin", () => {
  const { cert, key } = identity;
  const client = (url: string) =>
    (ok(get(url, { tls: { ca: root, cert, key } })).body as { client: string | null }).client;
  const to = (url: string) => `${secureUrl}/to/${Buffer.from(url).toString("base64url")}`;
  assert.equal(client(secureUrl), "client.test");
  assert.equal(client(to(`${secureUrl}/`)), "client.test");
  // The trust follows, the certificate does not.
  assert.equal(client(redirect(`${secureUrl}/`)), null);
  // Nor does the name that the first one is asked under.
  const tls = { ca: root, server_name: "other.test" };
  assert.match(err(get(secureUrl, { tls })), /hostname mismatch$/);
  assert.equal(ok(get(redirect(`${secureUrl}/`), { tls })).status, 200);
});

// Proxies

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
  const tls = { ca: root };
  const url = secureUrl;
  const seen = ok(get(url, { tls, proxy: `http://me:x@${proxyAddress}`, headers: { "X-A": "1" } })).body as {
    headers: object;
  };
  const [method, target, headers] = await lineOf();
  assert.equal(method, "CONNECT");
  assert.equal(target, secureUrl.slice("https://".length));
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

test("a proxy that is none, or talks nonsense", async () => {
  for (const proxy of ["", "proxy:8080", "https://a:1", "socks5://a:1", "http://"]) {
    assert.equal(err(get("http://a/", { proxy })), "'proxy' is not a valid http proxy URL");
  }
  assert.equal(err(get("http://a/", { proxy: 1 })), "'proxy' must be a string");
  assert.match(err(get("https://a/", { proxy: "http://127.0.0.1:1" })), /Connection refused/);
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
    return found !== null && typeof found !== "string";
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

// Content codings

const text = JSON.stringify({ text: "é".repeat(5000) });
const zstd = (zlib as unknown as { zstdCompressSync?: (data: string) => Buffer }).zstdCompressSync;

function coded(coding: string, body: Buffer, more: object = {}) {
  const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`;
  return get(raw.url(head + body.toString("latin1")), more);
}

for (const [coding, body] of [
  ["gzip", zlib.gzipSync(text)],
  ["x-gzip", zlib.gzipSync(text)],
  ["GZip", zlib.gzipSync(text)],
  ["gzip", Buffer.concat([zlib.gzipSync(text.slice(0, 99)), zlib.gzipSync(text.slice(99))])],
  ["deflate", zlib.deflateSync(text)],
  ["deflate", zlib.deflateRawSync(text)],
  ["br", zlib.brotliCompressSync(text)],
  ["gzip, br", zlib.brotliCompressSync(zlib.gzipSync(text))],
  ["deflate,identity, gzip", zlib.gzipSync(zlib.deflateSync(text))],
] as [string, Buffer][]) {
  test(`a coding is undone: ${coding}`, () => {
    const answer = ok(coded(coding, body, { raw_headers: true }));
    assert.deepEqual(answer.body, JSON.parse(text));
    assert.equal(answer.headers["content-encoding"], undefined);
    assert.equal(answer.headers["content-length"], undefined);
    assert.deepEqual(answer.raw_headers?.[0], ["Content-Encoding", coding]);
  });
}

test("identity is no coding: nothing is undone, and the fields that tell of the body stay", () => {
  for (const coding of ["identity", "Identity , identity", ""]) {
    const body = Buffer.from(text);
    const answer = ok(coded(coding, body));
    assert.deepEqual(answer.body, JSON.parse(text));
    assert.equal(answer.headers["content-encoding"], coding);
    assert.equal(answer.headers["content-length"], String(body.length));
    // Nor is there room for more bytes than come out.
    assert.match(err(coded(coding, body, { max_body_bytes: body.length - 1 })), /response body too large$/);
    assert.equal(ok(coded(coding, body, { max_body_bytes: body.length })).status, 200);
  }
});

test("a part of coded data is not decoded, whatever its coding", () => {
  const gzip = zlib.gzipSync(text);
  const partial = (coding: string, body: Buffer, more: object) => {
    const lines = `Content-Encoding: ${coding}\r\nContent-Range: bytes 0-${body.length - 1}/9999\r\n`;
    const head = `HTTP/1.1 206 Partial Content\r\n${lines}Content-Length: ${body.length}\r\n\r\n`;
    return get(raw.url(head + body.toString("latin1")), more);
  };
  for (const coding of ["gzip", "br", "compress", "a, b, c, d, e, f"]) {
    const answer = ok(partial(coding, gzip.subarray(0, 20), { decode_body: "base64" }));
    assert.equal(answer.status, 206);
    assert.equal(answer.body, gzip.subarray(0, 20).toString("base64"));
    assert.equal(answer.headers["content-encoding"], coding);
    assert.equal(answer.headers["content-length"], "20");
  }
  const multipart = Buffer.from("--x\r\nContent-Range: bytes 0-1/4\r\n\r\nab\r\n--x--\r\n");
  assert.equal(ok(partial("gzip", multipart, {})).body, multipart.toString());
  assert.match(err(partial("gzip", gzip.subarray(0, 20), {})), /is not utf-8 \(decode_body "base64" gives/);
  assert.match(
    err(partial("gzip", gzip.subarray(0, 20), { max_body_bytes: 19 })),
    /response body too large$/,
  );
  // Every other status has the whole of it.
  const refusal = `HTTP/1.1 416 x\r\nContent-Encoding: gzip\r\nContent-Length: ${gzip.length}\r\n\r\n`;
  assert.deepEqual(ok(get(raw.url(refusal + gzip.toString("latin1")))).body, JSON.parse(text));
});

test("a coding is undone: zstd", { skip: zstd === undefined && "this node:zlib knows no zstd" }, () => {
  assert.deepEqual(ok(coded("zstd", zstd!(text))).body, JSON.parse(text));
  const body = zstd!(text + Array.from({ length: 300_000 }, (_, index) => (index * 7919) % 1000).join());
  for (const length of [body.length - 1, body.length >> 1, 5, 1]) {
    assert.match(err(coded("zstd", body.subarray(0, length))), /does not decode as zstd$/);
  }
  assert.match(err(coded("zstd", Buffer.concat([body, Buffer.from("more")]))), /does not decode|goes on/);
  assert.ok(String(ok(coded("zstd", body)).body).length > 1_000_000);
});

/** Zstd data of one block that is not compressed. */
function zstdFrame(content: string): Buffer {
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, content.length, 0, 0, 0]);
  head.writeUIntLE((content.length << 3) | 1, 6, 3);
  return Buffer.concat([head, Buffer.from(content)]);
}
const zstdSkippable = Buffer.from("5a2a4d1803000000abcdef", "hex");

test("zstd data is any number of frames, skippable ones among them", () => {
  const [one, two] = [zstdFrame('{"a":'), zstdFrame("1}")];
  const whole = Buffer.concat([zstdSkippable, one, zstdSkippable, two]);
  assert.deepEqual(framesOf(one), { frames: [one], end: one.length });
  assert.deepEqual(framesOf(whole), { frames: [one, two], end: whole.length });
  const end = whole.length - two.length;
  assert.deepEqual(framesOf(whole.subarray(0, end)), { frames: [one], end });
  for (let length = end + 4; length < whole.length; length++) {
    assert.equal(framesOf(whole.subarray(0, length)), undefined);
  }
  assert.deepEqual(framesOf(Buffer.concat([one, Buffer.from("more")])), { frames: [one], end: one.length });
  assert.equal(framesOf(zstdSkippable.subarray(0, 5)), undefined);
  assert.deepEqual(framesOf(Buffer.alloc(0)), { frames: [], end: 0 });
  if (zstd === undefined) return; // this node:zlib knows no zstd
  assert.deepEqual(ok(coded("zstd", whole)).body, { a: 1 });
  assert.equal(ok(coded("zstd", whole, { max_body_bytes: 7, decode_body: "text" })).body, '{"a":1}');
  for (const most of [1, 5, 6]) {
    assert.match(err(coded("zstd", whole, { max_body_bytes: most })), /response body too large$/);
  }
  assert.match(err(coded("zstd", whole.subarray(0, -1))), /does not decode as zstd$/);
  assert.match(
    err(coded("zstd", Buffer.concat([whole, Buffer.from("more")]))),
    /goes on after its zstd data$/,
  );
});

test("chunks and a coding", () => {
  const body = zlib.gzipSync(text).toString("latin1");
  const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n";
  const answer = ok(get(raw.url(`${head}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`)));
  assert.deepEqual(answer.body, JSON.parse(text));
});

test("codings that are unknown, and data that does not decode", () => {
  const gzip = zlib.gzipSync(text);
  const failure = (coding: string, body: Buffer) =>
    err(coded(coding, body)).replace("http request failed: ", "");
  assert.equal(failure("compress", gzip), "unknown content coding 'compress'");
  assert.equal(failure("constructor", gzip), "unknown content coding 'constructor'");
  assert.equal(failure("gzip, gzip, gzip, gzip, gzip", gzip), "too many content codings");
  assert.equal(failure("gzip", Buffer.from("nonsense")), "response body does not decode as gzip");
  for (const [coding, body] of [
    ["gzip", gzip],
    ["deflate", zlib.deflateSync(text)],
    ["deflate", zlib.deflateRawSync(text)],
    ["br", zlib.brotliCompressSync(text)],
  ] as const) {
    assert.equal(failure(coding, body.subarray(0, -1)), `response body does not decode as ${coding}`);
    assert.match(
      failure(coding, Buffer.concat([body, Buffer.from("more")])),
      /^response body (does not decode|goes on)/,
    );
  }
});

test("zero bytes behind gzip and deflate data are padding, and nothing else is", () => {
  // Sizes about those of node:zlib's own buffer: data that ends where one is full.
  for (const size of [0, 1, 5000, 16_383, 16_384, 16_385, 32_768, 100_000]) {
    const plain = "x".repeat(size);
    for (const [coding, body] of [
      ["gzip", zlib.gzipSync(plain)],
      ["x-gzip", zlib.gzipSync(plain)],
      ["gzip", Buffer.concat([zlib.gzipSync(plain.slice(1)), zlib.gzipSync(plain.slice(0, 1))])],
      ["deflate", zlib.deflateSync(plain)],
      ["deflate", zlib.deflateRawSync(plain)],
    ] as [string, Buffer][]) {
      const padded = (...more: Uint8Array[]) =>
        coded(coding, Buffer.concat([body, ...more]), { decode_body: "text" });
      for (const zeros of [1, 2, 10, 1000]) {
        assert.equal(ok(padded(Buffer.alloc(zeros))).body, plain, `${coding} ${size} ${zeros}`);
      }
      for (const more of [
        Buffer.of(0, 1),
        Buffer.of(1, 0),
        Buffer.from("more"),
        Buffer.concat([Buffer.alloc(9), body]),
      ]) {
        assert.match(err(padded(more)), /^http request failed: response body (does not decode|goes on)/);
      }
    }
  }
  const body = Buffer.concat([zlib.gzipSync(text), Buffer.alloc(3)]);
  const twice = Buffer.concat([zlib.deflateSync(body), Buffer.alloc(3)]);
  assert.deepEqual(ok(coded("gzip, deflate", twice)).body, JSON.parse(text));
  assert.match(err(coded("gzip", Buffer.alloc(10))), /does not decode as gzip$/);
  // Padding counts as what comes, and the data as what comes out.
  const most = { max_body_bytes: 1000 };
  const bomb = Buffer.concat([zlib.gzipSync("x".repeat(1001)), Buffer.alloc(9)]);
  assert.match(err(coded("gzip", bomb, most)), /response body too large$/);
  const endless = Buffer.concat([zlib.gzipSync("x"), Buffer.alloc(3000)]);
  assert.match(err(coded("gzip", endless, most)), /response body too large$/);
  const brotli = Buffer.concat([zlib.brotliCompressSync(text), Buffer.alloc(3)]);
  assert.match(err(coded("br", brotli)), /does not decode|goes on after its br data$/);
});

test("no body, no coding: HEAD and an empty answer", () => {
  const url = raw.url("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 50\r\n\r\n");
  const answer = ok(net.http.request({ method: "HEAD", url }));
  assert.equal(answer.headers["content-encoding"], "gzip");
  assert.equal(answer.headers["content-length"], "50");
  assert.equal(ok(coded("gzip", Buffer.alloc(0))).body, null);
});

test("a bomb is an error, not a full memory", () => {
  const bomb = zlib.gzipSync(Buffer.alloc(200_000_000));
  const before = process.memoryUsage().rss;
  assert.equal(
    err(coded("gzip", bomb, { max_body_bytes: 1_000_000 })),
    "http request failed: response body too large",
  );
  assert.equal(
    err(coded("br, gzip", zlib.gzipSync(bomb), { max_body_bytes: 1_000_000 })).includes(
      "http request failed: ",
    ),
    true,
  );
  assert.ok(process.memoryUsage().rss - before < 100_000_000);
});

test("max_body_bytes counts what comes out, to the byte", () => {
  const body = zlib.gzipSync("x".repeat(1000));
  assert.equal(ok(coded("gzip", body, { max_body_bytes: 1000 })).body, "x".repeat(1000));
  assert.match(err(coded("gzip", body, { max_body_bytes: 999 })), /response body too large$/);
  // Data that does not compress is a little longer on the way.
  const noise = Buffer.from(Array.from({ length: 1000 }, (_, index) => (index * 7919) % 251));
  const answer = ok(
    coded("gzip", zlib.gzipSync(noise, { level: 0 }), { max_body_bytes: 1000, decode_body: "base64" }),
  );
  assert.equal(answer.body, noise.toString("base64"));
});

test("a coding that the caller asked for itself is undone as well", () => {
  const answer = ok(coded("gzip", zlib.gzipSync("1"), { headers: { "Accept-Encoding": "gzip" } }));
  assert.equal(answer.body, 1);
});
