// Tests of what kqueue tells otherwise than epoll, for poller-kqueue.test.ts.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { ok } from "./peer.ts";
import { makePoller } from "./pollers.ts";
import { tcpPair } from "./sockets.ts";

const kinds: Record<string, () => readonly [net.TcpStream | net.UnixStream, net.TcpStream | net.UnixStream]> =
  {
    tcp() {
      const { client, server } = tcpPair();
      return [client, server];
    },
    unix: () => ok(net.UnixStream.pair()),
  };

for (const [kind, pair] of Object.entries(kinds)) {
  test(`kqueue, ${kind}: a connection whose sending side this side ended is not closed`, () => {
    const poller = makePoller("kqueue");
    const [near, far] = pair();
    ok(near.shutdown("write"));
    for (const interest of [{ writable: true }, { readable: true, writable: true }]) {
      ok(poller.add(near, interest));
      assert.deepEqual(ok(poller.wait(5000)), [
        { socket: near, key: undefined, readable: false, writable: true, closed: false },
      ]);
      ok(poller.remove(near));
    }
    // Both are at their end now.
    far.close();
    ok(poller.add(near, { readable: true }));
    assert.equal(ok(poller.wait(5000))[0]?.closed, true);
    ok(poller.modify(near, { writable: true }));
    assert.equal(ok(poller.wait(5000))[0]?.closed, true);
    poller.close();
    near.close();
  });

  test(`kqueue, ${kind}: without an interest there is no event of data, though the buffer is full`, () => {
    const poller = makePoller("kqueue");
    const [near, far] = pair();
    ok(poller.add(near, {}));
    ok(far.set_nonblocking(true));
    while (far.write(Buffer.alloc(65536)).isOk);
    const before = process.cpuUsage();
    assert.deepEqual(ok(poller.wait(300)), []);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 200_000, `the wait took ${user + system} µs of the processor`);
    ok(poller.modify(near, { readable: true }));
    for (let round = 0; round < 2; round++) assert.equal(ok(poller.wait(5000))[0]?.readable, true);
    ok(poller.modify(near, {}));
    assert.deepEqual(ok(poller.wait(20)), []);
    // The peer's end alone is nothing that has to be told without an interest (epoll tells of it with EPOLLRDHUP).
    ok(poller.remove(near));
    poller.close();
    near.close();
    far.close();
  });
}

test("kqueue: without an interest a broken connection is told of, again and again", () => {
  const poller = makePoller("kqueue");
  const { client, server } = tcpPair();
  ok(poller.add(client, {}));
  ok(server.shutdown("write"));
  assert.deepEqual(ok(poller.wait(20)), []);
  ok(server.set_linger(0));
  server.close();
  for (let round = 0; round < 3; round++) {
    assert.deepEqual(ok(poller.wait(5000)), [
      { socket: client, key: undefined, readable: false, writable: false, closed: true },
    ]);
  }
  // A call has taken the error; it is broken all the same.
  assert.equal(client.write("x").isErr, true);
  assert.equal(ok(poller.wait(5000))[0]?.closed, true);
  poller.close();
  client.close();
});
