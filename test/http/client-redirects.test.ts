// http.request follows redirects.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as net from "std-net";
import { Failure } from "../../src/error.ts";
import { isRedirect, redirected } from "../../src/http/client/redirect.ts";
import { parseTarget } from "../../src/http/wire/url.ts";
import { arrived, get, SEEN } from "../support/http-requests.ts";
import { type HttpsEcho, httpsEcho } from "../support/https-echo.ts";
import { err, node, ok } from "../support/peer.ts";
import { type RawServer, rawServer } from "../support/raw-server.ts";

let raw: RawServer;
let secure: HttpsEcho;

before(async () => {
  raw = await rawServer();
  secure = await httpsEcho();
});

after(async () => {
  await raw[Symbol.asyncDispose]();
  await secure[Symbol.asyncDispose]();
});

/** A URL that answers with the request as it came. */
const seenUrl = () => raw.url(SEEN, "<end>");

/** A URL that redirects. */
function redirect(location: string, status = 302, more = "", body = ""): string {
  const length = `Content-Length: ${body.length}\r\n`;
  return raw.url(`HTTP/1.1 ${status} Moved\r\nLocation: ${location}\r\n${more}${length}\r\n${body}`);
}

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

test("responses that are no redirects: 300, 304, 3xx without Location, others with one", () => {
  for (const status of [300, 304, 305, 306]) assert.equal(isRedirect({ status, locations: ["/"] }), false);
  assert.equal(isRedirect({ status: 302, locations: [] }), false);
  assert.equal(
    ok(get(raw.url("HTTP/1.1 300 Choices\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"))).status,
    300,
  );
  assert.equal(ok(get(raw.url("HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"))).status, 302);
  assert.equal(ok(get(raw.url("HTTP/1.1 201 Made\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"))).status, 201);
});

test("an empty Location is no redirect: the caller gets that response, and a POST is sent once", () => {
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

test("max_redirects: 0 gives the redirect itself, one too many is an error", () => {
  const once = redirect(seenUrl(), 302, "", "body");
  const answer = ok(get(once, { max_redirects: 0 }));
  assert.equal(answer.status, 302);
  assert.equal(answer.body, "body");
  const twice = redirect(once);
  assert.equal(ok(get(twice, { max_redirects: 2 })).status, 200);
  assert.equal(err(get(twice, { max_redirects: 1 })), "http request failed: too many redirects");
});

test("a redirect loop ends after 20 redirects", async () => {
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

test("a Location's octets are requested as they are, in any charset", () => {
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
  const tls = { ca: secure.root, server_name: "server.test" };
  const down = `${secure.url}/to/${Buffer.from(seenUrl()).toString("base64url")}`;
  assert.equal(err(get(down, { tls })), "http request failed: redirect from https to http refused");
  const up = ok(get(redirect(`${secure.url}/`), { tls: { ca: secure.root } }));
  assert.equal((up.body as { method: string }).method, "GET");
});

test("https: connections are kept, and never shared between different tls options", () => {
  const port = (tls: object, more: object = {}) =>
    (ok(get(secure.url, { tls, ...more })).body as { port: number }).port;
  const first = port({ ca: secure.root });
  assert.equal(port({ ca: secure.root }), first);
  for (let i = 0; i < 5; i++) assert.equal(port({ ca: secure.root }, { method: "POST", body: i }), first);
  assert.notEqual(port({ ca: secure.root, server_name: "server.test" }), first);
  assert.notEqual(port({ insecure: true }), first);
  assert.match(
    err(get(secure.url)),
    /^http request failed: tls handshake failed: certificate verify failed: /,
  );
});

test("https: the client's certificate stays with the first origin", () => {
  const { cert, key } = secure.identity;
  const client = (url: string) =>
    (ok(get(url, { tls: { ca: secure.root, cert, key } })).body as { client: string | null }).client;
  const to = (url: string) => `${secure.url}/to/${Buffer.from(url).toString("base64url")}`;
  assert.equal(client(secure.url), "client.test");
  assert.equal(client(to(`${secure.url}/`)), "client.test");
  // The trust follows, the certificate does not.
  assert.equal(client(redirect(`${secure.url}/`)), null);
  // Nor does the name that the first one is asked under.
  const tls = { ca: secure.root, server_name: "other.test" };
  assert.match(err(get(secure.url, { tls })), /hostname mismatch$/);
  assert.equal(ok(get(redirect(`${secure.url}/`), { tls })).status, 200);
});
