// http.serve and its program: streams that are taken over, mistakes in the handler, the end, and several workers.
import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { http, TcpListener } from "std-net";
import { node, ok } from "../support/peer.ts";
import { RawClient, said, served } from "../support/served.ts";

const HELLO = `() => ({ status: 200, body_text: "hello" })`;
const get = (path: string, lines = "") => `GET ${path} HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;
const last = (path: string) => get(path, "Connection: close\r\n");

describe("a stream that the handler takes over", () => {
  test("goes on to be served when the handler has sent a whole response", async () => {
    await using server = await served(`({ path }, stream) => {
      if (path === "/plain") return { status: 200, body_text: path };
      if (path === "/written") {
        net.http.write_response(stream, { status: 200, body_text: path }).unwrap();
        return null;
      }
      const writer = net.http.start_response(stream, { status: 200 }).unwrap();
      writer.write_all(path + " in ").unwrap();
      writer.write_all("parts").unwrap();
      writer.finish().unwrap();
      return null;
    }`);
    for (const between of [true, false]) {
      using client = await RawClient.open(server.port);
      for (const path of ["/parts", "/plain", "/written", "/plain"]) {
        client.write(get(path));
        if (between) await client.until(() => client.text.endsWith(path === "/parts" ? "0\r\n\r\n" : path));
      }
      client.write(last("/parts"));
      const text = await client.end();
      assert.deepEqual(client.statuses, [200, 200, 200, 200, 200]);
      assert.match(
        text,
        /\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\na\r\n\/parts in \r\n5\r\nparts\r\n0\r\n\r\n/,
      );
      assert.match(
        text,
        /\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\na\r\n\/parts in \r\n5\r\nparts\r\n0\r\n\r\n$/,
      );
    }
    // To HTTP/1.0 the end of the connection ends the body.
    assert.match(await said(server.port, "GET /parts HTTP/1.0\r\n\r\n"), /\r\n\r\n\/parts in parts$/);
  });

  test("is the handler's for good when there is no whole response: with all bytes, blocking", async () => {
    await using server = await served(
      `({ path, headers }, stream) => {
        if (headers.upgrade === undefined) {
          if (path === "/last") kept.forEach((each) => { each.write_all("bye"); each.close(); });
          return { status: 200, body_text: path };
        }
        net.http.write_response(stream, { status: 101, headers: { connection: "upgrade", upgrade: "x" } }).unwrap();
        stream.write_all("[" + stream.read_exact(10).unwrap() + "]").unwrap();
        kept.push(stream);
        return null;
      }`,
      "{ idle_timeout_ms: 300 }",
      "const kept = [];",
    );
    using client = await RawClient.open(server.port);
    client.write(`${get("/up", "Connection: upgrade\r\nUpgrade: x\r\n")}12345`);
    await client.until(() => client.text.includes("\r\n\r\n"));
    client.write("67890");
    await client.until(() => client.text.endsWith("[1234567890]"));
    // It is not closed by the server's time for idle connections.
    await sleep(1000);
    assert.match(await said(server.port, last("/last")), /\/last$/);
    assert.match(await client.end(), /\r\nupgrade: x\r\n\r\n\[1234567890\]bye$/);
  });

  test("is closed when its client was gone and the handler could not respond", {
    skip: process.platform !== "linux",
  }, async () => {
    await using server = await served(
      `({ path }, stream) => {
      if (path === "/count") return { status: 200, body: fs.readdirSync("/proc/self/fd").length };
      stream.read(1); // until the client is gone
      const started = net.http.start_response(stream, { status: 200 });
      while (started.isOk && started.value.write_all("x".repeat(1000)).isOk);
      return null;
    }`,
      "{}",
      'const fs = await import("node:fs");',
    );
    const count = async () => Number(/\d+$/.exec(await said(server.port, last("/count")))![0]);
    const before = await count();
    for (let tries = 0; tries < 20; tries++) {
      const client = await RawClient.open(server.port);
      client.write(get("/gone"));
      await sleep(20);
      client.socket.resetAndDestroy();
    }
    assert.ok((await count()) <= before + 1);
  });

  test("of a CONNECT is a tunnel, and one that is given away or closed is nobody's concern", async () => {
    await using server = await served(`({ method, path }, stream) => {
      if (method === "CONNECT") {
        net.http.write_response(stream, { status: 200 }).unwrap();
        stream.write_all(stream.read_exact(4).unwrap());
        stream.close();
        return null;
      }
      if (path === "/closed") stream.close();
      if (path === "/given") {
        const own = net.TcpStream.from_fd(stream.into_fd().unwrap()).unwrap();
        own.write_all("own");
        own.close();
      }
      return path === "/null" ? (stream.write_all("raw"), stream.close(), null) : { status: 200, body_text: path };
    }`);
    assert.match(
      await said(server.port, "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\nping"),
      /^HTTP\/1\.1 200 OK\r\n(?:.+\r\n)+\r\nping$/,
    );
    assert.equal(await said(server.port, get("/closed")), "");
    assert.equal(await said(server.port, get("/given")), "own");
    assert.equal(await said(server.port, get("/null")), "raw");
    assert.match(await said(server.port, last("/")), /\/$/);
  });
});

describe("a mistake in the handler", () => {
  test("is a 500 and a call of on_error, and the server goes on", async () => {
    await using server = await served(
      `({ path }, stream) => {
        switch (path) {
          case "/throws": throw new Error("no luck");
          case "/nothing": return undefined;
          case "/promise": return Promise.resolve({ status: 200 });
          case "/status": return { status: 1000 };
          case "/interim": return { status: 101 };
          case "/nan": return { status: 200, body: NaN };
          case "/getter": return { get status() { throw new Error("trap"); } };
          case "/text": return "hello";
          case "/twice":
            net.http.write_response(stream, { status: 200, body_text: "one" }).unwrap();
            return { status: 200, body_text: "two" };
          case "/half":
            net.http.start_response(stream, { status: 200 }).unwrap().write_all("half");
            throw new Error("half");
          case "/switched":
            net.http.write_response(stream, { status: 101, headers: { upgrade: "x" } }).unwrap();
            throw new Error("switched");
          case "/closed":
            stream.close();
            throw new Error("closed");
        }
        return { status: 200, body_text: "fine" };
      }`,
      `{ on_error: (error, { path }) => {
        console.log(path + " " + error.name + ": " + error.message);
        if (path === "/text") throw new Error("on_error throws too");
      } }`,
    );
    for (const [path, expected] of [
      ["/throws", "Error: no luck"],
      ["/nothing", "TypeError: the handler must give a response or null, and not undefined"],
      ["/promise", "TypeError: the handler must give a response and not a promise of one"],
      ["/status", "TypeError: status must be between 100 and 999"],
      ["/interim", "TypeError: the status of a handler's response must be between 200 and 999"],
      ["/nan", "TypeError: cannot serialize NaN to JSON"],
      ["/getter", "Error: trap"],
      ["/text", "TypeError: the handler must give a response or null, and not string"],
    ]) {
      const answer = await said(server.port, get(path!) + get("/not-read"));
      assert.match(answer, /^HTTP\/1\.1 500 .*\r\n\r\n\{"error":"internal server error"\}$/s, path);
      assert.equal(await server.server.line(), `${path} ${expected}`);
    }
    for (const [path, message, answer] of [
      ["/twice", "the handler gave a response after it had sent one itself", /one$/],
      ["/half", "half", /\r\n4\r\nhalf\r\n$/],
      ["/switched", "switched", /^HTTP\/1\.1 101 .*\r\n\r\n$/s],
      ["/closed", "closed", /^$/],
    ] as const) {
      assert.match(await said(server.port, get(path)), answer);
      assert.equal(await server.server.line(), `${path} Error: ${message}`);
    }
    assert.match(await said(server.port, last("/")), /fine$/);
    server.server.kill();
    assert.match((await server.server.exit()).stderr, /on_error throws too/);
  });

  test("is printed where there is no on_error", async () => {
    await using server = await served(`() => { throw new RangeError("printed"); }`);
    assert.match(await said(server.port, get("/")), /^HTTP\/1\.1 500 /);
    server.server.kill();
    assert.match((await server.server.exit()).stderr, /RangeError: printed\n {4}at /);
  });
});

/** A client that sends one request after the other until the server says that it ends; counts requests without a response. */
async function busy(port: number, state: { lost: number; done: number; stopped: boolean }): Promise<void> {
  while (!state.stopped) {
    const client = new RawClient(port);
    try {
      await once(client.socket, "connect");
    } catch {
      return; // the server listens no more
    }
    for (let count = 0; !state.stopped; count++) {
      client.text = "";
      client.write(get(`/${count}`));
      state.lost++;
      await client.until(() => client.text.endsWith("hello") || client.ended || client.error !== null);
      if (!client.text.endsWith("hello")) {
        client.close();
        return;
      }
      state.lost--;
      state.done++;
      if (/\r\nConnection: close\r\n/.test(client.text)) break;
    }
    client.close();
  }
}

describe("http.serve ends", () => {
  test("with a signal that has a listener, under load, and no request that was sent is lost", async () => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      await using server = await served(HELLO, "{}", `process.on("${signal}", () => console.log("heard"));`);
      using idle = await RawClient.open(server.port);
      const state = { lost: 0, done: 0, stopped: false };
      const clients = Array.from({ length: 16 }, () => busy(server.port, state));
      while (state.done < 1000) await sleep(20);
      const begin = performance.now();
      server.server.kill(signal);
      assert.equal(await server.server.line(), "ended Ok()");
      assert.ok(performance.now() - begin < 5000);
      assert.equal(await server.server.line(), "heard");
      await Promise.all(clients);
      assert.equal(state.lost, 0, `requests without a response, of ${state.done}`);
      assert.equal(await idle.end(), "");
      assert.equal((await server.server.exit()).code, 0);
    }
  });

  test("with a signal that comes while the handler waits, and ends that wait", async () => {
    await using server = await served(
      `() => {
        console.log("waiting");
        return { status: 200, body_text: near.read(1).error };
      }`,
      "{}",
      `const [near, far] = net.UnixStream.pair().unwrap();
       process.on("SIGINT", () => console.log("heard"));`,
    );
    using client = await RawClient.open(server.port);
    client.write(get("/"));
    assert.equal(await server.server.line(), "waiting");
    await sleep(200);
    server.server.kill("SIGINT");
    await client.until(() => client.text.includes("Interrupted system call"));
    assert.equal(await server.server.line(), "ended Ok()");
    assert.equal(await server.server.line(), "heard");
  });

  test("when the handler closes the listener: what is under way is finished, within a second", async () => {
    await using server = await served(
      `({ path }) => {
        if (path === "/end") listener.close();
        return { status: 200, body_text: path === "/large" ? "x".repeat(20_000_000) : path };
      }`,
    );
    using half = await RawClient.open(server.port);
    using stuck = await RawClient.open(server.port);
    using large = await RawClient.open(server.port);
    using idle = await RawClient.open(server.port);
    large.socket.pause();
    large.write(get("/large"));
    half.write("GET /half HTTP/1.1\r\nHo");
    stuck.write("GET /stuck HTTP/1.1\r\nHo");
    await sleep(500);
    using ending = await RawClient.open(server.port);
    const begin = performance.now();
    ending.write(get("/end") + get("/behind"));
    await ending.until(() => ending.text.includes("/end"));
    half.write("st: a\r\n\r\n");
    large.socket.resume();
    assert.match(await half.end(), /\r\nConnection: close\r\n.*\/half$/s);
    await large.until(() => large.text.length > 20_000_000);
    assert.equal(await idle.end(), "");
    assert.equal(await server.server.line(), "ended Ok()");
    assert.ok(performance.now() - begin < 5000);
    await stuck.until(() => stuck.ended || stuck.error !== null);
    assert.equal(stuck.text, "");
  });

  test("for another thread, with the option stop", async () => {
    const listener = ok(TcpListener.bind("127.0.0.1:0"));
    const port = Number(ok(listener.local_addr()).split(":").at(-1));
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const workers = [1, 2].map(
      () =>
        new Worker(
          `const { parentPort, threadId, workerData } = require("node:worker_threads");
           const { http, TcpListener } = require("std-net");
           const listener = TcpListener.from_fd(workerData.fd).unwrap();
           const { stop } = workerData;
           const result = http.serve(listener, () => ({ status: 200, body: threadId }), { stop });
           parentPort.postMessage(String(result));`,
          { eval: true, workerData: { fd: ok(ok(listener.try_clone()).into_fd()), stop } },
        ),
    );
    listener.close();
    const ends = workers.map((worker) => once(worker, "message"));
    // Two silent clients keep neither from serving the others.
    using silent = await RawClient.open(port);
    using half = await RawClient.open(port);
    half.write("GET ");
    const threads = new Set<string>();
    for (let tries = 0; tries < 500 && threads.size < 2; tries++) {
      const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(port)));
      for (const client of clients) client.write(get("/"));
      for (const client of clients) {
        await client.until(() => /\r\n\r\n\d+$/.test(client.text));
        threads.add(/\d+$/.exec(client.text)![0]);
        client.close();
      }
    }
    assert.equal(threads.size, 2, "both serve");
    Atomics.store(stop, 0, 1);
    for (const [text] of await Promise.all(ends)) assert.equal(text, "Ok()");
    assert.equal(await silent.end(), "");
  });

  test("and may begin again, with a listener that is still open", () => {
    const listener = ok(TcpListener.bind("127.0.0.1:0"));
    const clone = ok(listener.try_clone());
    const url = `http://${ok(listener.local_addr())}/`;
    for (const each of [listener, clone]) {
      const client = `require("std-net").http.request({ method: "GET", url: "${url}" })`;
      const worker = new Worker(client, { eval: true });
      const ended = http.serve(each, () => {
        each.close();
        return { status: 200 };
      });
      assert.ok(ended.isOk);
      void worker.terminate();
    }
  });
});

test("a handler may itself make requests, and serve", async () => {
  await using inner = await served(HELLO);
  await using server = node(
    `
    const listener = net.TcpListener.bind("127.0.0.1:0").unwrap();
    console.log(listener.local_addr().unwrap().split(":").at(-1));
    net.http.serve(listener, ({ path }) => ({
      status: 200,
      body: [path, net.http.request({ method: "GET", url: process.argv[1] }).unwrap().body],
    }));`,
    inner.url,
  );
  const port = Number(await server.line());
  const text = await said(port, get("/1") + get("/2") + last("/3"));
  assert.deepEqual(text.match(/\["\/\d","hello"\]/g), ['["/1","hello"]', '["/2","hello"]', '["/3","hello"]']);
});
