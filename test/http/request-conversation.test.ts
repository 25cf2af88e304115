// When read_request waits, and what it says to the client meanwhile.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as net from "std-net";
import {
  AGAIN,
  chunked,
  connected,
  eventually,
  get,
  post,
  readToEnd,
  request,
  writeAll,
} from "../support/http-server.ts";
import { err, ok } from "../support/peer.ts";

describe("read_request", () => {
  test("waits for nothing after the last request, though empty lines follow it", () => {
    connected((client, server) => {
      writeAll(client, "GET / HTTP/1.0\r\n\r\n\r\n\r\n");
      ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 204 }));
      const begun = performance.now();
      const next = net.http.read_request(server, { timeout_ms: 5000 });
      assert.equal(err(next), "connection closed before request headers");
      assert.ok(performance.now() - begun < 4000);
    });
  });

  test("finds 100-continue among other expectations: Expect is a list", () => {
    for (const [lines, isTold] of [
      ["Expect: 100-continue\r\nExpect: 100-Continue\r\n", true],
      ["Expect: 100-continue, 100-continue\r\n", true],
      ["Expect: 100-CONTINUE, foo\r\n", true],
      ['Expect: foo="bar";q=1,\t100-continue\r\n', true],
      ["Expect: ,, 100-continue ,\r\n", true],
      ["Expect: 100-continue ;a=b\r\n", true],
      ["Expect: foo\r\nX: y\r\nexpect: 100-continue\r\n", true],
      ["Expect: foo\r\n", false],
      ["Expect: 100-continued\r\n", false],
      ["Expect: 100-continue=yes\r\n", false],
      ["Expect: x100-continue, 100\r\n", false],
      ["Expect: \xa0100-continue\r\n", false],
      ["Expect:\r\n", false],
    ] as const) {
      for (const version of ["1.1", "1.0"]) {
        connected((client, server) => {
          ok(server.set_nonblocking(true));
          ok(client.set_nonblocking(true));
          writeAll(client, post("[1]", lines).slice(0, -3).replace("1.1", version));
          assert.equal(err(net.http.read_request(server)), AGAIN);
          const told = client.read(999).map(String).unwrapOr("");
          const expected = isTold && version === "1.1" ? "HTTP/1.1 100 Continue\r\n\r\n" : "";
          assert.equal(told, expected, `${version} ${lines}`);
          writeAll(client, "[1]");
          assert.deepEqual(ok(eventually(server)).body, [1]);
        });
      }
    }
  });

  test("reads Connection as a list, of one line or of several, in ASCII", () => {
    const answersOf = (lines: string, version = "1.1") =>
      connected((client, server) => {
        writeAll(client, get.replace("1.1", version).replace("\r\n\r\n", `\r\n${lines}\r\n`));
        ok(net.http.read_request(server));
        ok(net.http.write_response(server, { status: 204, headers: { connection: "keep-alive" } }));
        return /connection: (.*)\r\n/i.exec(ok(client.read(999)).toString())?.[1];
      });
    assert.equal(answersOf("Connection: foo, Close\r\n"), "close");
    assert.equal(answersOf("Connection: foo\r\nConnection:\r\nconnection: close ,\r\n"), "close");
    assert.equal(answersOf("Connection: foo\r\nConnection: Keep-Alive\r\n", "1.0"), "keep-alive");
    assert.equal(answersOf("Connection: keep-alive, close\r\n", "1.0"), "close");
    // U+212A is no K, and U+00A0 is no blank: these are other options.
    assert.equal(answersOf("Connection: \xe2\x84\xaaeep-alive\r\n", "1.0"), "close");
    assert.equal(answersOf("Connection: close\xa0\r\n"), "keep-alive");
  });

  test("sends 100 Continue to a client that expects it, and to no other", () => {
    const expecting = post("[1]", "Expect: 100-Continue\r\n");
    const head = expecting.slice(0, -3);
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      ok(client.set_nonblocking(true));
      writeAll(client, head);
      for (let i = 0; i < 3; i++) assert.equal(err(net.http.read_request(server)), AGAIN);
      assert.equal(ok(client.read(999)).toString(), "HTTP/1.1 100 Continue\r\n\r\n");
      writeAll(client, "[1]");
      assert.deepEqual(ok(eventually(server)).body, [1]);
      assert.equal(net.error_code(err(client.read(999))), "EAGAIN");
      // The body has begun to come; the client is too old; there is no body; the body will not be read.
      writeAll(client, `${head}[`);
      assert.equal(err(net.http.read_request(server)), AGAIN);
      writeAll(client, "2]");
      assert.deepEqual(ok(eventually(server)).body, [2]);
      writeAll(client, head.replace("1.1", "1.0"));
      assert.equal(err(net.http.read_request(server)), AGAIN);
      writeAll(client, "[3]");
      assert.deepEqual(ok(eventually(server)).body, [3]);
      writeAll(client, get.replace("\r\n\r\n", "\r\nExpect: 100-continue\r\n\r\n"));
      assert.equal(ok(eventually(server)).body, null);
      assert.equal(net.error_code(err(client.read(999))), "EAGAIN");
    });
    // On connections of their own, where nothing that went before holds an answer back.
    for (const text of [`${head}[`, head.replace("1.1", "1.0")]) {
      connected((client, server) => {
        ok(server.set_nonblocking(true));
        ok(client.set_nonblocking(true));
        writeAll(client, text);
        assert.equal(err(net.http.read_request(server)), AGAIN);
        assert.equal(net.error_code(err(client.read(999))), "EAGAIN");
      });
    }
    connected((client, server) => {
      writeAll(client, head);
      assert.equal(err(net.http.read_request(server, { max_body_bytes: 2 })), "request body too large");
      server.close();
      assert.equal(readToEnd(client), "");
    });
  });

  test("ends with its timeout, which is for the whole request", () => {
    for (const start of ["", "GET / HT", post("123").slice(0, -1), chunked("5\r\nhe")]) {
      connected((client, server) => {
        writeAll(client, start);
        const began = performance.now();
        assert.equal(err(net.http.read_request(server, { timeout_ms: 60 })), "http read failed: timed out");
        const took = performance.now() - began;
        assert.ok(took >= 55 && took < 5000, `${took} ms`);
      });
    }
    // A byte now and then does not prolong it.
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      const began = performance.now();
      for (;;) {
        ok(client.write("G"));
        const error = err(net.http.read_request(server, { timeout_ms: 80 }));
        if (error === "http read failed: timed out") break;
        assert.equal(error, AGAIN);
        assert.ok(performance.now() - began < 5000);
      }
      assert.ok(performance.now() - began >= 75);
    });
    assert.equal(request(get, { timeout_ms: 5000 }).method, "GET");
    assert.equal(request(get, { timeout_ms: null }).method, "GET");
  });

  test("ends with its timeout also when the client does not even read 100 Continue", () => {
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      for (const size of [65536, 1, 1, 1]) {
        while (server.write("x".repeat(size)).isOk);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
      }
      ok(server.set_nonblocking(false));
      writeAll(client, post("123").replace("\r\n\r\n123", "\r\nExpect: 100-continue\r\n\r\n"));
      const began = performance.now();
      assert.equal(err(net.http.read_request(server, { timeout_ms: 100 })), "http read failed: timed out");
      assert.ok(performance.now() - began < 5000);
      // Once there is room it is told, and once only.
      ok(client.set_read_timeout(100));
      const heard: string[] = [];
      for (let rounds = 0; rounds < 2; rounds++) {
        for (let got = client.read(1_000_000); got.isOk; got = client.read(1_000_000)) {
          heard.push(got.value.toString());
        }
        assert.equal(err(net.http.read_request(server, { timeout_ms: 100 })), "http read failed: timed out");
      }
      heard.push(client.read(1000).unwrapOr("").toString());
      assert.match(heard.join(""), /^x+HTTP\/1\.1 100 Continue\r\n\r\n$/);
      writeAll(client, "123");
      assert.equal(ok(net.http.read_request(server)).body, 123);
    });
  });

  test("waits for nothing more after the response to the client's last request", () => {
    for (const last of [
      "GET / HTTP/1.0\r\n\r\n",
      get.replace("\r\n\r\n", "\r\nConnection: x, Close\r\n\r\n"),
    ]) {
      connected((client, server) => {
        writeAll(client, last);
        ok(net.http.read_request(server));
        ok(net.http.write_response(server, { status: 200, headers: { Connection: "keep-alive" } }));
        assert.match(ok(client.read(999)).toString(), /\r\nConnection: close\r\n/);
        assert.equal(err(net.http.read_request(server)), "connection closed before request headers");
        // What comes all the same is there to be read.
        writeAll(client, get);
        assert.equal(ok(net.http.read_request(server)).path, "/");
      });
    }
  });

  test("waits as usual while a request that was read ahead has no response yet", () => {
    connected((client, server) => {
      writeAll(client, get.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n") + get);
      ok(net.http.read_request(server));
      ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 200 }));
      ok(server.set_nonblocking(true));
      assert.equal(err(net.http.read_request(server)), AGAIN);
    });
  });
});
