// set_option and option: any option of a socket by its numbers (those of Linux here).
import assert from "node:assert/strict";
import { test } from "node:test";
import * as net from "std-net";
import { err, ok } from "../support/peer.ts";
import { reason } from "../support/system-errors.ts";

const skip = process.platform === "linux" ? false : "the numbers here are those of Linux";
const [IPPROTO_IP, SOL_SOCKET, IPPROTO_TCP] = [0, 1, 6];
const [IP_TOS, SO_TYPE, SO_RCVBUF, SO_LINGER, TCP_CONGESTION, TCP_NODELAY] = [1, 3, 8, 13, 13, 1];

function pair(): [net.TcpStream, net.TcpStream] {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  const server = ok(listener.accept());
  listener.close();
  return [client, server];
}

test("an option that is an int goes in and comes back, on every class", { skip }, () => {
  const [stream, other] = pair();
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const udp = ok(net.UdpSocket.bind("127.0.0.1:0"));
  for (const socket of [stream, other, listener, udp]) {
    ok(socket.set_option(IPPROTO_IP, IP_TOS, 0x10));
    assert.equal(ok(socket.option(IPPROTO_IP, IP_TOS)), 0x10);
  }
  ok(stream.set_option(IPPROTO_TCP, TCP_NODELAY, 1));
  assert.equal(ok(stream.nodelay()), true);
  assert.equal(ok(udp.option(SOL_SOCKET, SO_TYPE)), 2);
  const [unix, far] = ok(net.UnixStream.pair());
  ok(unix.set_option(SOL_SOCKET, SO_RCVBUF, 16_384));
  assert.equal(ok(unix.option(SOL_SOCKET, SO_RCVBUF)), 32_768, "the kernel doubles it (socket(7))");
  for (const socket of [stream, other, listener, udp, unix, far]) socket.close();
});

test("bytes and text go in and come back, as long as the system says", { skip }, () => {
  const [stream, other] = pair();
  const name = ok(stream.option(IPPROTO_TCP, TCP_CONGESTION, 16)).toString();
  assert.match(name, /^[a-z0-9]+\0*$/);
  ok(stream.set_option(IPPROTO_TCP, TCP_CONGESTION, "reno"));
  assert.match(ok(stream.option(IPPROTO_TCP, TCP_CONGESTION, 16)).toString(), /^reno\0*$/);
  ok(stream.set_option(SOL_SOCKET, SO_LINGER, [1, 0, 0, 0, 7, 0, 0, 0]));
  assert.equal(ok(stream.linger()), 7000);
  assert.deepEqual([...ok(stream.option(SOL_SOCKET, SO_LINGER, 64))], [1, 0, 0, 0, 7, 0, 0, 0]);
  assert.equal(ok(stream.option(SOL_SOCKET, SO_LINGER, 2)).length, 2);
  ok(stream.set_linger(null));
  // A view of a subclass that lies about its length reaches the system with its true one.
  class Liar extends Uint8Array {
    override get length(): number {
      return 1 << 20;
    }
  }
  assert.equal(
    err(stream.set_option(SOL_SOCKET, SO_LINGER, new Liar(2))),
    `tcp set_option failed: ${reason("EINVAL")}`,
  );
  stream.close();
  other.close();
});

test("wrong numbers and values are errors", () => {
  const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
  const set = (...values: unknown[]) => err(socket.set_option(...(values as [number, number, number])));
  const get = (...values: unknown[]) => err(socket.option(...(values as [number, number])));
  for (const wrong of ["1", 1.5, null, undefined, Number.NaN, 1n, {}]) {
    assert.equal(set(wrong, 1, 1), "expected int");
    assert.equal(set(1, wrong, 1), "expected int");
    assert.equal(get(wrong, 1), "expected int");
    assert.equal(get(1, wrong), "expected int");
  }
  assert.equal(set(0, 1, 1.5), "expected int");
  assert.equal(set(0, 1, {}), "expected list of ints");
  assert.equal(set(0, 1, [256]), "byte value out of range");
  assert.equal(set(0, 1, ["a"]), "bytes list must contain ints");
  assert.equal(net.error_code(set(0, 1, 2 ** 33)), "EINVAL");
  assert.equal(net.error_code(set(2 ** 40, 1, 1)), "EINVAL");
  assert.equal(net.error_code(get(0, 2 ** 40)), "EINVAL");
  assert.match(get(0, 9999), /^udp option failed: /);
  for (const size of [0, -1, 1.5, 70_000, "4"]) assert.equal(get(0, 1, size), "invalid buffer size");
  socket.close();
  assert.equal(set(0, 1, 1), "invalid udp socket");
  assert.equal(get(0, 1), "invalid udp socket");
});
