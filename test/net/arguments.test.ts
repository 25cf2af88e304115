// Whatever a caller passes, of whatever JavaScript type: an error result with the contract's text, never an
// exception, a crash or bytes that are not the caller's.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import vm from "node:vm";
import * as net from "std-net";
import { err, ok } from "../support/peer.ts";
import fc from "../support/properties.ts";
import { reason, reasonPattern } from "../support/system-errors.ts";

const throwing = new Proxy([1, 2, 3], {
  get() {
    throw new Error("trap");
  },
});
const liar = new Proxy([1, 2, 3], {
  get: (target, key) => (key === "length" ? 2 ** 32 - 1 : Reflect.get(target, key)),
});
const endless = new Proxy([], { get: (_, key) => (key === "length" ? Number.POSITIVE_INFINITY : 1) });
const holes: number[] = [1];
holes.length = 4;

const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
const server = ok(listener.accept());
const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
const self = ok(udp.local_addr());
server.set_nonblocking(true);
udp.set_nonblocking(true);

const badBytes: [unknown, string][] = [
  [[256], "byte value out of range"],
  [[-1], "byte value out of range"],
  [[1.5], "byte value out of range"],
  [[Number.NaN], "byte value out of range"],
  [[Number.POSITIVE_INFINITY], "byte value out of range"],
  [["1"], "bytes list must contain ints"],
  [[1n], "bytes list must contain ints"],
  [[null], "bytes list must contain ints"],
  [[undefined], "bytes list must contain ints"],
  [[[1]], "bytes list must contain ints"],
  [holes, "bytes list must contain ints"],
  [liar, "bytes list must contain ints"],
  [throwing, "expected list of ints"],
  [endless, "expected list of ints"],
  [undefined, "expected list of ints"],
  [null, "expected list of ints"],
  [5, "expected list of ints"],
  [5n, "expected list of ints"],
  [true, "expected list of ints"],
  [{}, "expected list of ints"],
  [{ length: 1, 0: 1 }, "expected list of ints"],
  [Symbol("x"), "expected list of ints"],
  [() => 1, "expected list of ints"],
  [new Uint16Array(1), "expected list of ints"],
  [new Int8Array(1), "expected list of ints"],
  [new DataView(new ArrayBuffer(1)), "expected list of ints"],
  [new ArrayBuffer(1), "expected list of ints"],
  [new String("x"), "expected list of ints"],
  [Object.create(Uint8Array.prototype), "expected list of ints"],
  [new Proxy(new Uint8Array(4), {}), "expected list of ints"],
];

describe("bytes going in", () => {
  test("what is no list of bytes", () => {
    for (const [data, message] of badBytes) {
      assert.equal(err(client.write(data as never)), message);
      assert.equal(err(udp.send_to(data as never, self)), message);
    }
  });

  test("every form of bytes arrives as it is", () => {
    const shared = new Uint8Array(new SharedArrayBuffer(3));
    shared.set([1, 2, 3]);
    const outer = Buffer.from("xxabcxx");
    class Liar extends Uint8Array {
      override get length(): number {
        return 1_000_000;
      }
      override get byteLength(): number {
        return 1_000_000;
      }
    }
    const forms: [unknown, number[]][] = [
      [
        [0, 127, 255],
        [0, 127, 255],
      ],
      [Object.freeze([1, 2]), [1, 2]],
      ["aé€😀", [...Buffer.from("aé€😀")]],
      ["\ud800", [0xef, 0xbf, 0xbd]],
      [shared, [1, 2, 3]],
      [outer.subarray(2, 5), [97, 98, 99]],
      [Liar.from([7, 8, 9]), [7, 8, 9]],
      [new Uint8ClampedArray([1]).length === 1 ? Uint8Array.of(5) : [], [5]],
      [vm.runInNewContext("Uint8Array.of(4, 5)"), [4, 5]],
      [vm.runInNewContext("[6, 7]"), [6, 7]],
      [Buffer.alloc(70, 1), new Array(70).fill(1)],
    ];
    for (const [data, expected] of forms) {
      assert.equal(ok(client.write(data as never)), expected.length);
      assert.deepEqual([...ok(server.read(1000))], expected);
      assert.equal(ok(udp.send_to(data as never, self)), expected.length);
      assert.deepEqual([...ok(udp.recv_from(1000))[0]], expected);
    }
    for (const nothing of ["", [], new Uint8Array(0), Buffer.alloc(0)])
      assert.equal(ok(client.write(nothing)), 0);
    // Asked for once, and by index: what an accessor or a method of the list's own says besides is not looked at.
    let asked = 0;
    const fickle = Object.defineProperty([1, 2, 3], 1, { get: () => (asked++ === 0 ? 5 : 300) });
    fickle.valueOf = () => "a text" as never;
    assert.equal(ok(client.write(fickle)), 3);
    assert.deepEqual([...ok(server.read(1000))], [1, 5, 3]);
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });
    assert.equal(ok(client.write(detached)), 0);
  });

  test("a Uint8Array with methods of its own is sent and filled as what it is", () => {
    class Liar extends Uint8Array {
      override subarray(): never {
        throw new Error("subarray");
      }
      override set(): never {
        throw new Error("set");
      }
    }
    // Larger than the socket's buffers, so that it goes out in parts.
    ok(client.set_write_timeout(20));
    assert.equal(net.error_code(err(client.write_all(new Liar(20_000_000)))), "EAGAIN");
    ok(client.set_write_timeout(null));
    while (server.read(1_000_000).isOk);
    ok(client.write("abc"));
    assert.equal(net.error_code(err(server.read_exact(4))), "EAGAIN");
    const liar = new Liar(3);
    assert.equal(ok(server.read_into(liar)), 3);
    assert.deepEqual([...liar], [97, 98, 99]);
  });

  test("a list of a million bytes", () => {
    const list = new Array<number>(1_000_000).fill(3);
    assert.ok(ok(client.write(list)) > 0);
    while (server.read(1_000_000).isOk);
  });
});

describe("sizes, addresses and flags", () => {
  const badSizes = [
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    "1",
    1n,
    null,
    undefined,
    {},
    [],
    true,
  ];

  test("a size that is no positive safe integer", () => {
    for (const size of badSizes) {
      assert.equal(err(server.read(size as never)), "invalid buffer size");
      assert.equal(err(udp.recv_from(size as never)), "invalid buffer size");
    }
  });

  test("an address that is no string", () => {
    const calls: ((address: never) => net.Result<unknown, string>)[] = [
      net.TcpStream.connect,
      net.TcpListener.bind,
      net.UdpSocket.bind,
      (address) => udp.send_to("x", address),
    ];
    for (const address of [
      undefined,
      null,
      80,
      1n,
      {},
      ["127.0.0.1:80"],
      Symbol("x"),
      new String("127.0.0.1:80"),
    ]) {
      for (const call of calls) assert.equal(err(call(address as never)), "expected string");
    }
  });

  test("a flag that is no boolean", () => {
    for (const flag of [undefined, null, 0, 1, "true", {}]) {
      assert.equal(err(server.set_nonblocking(flag as never)), "expected bool");
      assert.equal(err(listener.set_nonblocking(flag as never)), "expected bool");
      assert.equal(err(udp.set_nonblocking(flag as never)), "expected bool");
    }
  });

  test("the contract's address errors come behind each call's prefix", () => {
    const calls: [string, (address: string) => net.Result<unknown, string>][] = [
      ["failed to connect: ", net.TcpStream.connect],
      ["tcp listener bind failed: ", net.TcpListener.bind],
      ["udp bind failed: ", net.UdpSocket.bind],
      ["udp send failed: ", (address) => udp.send_to("x", address)],
    ];
    for (const [prefix, call] of calls) {
      for (const address of ["", ":1", "::1:1", "[x]:1", "a\0:1"]) {
        assert.equal(err(call(address)), `${prefix}invalid socket address`);
      }
      for (const address of ["x", "127.0.0.1", "[::1]"]) {
        assert.ok(
          err(call(address)).startsWith(`${prefix}invalid socket address: no port is given`),
          address,
        );
      }
      for (const address of ["localhost:", "localhost:65536", "localhost:-1", "[::1]:x"]) {
        assert.equal(err(call(address)), `${prefix}invalid port value`);
      }
      assert.match(err(call(`${"a".repeat(5000)}:1`)), /lookup address information: /);
      assert.match(err(call("[fe80::1%nonesuch]:1")), new RegExp(`${reasonPattern("ENODEV")}$`));
      assert.equal(err(call("[fe80::1%99999999999]:1")), `${prefix}${reason("ENODEV")}`);
    }
  });
});

describe("anything at all", () => {
  const anything = fc.oneof(
    fc.anything({
      withBigInt: true,
      withDate: true,
      withTypedArray: true,
      withNullPrototype: true,
      withSparseArray: true,
    }),
    fc.array(fc.oneof(fc.integer({ min: -2, max: 300 }), fc.double(), fc.anything())),
    fc.string(),
  );

  test("gives a result", () => {
    fc.assert(
      fc.property(anything, (value) => {
        const given = value as never;
        for (const result of [
          client.write(given),
          server.read(given),
          server.set_nonblocking(given),
          udp.send_to(given, self),
          udp.recv_from(given),
          net.TcpStream.connect(typeof value === "string" ? (`${value.slice(0, 3)}:x` as never) : given),
        ]) {
          assert.ok(result.isOk || typeof result.error === "string");
        }
        server.set_nonblocking(true);
        server.read(1_000_000);
        udp.recv_from(65_536);
        assert.ok(net.error_code(given) === null || typeof value === "string");
      }),
      { numRuns: 2000 },
    );
  });

  test("objects made without their factories are closed ones", () => {
    const makers: (() => net.Result<unknown, string>)[] = [
      () => new (net.TcpStream as never as new () => net.TcpStream)().read(1),
      () => new (net.TcpListener as never as new () => net.TcpListener)().accept(),
      () => new (net.UdpSocket as never as new () => net.UdpSocket)().recv_from(1),
    ];
    for (const made of makers) {
      assert.match(err(made()), /^invalid (tcp stream|tcp listener|udp socket)$/);
    }
  });
});
