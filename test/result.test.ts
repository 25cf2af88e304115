// Result: its members, what it prints, how it compares, and what another thread gets of it. Jest and Vitest have a file of
// their own, test/project/test-runners.test.ts.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { MessageChannel, receiveMessageOnPort } from "node:worker_threads";
import { build } from "esbuild";
import * as net from "std-net";
import { node, root, startPeer } from "./support/peer.ts";
import { streamPair } from "./support/sockets.ts";
import { reason, reasonPattern } from "./support/system-errors.ts";

const { Result, Unit, NetError, unwrap } = net;

const REFUSED = `failed to connect: ${reason("ECONNREFUSED")}`;
const good: net.Result<number, string> = Result.ok(2);
const bad: net.Result<number, string> = Result.err(REFUSED);

describe("members", () => {
  test("isOk and isErr tell the two apart, to TypeScript too", () => {
    assert.deepEqual([good.isOk, good.isErr, bad.isOk, bad.isErr], [true, false, false, true]);
    const both = (result: net.Result<number, string>): [number, string] =>
      result.isErr ? [0, result.error] : [result.value, ""];
    assert.deepEqual(both(good), [2, ""]);
    assert.deepEqual(both(bad), [0, REFUSED]);
    // @ts-expect-error: nobody has looked whether there is a value
    assert.equal(bad.value, undefined);
    // @ts-expect-error: nobody has looked whether there is an error
    assert.equal(good.error, undefined);
  });

  test("map, mapErr, andThen, orElse", () => {
    const text: net.Result<string, string> = good.map((value) => `${value}!`);
    assert.deepEqual(text, Result.ok("2!"));
    assert.deepEqual(
      bad.map((value) => value + 1),
      bad,
    );
    const length: net.Result<number, number> = bad.mapErr((error) => error.length);
    assert.deepEqual(length, Result.err(REFUSED.length));
    assert.deepEqual(
      good.mapErr((error) => error.length),
      good,
    );
    const half = (value: number) => (value % 2 === 0 ? Result.ok(value / 2) : Result.err("odd"));
    const halved: net.Result<number, string> = good.andThen(half);
    assert.deepEqual(halved, Result.ok(1));
    assert.deepEqual(halved.andThen(half), Result.err("odd"));
    assert.deepEqual(bad.andThen(half), bad);
    const rescued: net.Result<number, never> = bad.orElse((error) => Result.ok(error.length));
    assert.deepEqual(rescued, Result.ok(REFUSED.length));
    assert.deepEqual(
      good.orElse((error) => Result.ok(error.length)),
      good,
    );
  });

  test("match, unwrapOr, unwrapOrElse", () => {
    const told = (result: net.Result<number, string>): string =>
      result.match({ Ok: (value) => `value ${value}`, Err: (error) => `error ${error}` });
    assert.equal(told(good), "value 2");
    assert.equal(told(bad), `error ${REFUSED}`);
    assert.equal(good.unwrapOr(7), 2);
    const orNull: number | null = bad.unwrapOr(null);
    assert.equal(orNull, null);
    assert.equal(
      good.unwrapOrElse(() => 7),
      2,
    );
    assert.equal(
      bad.unwrapOrElse((error) => error.length),
      REFUSED.length,
    );
  });

  test("equals", () => {
    assert.ok(good.equals(Result.ok(2)) && bad.equals(Result.err(REFUSED)));
    assert.ok(!good.equals(Result.ok(3)) && !good.equals(bad) && !bad.equals(good));
    const nothing: net.Result<undefined, undefined> = Result.ok(undefined);
    assert.ok(!nothing.equals(Result.err(undefined)));
  });

  test("Result.ok() and Result.err() hold Unit, which is no other object", () => {
    const done: net.Result<net.Unit, string> = Result.ok();
    assert.equal(unwrap(done), Unit);
    assert.deepEqual(Result.err(), Result.err(Unit));
    assert.equal(Result.ok(undefined).unwrap(), undefined);
    // @ts-expect-error: another object is no Unit
    const other: net.Unit = {};
    assert.notDeepEqual(other, Unit);
    // What the library gives is the same thing.
    const [one] = streamPair();
    assert.deepEqual(one.set_read_timeout(5), done);
  });

  test("Result.all gives all values, or the first error", () => {
    const both: net.Result<[number, string], string> = Result.all([good, Result.ok("b")]);
    assert.deepEqual(both, Result.ok([2, "b"]));
    assert.deepEqual(Result.all([good, bad, Result.err("second")]), bad);
    assert.deepEqual(Result.all([]), Result.ok([]));
    const many: net.Result<number[], string> = Result.all([1, 2].map((n): typeof good => Result.ok(n)));
    assert.deepEqual(many, Result.ok([1, 2]));
  });
});

describe("unwrap and expect", () => {
  const thrownBy = (call: () => unknown): Error => {
    try {
      call();
    } catch (thrown) {
      assert.ok(thrown instanceof NetError && thrown instanceof Error);
      return thrown;
    }
    return assert.fail("nothing was thrown");
  };

  test("give the value", () => {
    assert.deepEqual([good.unwrap(), good.expect("two"), unwrap(good), unwrap(good, "two")], [2, 2, 2, 2]);
  });

  test("throw a NetError with the text, its code, and a stack that begins at the caller", () => {
    const cases: [() => unknown, string][] = [
      [
        function fromHere() {
          return bad.unwrap();
        },
        REFUSED,
      ],
      [
        function fromHere() {
          return bad.expect("the cache");
        },
        `the cache: ${REFUSED}`,
      ],
      [
        function fromHere() {
          return unwrap(bad);
        },
        REFUSED,
      ],
      [
        function fromHere() {
          return unwrap(bad, "the cache");
        },
        `the cache: ${REFUSED}`,
      ],
      [
        function fromHere() {
          return unwrap(structuredClone(bad));
        },
        REFUSED,
      ],
    ];
    for (const [call, message] of cases) {
      const thrown = thrownBy(call);
      assert.equal(thrown.message, message);
      assert.equal(thrown.name, "NetError");
      assert.equal((thrown as net.NetError).code, "ECONNREFUSED");
      const [head, first] = thrown.stack!.split("\n");
      assert.equal(head, `NetError: ${message}`);
      assert.match(first!, /\bfromHere\b/);
      assert.deepEqual(Object.keys(thrown), ["code"]);
    }
    assert.equal((thrownBy(() => Result.err("invalid buffer size").unwrap()) as net.NetError).code, null);
    const late = thrownBy(() => Result.err("http request failed: timed out").expect("api"));
    assert.equal((late as net.NetError).code, "ETIMEDOUT");
  });

  test("of an error that is no text, that is the cause", () => {
    const cause = new RangeError("too large");
    const thrown = thrownBy(() => Result.err(cause).expect("sizes"));
    assert.equal(thrown.message, "sizes: too large");
    assert.equal(thrown.cause, cause);
    assert.equal(thrownBy(() => Result.err({ code: 7 }).unwrap()).message, "{ code: 7 }");
  });

  test("a program that does not catch it ends with the text, the code and its own line", async () => {
    await using child = node('\nnet.TcpStream.connect("127.0.0.1:1").unwrap();');
    const { code, stderr } = await child.exit();
    assert.equal(code, 1);
    assert.match(
      stderr,
      new RegExp(
        `^NetError: failed to connect: ${reasonPattern("ECONNREFUSED")}\\r?\\n {4}at .*eval1\\]:3:`,
        "m",
      ),
    );
    assert.match(stderr, /code: 'ECONNREFUSED'/);
    assert.doesNotMatch(stderr, /dist\/index\.js/);
  });
});

describe("what it prints", () => {
  test("Ok(...) and Err(...), from inspect, String and templates", () => {
    const printed: [net.Result<unknown, unknown>, string][] = [
      [Result.ok(2), "Ok(2)"],
      [Result.err(REFUSED), `Err("${REFUSED}")`],
      [Result.ok("it's"), `Ok("it's")`],
      [Result.ok(), "Ok()"],
      [Result.ok(undefined), "Ok(undefined)"],
      [Result.ok(7n), "Ok(7n)"],
      [Result.ok(Buffer.from("ab")), "Ok(<Buffer 61 62>)"],
      [Result.ok({ status: 200, body: [1] }), "Ok({ status: 200, body: [ 1 ] })"],
      [Result.ok(Result.err("inner")), 'Ok(Err("inner"))'],
      // Whatever a peer sends, a terminal obeys none of it.
      [Result.err("a\n\u001b[31m\u009b31m\u007f"), 'Err("a\\n\\u001b[31m\\u009b31m\\u007f")'],
    ];
    for (const [result, text] of printed) {
      assert.equal(inspect(result), text);
      assert.equal(String(result), text);
      assert.equal(`${result}`, text);
    }
  });

  test("within other values, in colours, and no deeper than inspect is told", () => {
    assert.equal(inspect([good, { bad: Result.err("x") }]), '[ Ok(2), { bad: Err("x") } ]');
    assert.equal(inspect(good, { colors: true }), `Ok(${inspect(2, { colors: true })})`);
    assert.equal(inspect(Result.err("x"), { colors: true }), 'Err(\u001b[32m"x"\u001b[39m)');
    assert.equal(inspect(Result.ok({ a: { b: { c: {} } } }), { depth: 1 }), "Ok({ a: { b: [Object] } })");
  });

  test("one that holds itself, to whatever depth", () => {
    const holder: { self?: net.Result<unknown, string> } = {};
    holder.self = Result.ok(holder);
    for (const depth of [2, null, Number.POSITIVE_INFINITY]) {
      assert.equal(inspect(holder, { depth }), "{ self: Ok({ self: Ok([Circular]) }) }");
    }
    assert.equal(inspect(holder.self), "Ok({ self: Ok([Circular]) })", "and again");
  });

  test("console.log, Node's REPL and the prompt of the command", async () => {
    await using program = node(`console.log(net.Result.ok(2), net.TcpStream.connect("127.0.0.1:1"));`);
    assert.equal(await program.line(), `Ok(2) Err("${REFUSED}")`);

    await using repl = startPeer(process.execPath, ["-i"]);
    repl.process.stdin!.end(
      'const net = require("std-net")\nnet.Result.ok(2)\nnet.TcpStream.connect("127.0.0.1:1")\n',
    );
    const { stdout } = await repl.exit();
    assert.match(stdout, /^> Ok\(2\)$/m);
    assert.ok(stdout.includes(`> Err("${REFUSED}")`), stdout);

    await using prompt = startPeer(process.execPath, [join(root, "dist/cli.js"), "repl"]);
    prompt.process.stdin!.end(
      'Result.ok(2)\n[Result.err("x")]\nunwrap(Result.ok(3))\nnet.Unit === Result.ok().value\n',
    );
    assert.equal((await prompt.exit()).stdout.trim(), 'Ok(2)\n[ Err("x") ]\n3\ntrue');
  });
});

describe("how it compares", () => {
  const failure = (actual: unknown, expected: unknown): string => {
    try {
      assert.deepEqual(actual, expected);
    } catch (thrown) {
      return (thrown as Error).message;
    }
    return "they are equal";
  };

  test("node:assert compares what it holds", () => {
    assert.deepEqual(Result.ok({ list: [1, { n: 2n }] }), Result.ok({ list: [1, { n: 2n }] }));
    assert.deepEqual(Result.err("x"), Result.err("x"));
    assert.notDeepEqual(good, Result.ok(3));
    assert.notDeepEqual(good, bad);
    assert.notDeepEqual(Result.ok("x"), Result.err("x"));
    assert.notDeepEqual(Result.ok({ a: [1] }), Result.ok({ a: [2] }));
    assert.notDeepEqual(Result.ok(2), { isOk: true, value: 2 });
  });

  test("node:assert shows a diff with the class and the fields", () => {
    const numbers = failure(Result.ok(2), Result.ok(3));
    assert.match(numbers, /^ {2}Ok \{$/m);
    assert.match(numbers, /^\+ {3}value: 2$/m);
    assert.match(numbers, /^- {3}value: 3$/m);
    const kinds = failure(Result.ok(2), Result.err("x"));
    assert.match(kinds, /^\+ Ok \{$/m);
    assert.match(kinds, /^- Err \{$/m);
    assert.match(failure({ a: Result.ok({ n: 1 }) }, { a: Result.ok({ n: 2 }) }), /^\+ +n: 1\n- +n: 2$/m);
  });

  test("a program whose bundler renames everything shows the same", async () => {
    const folder = join(root, "build", `result-bundle-${process.pid}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(
      join(folder, "program.mjs"),
      `import assert from "node:assert/strict";
      import { NetError, Result } from "std-net";
      console.log(Result.ok(2), Result.ok().value, String(new NetError("x")));
      try { assert.deepEqual(Result.ok(2), Result.err(3)); } catch (error) { console.log(error.message); }`,
    );
    await build({
      entryPoints: [join(folder, "program.mjs")],
      outdir: join(folder, "out"),
      outExtension: { ".js": ".mjs" },
      bundle: true,
      minify: true,
      platform: "node",
      format: "esm",
      external: ["koffi"],
    });
    await using child = startPeer(process.execPath, [join(folder, "out/program.mjs")]);
    const { stdout } = await child.exit();
    rmSync(folder, { recursive: true });
    assert.match(stdout, /^Ok\(2\) Unit \{\} NetError: x$/m);
    assert.match(stdout, /^\+ Ok \{$/m);
    assert.match(stdout, /^- Err \{$/m);
  });
});

describe("as data", () => {
  test("structuredClone and postMessage give { isOk, value } and { isOk, error }", () => {
    const { port1, port2 } = new MessageChannel();
    const posted = (value: unknown): unknown => {
      port1.postMessage(value);
      return receiveMessageOnPort(port2)?.message;
    };
    try {
      for (const copy of [structuredClone, posted]) {
        assert.deepEqual(copy(Result.ok({ n: 1n })), { isOk: true, value: { n: 1n } });
        assert.deepEqual(copy(bad), { isOk: false, error: REFUSED });
        assert.deepEqual(copy(Result.ok()), { isOk: true, value: {} });
        assert.deepEqual(copy([Result.ok(good)]), [{ isOk: true, value: { isOk: true, value: 2 } }]);
      }
    } finally {
      port1.close();
    }
    const copied: { isOk: true; value: number } | { isOk: false; error: string } = structuredClone(good);
    const value: number = unwrap(copied);
    assert.equal(value, 2);
    assert.deepEqual({ ...good }, { isOk: true, value: 2 });
  });

  test("JSON.stringify gives the variant and what it holds", () => {
    assert.equal(JSON.stringify(good), '{"variant":"Ok","value":2}');
    assert.equal(JSON.stringify({ bad: Result.err("x") }), '{"bad":{"variant":"Err","error":"x"}}');
    assert.deepEqual(Result.ok(good).toJSON(), { variant: "Ok", value: { variant: "Ok", value: 2 } });
  });
});

test("nothing else is loaded for it: the library imports koffi and what Node has", () => {
  const manifest: { dependencies: object } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  assert.deepEqual(Object.keys(manifest.dependencies), ["koffi"]);
  const code = readFileSync(join(root, "dist/bundle.js"), "utf8");
  const imported = [...code.matchAll(/(?:from|import) ?"([^"]+)"/g)].map(([, name]) => name!);
  assert.ok(imported.length > 3);
  assert.deepEqual(
    imported.filter((name) => !name.startsWith("node:")),
    [],
  );
});
