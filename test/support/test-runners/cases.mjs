// What Jest and Vitest are to print of results: test/project/test-runners.test.ts runs each of them on these cases.
import { constants } from "node:os";
import { Result, TcpStream } from "std-net";

const REFUSED = `failed to connect: Connection refused (os error ${constants.errno.ECONNREFUSED})`;

function holdsItself(n) {
  const holder = { n };
  holder.self = Result.ok(holder);
  return holder;
}

/** Those that pass. */
export const passing = {
  "equal results are equal": (expect) => {
    expect(Result.ok(2)).toEqual(Result.ok(2));
    expect(Result.ok({ list: [1, { n: 2 }] })).toStrictEqual(Result.ok({ list: [1, { n: 2 }] }));
    expect(TcpStream.connect("127.0.0.1:1")).toStrictEqual(Result.err(REFUSED));
    expect(Result.ok()).toStrictEqual(Result.ok());
    expect([Result.ok(1), Result.err("x")]).toEqual([Result.ok(1), Result.err("x")]);
  },
  "different results are not": (expect) => {
    expect(Result.ok(2)).not.toEqual(Result.ok(3));
    expect(Result.ok("x")).not.toEqual(Result.err("x"));
    expect(Result.ok({ list: [1] })).not.toEqual(Result.ok({ list: [2] }));
    expect(Result.ok(2)).not.toStrictEqual({ isOk: true, value: 2 });
  },
  "matchers work inside a result": (expect) => {
    expect(Result.ok({ n: 1, text: "abc" })).toEqual(
      Result.ok({ n: expect.any(Number), text: expect.stringMatching(/^a/) }),
    );
    expect(Result.err(REFUSED)).toMatchObject({ isOk: false, error: expect.stringContaining("refused") });
    expect(Result.ok(1)).not.toEqual(Result.ok(expect.any(String)));
  },
  "a snapshot is the printed text": (expect) => {
    expect(Result.ok(2)).toMatchInlineSnapshot("Ok(2)");
    expect(Result.err("x")).toMatchInlineSnapshot('Err("x")');
  },
  "what unwrap throws has a message and a code": (expect) => {
    expect(() => Result.err(REFUSED).unwrap()).toThrow(REFUSED);
    expect(() => Result.err(REFUSED).expect("cache")).toThrow(
      expect.objectContaining({ code: "ECONNREFUSED" }),
    );
  },
};

/** Those that fail, and the lines that the runner must print one below the other. */
export const failing = {
  "two numbers": {
    run: (expect) => expect(Result.ok(2)).toEqual(Result.ok(3)),
    prints: ["- Ok(3)", "+ Ok(2)"],
  },
  "a value and an error": {
    run: (expect) => expect(Result.ok(4)).toEqual(Result.err(REFUSED)),
    prints: [`- Err("${REFUSED}")`, "+ Ok(4)"],
  },
  "nothing and an error": {
    run: (expect) => expect(Result.ok()).toStrictEqual(Result.err("late")),
    prints: ['- Err("late")', "+ Ok()"],
  },
  "one field of many": {
    run: (expect) =>
      expect(Result.ok({ status: 200, body: { id: 7 } })).toStrictEqual(
        Result.ok({ status: 200, body: { id: 8 } }),
      ),
    prints: ["  Ok({", "    body: {", "-     id: 8", "+     id: 7", "    },", "    status: 200", "  })"],
  },
  "a byte far behind in a buffer": {
    run: (expect) =>
      expect(Result.ok(Buffer.alloc(300, 1))).toEqual(Result.ok(Buffer.alloc(300, 1).fill(9, 299))),
    prints: ["-   9", "+   1", "  ])"],
  },
  "a result in a result": {
    run: (expect) => expect(Result.ok(Result.ok(5))).toEqual(Result.ok(Result.ok(6))),
    prints: ["- Ok(Ok(6))", "+ Ok(Ok(5))"],
  },
  "results in a list": {
    run: (expect) => expect([Result.ok(1), Result.err("one")]).toEqual([Result.ok(1), Result.err("two")]),
    prints: ["    Ok(1),", '-   Err("two"),', '+   Err("one"),', "  ]"],
  },
  "one that holds itself": {
    run: (expect) => expect(holdsItself(10)).toEqual(holdsItself(11)),
    prints: ["-   n: 11,", "+   n: 10,"],
  },
  "not as expected": {
    run: (expect) => expect(Result.ok(12)).toBeNull(),
    prints: ["Ok(12)"],
  },
};
