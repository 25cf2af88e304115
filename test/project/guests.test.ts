// Guest languages with std-net's sockets: Python programs in Pyodide and a WebAssembly program (examples/python.ts, examples/wasi.ts).
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { SMTPServer } from "smtp-server";
import { http, TcpStream } from "std-net";
import { ok, startPeer } from "../support/peer.ts";

const NODE = { NODE_NO_WARNINGS: "1" };

test("Pyodide: http.client, urllib, smtplib and socket run unmodified", async () => {
  const web = createServer((request, response) => {
    let body = "";
    request.on("data", (piece) => {
      body += piece;
    });
    request.on("end", () => {
      response
        .setHeader("x-port", request.socket.remotePort ?? 0)
        .end(`${request.method} ${request.url} ${body}`);
    });
  }).listen(0, "127.0.0.1");
  const mails: string[] = [];
  const mail = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS", "AUTH"],
    onData(stream, _session, done) {
      let text = "";
      stream.on("data", (piece) => {
        text += piece;
      });
      stream.on("end", () => {
        mails.push(text);
        done();
      });
    },
  });
  const mailServer = mail.listen(0, "127.0.0.1");
  try {
    await Promise.all([once(web, "listening"), once(mailServer, "listening")]);
    const ports = [web, mailServer].map((server) => String((server.address() as AddressInfo).port));
    await using guest = startPeer(
      "node",
      ["scripts/run.js", "python", "test/support/guests/clients.py", ...ports],
      NODE,
    );
    const { stdout, stderr } = await guest.exit();
    assert.equal(stderr, "");
    const lines = stdout.trimEnd().split("\n");
    const port = lines[0]?.split(" ")[1];
    assert.deepEqual(lines, [
      `200 ${port} GET /first `,
      `200 ${port} GET /second `,
      "POST /chunks one two",
      "GET /url ",
      "{}",
      "refused",
      "timed out",
      "would block",
      "no such name",
      "datagram",
    ]);
    assert.match(mails.join(""), /Subject: Hello\r\n[\s\S]*\r\n\r\nA line\.\r\n\.a line with a dot\r\n$/);
  } finally {
    web.close();
    web.closeAllConnections();
    await new Promise<void>((resolve) => mail.close(resolve));
  }
});

test("Pyodide: socketserver and http.server run unmodified", async () => {
  await using guest = startPeer("node", ["scripts/run.js", "python", "test/support/guests/server.py"], NODE);
  const address = `127.0.0.1:${await guest.line()}`;
  for (const word of ["one", "two"]) {
    const client = ok(TcpStream.connect(address));
    ok(client.set_read_timeout(20_000));
    ok(client.write_all(`${word}\n`));
    assert.equal(ok(client.read_until("\n")).toString(), `${word.toUpperCase()}\n`);
    client.close();
  }
  const response = ok(
    http.request({
      method: "POST",
      url: `http://127.0.0.1:${await guest.line()}/`,
      body_text: "stressed",
      keep_alive: false,
    }),
  );
  assert.deepEqual([response.status, response.body], [200, "desserts"]);
  assert.equal(await guest.line(), "done");
  const { code, stderr } = await guest.exit();
  assert.deepEqual([code, stderr], [0, ""]);
});

test("WASI: a WebAssembly program accepts, receives and sends", async () => {
  await using guest = startPeer("node", ["scripts/run.js", "wasi"], NODE);
  const address = (await guest.line()).replace("listening on ", "");
  const sent = Buffer.alloc(300_000, "0123456789");
  for (let client = 0; client < 2; client++) {
    const stream = ok(TcpStream.connect(address));
    ok(stream.set_read_timeout(20_000));
    for (let at = 0; at < sent.length; at += 30_000) {
      ok(stream.write_all(sent.subarray(at, at + 30_000)));
      assert.ok(ok(stream.read_exact(30_000)).equals(sent.subarray(at, at + 30_000)));
    }
    ok(stream.shutdown("write"));
    assert.equal(ok(stream.read(1)).length, 0, "the program has shut its side down");
    stream.close();
  }
  const last = ok(TcpStream.connect(address));
  ok(last.write_all("q"));
  assert.equal((await guest.exit()).code, 0);
  last.close();
});
