// http.request: which connection a request goes over, how long it may take, and what is left behind.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { lifetimeOf } from "../../src/http/client/pool.ts";
import { err, FULL_QUEUE, node, ok, openDescriptors, python } from "../support/peer.ts";
import { type RawServer, rawServer, type Step } from "../support/raw-server.ts";
import { reasonPattern } from "../support/system-errors.ts";

// The library takes its clock when it is loaded: it shall be one that a test can put forward.
const { hrtime } = process;
let secondsAhead = (): number => 0;
const movable = (): [number, number] => {
  const time = hrtime();
  time[0] += secondsAhead();
  return time;
};
process.hrtime = Object.assign(movable, { bigint: hrtime.bigint });
const net = await import("std-net");
const { timed } = await import("../support/sockets.ts");

let raw: RawServer;

before(async () => {
  raw = await rawServer();
});

after(() => raw[Symbol.asyncDispose]());

const TELL = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Connection: {connection}\r\n\r\n0123456789";

/** The number of the connection that a request went over. */
function connection(url: string, more: object = {}): number {
  const answer = ok(net.http.request({ method: "GET", url, ...more }));
  return Number(answer.headers["x-connection"]);
}

/** Lets this much time pass for the server, without the pool: a connection of its own. */
function letPass(milliseconds: number): void {
  connection(raw.url(milliseconds, TELL), { keep_alive: false });
}

/** Sees to it that the next request opens a connection. */
function closeConnection(): void {
  connection(raw.url(TELL), { headers: { Connection: "close" } });
}

test("one connection serves request after request", () => {
  const url = raw.url(TELL);
  const first = connection(url);
  for (let i = 0; i < 100; i++) assert.equal(connection(url), first);
  assert.equal(connection(raw.url(TELL, "")), first, "another path, the same origin");
  assert.equal(connection(url, { method: "POST", body: 1 }), first);
});

for (const [why, answer] of [
  ["the server says close", TELL.replace("X-", "Connection: close\r\nX-")],
  ["the server says close among others", TELL.replace("X-", "Connection: x, Close\r\nX-")],
  ["HTTP/1.0", TELL.replace("1.1", "1.0")],
  [
    "chunks in HTTP/1.0",
    "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\nX-Connection: {connection}\r\n\r\n1\r\n0\r\n0\r\n\r\n",
  ],
  ["bytes that come after the answer with it", `${TELL}HTTP/1.1 500 Evil\r\n`],
  ["Keep-Alive: timeout=0", TELL.replace("X-", "Keep-Alive: timeout=0\r\nX-")],
] as const) {
  test(`a connection is not used again: ${why}`, () => {
    const first = connection(raw.url(answer));
    assert.notEqual(connection(raw.url(TELL)), first);
  });
}

test("a connection is used again: HTTP/1.0 with keep-alive", () => {
  const url = raw.url(TELL.replace("1.1", "1.0").replace("X-", "Connection: Keep-Alive\r\nX-"));
  assert.equal(connection(url), connection(url));
});

test("a connection is not used again when the caller says close, or keeps none", () => {
  const url = raw.url(TELL);
  for (const more of [{ headers: { connection: "close" } }, { keep_alive: false }]) {
    const other = connection(url, more);
    assert.notEqual(connection(url), other);
  }
});

test("keep_alive false leaves the idle connection alone", () => {
  const url = raw.url(TELL);
  const kept = connection(url);
  assert.notEqual(connection(url, { keep_alive: false }), kept);
  assert.equal(connection(url), kept);
});

test("a connection whose response was not read to its end is not used again", () => {
  const url = raw.url(TELL);
  const first = connection(url);
  assert.match(err(net.http.request({ method: "GET", url, max_body_bytes: 9 })), /body too large/);
  assert.notEqual(connection(url), first);
});

test("bytes that come on an idle connection are never the next response", () => {
  const evil = "HTTP/1.1 500 Evil\r\nContent-Length: 0\r\n\r\n";
  const first = connection(raw.url(TELL, 30, evil));
  letPass(120);
  const answer = ok(net.http.request({ method: "GET", url: raw.url(TELL) }));
  assert.equal(answer.status, 200);
  assert.notEqual(Number(answer.headers["x-connection"]), first);
});

test("a connection that the server closed while it rested is replaced, for a POST too", () => {
  const first = connection(raw.url(TELL, 30, "<end>"));
  letPass(120);
  assert.notEqual(connection(raw.url(TELL), { method: "POST", body: 1 }), first);
  const second = connection(raw.url(TELL, 30, "<reset>"));
  letPass(120);
  assert.notEqual(connection(raw.url(TELL), { method: "POST", body: 1 }), second);
});

test("what a server sends behind its response is never the response to a request that follows at once", () => {
  const [head, body] = [TELL.slice(0, -10), TELL.slice(-10)];
  // The body is received by a call of its own, which asks for its ten bytes and no more.
  const url = raw.url(head, "", "", `${body}HTTP/1.1 500 Evil\r\nContent-Length: 4\r\n\r\nevil`);
  const next = raw.url(TELL);
  for (let i = 0; i < 1000; i++) {
    ok(net.http.request({ method: "GET", url }));
    assert.equal(ok(net.http.request({ method: "GET", url: next })).status, 200);
  }
});

test("what a server sends a moment behind its response is never the response to a request that may not be sent twice", () => {
  const evil = "HTTP/1.1 500 Evil\r\nContent-Length: 4\r\n\r\nevil";
  for (const steps of [
    [TELL, evil],
    [TELL, 1, evil],
  ]) {
    closeConnection();
    const url = raw.url(...steps);
    let wrong = 0;
    for (let i = 0; i < 200; i++) {
      if (ok(net.http.request({ method: "POST", url, body: i })).status !== 200) wrong++;
    }
    // The other requests do not make the server one to be trusted.
    for (let i = 0; i < 50; i++) {
      net.http.request({ method: "GET", url });
      if (ok(net.http.request({ method: "POST", url, body: i })).status !== 200) wrong++;
    }
    // On a busy machine the server can be later than the trial lasts (20 ms). Without a trial 100 of 250 are wrong.
    assert.ok(wrong <= 3, `${wrong} wrong responses`);
  }
  // A server without such ways keeps its connection, once it stood the trial.
  closeConnection();
  const url = raw.url(TELL);
  const first = connection(url, { method: "POST" });
  for (let i = 0; i < 50; i++) assert.equal(connection(url, { method: "POST", body: i }), first);
});

test("a request that may not be sent twice does not wait past its time for a server's trial", () => {
  closeConnection();
  const url = raw.url(TELL);
  connection(url, { method: "POST" });
  for (let i = 0; i < 20; i++) {
    // Either is right, but not an exception or a hang.
    const answer = net.http.request({ method: "POST", url, timeout_ms: 1 });
    if (answer.isErr) assert.match(answer.error, /^http request failed: timed out$/);
    closeConnection();
    connection(url);
  }
});

test("a server that closes after each response without Connection: close gets each request on a new connection", () => {
  // The end comes at the very moment of the next request, before it or after.
  const url = raw.url(TELL, "<end>");
  for (let i = 0; i < 300; i++) assert.equal(ok(net.http.request({ method: "GET", url })).body, "0123456789");
});

for (const ending of ["<end>", "<reset>"] as const) {
  // The server closes the connection just as the next request comes: a fresh connection would have been answered.
  const steps: Step = { first: [TELL], later: [ending] };

  test(`a stale connection is replaced unseen when the method is idempotent: ${ending}`, () => {
    for (const method of ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]) {
      const url = raw.url(method === "HEAD" ? { first: [TELL.slice(0, -10)], later: [ending] } : steps);
      const first = connection(url, { method });
      const second = connection(url, { method });
      assert.notEqual(second, first, method);
    }
  });

  test(`a stale connection is an error when the method is not idempotent: ${ending}`, () => {
    for (const method of ["POST", "PATCH", "LOCK"]) {
      closeConnection();
      const url = raw.url(steps);
      connection(url, { method });
      const text = err(net.http.request({ method, url }));
      assert.match(
        text,
        new RegExp(
          `^http request failed: (connection closed before response headers|${reasonPattern("ECONNRESET")})$`,
        ),
      );
    }
  });

  test(`no second try once a response has begun: ${ending}`, () => {
    const url = raw.url({ first: [TELL], later: ["HTTP/1.1 200 OK\r\n", 50, ending] });
    closeConnection();
    connection(url);
    assert.match(err(net.http.request({ method: "GET", url })), /^http request failed: /);
  });
}

test("a new connection that gives no response is an error, not tried again", () => {
  const text = err(net.http.request({ method: "GET", url: raw.url("<end>") }));
  assert.equal(text, "http request failed: connection closed before response headers");
});

test("Keep-Alive's timeout is honoured", () => {
  const url = raw.url(TELL.replace("X-", "Keep-Alive: timeout=1\r\nX-"));
  const first = connection(url);
  assert.equal(connection(url), first);
  letPass(700);
  assert.notEqual(connection(url), first);
});

test("how long a connection may rest", () => {
  assert.equal(lifetimeOf(undefined), 60_000);
  assert.equal(lifetimeOf("timeout=5"), 4000);
  assert.equal(lifetimeOf("max=99, timeout=5"), 4000);
  assert.equal(lifetimeOf("Timeout=1"), 500);
  assert.equal(lifetimeOf("timeout=0"), 0);
  assert.equal(lifetimeOf("timeout=5, max=0"), 0);
  assert.equal(lifetimeOf("xtimeout=0"), 60_000);
  assert.equal(lifetimeOf("nonsense"), 60_000);
  // Several lines, of a server and what stands before it, are one list.
  assert.equal(lifetimeOf("timeout=60, timeout=5"), 4000);
  assert.equal(lifetimeOf("timeout=5,timeout=60,timeout=7"), 4000);
  assert.equal(lifetimeOf("timeout=5, max=100, timeout=0"), 0);
  assert.equal(lifetimeOf("timeout=5, timeout=60, max=0"), 0);
  assert.equal(lifetimeOf("timeout=99999999999, timeout=5"), 4000);
});

/** As `call`, but 100 ms after its begin the library's clock goes forward by so many seconds. */
function withJump<T>(seconds: number, call: () => T): { took: number; value: T } {
  const begun = performance.now();
  secondsAhead = () => (performance.now() - begun < 100 ? 0 : seconds);
  try {
    const value = call();
    return { took: performance.now() - begun, value };
  } finally {
    secondsAhead = () => 0;
  }
}

test("no connection is idle for longer than a minute, whatever the server says", () => {
  const url = raw.url(TELL.replace("X-", "Keep-Alive: timeout=3600\r\nX-"));
  for (const [seconds, isKept] of [
    [58, true],
    [61, false],
  ] as const) {
    closeConnection();
    const first = connection(url);
    const { value } = withJump(seconds, () => {
      letPass(150);
      return connection(url);
    });
    assert.equal(value === first, isKept, `${seconds} s`);
  }
  closeConnection();
});

test("without timeout_ms a call has five minutes", () => {
  const url = raw.url(10_000, TELL);
  const { took, value } = withJump(298, () => net.http.request({ method: "GET", url, keep_alive: false }));
  assert.equal(err(value), "http request failed: timed out");
  assert.ok(took > 1900 && took < 4000, `${took} ms`);
});

test("what follows a 2xx response to CONNECT belongs to the tunnel, and to no other request", async () => {
  await using server = python(`
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
for body in b"", b"1":
    c, _ = s.accept()
    c.recv(65536)
    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n%s" % (len(body), body))
    kept = c if body == b"" else None
`);
  const url = `http://127.0.0.1:${await server.line()}/`;
  assert.equal(ok(net.http.request({ method: "CONNECT", url })).body, null);
  assert.equal(ok(net.http.request({ method: "GET", url, timeout_ms: 5000 })).body, 1);
});

test("a response that comes before a large body was read is the response", () => {
  const body_text = "x".repeat(20_000_000);
  const refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno";
  for (const steps of [[], ["<end>"]]) {
    // The server reads no more than the beginning.
    const url = raw.url("<early>", "<deaf>", refusal, ...steps, 60_000);
    const answer = ok(net.http.request({ method: "POST", url, body_text, timeout_ms: 10_000 }));
    assert.equal(answer.status, 413);
  }
  const reset = raw.url("<early>", "<deaf>", refusal, 50, "<reset>");
  const answer = net.http.request({ method: "POST", url: reset, body_text, timeout_ms: 10_000 });
  assert.ok(answer.isErr || answer.value.status === 413);
});

test("so is one to a body that is larger than the send buffer of a real network", async () => {
  // Small segments, as on a network and not on the loopback: the buffer holds some 60 KiB then.
  await using server = python(`
s = socket.socket(); s.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 500); s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
s.bind(("127.0.0.1", 0)); s.listen(9); print(s.getsockname()[1])
while True:
    c = s.accept()[0]
    c.recv(100)
    time.sleep(0.05)
    c.sendall(b"HTTP/1.1 413 Content Too Large\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
    time.sleep(0.05)
    c.close()
`);
  const url = `http://127.0.0.1:${await server.line()}/`;
  for (const size of [20_000, 100_000, 120_000, 200_000]) {
    assert.equal(
      ok(net.http.request({ method: "POST", url, body_text: "x".repeat(size), keep_alive: false })).status,
      413,
      `${size} bytes`,
    );
  }
});

test("a server that echoes while it reads and reads no faster than it is read", async () => {
  await using server = python(`
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
print(s.getsockname()[1])
c, _ = s.accept()
data = b""
while b"\\r\\n\\r\\n" not in data: data += c.recv(65536)
left = 30_000_000 - len(data.split(b"\\r\\n\\r\\n", 1)[1])
c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 30000000\\r\\n\\r\\n")
c.sendall(data.split(b"\\r\\n\\r\\n", 1)[1])
while left:
    part = c.recv(65536)
    left -= len(part)
    c.sendall(part)
print("done")
time.sleep(60)
`);
  const body_text = "0123456789".repeat(3_000_000);
  const url = `http://127.0.0.1:${await server.line()}/`;
  const answer = ok(net.http.request({ method: "POST", url, body_text, decode_body: "text" }));
  assert.ok(answer.body === body_text);
});

test("idle connections keep no process alive", async () => {
  await using child = node(
    `console.log(net.http.request({ method: "GET", url: process.argv[1] }).isOk);`,
    raw.url(TELL),
  );
  const { code, stdout } = await child.exit();
  assert.equal(code, 0);
  assert.equal(stdout, "true\n");
});

test("the number of idle connections is limited", () => {
  const before = openDescriptors();
  const url = new URL(raw.url(TELL));
  for (let i = 2; i < 102; i++) {
    url.hostname = `127.0.0.${i}`;
    connection(url.href);
  }
  assert.ok(openDescriptors() - before <= 64);
});

test("failing requests leave no descriptor", () => {
  const urls = [
    "http://127.0.0.1:1/",
    raw.url("<end>"),
    raw.url("<reset>"),
    raw.url("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "<end>"),
    raw.url("nonsense"),
  ];
  for (const url of urls) net.http.request({ method: "GET", url });
  const before = openDescriptors();
  for (let i = 0; i < 200; i++) {
    for (const url of urls) assert.ok(net.http.request({ method: "GET", url, timeout_ms: 5000 }).isErr);
  }
  assert.equal(openDescriptors(), before);
});

// Time

for (const [what, steps] of [
  ["before the answer", [60_000]],
  ["within the head", ["HTTP/1.1 200 OK\r\n", 60_000]],
  ["within a body with a length", ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n123", 60_000]],
  ["within chunks", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", 60_000]],
  ["within a body without end", ["HTTP/1.1 200 OK\r\n\r\n", 60_000]],
  ["drop by drop", ["HTTP/1.1 200 OK\r\n\r\n", ...Array.from({ length: 50 }, () => ["x", 100]).flat()]],
] as [string, Step[]][]) {
  test(`the call ends at timeout_ms: ${what}`, () => {
    const { took, value } = timed(() =>
      net.http.request({ method: "GET", url: raw.url(...steps), timeout_ms: 300 }),
    );
    assert.equal(err(value), "http request failed: timed out");
    assert.ok(took >= 299 && took < 2000, `${took} ms`);
  });
}

test("the time of a call is one, redirects and all", () => {
  let url = raw.url(200, TELL);
  for (let i = 0; i < 5; i++)
    url = raw.url(200, `HTTP/1.1 302 Found\r\nLocation: ${url}\r\nContent-Length: 0\r\n\r\n`);
  const { took, value } = timed(() => net.http.request({ method: "GET", url, timeout_ms: 500 }));
  assert.equal(err(value), "http request failed: timed out");
  assert.ok(took >= 499 && took < 1100, `${took} ms`);
});

test("a body that the server does not take ends at timeout_ms", () => {
  const { took, value } = timed(() =>
    net.http.request({
      method: "POST",
      url: raw.url("<early>", "<deaf>", 60_000),
      body_text: "x".repeat(30_000_000),
      timeout_ms: 400,
    }),
  );
  assert.equal(err(value), "http request failed: timed out");
  assert.ok(took >= 399 && took < 3000, `${took} ms`);
});

test("a peer that is never silent: a byte a millisecond, a little room a millisecond", async () => {
  // The kernel's waits are of 4 ms and more: none of them ever ends at its timeout.
  await using peer = python(`
import threading
def serve(c):
    try:
        while True:
            path = c.recv(4096).split(b" ")[1]
            start = {b"/head": b"HTTP/1.1 200 OK\\r\\nA: ", b"/length": b"HTTP/1.1 200 OK\\r\\nContent-Length: 99999\\r\\n\\r\\n",
                b"/chunks": b"HTTP/1.1 200 OK\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nfffff\\r\\n", b"/close": b"HTTP/1.1 200 OK\\r\\n\\r\\n",
                b"/request": b"POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 99999\\r\\n\\r\\n",
                b"/redirect": b"HTTP/1.1 302 Found\\r\\nLocation: /redirect\\r\\nContent-Length: 0\\r\\n\\r\\n"}.get(path)
            if start: c.sendall(start)
            while path != b"/redirect":
                if start: c.sendall(b"1")
                else: c.recv(4096)
                time.sleep(0.001)
            time.sleep(0.001)
    except (OSError, IndexError): pass
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(9)
print(s.getsockname()[1])
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
`);
  const address = `127.0.0.1:${await peer.line()}`;
  const ends = (what: string, call: () => unknown) => {
    const { took, value } = timed(call);
    assert.match(err(value as ReturnType<typeof net.http.request>), / failed: timed out$/, what);
    assert.ok(took >= 199 && took < 1500, `${what}: ${took} ms`);
  };
  const limits = { timeout_ms: 200, max_redirects: 100_000 };
  for (const path of ["/head", "/length", "/chunks", "/close", "/redirect"]) {
    ends(path, () => net.http.request({ method: "GET", url: `http://${address}${path}`, ...limits }));
  }
  const body_text = "x".repeat(30_000_000);
  ends("upload", () => net.http.request({ method: "PUT", url: `http://${address}/`, body_text, ...limits }));
  for (const path of ["/head", "/length", "/chunks", "/close", "/request"]) {
    const stream = ok(net.TcpStream.connect(address));
    ok(stream.write_all(`GET ${path} HTTP/1.1\r\n\r\n`));
    ends(`half ${path}`, () =>
      path === "/request"
        ? net.http.read_request(stream, { timeout_ms: 200 })
        : net.http.read_response(stream, { timeout_ms: 200 }),
    );
    stream.close();
  }
});

test("null is no timeout", () => {
  const url = raw.url(TELL);
  assert.ok(net.http.request({ method: "GET", url, timeout_ms: null, connect_timeout_ms: null }).isOk);
});

test("a server that does not accept: connect_timeout_ms, and timeout_ms", async () => {
  await using server = python(`${FULL_QUEUE}print(s.getsockname()[1])
time.sleep(60)
`);
  const url = `http://127.0.0.1:${await server.line()}/`;
  const short = timed(() => net.http.request({ method: "GET", url, connect_timeout_ms: 300 }));
  assert.equal(err(short.value), "http request failed: connection timed out");
  assert.ok(short.took >= 299 && short.took < 2000, `${short.took} ms`);
  const whole = timed(() => net.http.request({ method: "GET", url, timeout_ms: 300 }));
  assert.equal(err(whole.value), "http request failed: timed out");
  assert.ok(whole.took >= 299 && whole.took < 2000, `${whole.took} ms`);
  // Half a minute where the caller says nothing.
  const silent = withJump(28, () => net.http.request({ method: "GET", url }));
  assert.equal(err(silent.value), "http request failed: connection timed out");
  assert.ok(silent.took > 1900 && silent.took < 4000, `${silent.took} ms`);
});

test("two worker threads at once", async () => {
  await using child = node(
    `
    import { Worker } from "node:worker_threads";
    const code = \`
      import { http } from "std-net";
      import { parentPort, workerData } from "node:worker_threads";
      let good = 0;
      for (let i = 0; i < 200; i++) {
        const answer = http.request({ method: "POST", url: workerData, body: i });
        if (answer.isOk && answer.value.body === "0123456789") good++;
      }
      parentPort.postMessage(good);
    \`;
    const workers = [1, 2].map(() => new Worker(code, { eval: true, workerData: process.argv[1] }));
    const goods = await Promise.all(workers.map((worker) => new Promise((done) => worker.once("message", done))));
    console.log(goods.join());
  `,
    raw.url(TELL),
  );
  assert.equal(await child.line(), "200,200");
});
