import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runInNewContext } from "node:vm";
import { parse as parseLossless } from "lossless-json";
import { type Json, LATE, parse, parseBefore, stringify, TIMED_OUT } from "../src/json.ts";
import { monotonicTime } from "../src/runtime/clock.ts";
import fc from "./support/properties.ts";

function text(value: unknown): string {
  const result = stringify(value);
  assert.ok(result.isOk, result.isErr ? result.error : "");
  return result.value;
}

function refusal(value: unknown): string {
  const result = stringify(value);
  assert.ok(result.isErr, result.isOk ? result.value : "");
  return result.error;
}

describe("json.parse", () => {
  test("keeps integers beyond 2^53 - 1 exact, wherever they stand", () => {
    assert.equal(parse("9007199254740991"), 9007199254740991);
    assert.equal(parse("-9007199254740991"), -9007199254740991);
    assert.equal(parse("9007199254740992"), 9007199254740992n);
    assert.equal(parse("9007199254740993"), 9007199254740993n);
    assert.equal(parse("-9007199254740992"), -9007199254740992n);
    assert.equal(parse("-9007199254740993"), -9007199254740993n);
    for (let padding = 0; padding < 40; padding++) {
      const white = " ".repeat(padding);
      assert.deepEqual(parse(`[${white}12345678901234567890${white}]`), [12345678901234567890n]);
      assert.deepEqual(parse(`{"a":${white}-9007199254740993,"b":${white}9007199254740993}`), {
        a: -9007199254740993n,
        b: 9007199254740993n,
      });
      assert.equal(parse(`${white}9007199254740993${white}`), 9007199254740993n);
    }
  });

  test("finds each of them among numbers of any length", () => {
    const digits = fc
      .bigInt(-(10n ** 22n), 10n ** 22n)
      .chain((n) => fc.nat(21).map((cut) => n / 10n ** BigInt(cut)));
    const exact = (n: bigint) =>
      BigInt.asIntN(64, n) === n && Number.isSafeInteger(Number(n)) ? Number(n) : n;
    fc.assert(
      fc.property(
        fc.array(digits, { maxLength: 8 }),
        fc.constantFrom(",", ", ", ",\n"),
        (integers, comma) => {
          assert.deepEqual(parse(`[${integers.join(comma)}]`), integers.map(exact));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test("gives what JSON.parse gives for every other number", () => {
    for (const number of [
      "0",
      "-0",
      "1.5",
      "1e400",
      "12345678901234567890.0",
      "12345678901234567890e0",
      "1E20",
      "0.12345678901234567890",
      "9007199254740991",
      "1000000000000000",
      "0.1e-7",
    ]) {
      assert.ok(Object.is(parse(number), JSON.parse(number)), number);
    }
  });

  test("leaves digits within strings alone", () => {
    const value = {
      card: "4111111111111111222",
      list: "a, 12345678901234567890, b",
      neg: "-12345678901234567890",
    };
    assert.deepEqual(parse(JSON.stringify(value)), value);
  });

  test("takes no longer for a long run of digits than for any other text", () => {
    const digits = "1".repeat(400_000);
    const begun = performance.now();
    assert.equal(parse(`"${digits}"`), digits);
    assert.deepEqual(parse(`{"pi":"3.${digits}","n":12345678901234567890}`), {
      pi: `3.${digits}`,
      n: 12345678901234567890n,
    });
    assert.equal(parse(`0.${digits}`), 1 / 9);
    assert.ok(performance.now() - begun < 3000); // a hundredth of it; it was half a minute
  });

  test("is undefined for what is not JSON", () => {
    for (const bad of [
      "",
      " ",
      "{",
      "[1,]",
      '{"a":1,}',
      "01",
      "NaN",
      "undefined",
      "'a'",
      "[12345678901234567890",
      "1 2",
    ]) {
      assert.equal(parse(bad), undefined, bad);
    }
  });

  test("keeps the last of several equal keys, and __proto__ as an ordinary one", () => {
    assert.deepEqual(parse('{"a":1,"a":12345678901234567890}'), { a: 12345678901234567890n });
    assert.deepEqual(parse('{"a":12345678901234567890,"a":1}'), { a: 1 });
    for (const json of ['{"__proto__":{"x":1}}', '{"__proto__":{"x":12345678901234567890}}']) {
      const value = parse(json);
      assert.ok(typeof value === "object" && value !== null);
      assert.deepEqual(Object.keys(value), ["__proto__"]);
      assert.equal(Object.getPrototypeOf(value), Object.prototype);
    }
  });

  test("survives nesting deeper than the stack, and integers longer than any", () => {
    const depth = 200_000;
    assert.ok(Array.isArray(parse("[".repeat(depth) + "]".repeat(depth))));
    let inner = parse(`${"[".repeat(depth)}12345678901234567890${"]".repeat(depth)}`);
    for (let level = 0; level < depth; level++) inner = (inner as Json[])[0];
    assert.equal(inner, 12345678901234567890n);
    const digits = "7".repeat(100_000);
    assert.equal(parse(digits), BigInt(digits));
  });

  test("agrees with JSON.parse on all JSON without big integers, and with the bytes given", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        fc.pre(!/\d{16}/.test(json));
        assert.deepEqual(parse(json), JSON.parse(json));
        assert.deepEqual(parse(json, Buffer.from(json)), JSON.parse(json));
      }),
    );
  });

  test("agrees with another exact parser on JSON with big integers", () => {
    const exact = (text: string) => {
      const value = Number(text);
      return Number.isSafeInteger(value) || !/^-?\d+$/.test(text) ? value : BigInt(text);
    };
    const referee = (text: string) =>
      parseLossless(text, undefined, { parseNumber: exact, onDuplicateKey: ({ newValue }) => newValue });
    const blank = fc.constantFrom("", " ", "\n\t", "\r\n");
    const plain = fc.oneof(
      fc.bigInt(-(10n ** 20n), 10n ** 20n).map(String),
      fc.constantFrom(
        "true",
        "false",
        "null",
        "-0",
        "1.5e-3",
        "12345678901234567890.0",
        "1E400",
        "0",
        "-1e20",
      ),
      fc.string({ unit: "binary" }).map((text) => JSON.stringify(text)),
      fc.constantFrom('"\\\\"', '"\\""', '"a\\\\\\"]}"', '"\\u0041"', '"12345678901234567890"', '"[{"'),
    );
    const key = fc.oneof(
      fc.constantFrom('"a"', '"b"', '"__proto__"', '"constructor"', '"1"', '"\\u0061"', '"\\\\"', '""'),
      fc.string().map((text) => JSON.stringify(text)),
    );
    const { value } = fc.letrec<{ value: string }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        plain,
        fc.tuple(fc.array(tie("value"), { maxLength: 4 }), blank).map(([items, gap]) => {
          return `[${gap}${items.join(`${gap},${gap}`)}${gap}]`;
        }),
        fc.tuple(fc.array(fc.tuple(key, tie("value")), { maxLength: 4 }), blank).map(([items, gap]) => {
          return `{${gap}${items.map((item) => item.join(`${gap}:${gap}`)).join(`${gap},`)}${gap}}`;
        }),
      ),
    }));
    fc.assert(
      fc.property(value, (text) => {
        const whole = `${text.length % 2 === 0 ? " " : ""}[12345678901234567890, ${text}]`;
        assert.deepEqual(parse(whole), referee(whole));
      }),
      { numRuns: 3000 },
    );
  });

  test("takes linear time and room for whatever stands beside a big integer", () => {
    const long = "x".repeat(20_000_000);
    const begun = performance.now();
    assert.deepEqual(parse(`{"a":"${long}","n":12345678901234567890}`), {
      a: long,
      n: 12345678901234567890n,
    });
    const slashes = "\\".repeat(1_000_000);
    assert.deepEqual(parse(`["${slashes}",12345678901234567890]`), [
      slashes.slice(500_000),
      12345678901234567890n,
    ]);
    assert.ok(performance.now() - begun < 2000); // a tenth of it; it was four seconds, and half a gigabyte
  });

  test("is late when a long integer, or many of them, take longer than there is time", () => {
    for (const text of [
      "7".repeat(20_000_000),
      `[${"7".repeat(90_000)}${`,${"7".repeat(90_000)}`.repeat(300)}]`,
    ]) {
      const bytes = Buffer.from(text);
      const begun = performance.now();
      assert.equal(parseBefore(monotonicTime() + 300, text, bytes), LATE);
      assert.ok(performance.now() - begun < 2500); // 400 ms and what a busy machine adds; it was five seconds and three
    }
    const text = "7".repeat(1_000_000);
    assert.equal(parseBefore(monotonicTime() + 60_000, text, Buffer.from(text)), BigInt(text));
  });

  test("never throws on any text", () => {
    const fragment = fc.constantFrom(
      "[",
      "]",
      "{",
      "}",
      ",",
      ":",
      '"',
      "\\",
      "12345678901234567",
      "-",
      ".",
      "e",
      "a",
      " ",
    );
    fc.assert(
      fc.property(fc.array(fragment, { maxLength: 30 }), (fragments) => {
        parse(fragments.join(""));
      }),
    );
  });
});

describe("json.stringify", () => {
  test("is late when a long integer takes longer than there is time", () => {
    const value = { n: 7n ** 6_000_000n };
    const begun = performance.now();
    const result = stringify(value, () => monotonicTime() + 300);
    assert.equal(result.isErr && result.error, TIMED_OUT);
    assert.ok(performance.now() - begun < 2500); // 400 ms and what a busy machine adds; it was three seconds
    const digits = "1234567890".repeat(30_000);
    assert.equal(text([BigInt(digits), -BigInt(digits)]), `[${digits},-${digits}]`);
    const inTime = stringify([BigInt(digits), -BigInt(digits)], () => monotonicTime() + 60_000);
    assert.equal(inTime.isOk && inTime.value, `[${digits},-${digits}]`);
  });

  test("is JSON.stringify for all that JSON can hold", () => {
    const values = [
      null,
      true,
      -0,
      1e21,
      "\u2028\ud800\n",
      [],
      {},
      [[], {}],
      { a: undefined, b: 1 },
      new Date(0),
      { when: new Date(86400000) },
      { z: 1, a: 2, 10: 3, 2: 4 },
      Object.create(null, { own: { value: 1, enumerable: true } }),
      Object(5),
      [Object("text"), Object(true)],
      { toJSON: () => ({ replaced: [1] }) },
      [{ toJSON: (key: string) => `key ${key}` }],
      new (class extends Map<number, number> {
        toJSON(): number[] {
          return [...this.keys()];
        }
      })([[1, 2]]),
      new (class {
        field = 1;
        method() {}
      })(),
    ];
    for (const value of values) assert.equal(text(value), JSON.stringify(value));
    fc.assert(fc.property(fc.jsonValue(), (value) => text(value) === JSON.stringify(value)));
  });

  test("writes bigints digit for digit, also where BigInt has a toJSON", () => {
    assert.equal(text(12345678901234567890n), "12345678901234567890");
    assert.equal(
      text({ a: [1n, -9007199254740993n], b: "x", c: undefined }),
      '{"a":[1,-9007199254740993],"b":"x"}',
    );
    assert.equal(text([Object(5n)]), "[5]");
    const prototype: { toJSON?: () => string } = BigInt.prototype as object;
    prototype.toJSON = () => "polyfilled";
    try {
      assert.equal(text([7n]), "[7]");
    } finally {
      delete prototype.toJSON;
    }
  });

  test("refuses NaN, infinities, functions, symbols, undefined and cycles, at any depth", () => {
    const cases: [unknown, string][] = [
      [Number.NaN, "cannot serialize NaN to JSON"],
      [Number.POSITIVE_INFINITY, "cannot serialize infinity to JSON"],
      [Number.NEGATIVE_INFINITY, "cannot serialize infinity to JSON"],
      [() => 1, "cannot serialize a function to JSON"],
      [Symbol("s"), "cannot serialize a symbol to JSON"],
    ];
    for (const [value, message] of cases) {
      assert.equal(refusal(value), message);
      assert.equal(refusal([value]), message);
      assert.equal(refusal({ a: { b: [1, value] } }), message);
      assert.equal(refusal({ a: value }), message);
      assert.equal(refusal({ big: 1n, a: value }), message);
      assert.equal(refusal({ toJSON: () => [value] }), message);
      assert.equal(
        refusal([
          new (class Wrapper {
            toJSON() {
              return value;
            }
          })(),
        ]),
        message,
      );
    }
    assert.equal(refusal(undefined), "cannot serialize undefined to JSON");
    assert.equal(refusal([undefined]), "cannot serialize undefined to JSON");
    assert.equal(refusal({ a: new Array(2) }), "cannot serialize undefined to JSON");
    for (const [name, value] of [
      ["Buffer", Buffer.from("x")],
      ["Uint8Array", new Uint8Array(1)],
      ["Float64Array", new Float64Array(1)],
      ["DataView", new DataView(new ArrayBuffer(1))],
      ["ArrayBuffer", new ArrayBuffer(1)],
      ["Map", new Map([[1, 2]])],
      ["Set", new Set([1])],
      ["Blob", new Blob(["x"])],
      ["FormData", new FormData()],
      ["URLSearchParams", new URLSearchParams("a=b")],
      ["Promise", Promise.resolve(1)],
      ["Map", runInNewContext("new Map([[1, 2]])")],
    ] as const) {
      const message = `cannot serialize ${name === "ArrayBuffer" ? "an" : "a"} ${name} to JSON`;
      assert.equal(refusal(value), message);
      assert.equal(refusal([value]), message);
      assert.equal(refusal({ a: { value } }), message);
    }
    assert.equal(refusal(Object(Number.NaN)), "cannot serialize NaN to JSON");
    const ring: unknown[] = [];
    ring.push({ ring });
    assert.equal(refusal(ring), "cannot serialize a cycle to JSON");
    const shared = { n: 1n };
    assert.equal(text([shared, shared]), '[{"n":1},{"n":1}]');
  });

  test("makes an error of whatever a value throws", () => {
    const throwing = {
      get a() {
        throw new Error("no a");
      },
    };
    assert.equal(refusal(throwing), "cannot serialize to JSON: no a");
    assert.equal(
      refusal({
        toJSON() {
          throw "text";
        },
      }),
      "cannot serialize to JSON: text",
    );
    const revoked = Proxy.revocable({}, {});
    revoked.revoke();
    assert.match(refusal(revoked.proxy), /^cannot serialize to JSON: /);
    assert.match(refusal([revoked.proxy]), /^cannot serialize to JSON: /);
    const hostile = {
      toString() {
        throw new Error("again");
      },
    };
    assert.equal(
      refusal({
        get a() {
          throw hostile;
        },
      }),
      "cannot serialize to JSON: unknown error",
    );
    let deep: unknown = 1n;
    for (let i = 0; i < 200_000; i++) deep = [deep];
    assert.equal(refusal(deep), "cannot serialize to JSON: nested too deeply");
    const when = { toJSON: () => new Date(Number.NaN).toISOString() };
    assert.equal(refusal({ when }), "cannot serialize to JSON: Invalid time value");
  });

  test("round-trips everything with bigints in it", () => {
    const beyond = fc.bigInt().filter((n) => n > 9007199254740991n || n < -9007199254740991n);
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        beyond,
        fc.jsonValue({ maxDepth: 1 }),
        fc.array(tie("tree")),
        fc.dictionary(fc.string(), tie("tree")),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        const once = text(value);
        const back = parse(once);
        assert.equal(text(back), once);
      }),
    );
  });
});
