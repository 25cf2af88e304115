// error_code and is_timeout, on texts and on the errors of real calls.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, test } from "node:test";
import * as net from "std-net";
import { skipWithoutUnixQueue } from "../support/kernel.ts";
import { err, FULL_QUEUE, node, ok, python } from "../support/peer.ts";
import { streamPair } from "../support/sockets.ts";
import { reason } from "../support/system-errors.ts";

const { error_code, is_timeout } = net;

describe("error_code and is_timeout of a text", () => {
  const cases: [string, string | null, boolean][] = [
    ["failed to connect: connection timed out", "ETIMEDOUT", true],
    ["unix connect failed: connection timed out", "ETIMEDOUT", true],
    ["tls handshake failed: timed out", "ETIMEDOUT", true],
    ["http request failed: timed out", "ETIMEDOUT", true],
    ["http request failed: connection timed out", "ETIMEDOUT", true],
    ["http request failed: proxy CONNECT failed: timed out", "ETIMEDOUT", true],
    ["http request failed: tls handshake failed: timed out", "ETIMEDOUT", true],
    ["http read failed: timed out", "ETIMEDOUT", true],
    ["orders: http request failed: timed out", "ETIMEDOUT", true],
    ["connection timed out", "ETIMEDOUT", true],
    [`failed to connect: ${reason("ETIMEDOUT")}`, "ETIMEDOUT", true],
    [`tcp read failed: ${reason("EAGAIN")}`, "EAGAIN", true],
    [`failed to connect: ${reason("ECONNREFUSED")}`, "ECONNREFUSED", false],
    [`tcp read failed: ${reason("EINTR")}`, "EINTR", false],
    ["http request failed: connection closed before response headers", null, false],
    ["http request failed: proxy refused CONNECT: 504", null, false],
    // What a program's own toJSON or getter threw.
    ["cannot serialize to JSON: timed out", null, false],
    ["request cannot be read: connection timed out", null, false],
    ["http read failed: timed out later", null, false],
    ["", null, false],
  ];
  for (const [message, code, isTimeout] of cases) {
    test(JSON.stringify(message), () => {
      assert.deepEqual([error_code(message), is_timeout(message)], [code, isTimeout]);
    });
  }

  test("of what is no text", () => {
    for (const message of [undefined, null, 5, {}, new Error("timed out")] as unknown as string[]) {
      assert.deepEqual([error_code(message), is_timeout(message)], [null, false]);
    }
  });
});

describe("is_timeout of what a time limit ended", () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const isLate = (result: net.Result<unknown, string>, code: string) => {
    const error = err(result);
    assert.ok(is_timeout(error), error);
    assert.equal(error_code(error), code, error);
  };

  test("connect of TCP, and as part of an HTTP call", async () => {
    await using full = python(`${FULL_QUEUE}
print(s.getsockname()[1])
time.sleep(30)`);
    const target = `127.0.0.1:${await full.line()}`;
    isLate(net.TcpStream.connect_timeout(target, 50), "ETIMEDOUT");
    const call = { method: "GET", url: `http://${target}/` };
    isLate(net.http.request({ ...call, connect_timeout_ms: 50 }), "ETIMEDOUT");
    isLate(net.http.request({ ...call, timeout_ms: 50 }), "ETIMEDOUT");
  });

  test("connect of a Unix socket", { skip: skipWithoutUnixQueue }, () => {
    const name = `\0std-net-timeouts-${process.pid}`;
    const queue = ok(net.UnixListener.bind(name, { backlog: 0 }));
    const waiting: net.UnixStream[] = [];
    for (;;) {
      const stream = net.UnixStream.connect_timeout(name, 50);
      if (stream.isErr) {
        isLate(stream, "ETIMEDOUT");
        break;
      }
      waiting.push(stream.value);
    }
    for (const each of [queue, ...waiting]) each.close();
  });

  test("read, write, accept, recv", () => {
    const [near, far] = streamPair();
    ok(near.set_read_timeout(20));
    ok(near.set_write_timeout(20));
    isLate(near.read(1), "EAGAIN");
    isLate(near.read_exact(1), "EAGAIN");
    isLate(near.read_until("\n"), "EAGAIN");
    isLate(near.write_all(Buffer.alloc(16 * 1024 * 1024)), "EAGAIN");
    far.close();
    near.close();

    ok(listener.set_accept_timeout(20));
    isLate(listener.accept(), "EAGAIN");
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    ok(socket.set_read_timeout(20));
    isLate(socket.recv_from(1), "EAGAIN");
    socket.close();
  });

  test("a TLS handshake, and HTTP calls of both sides", async () => {
    // It takes connections and says nothing.
    const silent = createServer().listen(0, "127.0.0.1");
    await once(silent, "listening");
    const { port } = silent.address() as { port: number };
    try {
      const target = `127.0.0.1:${port}`;
      isLate(net.TlsStream.connect(target, { timeout_ms: 50 }), "ETIMEDOUT");
      for (const protocol of ["http", "https"]) {
        const call = { method: "GET", url: `${protocol}://${target}/`, timeout_ms: 50 };
        isLate(net.http.request(call), "ETIMEDOUT");
      }
      const proxied = {
        method: "GET",
        url: "https://example.test/",
        proxy: `http://${target}`,
        timeout_ms: 50,
      };
      isLate(net.http.request(proxied), "ETIMEDOUT");
    } finally {
      silent.close();
    }
    const [client, server] = streamPair();
    isLate(net.http.read_request(server, { timeout_ms: 20 }), "ETIMEDOUT");
    isLate(net.http.read_response(client, { timeout_ms: 20 }), "ETIMEDOUT");
    client.close();
    server.close();
  });

  test("a non-blocking socket gives the same error, though no timeout is over", () => {
    const socket = ok(net.UdpSocket.bind("127.0.0.1:0"));
    ok(socket.set_nonblocking(true));
    isLate(socket.recv(1), "EAGAIN");
    socket.close();
  });
});

test("is_timeout is false where no time limit was", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  const server = ok(listener.accept());
  ok(server.shutdown("write"));
  ok(client.set_read_timeout(1000));
  const errors = [
    err(net.TcpStream.connect("127.0.0.1:1")),
    err(net.TcpStream.connect_timeout("127.0.0.1:1", 1000)),
    err(client.read_exact(1)),
    err(net.http.request({ method: "GET", url: "http://127.0.0.1:1/", timeout_ms: 1000 })),
    err(net.http.read_response(client, { timeout_ms: 1000 })),
    err(net.TcpStream.connect_timeout("127.0.0.1:1", 0)),
    err(listener.set_accept_timeout(-1)),
  ];
  for (const each of [listener, client, server]) each.close();
  errors.push(err(client.read(1)));
  for (const error of errors) assert.ok(!is_timeout(error), error);

  // A signal ends the wait before the limit does.
  await using child = node(`process.on("SIGUSR2", () => {});
    const socket = net.UdpSocket.bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(15000);
    console.log("waits");
    const { error } = socket.recv(1);
    console.log(net.error_code(error), net.is_timeout(error));`);
  await child.line();
  child.process.kill("SIGUSR2");
  assert.equal(await child.line(), "EINTR false");
});
