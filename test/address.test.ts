import assert from "node:assert/strict";
import { isIPv4, isIPv6 } from "node:net";
import { describe, test } from "node:test";
import { formatIpv4, formatIpv6, parseAddress, parseIpv4, parseIpv6, parsePort } from "../src/address.ts";
import fc from "./support/properties.ts";

const mutated = (text: fc.Arbitrary<string>) =>
  fc
    .tuple(text, fc.nat(), fc.constantFrom("", ":", "[", "]", "%", ".", "0", "-", " ", "\0", "f", "é"))
    .map(([whole, at, piece]) => {
      const position = whole.length === 0 ? 0 : at % whole.length;
      return whole.slice(0, position) + piece + whole.slice(position + 1);
    });

describe("address text", () => {
  test("numeric addresses and names", () => {
    assert.deepEqual(parseAddress("127.0.0.1:80"), {
      host: "127.0.0.1",
      port: 80,
      ip: Uint8Array.of(127, 0, 0, 1),
      scope: "",
    });
    assert.deepEqual(parseAddress("example.org:00080"), {
      host: "example.org",
      port: 80,
      ip: null,
      scope: "",
    });
    const scoped = parseAddress("[fe80::1%eth0]:65535");
    assert.ok(typeof scoped !== "string");
    assert.equal(scoped.scope, "eth0");
    assert.equal(scoped.port, 65535);
    assert.deepEqual([...scoped.ip!], [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });

  test("what is no address", () => {
    for (const text of [
      "",
      ":80",
      "::1:80",
      "::1",
      "[::1]80",
      "[::1",
      "[]:80",
      "[localhost]:80",
      "[127.0.0.1]:80",
      "[::1]]:80",
      "[[::1]]:80",
      "[::1%]:80",
      "x[::1]:80",
      "a:b:80",
      "local\0host:80",
      "localhost:8\0",
      "[fe80::1%e\0]:80",
    ]) {
      assert.equal(parseAddress(text), "invalid socket address", JSON.stringify(text));
    }
  });

  test("an address without a port says so", () => {
    const missing = 'invalid socket address: no port is given, as in "localhost:80" or "[::1]:80"';
    for (const text of ["localhost", "127.0.0.1", "example.org", "[::1]", "[fe80::1%eth0]"]) {
      assert.equal(parseAddress(text), missing, text);
    }
  });

  test("what is no port", () => {
    for (const port of [
      "",
      "-1",
      "+1",
      "65536",
      "99999",
      "000080",
      "8o",
      " 80",
      "80 ",
      "1.0",
      "0x50",
      "٨٠",
      "1e3",
    ]) {
      assert.equal(parseAddress(`localhost:${port}`), "invalid port value", JSON.stringify(port));
      assert.equal(parseAddress(`[::1]:${port}`), "invalid port value", JSON.stringify(port));
    }
    assert.equal(parsePort("0"), 0);
    assert.equal(parsePort("65535"), 65535);
  });

  test("short, octal and overlong IPv4 texts are names", () => {
    for (const host of [
      "127.1",
      "0177.0.0.1",
      "127.0.0.01",
      "256.0.0.1",
      "1.2.3.4.5",
      "0x7f.0.0.1",
      "127.0.0.1.",
    ]) {
      const parsed = parseAddress(`${host}:80`);
      assert.ok(typeof parsed !== "string" && parsed.ip === null, host);
    }
  });
});

describe("address text, against Node's own judgement", () => {
  const groups = fc.array(
    fc.oneof(
      fc.constantFrom("0", "", "1", "ffff", "abcd", "00001", "g", "1.2.3.4", "1.2.3"),
      fc.string({ maxLength: 5 }),
    ),
    { maxLength: 9 },
  );

  test("an IPv6 text is one exactly when Node says so", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.ipV6(),
          mutated(fc.ipV6()),
          groups.map((parts) => parts.join(":")),
        ),
        (text) => {
          if (text.includes("%")) return;
          assert.equal(parseIpv6(text) !== null, isIPv6(text), text);
        },
      ),
      { numRuns: 3000 },
    );
  });

  test("an IPv4 text is one exactly when Node says so", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), mutated(fc.ipV4()), fc.string()), (text) => {
        assert.equal(parseIpv4(text) !== null, isIPv4(text), text);
      }),
      { numRuns: 2000 },
    );
  });

  test("IPv6 text out is RFC 5952's: the URL parser of the platform writes the same", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(0, 0, 0, 1, 0xff, 0x10), { minLength: 16, maxLength: 16 }),
        (list) => {
          const bytes = Uint8Array.from(list);
          const text = formatIpv6(bytes, 0, 80, 0);
          assert.deepEqual(parseIpv6(text.slice(1, text.indexOf("]"))), bytes);
          // The URL standard writes mapped addresses in hex, where RFC 5952 (5) recommends the dotted quad.
          if (!text.includes(".")) assert.equal(new URL(`http://${text}/`).hostname, text.slice(0, -3));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("the RFC's own examples", () => {
    const rewrite = (text: string): string => formatIpv6(parseIpv6(text)!, 0, 80, 0);
    assert.equal(rewrite("2001:0db8::0001"), "[2001:db8::1]:80");
    assert.equal(rewrite("2001:db8:0:0:0:0:2:1"), "[2001:db8::2:1]:80");
    assert.equal(rewrite("2001:db8:0:1:1:1:1:1"), "[2001:db8:0:1:1:1:1:1]:80");
    assert.equal(rewrite("2001:0:0:1:0:0:0:1"), "[2001:0:0:1::1]:80");
    assert.equal(rewrite("2001:db8:0:0:1:0:0:1"), "[2001:db8::1:0:0:1]:80");
    assert.equal(rewrite("2001:DB8::AAAA"), "[2001:db8::aaaa]:80");
    assert.equal(rewrite("::ffff:192.0.2.1"), "[::ffff:192.0.2.1]:80");
    assert.equal(rewrite("::"), "[::]:80");
    assert.equal(formatIpv6(parseIpv6("fe80::1")!, 0, 80, 3), "[fe80::1%3]:80");
    assert.equal(formatIpv4(Uint8Array.of(10, 0, 0, 255), 0, 65535), "10.0.0.255:65535");
  });
});

test("any text gives an address or an error text, and what was written reads back", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), mutated(fc.constantFrom("[::1]:80", "127.0.0.1:80", "a:1"))),
      (text) => {
        const parsed = parseAddress(text);
        if (typeof parsed === "string")
          assert.match(parsed, /^invalid (socket address(: no port is given, .+)?|port value)$/);
        else assert.ok(parsed.port >= 0 && parsed.port <= 65535 && parsed.host.length > 0);
      },
    ),
    { numRuns: 5000 },
  );
});
