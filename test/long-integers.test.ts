// Integers of many digits: exact, and converted within the time that a call has.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as net from "std-net";
import { clockOf, fromDecimal, Late, toDecimal } from "../src/json/integers.ts";
import { monotonicTime } from "../src/runtime/clock.ts";
import { err, ok, python } from "./support/peer.ts";
import fc from "./support/properties.ts";

const clock = clockOf(monotonicTime() + 600_000);

/** So many digits, the same ones each time. */
function digits(count: number): string {
  let seed = count;
  let text = "7";
  while (text.length < count) {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    text += String(seed);
  }
  return text.slice(0, count);
}

describe("conversion in pieces", () => {
  test("is what BigInt gives, up to the borders of the pieces and beyond", () => {
    for (const count of [1, 99_999, 100_000, 100_001, 200_000, 200_001, 400_001]) {
      for (const text of [
        digits(count),
        "9".repeat(count),
        `1${"0".repeat(count - 1)}`,
        `-${digits(count)}`,
      ]) {
        const value = BigInt(text);
        assert.ok(fromDecimal(text, clock) === value, `from ${count} digits`);
        assert.ok(toDecimal(value, clock) === text, `to ${count} digits`);
      }
    }
    assert.equal(toDecimal(0n, clock), "0");
    const length = fc.integer({ min: 1, max: 300_000 });
    fc.assert(
      fc.property(length, fc.bigInt(), (zeros, low) => {
        const value = 10n ** BigInt(zeros) + low;
        assert.ok(fromDecimal(value.toString(), clock) === value);
        assert.ok(toDecimal(value, clock) === value.toString());
      }),
      { numRuns: 5 },
    );
  });

  test("also where the products are too long for one step", () => {
    const text = digits(3_300_000);
    const value = fromDecimal(text, clock);
    assert.ok(value === BigInt(text));
    assert.ok(toDecimal(value, clock) === text);
  });

  test("ends at the deadline", () => {
    const long = digits(20_000_000);
    const value = 7n ** 6_000_000n;
    for (const convert of [
      (late: () => void) => fromDecimal(long, late),
      (late: () => void) => toDecimal(value, late),
    ]) {
      const begun = performance.now();
      assert.throws(() => convert(clockOf(monotonicTime() + 200)!), Late);
      assert.ok(performance.now() - begun < 2500);
    }
  });
});

describe("timeout_ms holds while an integer is converted", () => {
  const COUNT = 20_000_000;

  /** How long `call` takes until it gives its error. */
  function late(
    call: () => ReturnType<typeof net.http.read_response> | ReturnType<typeof net.http.read_request>,
  ) {
    const begun = performance.now();
    const error = err(call() as ReturnType<typeof net.http.read_request>);
    assert.ok(performance.now() - begun < 4000, `${performance.now() - begun} ms`); // it was five seconds and more
    return error;
  }

  test("in http.request, and with time enough it is exact", async () => {
    await using server = python(`
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1])
while True:
    c, _ = s.accept(); count = int(c.recv(65536).split()[1][1:])
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % count); c.sendall(b"7" * count); c.close()`);
    const url = `http://127.0.0.1:${await server.line()}`;
    const ask = (count: number, timeout_ms: number) =>
      net.http.request({ method: "GET", url: `${url}/${count}`, timeout_ms });
    assert.equal(
      late(() => ask(COUNT, 700)),
      "http request failed: timed out",
    );
    assert.ok(ok(ask(1_000_000, 60_000)).body === BigInt("7".repeat(1_000_000)));
  });

  test("in read_response and read_request, which go on with the next message", async () => {
    await using peer = python(
      `
s = socket.create_connection(("127.0.0.1", int(sys.argv[1]))); print("here")
for start in (sys.argv[2], sys.argv[3]):
    start = start.encode()
    s.sendall(start + b"\\r\\nContent-Length: ${COUNT}\\r\\n\\r\\n" + b"7" * ${COUNT})
    s.sendall(start + b"\\r\\nContent-Length: 17\\r\\n\\r\\n" + b"7" * 17)
print("sent"); sys.stdin.read()`,
      ...listen(),
    );
    await peer.line();
    const stream = ok(listener.accept());
    const options = { timeout_ms: 700, max_body_bytes: COUNT };
    assert.equal(
      late(() => net.http.read_response(stream, options)),
      "http read failed: timed out",
    );
    assert.equal(ok(net.http.read_response(stream)).body, 77777777777777777n);
    assert.equal(
      late(() => net.http.read_request(stream, options)),
      "http read failed: timed out",
    );
    assert.equal(ok(net.http.read_request(stream)).body, 77777777777777777n);
    stream.close();
  });

  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const listen = () => [
    ok(listener.local_addr()).split(":")[1]!,
    "HTTP/1.1 200 OK",
    "POST / HTTP/1.1\r\nHost: x",
  ];

  test("in http.request, of an integer that goes out: nothing is sent", () => {
    const url = `http://${ok(listener.local_addr())}/`;
    const request = { method: "POST", url, body: 7n ** 6_000_000n, timeout_ms: 300 };
    assert.equal(
      late(() => net.http.request(request)),
      "http request failed: timed out",
    );
    ok(listener.set_nonblocking(true));
    assert.equal(net.error_code(err(listener.accept())), "EAGAIN");
  });
});
