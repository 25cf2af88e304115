// What the socket calls of Windows' half make of Windows' answers, with a Winsock of the test's: Wine answers otherwise, or never so.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadSockets } from "../../src/sys/windows/sockets.ts";
import { loadTransfers } from "../../src/sys/windows/transfers.ts";
import { type Call, fakeWinsock, windows } from "../support/fake-winsock.ts";

const { AF_INET, SOCK_STREAM, SOCK_DGRAM, EAGAIN, EPIPE, ECONNRESET, EINPROGRESS } = windows.constants;
const [WSAEMSGSIZE, WSAESHUTDOWN, WSAECONNREFUSED, WSAENOBUFS] = [10040, 10058, 10061, 10055];
const MIB = 1024 * 1024;
const STREAM = 100;
const DATAGRAMS = 104;
const buffer = Buffer.alloc(4 * MIB);
const address = Buffer.alloc(16);

/** Transfers that all fail with this error: what each of them gives on this socket, and the error then. */
function failing(error: number, socket: number): Record<string, [result: number, error: number]> {
  const fake = fakeWinsock({
    datagrams: [DATAGRAMS],
    calls: Object.fromEntries(
      ["recv", "recvfrom", "send", "sendto"].map((name): [string, Call] => [name, () => fake.fail(error)]),
    ),
  });
  const { winsock } = fake;
  const { recv, recvfrom, send, sendto } = loadTransfers(winsock);
  const results: [string, number][] = [
    ["recv", recv(socket, buffer, 10, 0)],
    ["recvfrom", recvfrom(socket, buffer, 10, 0, address, Uint32Array.of(16))],
  ];
  const received = winsock.error;
  const sends: [string, number][] = [
    ["send", send(socket, buffer, 10, 0)],
    ["sendto", sendto(socket, buffer, 10, 0, address, 16)],
  ];
  return Object.fromEntries([
    ...results.map(([name, result]) => [name, [result, received]]),
    ...sends.map(([name, result]) => [name, [result, winsock.error]]),
  ]);
}

test("a reset is one of a stream, and a refusal of a datagram socket", () => {
  for (const [socket, error] of [
    [STREAM, ECONNRESET],
    [DATAGRAMS, WSAECONNREFUSED],
  ] as const) {
    const expected = [-1, error];
    assert.deepEqual(failing(ECONNRESET, socket), {
      recv: expected,
      recvfrom: expected,
      send: expected,
      sendto: expected,
    });
  }
});

test("a datagram that is cut is no failure; one that is too long to send is", () => {
  const { recv, recvfrom, send, sendto } = failing(WSAEMSGSIZE, DATAGRAMS);
  assert.deepEqual([recv![0], recvfrom![0]], [10, 10]);
  assert.deepEqual([send, sendto], Array(2).fill([-1, WSAEMSGSIZE]));
});

test("after this side's shutdown a receive is at the end, and a send has no pipe", () => {
  const { recv, send } = failing(WSAESHUTDOWN, STREAM);
  assert.equal(recv![0], 0);
  assert.deepEqual(send, [-1, EPIPE]);
});

test("any other error stays what it is", () => {
  for (const error of [EAGAIN, WSAENOBUFS]) {
    for (const outcome of Object.values(failing(error, STREAM))) assert.deepEqual(outcome, [-1, error]);
  }
});

test("no send is longer than 1 MiB, and no receive than an int holds", () => {
  const lengths: number[] = [];
  const take = (_socket: number, _buffer: Buffer, length: number): number => {
    lengths.push(length);
    return length;
  };
  const { send, recv } = loadTransfers(fakeWinsock({ calls: { send: take, recv: take } }).winsock);
  assert.equal(send(STREAM, buffer, buffer.length, 0), MIB);
  assert.equal(send(STREAM, buffer, MIB - 1, 0), MIB - 1);
  assert.equal(recv(STREAM, buffer, 2 ** 31, 0), 2 ** 31 - 1);
  assert.deepEqual(lengths, [MIB, MIB - 1, 2 ** 31 - 1]);
});

/** Sockets whose ioctls are noted. */
function sockets(calls: Record<string, Call>) {
  const controls: string[] = [];
  const fake = fakeWinsock({
    datagrams: [DATAGRAMS],
    calls: {
      ioctlsocket(socket: number, _command: number, value: Uint32Array) {
        controls.push(`non-blocking ${socket} ${value[0]}`);
        return 0;
      },
      WSAIoctl(socket: number, command: number, value: Uint32Array) {
        const name = { 2550136844: "SIO_UDP_CONNRESET", 2550136847: "SIO_UDP_NETRESET" }[command >>> 0];
        controls.push(`${name} ${socket} ${value[0]}`);
        return 0;
      },
      SetHandleInformation(socket: number, mask: number, flags: number) {
        controls.push(`inherit ${socket} ${mask} ${flags}`);
        return 1;
      },
      ...calls,
    },
  });
  return { ...loadSockets(fake.winsock), fake, controls };
}

test("ICMP errors reach a datagram socket that is connected, and no other", () => {
  const { socket, connect, controls } = sockets({
    WSASocketW: (_family: number, type: number) => (type === SOCK_DGRAM ? DATAGRAMS : STREAM),
  });
  assert.equal(socket(AF_INET, SOCK_DGRAM, 0), DATAGRAMS);
  assert.equal(socket(AF_INET, SOCK_STREAM, 0), STREAM);
  assert.deepEqual(controls.splice(0), [
    `SIO_UDP_CONNRESET ${DATAGRAMS} 0`,
    `SIO_UDP_NETRESET ${DATAGRAMS} 0`,
    `non-blocking ${DATAGRAMS} 1`,
    `non-blocking ${STREAM} 1`,
  ]);
  assert.equal(connect(DATAGRAMS, address, 16), 0);
  assert.deepEqual(controls, [`SIO_UDP_CONNRESET ${DATAGRAMS} 1`]);
});

test("a new socket is for no child process, whichever call made it", () => {
  const flags: number[] = [];
  const { socket, accept, duplicate, adopt, controls } = sockets({
    WSASocketW(...args: number[]) {
      flags.push(args.at(-1)!);
      return STREAM;
    },
    accept: () => STREAM + 4,
  });
  socket(AF_INET, SOCK_STREAM, 0);
  assert.equal(duplicate(STREAM), STREAM);
  // WSA_FLAG_OVERLAPPED and WSA_FLAG_NO_HANDLE_INHERIT.
  assert.deepEqual(flags, [0x81, 0x81]);
  assert.equal(accept(STREAM), STREAM + 4);
  assert.equal(adopt(STREAM + 8), 0);
  for (const made of [STREAM, STREAM + 4, STREAM + 8]) assert.ok(controls.includes(`inherit ${made} 1 0`));
});

test("accept passes over a connection that was reset in the queue", () => {
  const errors = [ECONNRESET, ECONNRESET, EAGAIN];
  const made = sockets({ accept: () => made.fake.fail(errors.shift()!) });
  assert.equal(made.accept(STREAM), -1);
  assert.equal(made.fake.winsock.error, EAGAIN);
});

test("connect says that the connection is being made", () => {
  const made = sockets({ connect: () => made.fake.fail(EAGAIN) });
  assert.equal(made.connect(STREAM, address, 16), -1);
  assert.equal(made.fake.winsock.error, EINPROGRESS);
});

test("a close that lingers leaves the mode's note, and its success does not", () => {
  const errors = [EAGAIN, 0];
  const made = sockets({ closesocket: () => (errors.shift() === 0 ? 0 : made.fake.fail(EAGAIN)) });
  made.setNonblocking(STREAM, true);
  assert.equal(made.close(STREAM), -1);
  assert.equal(made.isNonblocking(STREAM), true);
  assert.equal(made.close(STREAM), 0);
  assert.equal(made.isNonblocking(STREAM), false);
});
