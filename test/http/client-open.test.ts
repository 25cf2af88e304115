// http.open: a body piece by piece, what becomes of its connection, and servers that do not behave.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import zlib from "node:zlib";
import * as net from "std-net";
import { Certificates } from "../support/certificates.ts";
import { httpsEcho } from "../support/https-echo.ts";
import { err, node, ok, openDescriptors, python } from "../support/peer.ts";
import { type RawServer, rawServer, type Step } from "../support/raw-server.ts";
import { reason } from "../support/system-errors.ts";

let raw: RawServer;
before(async () => {
  raw = await rawServer();
});
after(async () => {
  await raw[Symbol.asyncDispose]();
});

const { open } = net.http;

function opened(...steps: Step[]): net.http.OpenResponse {
  return ok(open({ method: "GET", url: raw.url(...steps) }));
}

const HEAD = "HTTP/1.1 200 OK\r\n";
const sized = (body: string, more = ""): string =>
  `${HEAD}${more}Content-Length: ${body.length}\r\n\r\n${body}`;
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const chunked = (...parts: string[]): string =>
  `${HEAD}Transfer-Encoding: chunked\r\n\r\n${parts.map(chunk).join("")}0\r\n\r\n`;

/** Asks for the number of the connection, so that two equal ones tell that it was kept. */
const which = sized("x", "X: {connection}\r\n");
/** Which of the raw server's connections the next request goes over. */
function connectionOf(response: net.http.OpenResponse): string {
  ok(response.body.read_to_end());
  return response.headers["x"]!;
}

describe("reads", () => {
  test("give what has arrived, and nothing only at the end", () => {
    for (const whole of [sized("hello world"), chunked("hello", " ", "world"), `${HEAD}\r\nhello world`]) {
      const { status, body } = opened(
        { slowly: whole },
        ...(whole.includes("Length") ? [] : ["<end>" as const]),
      );
      assert.equal(status, 200);
      const parts: string[] = [];
      for (;;) {
        const bytes = ok(body.read(5));
        if (bytes.length === 0) break;
        parts.push(bytes.toString());
      }
      assert.equal(parts.join(""), "hello world");
      assert.equal(ok(body.read(5)).length, 0);
      assert.equal(ok(body.read_into(Buffer.alloc(3))), 0);
      assert.equal(ok(body.read_to_end()).length, 0);
      assert.deepEqual([...body.lines()], []);
    }
  });

  test("mix as they like", () => {
    const { body } = opened(chunked("line one\r\nli", "ne two\n;x;rest", " of it"));
    const lines = body.lines();
    assert.equal(ok(lines.next().value!), "line one");
    assert.equal(ok(body.read(3)).toString(), "lin");
    assert.equal(ok(lines.next().value!), "e two");
    assert.equal(ok(body.read_until(";")).toString(), ";");
    const buffer = Buffer.alloc(2);
    assert.equal(ok(body.read_into(buffer)), 2);
    assert.equal(buffer.toString(), "x;");
    const reader = new net.BufReader(body);
    assert.equal(ok(reader.read_line()), "rest of it");
  });

  test("check what they are given", () => {
    const { body } = opened(sized("x"));
    for (const size of [0, -1, 1.5, "1", undefined, null]) {
      assert.equal(err(body.read(size as number)), "invalid buffer size");
    }
    assert.equal(err(body.read_into([] as never)), "expected Uint8Array");
    assert.equal(err(body.read_into(Buffer.alloc(0))), "invalid buffer size");
    assert.equal(err(body.read_until("")), "delimiter must not be empty");
    assert.equal(err(body.read_to_end(0)), "invalid buffer size");
    assert.equal(err([...body.lines(0)][0]!), "invalid buffer size");
    assert.equal(err([...body.events(0)][0]!), "invalid buffer size");
    assert.equal(ok(body.read_to_end()).toString(), "x");
    body.close();
    body.close();
    for (const result of [
      body.read(1),
      body.read_into(Buffer.alloc(1)),
      body.read_until("x"),
      body.into_stream(),
    ]) {
      assert.equal(err(result as net.Result<unknown, string>), "invalid body");
    }
    assert.equal(err([...body.lines()][0]!), "invalid body");
    assert.equal(err([...body.events()][0]!), "invalid body");
  });

  test("a line is there as soon as it has come, and characters are whole", () => {
    const { body } = opened({ slowly: sized("\xc3\xa9\xe2\x80\xa8x\nnext\r\nlast") });
    assert.deepEqual([...body.lines()].map(ok), ["é\u2028x", "next", "last"]);
  });

  test("an event is there as soon as it has come", () => {
    const { body } = opened(
      `${HEAD}Transfer-Encoding: chunked\r\n\r\n`,
      chunk("id: 1\ndata: one\n\nda"),
      50,
      chunk("ta: two\n\n"),
      600_000,
    );
    const events = body.events();
    assert.deepEqual(ok(events.next().value!), { event: "message", data: "one", id: "1", retry: null });
    assert.deepEqual(ok(events.next().value!), { event: "message", data: "two", id: "1", retry: null });
    body.close();
  });
});

describe("the connection", () => {
  test("serves the next request once the body was read to its end", () => {
    const steps: Step[] = [{ first: [which], later: [which] }];
    const first = connectionOf(opened(...steps));
    assert.equal(connectionOf(opened(...steps)), first);
    const empty = opened("HTTP/1.1 204 No Content\r\n\r\n");
    assert.equal(ok(empty.body.read(1)).length, 0);
    assert.equal(connectionOf(opened(...steps)), first);
    const coded = zlib.gzipSync("x".repeat(1000)).toString("latin1");
    const gzip = opened(sized(coded, "Content-Encoding: gzip\r\n"));
    assert.equal(ok(gzip.body.read_to_end()).length, 1000);
    assert.equal(connectionOf(opened(...steps)), first);
  });

  test("is kept by close when the rest is short and has come, and else closed", async () => {
    const first = connectionOf(opened(which));
    const short = opened(sized("x".repeat(60_000)));
    ok(short.body.read(1));
    await new Promise((done) => setTimeout(done, 50));
    short.body.close();
    assert.equal(connectionOf(opened(which)), first);
    const long = opened(`${HEAD}Content-Length: 70000\r\n\r\n`, "x".repeat(70_000));
    await new Promise((done) => setTimeout(done, 50));
    long.body.close();
    const second = connectionOf(opened(which));
    assert.notEqual(second, first);
    const missing = opened(`${HEAD}Content-Length: 3\r\n\r\nxx`);
    missing.body.close();
    assert.notEqual(connectionOf(opened(which)), second);
  });

  test("is nobody else's while the body is read", () => {
    const one = opened(`${HEAD}X: {connection}\r\nContent-Length: 2\r\n\r\n`, "x", 300, "y");
    const two = opened(which);
    const three = ok(net.http.request({ method: "GET", url: raw.url(which) }));
    assert.notEqual(one.headers["x"], connectionOf(two));
    assert.notEqual(one.headers["x"], three.headers["x"]);
    assert.equal(ok(one.body.read_to_end()).toString(), "xy");
  });

  test("costs no descriptor, however it ends", () => {
    const url = raw.url(which);
    const steps: Step[][] = [
      [sized("x"), "<end>"],
      [`${HEAD}Content-Length: 5\r\n\r\nx`, "<end>"],
      [`${HEAD}Content-Length: 5\r\n\r\nx`, "<reset>"],
      [`${HEAD}Transfer-Encoding: chunked\r\n\r\nzz`],
      [sized("rubbish", "Content-Encoding: gzip\r\n")],
      [sized("rubbish", "Content-Encoding: unknown\r\n")],
    ];
    connectionOf(ok(open({ method: "GET", url })));
    const before = openDescriptors();
    for (const each of steps) {
      const response = open({ method: "GET", url: raw.url(...each), keep_alive: false });
      if (response.isOk) response.value.body.read_to_end();
    }
    assert.equal(openDescriptors(), before);
  });
});

describe("servers that do not behave", () => {
  for (const [what, steps, text, begin] of [
    [
      "a body cut short",
      [`${HEAD}Content-Length: 5\r\n\r\nabc`, "<end>"],
      "connection closed before response body complete",
    ],
    [
      "chunks cut short",
      [`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`, "<end>"],
      "connection closed before response body complete",
    ],
    [
      "a chunk that is none",
      [`${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nx`],
      "invalid http response: malformed chunk size",
    ],
    [
      "gzip cut short",
      [sized(zlib.gzipSync("abc").subarray(0, 20).toString("latin1"), "Content-Encoding: gzip\r\n")],
      "response body does not decode as gzip",
    ],
    [
      "gzip that goes on",
      [sized(`${zlib.brotliCompressSync("abc").toString("latin1")}x`, "Content-Encoding: br\r\n")],
      "response body goes on after its br data",
    ],
  ] as [string, Step[], string, string?][]) {
    test(`${what}: an error, and the same one again`, () => {
      const { body } = opened(...steps);
      let failure: string | undefined;
      for (let reads = 0; failure === undefined && reads < 10; reads++) {
        const bytes = body.read(100);
        if (bytes.isErr) failure = bytes.error;
        else assert.ok(bytes.value.length > 0, "an end in place of an error");
      }
      assert.equal(failure, text);
      assert.equal(begin, undefined);
      assert.equal(err(body.read(1)), text);
      assert.equal(err(body.read_to_end()), text);
      assert.deepEqual([...body.lines()].map(err), [text]);
      assert.deepEqual([...body.events()].map(err), [text]);
    });
  }

  test("lines and events without end", () => {
    const endless: Step[] = [`${HEAD}\r\n`, { flood: "x" }];
    const lines = opened(...endless);
    assert.deepEqual([...lines.body.lines()].map(err), [
      `http read failed: no line end within ${1 << 20} bytes`,
    ]);
    lines.body.close();
    const few = opened(...endless);
    assert.deepEqual([...few.body.lines(100)].map(err), ["http read failed: no line end within 100 bytes"]);
    few.body.close();
    const events = opened(...endless);
    assert.deepEqual([...events.body.events()].map(err), [
      `http read failed: no event end within ${1 << 20} bytes`,
    ]);
    events.body.close();
  });

  test("silence ends at read_timeout_ms, and so does a drip of nothing", () => {
    const request = { method: "GET", read_timeout_ms: 200 };
    const silent = ok(open({ ...request, url: raw.url(`${HEAD}Content-Length: 5\r\n\r\nab`, 600_000) }));
    assert.equal(ok(silent.body.read(5)).toString(), "ab");
    const begin = performance.now();
    assert.equal(err(silent.body.read(5)), "http read failed: timed out");
    assert.ok(performance.now() - begin < 5000);
    assert.ok(net.is_timeout("http read failed: timed out"));
    const drip = `${HEAD}Transfer-Encoding: chunked\r\n\r\n1${";a=b".repeat(15_000)}`;
    const dripping = ok(open({ ...request, url: raw.url({ slowly: drip }, 600_000) }));
    assert.equal(err(dripping.body.read(5)), "http read failed: timed out");
  });

  test("max_body_bytes counts what comes out, and a bomb takes no memory", () => {
    const bomb = zlib.gzipSync(Buffer.alloc(20 << 20)).toString("latin1");
    const url = raw.url(sized(bomb, "Content-Encoding: gzip\r\n"));
    const limited = ok(open({ method: "GET", url, max_body_bytes: 1 << 20 }));
    assert.equal(
      err(limited.body.read_to_end()),
      "response body too large (more than 1048576 bytes: 'max_body_bytes' sets the limit)",
    );
    const { body } = ok(open({ method: "GET", url }));
    const buffer = Buffer.alloc(64 * 1024);
    let total = 0;
    for (let count = ok(body.read_into(buffer)); count > 0; count = ok(body.read_into(buffer)))
      total += count;
    assert.equal(total, 20 << 20);
    const long = open({ method: "GET", url: raw.url(sized("x".repeat(11))), max_body_bytes: 10 });
    assert.equal(
      err(long),
      "http request failed: response body too large (more than 10 bytes: 'max_body_bytes' sets the limit)",
    );
    const chunks = ok(
      open({ method: "GET", url: raw.url(chunked("x".repeat(6), "x".repeat(5))), max_body_bytes: 10 }),
    );
    assert.equal(
      err(chunks.body.read_to_end()),
      "response body too large (more than 10 bytes: 'max_body_bytes' sets the limit)",
    );
  });

  test("a coding that nobody knows", () => {
    const response = open({ method: "GET", url: raw.url(sized("x", "Content-Encoding: secret\r\n")) });
    assert.equal(err(response), "http request failed: unknown content coding 'secret'");
  });
});

describe("requests", () => {
  test("ask for codings, and for none where events are wanted", () => {
    const asked = (headers?: { [name: string]: string }): string => {
      const url = raw.url(sized("x", "X: {request}\r\n"));
      const response = ok(open({ method: "GET", url, ...(headers && { headers }) }));
      response.body.close();
      return Buffer.from(response.headers["x"]!, "base64").toString("latin1");
    };
    assert.match(asked(), /\r\nAccept-Encoding: gzip, deflate, br(, zstd)?\r\n/);
    assert.doesNotMatch(asked({ accept: "text/event-stream" }), /accept-encoding/i);
    assert.match(asked({ range: "bytes=0-1" }), /\r\nAccept-Encoding: identity\r\n/);
    assert.match(asked({ accept: "text/event-stream", "accept-encoding": "br" }), /accept-encoding: br\r\n/);
  });

  test("follow redirects, and are checked as in http.request", () => {
    const target = raw.url(sized("there"));
    const { body } = opened(`HTTP/1.1 302 Found\r\nLocation: ${target}\r\nContent-Length: 4\r\n\r\ngone`);
    assert.equal(ok(body.read_to_end()).toString(), "there");
    assert.equal(err(open({ method: "GET", url: "x" })), "'url' is not a valid http or https URL");
    assert.equal(err(open(null as never)), "request must be a JSON object");
    const url = raw.url(which);
    assert.equal(err(open({ method: "GET", url, read_timeout_ms: -1 })), "timeout must be a positive number");
    const refused = open({ method: "GET", url: "http://127.0.0.1:1/" });
    assert.equal(err(refused), `http request failed: ${reason("ECONNREFUSED")}`);
    const { raw_headers } = ok(open({ method: "GET", url, raw_headers: true }));
    assert.equal(raw_headers?.[0]?.[0], "X");
  });

  test("end at timeout_ms while there is no head, and not later", () => {
    const late = open({ method: "GET", url: raw.url(600_000), timeout_ms: 100 });
    assert.equal(err(late), "http request failed: timed out");
    const url = raw.url(`${HEAD}Content-Length: 5\r\n\r\n`, 400, "hello");
    const { body } = ok(open({ method: "GET", url, timeout_ms: 300 }));
    assert.equal(ok(body.read_to_end()).toString(), "hello");
  });

  test("switch protocols when they ask for it, with the bytes behind the head", () => {
    const switching =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nfirst words";
    const headers = { connection: "upgrade", upgrade: "x" };
    const { status, body } = ok(open({ method: "GET", url: raw.url(switching), headers }));
    assert.equal(status, 101);
    assert.equal(ok(body.read(1)).length, 0);
    const stream = ok(body.into_stream());
    assert.ok(stream instanceof net.TcpStream);
    assert.equal(ok(stream.read(100)).toString(), "first words");
    stream.close();
    assert.equal(err(body.read(1)), "invalid body");
    const unasked = open({ method: "GET", url: raw.url(switching) });
    assert.match(err(unasked), /switched protocols \(101\), which was not asked for/);
    const plain = opened(which);
    assert.equal(err(plain.body.into_stream()), "the response switches to no other protocol");
    plain.body.close();
    const before = openDescriptors();
    ok(open({ method: "GET", url: raw.url(switching), headers, keep_alive: false })).body.close();
    assert.equal(openDescriptors(), before);
  });
});

test("a reader that is dropped closes its connection when it is collected", async () => {
  await using server = node(`
    import { createServer } from "node:net";
    const server = createServer((socket) => {
      socket.on("error", () => {}).resume();
      socket.on("close", () => console.log("closed"));
      socket.write(${JSON.stringify(`${HEAD}Content-Length: 5\r\n\r\nab`)});
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  const url = `http://127.0.0.1:${await server.line()}/`;
  await using client = node(
    `
    import { setFlagsFromString } from "node:v8";
    import { runInNewContext } from "node:vm";
    setFlagsFromString("--expose-gc");
    const gc = runInNewContext("gc");
    const request = { method: "GET", url: process.argv[1] };
    (() => { for (let i = 0; i < 5; i++) net.http.open(request).unwrap().body.read(1); })();
    console.log("dropped");
    setInterval(gc, 50);
  `,
    url,
  );
  assert.equal(await client.line(), "dropped");
  for (let closed = 0; closed < 5; closed++) assert.equal(await server.line(), "closed");
  assert.equal(client.process.exitCode, null);
});

test("over TLS, on one connection, and with parts", async () => {
  await using secure = await httpsEcho();
  const request = { method: "POST", url: secure.url, tls: { ca: secure.root } };
  const ports = new Set<number>();
  for (let again = 0; again < 3; again++) {
    const { body, status } = ok(open({ ...request, body_parts: ["one ", "two"] }));
    assert.equal(status, 200);
    const first = ok(body.read(1)).toString();
    ports.add(JSON.parse(first + ok(body.read_to_end()).toString()).port);
  }
  // A request that may not be sent twice goes over a used connection too, once the server is known to be quiet.
  assert.equal(ports.size, 1);
});

test("over TLS, a response that begins before all parts are sent is waited for to its end", async () => {
  const certificates = new Certificates();
  const ca = certificates.authority("root").cert;
  const { cert, key } = certificates.make("server", "root");
  await using server = node(
    `
    import { createServer } from "node:https";
    const { cert, key } = JSON.parse(process.argv[1]);
    const server = createServer({ cert, key }, (request, response) => {
      request.resume();
      response.flushHeaders();
      response.write("early, ");
      request.on("end", () => setTimeout(() => response.end("late"), 300));
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `,
    JSON.stringify({ cert, key }),
  );
  certificates.remove();
  const url = `https://127.0.0.1:${await server.line()}/`;
  function* parts() {
    for (let part = 0; part < 10; part++) {
      yield "part";
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 30);
    }
  }
  for (let again = 0; again < 2; again++) {
    const { body } = ok(open({ method: "POST", url, tls: { ca }, body_parts: parts() }));
    assert.equal(ok(body.read_to_end()).toString(), "early, late");
    const answer = ok(net.http.request({ method: "POST", url, tls: { ca }, body_parts: parts() }));
    assert.equal(answer.body, "early, late");
  }
});

test("over a Unix socket, which into_stream gives", async () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const path = join(folder, "socket");
  const peer = node(`
    import { createServer } from "node:http";
    const server = createServer((request, response) => response.end("hello"));
    server.on("upgrade", (request, socket) => {
      socket.write("HTTP/1.1 101 Switching Protocols\\r\\nConnection: upgrade\\r\\nUpgrade: echo\\r\\n\\r\\nready");
      socket.on("data", (data) => socket.write(data));
    });
    server.listen(${JSON.stringify(path)}, () => console.log("listening"));
  `);
  await peer.line();
  const request = { method: "GET", url: "http://localhost/", socket_path: path };
  assert.equal(ok(ok(open(request)).body.read_to_end()).toString(), "hello");
  const headers = { connection: "upgrade", upgrade: "echo" };
  const stream = ok(ok(open({ ...request, headers })).body.into_stream());
  assert.ok(stream instanceof net.UnixStream);
  assert.equal(ok(stream.read_exact(5)).toString(), "ready");
  ok(stream.write_all("ping"));
  assert.equal(ok(stream.read_exact(4)).toString(), "ping");
  stream.close();
  await peer[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

test("Python's http.server is read", async () => {
  const peer = python(`
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3000000")
        self.end_headers()
        for _ in range(30): self.wfile.write(b"0123456789" * 10000)
    def log_message(self, *args): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
`);
  const url = `http://127.0.0.1:${await peer.line()}/`;
  const { body, headers } = ok(open({ method: "GET", url }));
  assert.equal(headers["content-length"], "3000000");
  const bytes = ok(body.read_to_end());
  assert.equal(bytes.length, 3_000_000);
  assert.ok(bytes.equals(Buffer.alloc(3_000_000, "0123456789")));
  await peer[Symbol.asyncDispose]();
});
