// http.start_response: a body piece by piece, as foreign clients and the bytes themselves show it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as net from "std-net";
import { err, node, ok, python } from "../support/peer.ts";
import { streamPair } from "../support/sockets.ts";
import { isWindows } from "../support/system-errors.ts";

const { http } = net;

/** A server's end on which this request was read. */
function serving(request = "GET / HTTP/1.1\r\nHost: example\r\n\r\n"): ReturnType<typeof streamPair> {
  const [client, server] = streamPair();
  ok(client.write_all(request));
  ok(http.read_request(server));
  return [client, server];
}

/** What has come by now. */
function arrived(stream: net.TcpStream | net.UnixStream): string {
  ok(stream.set_nonblocking(true));
  const bytes = stream.read(100_000);
  ok(stream.set_nonblocking(false));
  return bytes.isOk ? bytes.value.toString("latin1") : "";
}

const DATE = { date: "today" };

describe("start_response", () => {
  test("sends the head at once, each piece as one chunk, and the end with finish", () => {
    const [client, server] = serving();
    const writer = ok(http.start_response(server, { status: 200, headers: DATE }));
    const head = "HTTP/1.1 200 OK\r\ndate: today\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert.equal(arrived(client), head);
    ok(writer.write_all("é".repeat(10)));
    assert.equal(arrived(client), `14\r\n${Buffer.from("é".repeat(10)).toString("latin1")}\r\n`);
    ok(writer.write_all(""));
    ok(writer.write_all([]));
    assert.equal(arrived(client), "");
    ok(writer.write_all([1, 2, 255]));
    assert.equal(arrived(client), "3\r\n\x01\x02\xff\r\n");
    ok(writer.finish());
    assert.equal(arrived(client), "0\r\n\r\n");
    assert.equal(err(writer.finish()), "invalid body");
    assert.equal(err(writer.write_all("x")), "invalid body");
    assert.equal(err(writer.send_event({ data: "x" })), "invalid body");
    writer.close();
    assert.ok(server.local_addr().isOk, "close after finish closes nothing");
  });

  test("keeps the connection for the next request", () => {
    const [client, server] = serving();
    const keep = { ...DATE, connection: "keep-alive", "transfer-encoding": "chunked" };
    const writer = ok(http.start_response(server, { status: 200, headers: keep }));
    ok(writer.write_all("one"));
    ok(writer.finish());
    ok(client.write_all("GET /2 HTTP/1.1\r\nHost: example\r\n\r\n"));
    assert.equal(ok(http.read_request(server)).path, "/2");
    ok(http.write_response(server, { status: 200, body_text: "two" }));
    assert.equal(ok(http.read_response(client)).body, "one");
    assert.equal(ok(http.read_response(client)).body, "two");
  });

  test("keeps to a content-length", () => {
    const [client, server] = serving();
    const writer = ok(
      http.start_response(server, { status: 200, headers: { ...DATE, "Content-Length": "5" } }),
    );
    ok(writer.write_all("hel"));
    const long = "http write failed: body longer than its content-length of 5 bytes";
    assert.equal(err(writer.write_all("lo!")), long);
    ok(writer.write_all("lo"));
    assert.equal(err(writer.write_all("!")), long);
    ok(writer.finish());
    const head = "HTTP/1.1 200 OK\r\ndate: today\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
    assert.equal(arrived(client), `${head}hello`);
    const [, other] = serving();
    const short = ok(http.start_response(other, { status: 200, headers: { "content-length": "5" } }));
    ok(short.write_all("hell"));
    assert.equal(err(short.finish()), "http write failed: body has 4 of 5 bytes");
    assert.equal(err(other.write("x")), `invalid ${isWindows ? "tcp" : "unix"} stream`);
  });

  test("ends the connection for an HTTP/1.0 client", () => {
    const [client, server] = serving("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    const writer = ok(
      http.start_response(server, { status: 200, headers: { ...DATE, connection: "keep-alive" } }),
    );
    ok(writer.write_all("hel"));
    ok(writer.write_all("lo"));
    ok(writer.finish());
    const all = ok(client.read_to_end()).toString();
    assert.equal(all, "HTTP/1.1 200 OK\r\ndate: today\r\nConnection: close\r\n\r\nhello");
  });

  test("sends no body where there is none", () => {
    for (const [method, status] of [
      ["HEAD", 200],
      ["GET", 204],
      ["GET", 304],
      ["GET", 205],
    ] as const) {
      const [client, server] = serving(`${method} / HTTP/1.1\r\nHost: example\r\n\r\n`);
      const writer = ok(http.start_response(server, { status, headers: DATE }));
      ok(writer.write_all("hello"));
      ok(writer.send_event({ data: "x" }));
      ok(writer.finish());
      const text = arrived(client);
      assert.ok(text.endsWith("\r\n\r\n") && !text.includes("hello"), text);
      assert.doesNotMatch(text, /transfer-encoding/i);
    }
  });

  test("sends events", () => {
    const [client, server] = serving();
    const writer = ok(http.start_response(server, { status: 200, headers: DATE }));
    arrived(client);
    ok(writer.send_event({ data: "a\nb\r\nc\rd", event: "x", id: "7", retry: 5 }));
    const text = "event: x\nid: 7\nretry: 5\ndata: a\ndata: b\ndata: c\ndata: d\n\n";
    assert.equal(arrived(client), `${text.length.toString(16)}\r\n${text}\r\n`);
    ok(writer.send_event({ data: "" }));
    assert.equal(arrived(client), "8\r\ndata: \n\n\r\n");
    for (const [event, problem] of [
      [null, "event must be an object"],
      [{}, "'data' must be a string"],
      [{ data: "x", event: "a\nb" }, "'event' must be a string of one line"],
      [{ data: "x", event: 1 }, "'event' must be a string of one line"],
      [{ data: "x", id: "a\rb" }, "'id' must be a string of one line"],
      [{ data: "x", id: "\0" }, "'id' must be a string of one line"],
      [{ data: "x", retry: -1 }, "'retry' must be a non-negative integer"],
      [{ data: "x", retry: "1" }, "'retry' must be a non-negative integer"],
    ] as const) {
      assert.equal(err(writer.send_event(event as never)), problem);
    }
    const throwing = {
      get data(): string {
        throw new Error("no");
      },
    };
    assert.equal(err(writer.send_event(throwing)), "event cannot be read: no");
    assert.equal(arrived(client), "");
  });

  test("checks before anything is sent", () => {
    const [client, server] = serving();
    for (const [response, problem] of [
      [null, "response must be a JSON object"],
      [{}, "missing required field 'status'"],
      [{ status: 100 }, "status must be between 200 and 999"],
      [{ status: 200, headers: 1 }, "'headers' must be an object"],
      [
        { status: 200, headers: { "content-length": "-1" } },
        "response header 'content-length' is not a valid field",
      ],
      [
        { status: 200, headers: { "content-length": "x" } },
        "response header 'content-length' is not a valid field",
      ],
      [
        { status: 200, headers: { "content-length": "1", "Content-Length": "2" } },
        "response header 'Content-Length' is not a valid field",
      ],
      [{ status: 200, headers: { x: "a\nb" } }, "response header 'x' is not a valid field"],
    ] as const) {
      assert.equal(err(http.start_response(server, response as never)), problem);
    }
    assert.equal(err(http.start_response({} as never, { status: 200 })), "invalid tcp stream");
    assert.equal(arrived(client), "");
  });

  test("a response whose body is given up is seen as one that was cut short", () => {
    for (const end of [
      (w: net.http.BodyWriter) => w.close(),
      (w: net.http.BodyWriter) => w[Symbol.dispose](),
    ]) {
      const [client, server] = serving();
      const writer = ok(http.start_response(server, { status: 200 }));
      ok(writer.write_all("half"));
      end(writer);
      assert.equal(err(http.read_response(client)), "connection closed before response body complete");
    }
  });

  test("sends pieces of any size and kind as they are", () => {
    for (const size of [1, 15, 16, 4095, 4096, 65_535, 65_536, 65_537, 150_000]) {
      for (const length of [null, 3 * size]) {
        const [client, server] = serving();
        ok(server.set_nonblocking(true));
        const headers = length === null ? {} : { "content-length": String(length) };
        const response = { status: 200, headers };
        const writer = ok(http.start_response(server, response));
        const bytes = Uint8Array.from({ length: size }, (_, index) => index * 7);
        const memory = new Uint8Array(size + 9);
        memory.set(bytes, 5);
        const shared = new Uint8Array(new SharedArrayBuffer(size));
        shared.set(bytes);
        let received = Buffer.alloc(0);
        for (const piece of [bytes, memory.subarray(5, 5 + size), shared]) {
          for (;;) {
            const result = writer.write_all(piece);
            if (result.isOk) break;
            assert.equal(net.error_code(result.error), "EAGAIN");
            received = Buffer.concat([received, Buffer.from(arrived(client), "latin1")]);
          }
        }
        ok(server.set_nonblocking(false));
        ok(client.set_read_timeout(10_000));
        while (received.length < 3 * size) received = Buffer.concat([received, ok(client.read(1 << 20))]);
        ok(writer.finish());
        ok(server.shutdown("write"));
        received = Buffer.concat([received, ok(client.read_to_end())]);
        const chunk = [Buffer.from(`${size.toString(16)}\r\n`), bytes, Buffer.from("\r\n")];
        const expected =
          length === null ? [...chunk, ...chunk, ...chunk, Buffer.from("0\r\n\r\n")] : [bytes, bytes, bytes];
        const body = received.subarray(received.indexOf("\r\n\r\n") + 4);
        assert.ok(body.equals(Buffer.concat(expected)), `${size} ${length}`);
      }
    }
  });

  test("in non-blocking mode loses nothing and sends nothing twice", () => {
    const [client, server] = serving();
    ok(server.set_nonblocking(true));
    ok(client.set_nonblocking(true));
    const response = { status: 200 };
    let received = Buffer.alloc(0);
    const drain = (): void => {
      for (
        let bytes = client.read(1 << 20);
        bytes.isOk && bytes.value.length > 0;
        bytes = client.read(1 << 20)
      ) {
        received = Buffer.concat([received, bytes.value]);
      }
    };
    const retried = <T>(call: () => net.Result<T, string>): T => {
      for (;;) {
        const result = call();
        if (result.isOk) return result.value;
        assert.equal(net.error_code(result.error), "EAGAIN");
        drain();
      }
    };
    const writer = retried(() => http.start_response(server, response));
    const parts = ["a", "b", "c"].map((letter) => Buffer.alloc(1 << 20, letter));
    for (const part of parts) retried(() => writer.write_all(part));
    retried(() => writer.finish());
    drain();
    const body = received.subarray(received.indexOf("\r\n\r\n") + 4).toString();
    const expected = `${parts.map((part) => `100000\r\n${part}\r\n`).join("")}0\r\n\r\n`;
    assert.ok(body === expected, `${body.length} bytes`);
  });

  test("a response to a request whose body is still to come says that the connection ends", () => {
    const [client, server] = streamPair();
    ok(client.write_all("POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 5\r\n\r\nhe"));
    const { body } = ok(http.open_request(server));
    const headers = { connection: "keep-alive" };
    const writer = ok(http.start_response(server, { status: 200, headers }));
    assert.match(arrived(client), /Connection: close/);
    // Both may go on at the same time.
    ok(client.write_all("llo"));
    ok(writer.write_all(ok(body.read_to_end())));
    ok(writer.finish());
    assert.equal(arrived(client), "5\r\nhello\r\n0\r\n\r\n");
  });

  const keep = { status: 200, headers: { connection: "keep-alive" } };
  const chunkedPost = "POST / HTTP/1.1\r\nHost: example\r\nTransfer-Encoding: chunked\r\n\r\n";
  const next = "GET /next HTTP/1.1\r\nHost: example\r\n\r\n";

  test("a response to a request whose body has arrived keeps the connection", () => {
    const tiny = (text: string): string => `${[...text].map((one) => `1\r\n${one}\r\n`).join("")}0\r\n\r\n`;
    for (const request of [
      "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 5\r\n\r\nhello",
      `${chunkedPost}5\r\nhello\r\n0\r\n\r\n`,
      `${chunkedPost}2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n`,
      `${chunkedPost}${tiny("hello")}`,
    ]) {
      for (const reads of ["nothing", "a byte", "all, while it responds", "all, before"]) {
        const [client, server] = streamPair();
        ok(client.write_all(request + next));
        const { body } = ok(http.open_request(server));
        let read = "";
        if (reads === "a byte") read += ok(body.read(1)).toString();
        if (reads === "all, before") read += ok(body.read_to_end()).toString();
        const writer = ok(http.start_response(server, keep));
        assert.match(arrived(client), /connection: keep-alive/, `${request} ${reads}`);
        if (reads === "all, while it responds") read += ok(body.read_to_end()).toString();
        ok(writer.write_all("x"));
        ok(writer.finish());
        assert.equal(read, reads.startsWith("all") ? "hello" : reads === "a byte" ? "h" : "");
        assert.equal(err(body.read(1)), "invalid body");
        assert.equal(ok(http.open_request(server)).path, "/next");
      }
    }
  });

  test("a response to a request of which the last byte is missing, or that is malformed, ends the connection", () => {
    for (const request of [
      `${chunkedPost}5\r\nhello\r\n0\r\n\r`,
      `${chunkedPost}5\r\nhello\r\n`,
      `${chunkedPost}5\r\nhell`,
      `${chunkedPost}x\r\nhello\r\n0\r\n\r\n`,
      "POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 100000\r\n\r\n".concat("x".repeat(99_999)),
    ]) {
      const [client, server] = streamPair();
      ok(client.set_nonblocking(true));
      client.write_all(request);
      const { body } = ok(http.open_request(server));
      const writer = ok(http.start_response(server, keep));
      assert.match(arrived(client), /Connection: close/, request.slice(-20));
      // Nothing is lost by the look.
      if (request.includes("hell")) {
        const first = body.read(100);
        if (request.includes("\r\nx\r\n")) assert.match(err(first), /malformed chunk size/);
        else assert.ok("hello".startsWith(ok(first).toString()));
      }
      ok(writer.finish());
      assert.equal(err(http.open_request(server)).startsWith("http read failed: the request before"), false);
    }
  });
});

describe("foreign clients", () => {
  const programs: { readonly [name: string]: (url: string) => ReturnType<typeof node> } = {
    "node:http": (url) =>
      node(`
        import { get } from "node:http";
        const response = await new Promise((done) => get(${JSON.stringify(url)}, done));
        let text = "";
        for await (const part of response.setEncoding("utf8")) text += part;
        console.log(JSON.stringify(text));
      `),
    "http.client": (url) =>
      python(`
import json, urllib.request
print(json.dumps(urllib.request.urlopen(${JSON.stringify(url)}).read().decode()), flush=True)
`),
  };
  for (const [name, start] of Object.entries(programs)) {
    test(`${name} reads it`, async () => {
      const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
      const peer = start(`http://${ok(listener.local_addr())}/`);
      const stream = ok(listener.accept());
      ok(http.read_request(stream));
      const writer = ok(
        http.start_response(stream, { status: 200, headers: { "content-type": "text/plain" } }),
      );
      for (const part of ["one ", "two ", "three"]) ok(writer.write_all(part));
      ok(writer.finish());
      stream.close();
      assert.equal(JSON.parse(await peer.line()), "one two three");
      listener.close();
      await peer[Symbol.asyncDispose]();
    });
  }
});
