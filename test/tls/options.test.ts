// The parts of TLS that need no connection: server names, ALPN's choice, the keeping of contexts and sessions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Failure } from "../../src/error.ts";
import { selectProtocol } from "../../src/tls/alpn.ts";
import { contextFor } from "../../src/tls/context.ts";
import { clientTls } from "../../src/tls/index.ts";
import { type OpenSsl, openssl } from "../../src/tls/openssl.ts";
import { type CheckedOptions, checkClientOptions } from "../../src/tls/options.ts";
import { serverName } from "../../src/tls/server-name.ts";
import fc from "../support/properties.ts";

const refused = new Failure("invalid server name");

test("server names", () => {
  const cases: [unknown, ReturnType<typeof serverName>][] = [
    ["example.com", { kind: "name", text: "example.com" }],
    ["Example.COM", { kind: "name", text: "example.com" }],
    ["example.com.", { kind: "name", text: "example.com" }],
    ["localhost", { kind: "name", text: "localhost" }],
    ["_service.a-b.test", { kind: "name", text: "_service.a-b.test" }],
    ["bücher.example", { kind: "name", text: "xn--bcher-kva.example" }],
    ["BÜCHER.example.", { kind: "name", text: "xn--bcher-kva.example" }],
    ["例え.テスト", { kind: "name", text: "xn--r8jz45g.xn--zckzah" }],
    ["127.0.0.1", { kind: "address", text: "127.0.0.1" }],
    ["::1", { kind: "address", text: "::1" }],
    ["[::1]", { kind: "address", text: "::1" }],
    ["fe80::1%eth0", { kind: "address", text: "fe80::1" }],
    ["[fe80::1%2]", { kind: "address", text: "fe80::1" }],
    ["１２７.0.0.1", { kind: "address", text: "127.0.0.1" }],
    ["127.0.0.1.", { kind: "address", text: "127.0.0.1" }],
    ["127.0.0.1\u3002", { kind: "address", text: "127.0.0.1" }],
    ["", refused],
    [".", refused],
    [".example.com", refused],
    ["example..com", refused],
    ["example.com..", refused],
    ["*.example.com", refused],
    ["a*b.example.com", refused],
    ["*", refused],
    ["a\0b", refused],
    ["example.com\0", refused],
    ["exa mple.com", refused],
    ["example.com/", refused],
    ["example.com:443", refused],
    ["user@example.com", refused],
    ["\u3002example.com", refused],
    ["\uff0a.example.com", refused],
    [`${"a".repeat(63)}.`.repeat(4), refused],
    [`${"a.".repeat(126)}a`, { kind: "name", text: `${"a.".repeat(126)}a` }],
    [`${"a.".repeat(126)}aa`, refused],
    [undefined, new Failure("expected string")],
    [5, new Failure("expected string")],
  ];
  for (const [given, expected] of cases) assert.deepEqual(serverName(given), expected, JSON.stringify(given));
});

test("whatever the name, what comes out is safe to compare", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "grapheme" }), fc.domain(), fc.string({ unit: "binary" })),
      (text) => {
        const name = serverName(text);
        if (!(name instanceof Failure) && name.kind === "name") {
          assert.match(name.text, /^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/);
        }
      },
    ),
  );
});

test("ALPN takes the first of ours that they have", () => {
  const wire = (...names: string[]) =>
    Buffer.from(names.map((name) => String.fromCharCode(name.length) + name).join(""));
  const ours = wire("h2", "http/1.1", "x");
  const chosen = (theirs: Buffer) => {
    const place = selectProtocol(ours, theirs);
    return place < 0 ? null : ours.subarray(place + 1, place + 1 + ours[place]!).toString();
  };
  assert.equal(chosen(wire("http/1.1", "h2")), "h2");
  assert.equal(chosen(wire("x", "http/1.1")), "http/1.1");
  assert.equal(chosen(wire("http/1.0", "X", "h2c")), null);
  assert.equal(chosen(wire()), null);
  // A list cut short matches nothing beyond its end.
  assert.equal(chosen(Buffer.from("\x02h")), null);
  fc.assert(fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => selectProtocol(a, b) < a.length));
});

test("equal options share a context, others do not", () => {
  const ssl = openssl() as OpenSsl;
  const context = (options: unknown) => {
    const made = contextFor(ssl, checkClientOptions(options) as CheckedOptions);
    assert.ok(!(made instanceof Failure));
    return made.id;
  };
  const ids = [
    {},
    { insecure: true },
    { min_version: "TLSv1.3" },
    { insecure: true, alpn: ["h2"] },
    { insecure: true, alpn: ["h2", "x"] },
    { insecure: true, alpn: ["h2,x"] },
  ].map(context);
  assert.equal(new Set(ids).size, ids.length);
  assert.equal(context(undefined), ids[0]);
  assert.equal(context({ insecure: false, min_version: "TLSv1.2", server_name: "a" }), ids[0]);
  assert.equal(context({ insecure: true, alpn: ["h2", "x"] }), ids[4]);
  // One that is not used any more makes room, and a new one never takes an old one's number.
  for (let number = 0; number < 100; number++) context({ insecure: true, alpn: [`n${number}`] });
  assert.ok(!ids.includes(context({ insecure: true, alpn: ["h2"] })));
});

test("an option that changes while it is read never decides for the next call", () => {
  let reads = 0;
  const flickering = {
    get insecure() {
      return reads++ === 0;
    },
  };
  const unverified = clientTls(flickering);
  const verified = clientTls({ insecure: undefined });
  const plainly = clientTls({ insecure: false });
  assert.ok(!(unverified instanceof Failure || verified instanceof Failure || plainly instanceof Failure));
  assert.notEqual(verified.poolKey, unverified.poolKey);
  assert.equal(plainly.poolKey, verified.poolKey);
  assert.equal(reads, 1);
});

test("options that were changed since the last call are read again", () => {
  const key = (options: unknown) => {
    const made = clientTls(options);
    return made instanceof Failure ? made.reason : made.poolKey;
  };
  const options: Record<string, unknown> = { insecure: true };
  const first = key(options);
  assert.equal(key(options), first);
  assert.equal(key({ insecure: true }), first);
  options.insecure = false;
  const second = key(options);
  assert.notEqual(second, first);
  options.insecure = "true";
  assert.equal(key(options), "option 'insecure' must be a boolean");
  options.insecure = true;
  options.server_name = "a.test";
  assert.notEqual(key(options), first);
  const alpn = ["a"];
  options.alpn = alpn;
  const third = key(options);
  alpn[0] = "b";
  assert.notEqual(key(options), third);
  const ca = Buffer.alloc(10);
  assert.match(key({ ca }), /^option 'ca'/);
  assert.equal(key(undefined), second);
});
