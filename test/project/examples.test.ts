// The programs in examples/, each run as the README says, against real servers where they are installed.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as net from "std-net";
import { node, ok, openDescriptors, type Peer, portOf, python, startPeer } from "../support/peer.ts";
import { reason } from "../support/system-errors.ts";

function example(name: string, ...args: string[]): Peer {
  const peer = startPeer("node", ["scripts/run.js", name, ...args]);
  return {
    ...peer,
    // The runner passes SIGTERM on to the program that it started; SIGKILL would leave that one behind.
    async [Symbol.asyncDispose]() {
      peer.kill("SIGTERM");
      await peer.exit();
    },
  };
}

function isInstalled(command: string): boolean {
  return spawnSync(command, ["--version"]).error === undefined;
}

/** A port that nobody uses at this moment. */
function freePort(): number {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const port = Number(portOf(ok(listener.local_addr())));
  listener.close();
  return port;
}

/** Tries until `attempt` gives true, for at most ten seconds. */
async function until(attempt: () => boolean): Promise<void> {
  const end = performance.now() + 10_000;
  while (!attempt()) {
    assert.ok(performance.now() < end, "ten seconds have passed");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test("http-server answers from all workers, and finishes on a signal", async () => {
  await using server = example("http-server", "127.0.0.1:0", "2");
  const address = /on http:\/\/(\S+)$/.exec(await server.line())?.[1] ?? "";
  const workers = new Set<unknown>();
  // A connection that is kept stays with its worker.
  const url = `http://${address}/a?b=c`;
  const request = { method: "POST", url, body: { n: 1 }, keep_alive: false };
  await until(() => {
    const { status, body } = ok(net.http.request(request)) as {
      status: number;
      body: Record<string, unknown>;
    };
    assert.equal(status, 200);
    assert.deepEqual({ ...body, worker: 0 }, { method: "POST", path: "/a", body: { n: 1 }, worker: 0 });
    workers.add(body.worker);
    return workers.size === 2;
  });
  const bad = ok(net.TcpStream.connect(address));
  ok(bad.write_all("GET / HTTP/1.1\r\n\r\n"));
  assert.match(ok(bad.read_to_end()).toString(), /^HTTP\/1\.1 400 .*invalid http request/s);
  bad.close();
  // The request that is under way when the signal comes is still answered.
  const late = ok(net.TcpStream.connect(address));
  ok(late.write_all("GET /late HTTP/1.1\r\nHost: x\r\n"));
  await new Promise((resolve) => setTimeout(resolve, 300));
  server.kill("SIGTERM");
  await new Promise((resolve) => setTimeout(resolve, 100));
  ok(late.write_all("\r\n"));
  assert.match(ok(late.read_to_end()).toString(), /^HTTP\/1\.1 200 .*"path":"\/late"/s);
  late.close();
  assert.equal(await server.line(), "all workers have finished");
  const { code, stderr } = await server.exit();
  assert.deepEqual([code, stderr], [0, ""]);
});

test("http-server: a client that sends all of a request that is refused reads why, and delays no other client", async () => {
  await using server = example("http-server", "127.0.0.1:0", "1");
  const address = /on http:\/\/(\S+)$/.exec(await server.line())?.[1] ?? "";
  const post = (length: number) => `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;
  for (const [start, status] of [
    [post(8_000_000), 413],
    [`GET / HTTP/1.1\r\nX: ${"y".repeat(70_000)}`, 431],
    ["GET /\n", 400],
  ] as const) {
    const client = ok(net.TcpStream.connect(address));
    ok(client.write_all(start));
    ok(client.write_all(Buffer.alloc(8_000_000, "x")));
    assert.match(ok(client.read_to_end()).toString(), new RegExp(`^HTTP/1\\.1 ${status} `));
    client.close();
  }
  // Neither one that goes on for ever, nor one that does not even read.
  await using endless = python(
    `
c = socket.create_connection(("127.0.0.1", ${portOf(address)})); c.sendall(b"GET /\\n"); print("refused")
try:
    while True: c.sendall(b"x"); time.sleep(0.05)
except OSError: print("reset")`,
  );
  assert.equal(await endless.line(), "refused");
  const begun = performance.now();
  assert.equal(ok(net.http.request({ method: "GET", url: `http://${address}/` })).status, 200);
  assert.ok(performance.now() - begun < 9000, "two seconds, and what a busy machine adds");
  assert.equal(await endless.line(), "reset");
});

test("chat: what one client sends all the others read, hundreds of them", async () => {
  await using server = example("chat", "127.0.0.1:0");
  const address = (await server.line()).replace("listening on ", "");
  const before = openDescriptors();
  const guests = Array.from({ length: 300 }, (_, index) => {
    const stream = ok(net.TcpStream.connect(address));
    ok(stream.set_read_timeout(10_000));
    assert.equal(ok(stream.read_until("\n")).toString(), `you are guest${index + 1}\n`);
    return stream;
  });
  const first = guests[0]!;
  for (let other = 2; other <= 300; other++) {
    assert.equal(ok(first.read_until("\n")).toString(), `* guest${other} has come\n`);
  }
  const last = guests[299]!;
  // A line in two pieces, and two lines in one.
  ok(last.write_all("Grü"));
  ok(last.write_all("ße\nhow are you?\n"));
  for (const guest of guests.slice(0, 299)) {
    let line = "";
    while (line.startsWith("* ") || line === "") line = ok(guest.read_until("\n")).toString();
    assert.equal(line, "guest300: Grüße\n");
    assert.equal(ok(guest.read_until("\n")).toString(), "guest300: how are you?\n");
  }
  last.close();
  assert.equal(ok(first.read_until("\n")).toString(), "* guest300 has gone\n");
  // Whoever sends a line without end is sent away.
  const flood = guests[1]!;
  flood.write_all(Buffer.alloc(5000, "x"));
  assert.equal(ok(first.read_until("\n")).toString(), "* guest2 has gone\n");
  for (const guest of guests) guest.close();
  assert.equal(openDescriptors(), before);
});

const FAKE_RESOLVER = `
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])
while True:
    lost, _ = s.recvfrom(512)
    query, client = s.recvfrom(512)
    s.sendto(b"??" + query[2:], client)
    kind = query[-3]
    name = b"\\xc0\\x0c"
    records = name + b"\\0\\5\\0\\1\\0\\0\\0\\7\\0\\6\\3www" + name
    records += name + bytes([0, kind, 0, 1, 0, 0, 0, 7, 0, 4 if kind == 1 else 16])
    records += bytes([192, 0, 2, 9]) if kind == 1 else bytes.fromhex("20010db8000000000000000000000009")
    s.sendto(query[:2] + b"\\x81\\x80\\0\\1\\0\\2\\0\\0\\0\\0" + query[12:] + records, client)`;

test("dns sends the query again when it is lost, and takes no response with another query's number", async () => {
  await using resolver = python(FAKE_RESOLVER);
  const server = `127.0.0.1:${await resolver.line()}`;
  const { code, stdout, stderr } = await example("dns", "some.example", server).exit();
  assert.equal(stdout, "A 192.0.2.9\nAAAA 2001:db8::9\n");
  assert.match(stderr, /^(no response from 127\.0\.0\.1:\d+ in 1000 ms \(attempt 1 of 3\)\n){2}$/);
  assert.equal(code, 0);
});

test("dns gives up after three attempts", async () => {
  const silent = ok(net.UdpSocket.bind("127.0.0.1:0"));
  const { code, stdout } = await example("dns", "some.example", ok(silent.local_addr())).exit();
  assert.equal(stdout, "A timed out\nAAAA timed out\n");
  assert.equal(code, 1);
  silent.close();
});

const noDnsmasq = isInstalled("dnsmasq") ? false : "dnsmasq, a resolver program, is not installed";
test("dns against dnsmasq", { skip: noDnsmasq }, async () => {
  const port = freePort();
  await using resolver = startPeer("dnsmasq", [
    "--keep-in-foreground",
    "--conf-file=/dev/null",
    "--pid-file=",
    `--port=${port}`,
    "--listen-address=127.0.0.1",
    "--bind-interfaces",
    "--no-resolv",
    "--no-hosts",
    "--host-record=host.example,192.0.2.7,2001:db8::7",
    "--host-record=four.example,192.0.2.4",
    // It alone knows what is in this domain, and what is not.
    "--local=/example/",
    "--user=",
  ]);
  const server = `127.0.0.1:${port}`;
  const ask = async (name: string): Promise<string> => (await example("dns", name, server).exit()).stdout;
  await until(() => {
    const probe = net.TcpStream.connect(server);
    if (probe.isOk) probe.value.close();
    return probe.isOk;
  });
  assert.equal(await ask("host.example"), "A 192.0.2.7\nAAAA 2001:db8::7\n");
  assert.equal(await ask("four.example"), "A 192.0.2.4\nAAAA no address of this type\n");
  assert.equal(await ask("no.such.name.example"), "A no such name\nAAAA no such name\n");
  resolver.kill("SIGTERM");
});

const noRedis = isInstalled("redis-server") ? false : "redis-server is not installed";
test("redis against redis-server", { skip: noRedis }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "std-net-redis-"));
  const port = freePort();
  const server = startPeer("redis-server", [
    "--port",
    String(port),
    "--bind",
    "127.0.0.1",
    "--save",
    "",
    "--dir",
    directory,
  ]);
  try {
    const address = `127.0.0.1:${port}`;
    await until(() => {
      const probe = net.TcpStream.connect(address);
      if (probe.isOk) probe.value.close();
      return probe.isOk;
    });
    const redis = async (...words: string[]): Promise<string> => {
      const { stdout, stderr } = await example("redis", address, ...words).exit();
      return stdout + stderr;
    };
    assert.equal(await redis(), "PONG\n");
    assert.equal(await redis("SET", "greeting", "Grüße\r\nund mehr"), "OK\n");
    assert.equal(await redis("GET", "greeting"), "Grüße\r\nund mehr\n");
    assert.equal(await redis("GET", "nothing"), "null\n");
    assert.equal(await redis("RPUSH", "list", "a", "b", ""), "3\n");
    assert.equal(await redis("LRANGE", "list", "0", "-1"), "[ 'a', 'b', '' ]\n");
    assert.match(await redis("NONSENSE"), /^ERR unknown command/);
  } finally {
    server.kill("SIGKILL");
    await server.exit();
    rmSync(directory, { recursive: true });
  }
});

test("redis without a server prints the error", async () => {
  const { code, stdout, stderr } = await example("redis", `127.0.0.1:${freePort()}`).exit();
  assert.deepEqual([code, stdout], [1, ""]);
  assert.equal(stderr, `failed to connect: ${reason("ECONNREFUSED")}\n`);
});

test("handover: there and back, and no line is lost", async () => {
  const { code, stdout, stderr } = await example("handover").exit();
  assert.equal(stderr, "");
  const lines = stdout.trim().split("\n");
  assert.deepEqual(
    lines.map((line) => line.slice(14).trim()),
    Array.from({ length: 9 }, (_, index) => `line ${index + 1}`),
  );
  assert.match(lines[0]!, /^blocking:/);
  assert.match(lines[3]!, /^event loop:/);
  assert.match(lines[8]!, /^blocking:/);
  assert.equal(code, 0);
});

test("probe tells open, closed and silent ports", async () => {
  const listener = ok(net.TcpListener.bind("127.0.0.1:0"));
  const open = portOf(ok(listener.local_addr()));
  const closed = freePort();
  const silent = ok(net.TcpListener.bind("127.0.0.1:0", { backlog: 0 }));
  const full: net.TcpStream[] = [];
  for (;;) {
    const stream = net.TcpStream.connect_timeout(ok(silent.local_addr()), 100);
    if (stream.isErr) break;
    full.push(stream.value);
  }
  const quiet = portOf(ok(silent.local_addr()));
  const probe = await example(
    "probe",
    "127.0.0.1",
    open,
    `${closed}-${closed}`,
    quiet,
    "--timeout=200",
  ).exit();
  const verdicts = probe.stdout
    .trim()
    .split("\n")
    .map((line) => line.replace(/ {2}\(.*/, ""));
  assert.deepEqual(verdicts, [
    `127.0.0.1:${open}  open`,
    `127.0.0.1:${closed}  closed`,
    `127.0.0.1:${quiet}  no response`,
  ]);
  assert.equal(probe.code, 0);
  assert.equal((await example("probe", "127.0.0.1", String(closed)).exit()).code, 1);
  assert.equal((await example("probe").exit()).code, 2);
  for (const socket of [listener, silent, ...full]) socket.close();
});

/** A file server that knows ranges, and ends its first response in the middle. It prints the fields that matter of each request. */
const RANGE_SERVER = `
  import { createServer } from "node:http";
  const file = Buffer.alloc(3_000_000, "0123456789");
  let requests = 0;
  const server = createServer((request, response) => {
    const { range, "if-range": version } = request.headers;
    console.log(JSON.stringify([range ?? null, version ?? null]));
    const etag = request.url === "/changes" && requests > 0 ? '"v2"' : '"v1"';
    const start = version === etag ? Number(/^bytes=(\\d+)-$/.exec(range)[1]) : 0;
    if (start > 0) response.writeHead(206, {
      "Content-Range": "bytes " + start + "-" + (file.length - 1) + "/" + file.length, "Content-Length": file.length - start, ETag: etag });
    else response.writeHead(200, { "Content-Length": file.length, ETag: etag });
    if (requests++ > 0) return response.end(file.subarray(start));
    response.write(file.subarray(0, 1_000_000), () => setTimeout(() => response.destroy(), 100));
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

test("download goes on where it was interrupted, and begins again when the file has changed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "std-net-download-"));
  try {
    for (const path of ["file.bin", "changes"]) {
      await using server = node(RANGE_SERVER);
      const url = `http://127.0.0.1:${await server.line()}/${path}`;
      const target = join(directory, path);
      const first = await example("download", url, target).exit();
      assert.match(first.stderr, /connection closed before response body complete\nrun it again to go on/);
      assert.equal(first.code, 1);
      const have = statSync(`${target}.part`).size;
      assert.ok(have > 0 && have < 3_000_000);
      const second = await example("download", url, target).exit();
      assert.deepEqual([second.code, second.stderr], [0, ""]);
      const begin = path === "changes" ? "" : `goes on at byte ${have}\n`;
      assert.equal(second.stdout, `${begin}${target}: 3000000 bytes\n`);
      assert.deepEqual(JSON.parse(await server.line()), [null, null]);
      assert.deepEqual(JSON.parse(await server.line()), [`bytes=${have}-`, '"v1"']);
      assert.ok(readFileSync(target).equals(Buffer.alloc(3_000_000, "0123456789")));
    }
    assert.deepEqual(readdirSync(directory).sort(), ["changes", "file.bin"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** Speaks the protocol of a chat: its answer is the question in capitals, token by token. */
const CHAT_SERVER = `
  import { createServer } from "node:http";
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const { messages, stream, model } = JSON.parse(text);
    console.log(JSON.stringify([request.method, request.url, request.headers.authorization, stream, model, messages, request.socket.remotePort]));
    const question = messages.at(-1).content;
    if (question === "refuse") return response.writeHead(429).end('{"error":{"message":"slow down"}}');
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    const send = (delta) => response.write("data: " + JSON.stringify({ object: "chat.completion.chunk", choices: [{ index: 0, delta }] }) + "\\n\\n");
    send({ role: "assistant", content: "" });
    for (const word of question.toUpperCase().split(/(?<= )/)) {
      send({ content: word });
      await new Promise((done) => setTimeout(done, 20));
    }
    response.end("data: [DONE]\\n\\n");
  });
  server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

test("llm-chat prints the words as they come, and sends what was said before", async () => {
  await using server = node(CHAT_SERVER);
  const url = `http://127.0.0.1:${await server.line()}`;
  const peer = startPeer("node", ["scripts/run.js", "llm-chat", url, "some-model"], { API_KEY: "secret" });
  peer.process.stdin?.end("wie geht es dir, Grüße\nrefuse\nand now\n");
  const { stdout, stderr, code } = await peer.exit();
  assert.equal(stdout, "WIE GEHT ES DIR, GRÜSSE\nAND NOW\n");
  assert.match(stderr, /the server responds with 429: \{"error":\{"message":"slow down"\}\}/);
  assert.equal(code, 1);
  const seen = [await server.line(), await server.line(), await server.line()].map((line) =>
    JSON.parse(line),
  );
  const before = [
    { role: "user", content: "wie geht es dir, Grüße" },
    { role: "assistant", content: "WIE GEHT ES DIR, GRÜSSE" },
  ];
  assert.deepEqual(seen[2].slice(0, 6), [
    "POST",
    "/v1/chat/completions",
    "Bearer secret",
    true,
    "some-model",
    [...before, { role: "user", content: "and now" }],
  ]);
  assert.equal(seen[0][6], seen[1][6], "one connection");
});

test("websocket against ws: lengths of every kind, pings and fragments", async () => {
  await using server = node(`
    import { WebSocketServer } from "ws";
    const server = new WebSocketServer({ port: 0, host: "127.0.0.1" }, () => console.log(server.address().port));
    server.on("connection", (socket) => {
      socket.on("pong", (data) => console.log("pong " + data));
      socket.on("close", (code) => console.log("close " + code));
      socket.on("message", (data, isBinary) => {
        const text = data.toString();
        if (isBinary || text !== "fragments") return socket.send(text);
        socket.ping("are you there");
        socket.send("one ", { fin: false });
        socket.ping("in between");
        socket.send("two", { fin: true });
      });
    });
  `);
  const texts = ["hello", "Grüße", "", "x".repeat(126), "y".repeat(70_000), "fragments"];
  const url = `ws://127.0.0.1:${await server.line()}/`;
  const { stdout, stderr, code } = await example("websocket", url, ...texts).exit();
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(stdout, `${[...texts.slice(0, -1), "one two"].join("\n")}\n`);
  assert.equal(await server.line(), "pong are you there");
  assert.equal(await server.line(), "pong in between");
  assert.equal(await server.line(), "close 1000");
});

test("websocket tells when the server speaks no WebSocket", async () => {
  await using server = example("http-server", "127.0.0.1:0", "1");
  const address = /on http:\/\/(\S+)$/.exec(await server.line())?.[1] ?? "";
  const { stderr, code } = await example("websocket", `ws://${address}/`, "x").exit();
  assert.deepEqual([code, stderr], [1, "no WebSocket: the server responds with 200\n"]);
});

test("events-server streams to curl, to several at once, and repeats what a client has missed", async () => {
  await using server = example("events-server", "127.0.0.1:0", "50");
  const url = /on (\S+)$/.exec(await server.line())?.[1] ?? "";
  // One that sends nothing, and one that reads nothing.
  const silent = ok(net.TcpStream.connect(new URL(url).host));
  const deaf = ok(net.TcpStream.connect(new URL(url).host));
  ok(deaf.write_all("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await using one = startPeer("curl", ["-sN", "--max-time", "20", url]);
  await using two = startPeer("curl", ["-sN", "--max-time", "20", "-H", "Last-Event-ID: 0", url]);
  for (const client of [one, two]) {
    let id = 0;
    for (let events = 0; events < 5; events++) {
      assert.equal(await client.line(), "event: tick");
      const seen = Number(/^id: (\d+)$/.exec(await client.line())?.[1]);
      assert.equal(seen, id === 0 && client === one ? seen : id + 1);
      id = seen;
      assert.match(await client.line(), new RegExp(`^data: \\{"tick":${id},"time":"[\\d-]+T[\\d:.]+Z"\\}$`));
      assert.equal(await client.line(), "");
    }
  }
  silent.close();
  deaf.close();
});

test("upload sends a file with its length, and standard input in chunks", async () => {
  await using server = node(`
    import { createHash } from "node:crypto";
    import { createServer } from "node:http";
    const server = createServer(async (request, response) => {
      const hash = createHash("sha256");
      for await (const part of request) hash.update(part);
      const { "content-length": length, "transfer-encoding": coding } = request.headers;
      response.writeHead(request.url === "/full" ? 507 : 201).end([request.method, length, coding, hash.digest("hex")].join(" "));
    });
    server.listen(0, "127.0.0.1", () => console.log(server.address().port));
  `);
  const url = `http://127.0.0.1:${await server.line()}`;
  const path = process.execPath;
  const bytes = readFileSync(path);
  const hash = createHash("sha256").update(bytes).digest("hex");
  const file = await example("upload", path, `${url}/file`).exit();
  assert.deepEqual([file.code, file.stdout, file.stderr], [0, `201 PUT ${bytes.length}  ${hash}\n`, ""]);
  const piped = example("upload", "-", `${url}/piped`);
  piped.process.stdin?.end(bytes.subarray(0, 2_000_000));
  const start = createHash("sha256").update(bytes.subarray(0, 2_000_000)).digest("hex");
  assert.equal((await piped.exit()).stdout, `201 PUT  chunked ${start}\n`);
  assert.equal((await example("upload", "package.json", `${url}/full`).exit()).code, 1);
  assert.equal((await example("upload").exit()).code, 2);
});

test("many-urls fetches a thousand pages of its own server, or those of a file", async () => {
  await using own = example("many-urls");
  const { stdout, stderr, code } = await own.exit();
  assert.deepEqual([stderr, code], ["", 0]);
  assert.match(stdout, /^990 times 200\n10 times 404\n0 failed\n1000 URLs, \d+ bytes in [\d.]+ s\n$/);

  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  const file = join(folder, "urls");
  const url = `http://127.0.0.1:${freePort()}/`;
  writeFileSync(file, `${url}\n${url}2\n`);
  await using given = example("many-urls", file);
  const end = await given.exit();
  rmSync(folder, { recursive: true });
  const refused = `http request failed: ${reason("ECONNREFUSED")}`;
  assert.deepEqual(
    end.stderr.trim().split("\n").sort(),
    [`${url}2: ${refused}`, `${url}: ${refused}`].sort(),
  );
  assert.match(end.stdout, /^2 failed\n2 URLs, 0 bytes in/);
});
