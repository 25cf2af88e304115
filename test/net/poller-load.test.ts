// A Poller with many sockets.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as net from "std-net";
import { ok, openDescriptors, portOf, pythonFile } from "../support/peer.ts";
import { makePoller as makePollerOf, mechanisms } from "../support/pollers.ts";
import { streamPair } from "../support/sockets.ts";
import { isWindows } from "../support/system-errors.ts";

const readable = { readable: true };

/** How many descriptors this process may have; Node raises its limit to the hard one by itself. */
function descriptorLimit(): number {
  if (isWindows) return Number.POSITIVE_INFINITY;
  const line = /^Max open files +(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1];
  return line === "unlimited" ? Number.POSITIVE_INFINITY : Number(line);
}

for (const mechanism of mechanisms) {
  const makePoller = () => makePollerOf(mechanism);

  test(`${mechanism}: at most 1024 events at once, and the others with the next wait`, () => {
    const poller = makePoller();
    const [near, far] = streamPair();
    const clones = Array.from({ length: 1500 }, () => ok<net.TcpStream | net.UnixStream>(near.try_clone()));
    for (const clone of clones) ok(poller.add(clone, { writable: true }));
    const seen = new Set<unknown>();
    for (let round = 0; round < 4 && seen.size < clones.length; round++) {
      const events = ok(poller.wait(1000));
      assert.ok(events.length > 0 && events.length <= 1024, `${events.length}`);
      for (const { socket } of events) seen.add(socket);
    }
    assert.equal(seen.size, clones.length);
    poller.close();
    for (const stream of [near, far, ...clones]) stream.close();
  });

  test(`${mechanism}: 5,000 connections, and each event names the right one`, (context) => {
    const wanted = 5000;
    // Two descriptors for each connection, and some for everything else.
    const count = Math.min(wanted, Math.floor((descriptorLimit() - openDescriptors() - 200) / 2));
    if (count < wanted) context.diagnostic(`this process may only have ${count} connections`);
    const poller = makePoller();
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    const address = ok(listener.local_addr());
    const pairs = Array.from({ length: count }, (_, index) => {
      const near = ok(net.TcpStream.connect(address));
      const far = ok(listener.accept());
      ok(poller.add(near, readable, index));
      return { near, far };
    });
    assert.deepEqual(ok(poller.wait(0)), []);
    for (const index of [0, 1, count >> 1, count - 1]) {
      const { near, far } = pairs[index]!;
      ok(far.write("x"));
      const events = ok(poller.wait(5000));
      assert.deepEqual(
        events.map((event) => [event.socket === near, event.key]),
        [[true, index]],
      );
      ok(near.read(1));
    }
    // All at once: each is reported, in as many waits as it takes, and never one that was read already.
    for (const { far } of pairs) ok(far.write("y"));
    const seen = new Set<unknown>();
    while (seen.size < count) {
      const events = ok(poller.wait(5000));
      assert.notEqual(events.length, 0);
      for (const { socket, key } of events) {
        assert.ok(!seen.has(key));
        seen.add(key);
        ok((socket as net.TcpStream).read(1));
      }
    }
    // Every second one goes: the others stay what they are.
    pairs.forEach(({ near, far }, index) => {
      if (index % 2 === 0) near.close();
      else ok(far.write("z"));
    });
    seen.clear();
    for (;;) {
      const events = ok(poller.wait(0));
      if (events.length === 0) break;
      for (const { socket, key } of events) {
        seen.add(key);
        assert.equal(ok((socket as net.TcpStream).read(9)).toString(), "z");
      }
    }
    assert.equal(seen.size, count >> 1);
    assert.ok([...seen].every((key) => (key as number) % 2 === 1));
    for (const { near, far } of pairs) {
      near.close();
      far.close();
    }
    listener.close();
    poller.close();
  });

  test(`${mechanism}: an echo server of non-blocking sockets for Python clients`, async () => {
    const poller = makePoller();
    const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
    ok(listener.set_nonblocking(true));
    ok(poller.add(listener, readable));
    const child = pythonFile("echo-clients.py", portOf(ok(listener.local_addr())));
    let accepted = 0;
    let open = 0;
    while (accepted < 50 || open > 0) {
      for (const { socket } of ok(poller.wait(10_000))) {
        if (socket === listener) {
          for (let next = listener.accept(); next.isOk; next = listener.accept()) {
            ok(next.value.set_nonblocking(true));
            ok(poller.add(next.value, readable));
            accepted++;
            open++;
          }
          continue;
        }
        const stream = socket as net.TcpStream;
        const bytes = ok(stream.read(1000));
        if (bytes.length > 0) ok(stream.write_all(bytes));
        else {
          stream.close();
          open--;
        }
      }
    }
    assert.equal(await child.line(), "all answered");
    await child.exit();
    listener.close();
    poller.close();
  });
}
