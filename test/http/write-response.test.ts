import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as net from "std-net";
import { connected, get, readToEnd, writeAll } from "../support/http-server.ts";
import { err, ok } from "../support/peer.ts";

function sent(
  response: unknown,
  asked = "",
): { lines: string[]; headers: Map<string, string>; body: string; text: string } {
  return connected((client, server) => {
    writeAll(client, asked);
    if (asked !== "") ok(net.http.read_request(server));
    ok(net.http.write_response(server, response as net.http.ServerResponse));
    server.close();
    const text = readToEnd(client);
    const end = text.indexOf("\r\n\r\n");
    const lines = text.slice(0, end).split("\r\n");
    const headers = new Map(lines.slice(1).map((line) => line.split(": ", 2) as [string, string]));
    return { lines, headers, body: text.slice(end + 4), text };
  });
}

describe("write_response", () => {
  test("sends JSON with what the caller left out", () => {
    const { lines, headers, body } = sent({ status: 200, body: { é: [1n, "x"] } });
    assert.equal(lines[0], "HTTP/1.1 200 OK");
    assert.equal(body, '{"é":[1,"x"]}');
    assert.equal(headers.get("Content-Type"), "application/json");
    assert.equal(headers.get("Connection"), "close");
    assert.equal(headers.get("Content-Length"), String(Buffer.byteLength(body)));
    assert.ok(Math.abs(Date.parse(headers.get("Date") ?? "") - Date.now()) < 60_000);
    assert.equal(headers.size, 4);
    assert.equal(sent({ status: 200 }).body, "null");
    assert.equal(sent({ status: 200, body: "text" }).body, '"text"');
    assert.equal(sent({ status: 799 }).lines[0], "HTTP/1.1 799 ");
  });

  test("keeps the caller's fields, and frames by itself", () => {
    const { lines, body } = sent({
      status: 200,
      headers: {
        "content-TYPE": "text/html",
        DATE: "never",
        connection: "keep-alive",
        "CONTENT-length": "999",
        "Transfer-Encoding": "chunked",
        "X-A": "€",
      },
      body: "<b>",
    });
    assert.deepEqual(lines, [
      "HTTP/1.1 200 OK",
      "content-TYPE: text/html",
      "DATE: never",
      "connection: keep-alive",
      "X-A: €",
      "Content-Length: 5",
    ]);
    assert.equal(body, '"<b>"');
  });

  test("sends text and bytes as they are", () => {
    const text = sent({ status: 200, body_text: "<é>" });
    assert.equal(text.body, "<é>");
    assert.equal(text.headers.get("Content-Type"), "text/plain; charset=utf-8");
    assert.equal(text.headers.get("Content-Length"), "4");
    const bytes = sent({ status: 200, body_base64: "aGk=", headers: { "Content-Type": "image/x" } });
    assert.equal(bytes.body, "hi");
    assert.equal(bytes.headers.get("Content-Type"), "image/x");
  });

  test("sends no body with 1xx, 204, 205 and 304, and no Content-Length with the first two", () => {
    const early = sent({
      status: 103,
      headers: { Link: "</a>", "Content-Length": "5", "transfer-encoding": "chunked" },
      body: [1],
    });
    assert.equal(early.text, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
    const none = sent({ status: 204, body: [1], headers: { "Content-Length": "3" } });
    assert.ok(!none.headers.has("Content-Length"));
    assert.equal(none.body, "");
    const unmodified = sent({ status: 304, body: [1] });
    assert.equal(unmodified.headers.get("Content-Length"), "3");
    assert.equal(unmodified.body, "");
    assert.ok(!sent({ status: 304 }).headers.has("Content-Length"));
    const reset = sent({ status: 205, body: [1] });
    assert.equal(reset.headers.get("Content-Length"), "0");
    assert.equal(reset.body, "");
  });

  test("sends no body in a response to HEAD, but its length", () => {
    const head = get.replace("GET", "HEAD");
    const { headers, body } = sent({ status: 200, body: [1] }, head);
    assert.equal(headers.get("Content-Length"), "3");
    assert.equal(body, "");
    assert.equal(sent({ status: 200, body: [1] }, get).body, "[1]");
    connected((client, server) => {
      // The answers are given in the order of the requests, read ahead or not; an interim one counts for none.
      writeAll(client, head + get + head);
      for (let i = 0; i < 3; i++) ok(net.http.read_request(server));
      ok(net.http.write_response(server, { status: 102 }));
      for (const status of [201, 202, 203, 206])
        ok(net.http.write_response(server, { status, body: status }));
      server.close();
      const bodies = readToEnd(client).replace(/HTTP\/1.1 (\d+)[\s\S]*?\r\n\r\n/g, "<$1>");
      assert.equal(bodies, "<102><201><202>202<203><206>206");
    });
  });

  test("sends neither body nor length in a 2xx response to CONNECT", () => {
    const tunnel = sent({ status: 200, body: [1] }, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n");
    assert.ok(!tunnel.headers.has("Content-Length"));
    assert.equal(tunnel.body, "");
    assert.equal(sent({ status: 403, body: [1] }, "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n").body, "[1]");
  });

  test("sends HTTP/1.0 clients what they understand", () => {
    const keep = { status: 200, headers: { Connection: "keep-alive" } };
    assert.equal(sent(keep, "GET / HTTP/1.0\r\n\r\n").headers.get("Connection"), "close");
    assert.equal(
      sent(keep, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").headers.get("Connection"),
      "keep-alive",
    );
    assert.equal(sent(keep, get).headers.get("Connection"), "keep-alive");
    assert.equal(sent({ status: 103 }, "GET / HTTP/1.0\r\n\r\n").text, "");
  });

  test("refuses what is no response, and sends nothing then", () => {
    const ring: unknown[] = [];
    ring.push(ring);
    const cases: [unknown, string][] = [
      [undefined, "response must be a JSON object"],
      [null, "response must be a JSON object"],
      [[], "response must be a JSON object"],
      ["x", "response must be a JSON object"],
      [() => 1, "response must be a JSON object"],
      [{}, "missing required field 'status'"],
      [{ status: "200" }, "'status' must be a number"],
      [{ status: null }, "'status' must be a number"],
      [{ status: 200n }, "'status' must be a number"],
      [{ status: Number.NaN }, "'status' must be a finite number"],
      [{ status: Number.POSITIVE_INFINITY }, "'status' must be a finite number"],
      [{ status: 200.5 }, "'status' must be an integer"],
      [{ status: 99 }, "status must be between 100 and 999"],
      [{ status: 1000 }, "status must be between 100 and 999"],
      [{ status: -200 }, "status must be between 100 and 999"],
      [{ status: 200, headers: null }, "'headers' must be an object"],
      [{ status: 200, headers: [] }, "'headers' must be an object"],
      [{ status: 200, headers: new Map([["a", "b"]]) }, "'headers' must be an object"],
      [{ status: 200, headers: "a: b" }, "'headers' must be an object"],
      [{ status: 200, headers: { A: 1 } }, "response header 'A' must be a string"],
      [{ status: 200, headers: { A: ["x"] } }, "response header 'A' must be a string"],
      [{ status: 200, headers: { "A b": "x" } }, "response header 'A b' is not a valid field"],
      [{ status: 200, headers: { "": "x" } }, "response header '' is not a valid field"],
      [{ status: 200, headers: { A: "x\r\nB: y" } }, "response header 'A' is not a valid field"],
      [{ status: 200, headers: { A: "x\n" } }, "response header 'A' is not a valid field"],
      [{ status: 200, headers: { A: "\0" } }, "response header 'A' is not a valid field"],
      [{ status: 204, headers: { A: "\0" } }, "response header 'A' is not a valid field"],
      [{ status: 200, body: Number.NaN }, "cannot serialize NaN to JSON"],
      [{ status: 200, body: [Number.NEGATIVE_INFINITY] }, "cannot serialize infinity to JSON"],
      [{ status: 200, body: [undefined] }, "cannot serialize undefined to JSON"],
      [{ status: 200, body: ring }, "cannot serialize a cycle to JSON"],
      [{ status: 200, body: () => 1 }, "cannot serialize a function to JSON"],
      [{ status: 200, body_text: 5 }, "'body_text' must be a string"],
      [{ status: 200, body_base64: "?" }, "'body_base64' is not valid base64"],
      [
        { status: 200, body: 1, body_text: "" },
        "only one of 'body', 'body_text', 'body_bytes' and 'body_base64' can be given",
      ],
      [
        {
          get status() {
            throw new Error("no");
          },
        },
        "response cannot be read: no",
      ],
      [
        {
          status: 200,
          headers: {
            get A() {
              throw new Error("no");
            },
          },
        },
        "response cannot be read: no",
      ],
      [
        {
          status: 200,
          headers: new Proxy(
            {},
            {
              ownKeys() {
                throw new Error("no");
              },
            },
          ),
        },
        "response cannot be read: no",
      ],
    ];
    connected((client, server) => {
      for (const [response, message] of cases) {
        assert.equal(err(net.http.write_response(server, response as net.http.ServerResponse)), message);
      }
      server.close();
      assert.equal(readToEnd(client), "");
    });
  });

  test("sends a response of many megabytes whole, also where it has to be continued", () => {
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      ok(client.set_nonblocking(true));
      const big = { status: 200, headers: { Connection: "keep-alive" }, body: "é".repeat(5_000_000) };
      const small = { status: 201 };
      let text = "";
      let attempts = 0;
      const drain = () => {
        const chunks: Buffer[] = [];
        for (
          let chunk = client.read(1 << 20);
          chunk.isOk && chunk.value.length > 0;
          chunk = client.read(1 << 20)
        )
          chunks.push(chunk.value);
        text += Buffer.concat(chunks).toString("latin1");
      };
      for (const response of [big, small]) {
        for (;;) {
          attempts++;
          const result = net.http.write_response(server, response);
          drain();
          if (result.isOk) break;
          assert.equal(net.error_code(result.error), "EAGAIN");
          assert.match(result.error, /^http write failed: /);
        }
      }
      assert.ok(attempts > 3, "it did not fit at once");
      server.close();
      drain();
      const [, first, second] = text.split(/HTTP\/1.1 20[01] [\s\S]*?\r\n\r\n/);
      assert.equal(Buffer.from(first ?? "", "latin1").toString(), JSON.stringify(big.body));
      assert.equal(second, "null");
    });
  });

  test("keeps what is left of a small response, whatever is sent elsewhere meanwhile", () => {
    connected((client, server) => {
      ok(server.set_nonblocking(true));
      const response = (n: number) => ({ status: 200, body_text: `<${n}>${"x".repeat(20_000)}</${n}>` });
      let count = 0;
      let last = response(0);
      for (;;) {
        const result = net.http.write_response(server, last);
        if (result.isErr) break;
        last = response(++count);
      }
      connected((_client, other) =>
        ok(net.http.write_response(other, { status: 200, body: "y".repeat(20_000) })),
      );
      ok(client.set_nonblocking(true));
      let text = "";
      for (let finished = false; ; ) {
        const chunk = client.read(1 << 20);
        if (chunk.isOk) text += chunk.value.toString();
        else if (finished) break;
        if (!finished && net.http.write_response(server, last).isOk) {
          finished = true;
          ok(client.set_nonblocking(false));
          server.close();
        }
        if (chunk.isOk && chunk.value.length === 0) break;
      }
      const bodies = text.split(/HTTP\/1.1 200 [\s\S]*?\r\n\r\n/).slice(1);
      assert.deepEqual(
        bodies,
        [...Array(count + 1).keys()].map((n) => response(n).body_text),
      );
    });
  });

  test("counts a response that had to be continued once", () => {
    connected((client, server) => {
      writeAll(client, get + get.replace("GET", "HEAD"));
      ok(net.http.read_request(server));
      ok(net.http.read_request(server));
      ok(server.set_nonblocking(true));
      ok(client.set_nonblocking(true));
      const big = { status: 200, body: "x".repeat(5_000_000) };
      let length = 0;
      while (net.http.write_response(server, big).isErr) {
        for (let chunk = client.read(1 << 20); chunk.isOk; chunk = client.read(1 << 20))
          length += chunk.value.length;
      }
      ok(client.set_nonblocking(false));
      ok(net.http.write_response(server, { status: 404, body: "not sent" }));
      server.close();
      assert.ok(readToEnd(client).endsWith("\r\n\r\n"));
      assert.ok(length > 0);
    });
  });

  test("says that the client has gone", () => {
    connected((client, server) => {
      client.close();
      const response = { status: 200, body: "x".repeat(100_000) };
      let result = net.http.write_response(server, response);
      for (let i = 0; i < 50 && result.isOk; i++) result = net.http.write_response(server, response);
      assert.match(String(net.error_code(err(result))), /^(EPIPE|ECONNRESET)$/);
      assert.match(err(result), /^http write failed: /);
    });
  });
});
