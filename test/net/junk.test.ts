// Every member of every class, with everything that a plain-JavaScript program could pass: always a result, never an
// exception, a crash or a lost descriptor.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { ok, openDescriptors } from "../support/peer.ts";
import { tcpPair } from "../support/sockets.ts";

const throwing = new Proxy(
  {},
  {
    get() {
      throw new Error("no");
    },
    getPrototypeOf() {
      throw new Error("no");
    },
    ownKeys() {
      throw new Error("no");
    },
  },
);
const detached = new Uint8Array(8);
structuredClone(detached.buffer, { transfer: [detached.buffer] });

const junk: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  255,
  256,
  2 ** 31,
  2 ** 40,
  2 ** 53,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  5n,
  Symbol("x"),
  "",
  "\0",
  "x",
  "127.0.0.1:0",
  "224.0.0.1",
  "ff02::1",
  "both",
  "x".repeat(200),
  [],
  [1, 2],
  [1.5],
  Array(3),
  {},
  { readable: true, writable: 5 },
  { backlog: -1 },
  () => {},
  new Uint8Array(3),
  new Uint8Array(0),
  detached,
  new Uint8Array(new SharedArrayBuffer(4)),
  new Uint16Array(3),
  new ArrayBuffer(4),
  new Date(),
  throwing,
  Object.create(net.TcpStream.prototype),
];

/** One end of a pair, whose other end was closed. */
function firstOf<T extends { close(): void }>(pair: readonly [T, T]): T {
  pair[1].close();
  return pair[0];
}

function connectedStream(): net.TcpStream {
  const { client, server } = tcpPair();
  return firstOf([client, server]);
}

const classes: readonly (readonly [object, () => object])[] = [
  [net.TcpStream, connectedStream],
  [net.TcpListener, () => ok(net.TcpListener.bind("127.0.0.1:0"))],
  [net.UdpSocket, () => ok(net.UdpSocket.bind("127.0.0.1:0"))],
  [net.UnixStream, () => firstOf(ok(net.UnixStream.pair()))],
  [net.UnixListener, () => ok(net.UnixListener.bind(`\0std-net junk ${process.pid}`))],
  [net.UnixDatagram, () => ok(net.UnixDatagram.unbound())],
  [net.Poller, () => ok(net.Poller.create())],
];

type Method = (...args: unknown[]) => unknown;

/** The names of all methods, those of the base classes too. */
function methodsOf(prototype: object): string[] {
  const names = new Set<string>();
  for (let each = prototype; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const name of Object.getOwnPropertyNames(each)) names.add(name);
  }
  return [...names].filter((name) => name !== "constructor" && name !== "incoming");
}

function check(name: string, result: unknown): void {
  if (result === undefined) return;
  if (name.endsWith(".toString")) {
    assert.equal(typeof result, "string", name);
    return;
  }
  const { isOk, isErr } = result as { isOk?: boolean; isErr?: boolean };
  assert.ok(isOk === true || isErr === true, `${name} gives a result`);
  if (isErr) {
    const { error } = result as { error: unknown };
    assert.equal(typeof error, "string", name);
    return;
  }
  const { value } = result as { value: unknown };
  for (const each of Array.isArray(value) ? value : [value]) {
    if (typeof each?.close === "function") each.close();
  }
}

for (const [theClass, make] of classes) {
  const { name: className, prototype } = theClass as { name: string; prototype: object };
  test(`${className}: every member with everything`, () => {
    const before = openDescriptors();
    for (const state of ["open", "closed", "never open"] as const) {
      for (const name of methodsOf(prototype)) {
        const object = state === "never open" ? new (theClass as new (socket: unknown) => object)(5) : make();
        const members = object as Record<string, Method>;
        if (state === "closed") members["close"]!();
        for (const [first, one] of junk.entries()) {
          // A descriptor that was given away has nobody left who would close it.
          if (name === "into_fd" || name === "close") continue;
          if (name === "wait" && (one === null || (typeof one === "number" && one > 1))) continue;
          if (typeof members["set_nonblocking"] === "function") members["set_nonblocking"]!(true);
          for (const other of first % 3 === 0 ? junk : [undefined, junk[(first * 7) % junk.length]]) {
            check(`${className}.${name}`, members[name]!(one, other));
          }
        }
        members["close"]!();
      }
    }
    const statics = theClass as unknown as Record<string, Method>;
    for (const name of Object.getOwnPropertyNames(theClass)) {
      if (typeof statics[name] !== "function" || name === "from_fd") continue;
      for (const one of junk) {
        // Ports and names that are looked up are other tests' matter.
        for (const other of [undefined, junk[3], junk[7], throwing])
          check(`${className}.${name}`, statics[name]!(one, other));
      }
    }
    const { from_fd } = statics;
    if (from_fd !== undefined) {
      for (const one of junk) {
        if (one !== 0 && one !== 1 && one !== 255 && one !== 256) check(`${className}.from_fd`, from_fd(one));
      }
    }
    assert.equal(openDescriptors(), before);
  });
}
