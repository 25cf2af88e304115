// http.request_each: responses as they come, from an iterable that is taken step by step; and what ends a loop.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import * as net from "std-net";
import { err, node, ok, openDescriptors } from "../support/peer.ts";
import { type RawServer, rawServer, type Step } from "../support/raw-server.ts";

const { request, request_each } = net.http;

let raw: RawServer;
before(async () => {
  raw = await rawServer();
});
after(async () => {
  await raw[Symbol.asyncDispose]();
});

const sized = (body: string, more = ""): string =>
  `HTTP/1.1 200 OK\r\n${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const get = (...steps: Step[]): net.http.ClientRequest => ({ method: "GET", url: raw.url(...steps) });

/** An iterable that tells how many were taken, and whether it was closed. */
function counted(make: (index: number) => net.http.ClientRequest, length = Number.POSITIVE_INFINITY) {
  const state = { taken: 0, isClosed: false };
  function* requests(): Generator<net.http.ClientRequest> {
    try {
      while (state.taken < length) yield make(state.taken++);
    } finally {
      state.isClosed = true;
    }
  }
  return { state, requests: requests() };
}

describe("the loop", () => {
  test("gives each response with its request's index, in the order in which they come", () => {
    const waits = [400, 10, 200];
    const seen = [...request_each(waits.map((wait) => get(wait, sized(String(wait)))))];
    assert.deepEqual(
      seen.map(([index, result]) => [index, ok(result).body]),
      [
        [1, 10],
        [2, 200],
        [0, 400],
      ],
    );
  });

  test("takes the next request only when there is a place", () => {
    const { state, requests } = counted(() => get(sized("x")));
    let given = 0;
    const loop = request_each(requests, { concurrency: 4 });
    assert.equal(state.taken, 0, "nothing before the first step");
    for (const [, result] of loop) {
      ok(result);
      given++;
      assert.ok(state.taken - given <= 3, `${state.taken} taken, ${given} given`);
      if (given === 200) break;
    }
    assert.equal(state.isClosed, true);
    assert.deepEqual([...loop], [], "it is over");
  });

  test("its body can make calls of its own", () => {
    let count = 0;
    for (const [, result] of request_each(Array(20).fill(get(sized("x"))), { concurrency: 3 })) {
      ok(result);
      assert.equal(ok(request(get(5, sized("y")))).body, "y");
      for (const [, inner] of request_each([get(sized("z")), get(sized("z"))]))
        assert.equal(ok(inner).body, "z");
      count++;
    }
    assert.equal(count, 20);
  });

  test("leaving it closes what is under way, and keeps what is idle", () => {
    const before = openDescriptors();
    for (let round = 0; round < 5; round++) {
      const { state, requests } = counted((index) => (index % 5 === 0 ? get(sized("x")) : get(60_000)));
      for (const [, result] of request_each(requests, { concurrency: 20 })) {
        ok(result);
        break;
      }
      assert.equal(state.isClosed, true);
    }
    assert.ok(openDescriptors() <= before + 20, "those that were idle at most");
    ok(request(get(10, sized("x"))));
  });

  test("an exception in its body closes what is under way too", () => {
    const { state, requests } = counted(() => get(sized("x")));
    assert.throws(() => {
      for (const _ of request_each(requests)) throw new Error("boom");
    }, /boom/);
    assert.equal(state.isClosed, true);
  });

  test("one that is dropped in the middle is closed when it is collected", async () => {
    await using program = node(
      `
      import { readdirSync } from "node:fs";
      const open = () => readdirSync("/dev/fd").length;
      const request = { method: "GET", url: process.argv[1] };
      const before = open();
      (() => {
        const loop = net.http.request_each([{ method: "GET", url: process.argv[2] }, request, request, request]);
        loop.next();
      })();
      const during = open();
      for (let round = 0; round < 100 && open() > before + 1; round++) {
        gc();
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const again = net.http.request({ method: "GET", url: process.argv[2] });
      console.log(during >= before + 4, open() <= before + 1, again.isOk);
    `.replace(
        /^/,
        'import { setFlagsFromString } from "node:v8";\nimport { runInNewContext } from "node:vm";\nsetFlagsFromString("--expose-gc");\nconst gc = runInNewContext("gc");\n',
      ),
      raw.url(60_000),
      raw.url(sized("x")),
    );
    assert.equal(await program.line(), "true true true");
  });
});

describe("the iterable", () => {
  test("that throws ends the loop with that error, and what is under way is still given", () => {
    function* requests(): Generator<net.http.ClientRequest> {
      yield get(100, sized("x"));
      throw new Error("boom");
    }
    const seen = [...request_each(requests())];
    assert.deepEqual(
      seen.map(([index]) => index),
      [1, 0],
    );
    assert.equal(err(seen[0]![1]), "request cannot be read: boom");
    assert.equal(ok(seen[1]![1]).body, "x");
  });

  test("whose end throws is none of the loop's errors", () => {
    const requests = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false, value: get(sized("x")) }),
        return: () => {
          throw new Error("boom");
        },
      }),
    };
    for (const [, result] of request_each(requests as Iterable<net.http.ClientRequest>)) {
      ok(result);
      break;
    }
  });

  test("may be empty, a set or an iterator; anything else is one error", () => {
    assert.deepEqual([...request_each([])], []);
    assert.equal([...request_each(new Set([get(sized("x")), get(sized("y"))]))].length, 2);
    for (const wrong of [undefined, null, 7, "text", {}, { [Symbol.iterator]: 7 }]) {
      const [[index, result], ...more] = [...request_each(wrong as never)] as [
        [number, net.Result<never, string>],
      ];
      assert.deepEqual([index, err(result!), more], [0, "requests must be an iterable", []]);
    }
  });

  test("wrong options are the error of each request", () => {
    const { state, requests } = counted(() => get(sized("x")), 3);
    const seen = [...request_each(requests, { concurrency: -1 })];
    assert.deepEqual(
      seen.map(([index, result]) => [index, err(result)]),
      [0, 1, 2].map((index) => [index, "'concurrency' must be an integer from 1 to 1024"]),
    );
    assert.equal(state.isClosed, true);
  });

  test("wrong requests are errors of their own", () => {
    const parts = { method: "POST", url: raw.url(sized("x")), body_parts: ["a"] };
    const seen = new Map(request_each([7, parts, get(sized("x"))] as net.http.ClientRequest[]));
    assert.equal(err(seen.get(0)!), "request must be a JSON object");
    assert.equal(err(seen.get(1)!), "'body_parts' cannot be sent by request_all and request_each");
    ok(seen.get(2)!);
  });
});

test("the whole call's time: every request that is left gets its error", () => {
  const { requests } = counted(() => get(60_000), 10);
  const begin = performance.now();
  const seen = [...request_each(requests, { concurrency: 3, timeout_ms: 200 })];
  assert.ok(performance.now() - begin < 5000);
  assert.deepEqual(
    seen.map(([index]) => index).sort((one, other) => one - other),
    [...Array(10).keys()],
  );
  for (const [, result] of seen) assert.equal(err(result), "http request failed: timed out");
});
