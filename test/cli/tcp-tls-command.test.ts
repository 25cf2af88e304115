// std-net tcp --tls and --listen, against openssl's own client and server and against each other.
import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from "node:net";
import { after, describe, test } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { Certificates } from "../support/certificates.ts";
import { run, start } from "../support/command.ts";
import { type Peer, startPeer } from "../support/peer.ts";

const certificates = new Certificates();
after(() => certificates.remove());
certificates.authority("root");
const { cert, key } = certificates.make("server", "root");
certificates.make("client", "root", { extensions: "extendedKeyUsage=clientAuth\n" });
const ca = certificates.path("root.pem");

async function tlsServer(options: object, connected: (socket: TLSSocket) => void) {
  const server = createServer({ cert, key, ...options }, connected);
  server.on("tlsClientError", () => {});
  await once(server.listen(0, "127.0.0.1"), "listening");
  return { server, address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version}: a megabyte there and back, both directions at once`, async () => {
    const { server, address } = await tlsServer({ minVersion: version, maxVersion: version }, (socket) => {
      let seen = 0;
      socket.on("data", (bytes: Buffer) => {
        seen += bytes.length;
        socket.write(bytes);
        if (seen === 1_000_000) socket.end();
      });
    });
    const input = Buffer.alloc(1_000_000, "0123456789abcdef\n");
    const { code, stdout, stderr } = await run(["tcp", "--tls", "--ca", ca, address], input);
    server.close();
    assert.deepEqual([code, stderr], [0, ""]);
    assert.ok(stdout === input.toString());
  });
}

test("a conversation: each side waits for the other", async () => {
  const { server, address } = await tlsServer({}, (socket) => {
    socket.on("data", (bytes: Buffer) => {
      if (String(bytes) === "bye\n") socket.end("goodbye\n");
      else socket.write(`you said ${bytes}`);
    });
  });
  await using command = start("tcp", "--tls", "--ca", ca, address);
  for (const word of ["one", "two"]) {
    command.process.stdin!.write(`${word}\n`);
    assert.equal(await command.line(), `you said ${word}`);
  }
  command.process.stdin!.end("bye\n");
  const { code, stdout, stderr } = await command.exit();
  server.close();
  assert.deepEqual([code, stderr], [0, ""]);
  assert.match(stdout, /goodbye\n$/);
});

test("a peer that goes on after all is sent is left when it has been silent for a while", async () => {
  const { server, address } = await tlsServer({}, (socket) => socket.on("error", () => {}).pipe(socket));
  const { code, stdout } = await run(["tcp", "--tls", "--ca", ca, "--wait", "0.5", address], "hello\n");
  server.close();
  assert.deepEqual([code, stdout], [0, "hello\n"]);
});

test("a peer that takes nothing does not keep its own words back", async () => {
  const { server, address } = await tlsServer({}, (socket) => {
    socket.pause();
    socket.write("a line\n");
    setTimeout(() => socket.destroy(), 500);
  });
  await using command = start("tcp", "--tls", "--ca", ca, address);
  command.process.stdin!.on("error", () => {});
  command.process.stdin!.write(Buffer.alloc(20_000_000));
  assert.equal(await command.line(), "a line");
  const { code, stderr } = await command.exit();
  server.close();
  assert.equal(code, 1);
  assert.match(stderr, /^std-net: tls (read|write) failed: [^\n]*\n$/);
});

describe("certificates", () => {
  test("a server that nobody vouches for is refused, and --insecure takes it", async () => {
    const { server, address } = await tlsServer({}, (socket) => socket.end("hello\n"));
    const refused = await run(["tcp", "--tls", address]);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /^std-net: tls handshake failed: certificate verify failed.* \(--ca FILE .*\)\n$/,
    );
    assert.equal((await run(["tcp", "--tls", "--insecure", address])).stdout, "hello\n");
    const named = await run(["tcp", "--tls", "--ca", ca, "--server-name", "other.test", address]);
    assert.match(named.stderr, /hostname mismatch/i);
    server.close();
  });

  test("a server that knows its clients", async () => {
    const options = { ca: certificates.read("root.pem"), requestCert: true };
    const { server, address } = await tlsServer(options, (socket) =>
      socket.end(socket.getPeerX509Certificate()!.serialNumber),
    );
    const identity = ["--cert", certificates.path("client.pem"), "--key", certificates.path("client.key")];
    const { stdout, stderr } = await run(["tcp", "--tls", "--ca", ca, ...identity, address]);
    server.close();
    assert.match(stdout, /^[0-9A-F]+$/, stderr);
  });
});

/** The command as a server, and the port that it has. */
async function listening(...args: string[]): Promise<{ command: Peer; port: number }> {
  const command = start("tcp", "--listen", ...args);
  const notice = String((await once(command.process.stderr!, "data"))[0]);
  return { command, port: Number(/^listening on 127\.0\.0\.1:(\d+) /.exec(notice)?.[1]) };
}

describe("--listen", () => {
  for (const address of ["0", ":0", "127.0.0.1:0"]) {
    test(`${address}: one connection, in both directions`, async () => {
      const { command, port } = await listening(address);
      await using _ = command;
      const client = connectTcp(port, "127.0.0.1").setEncoding("utf8");
      client.write("from the client\n");
      assert.equal(await command.line(), "from the client");
      command.process.stdin!.end("from standard input\n");
      assert.deepEqual(await once(client, "data"), ["from standard input\n"]);
      client.end();
      const { code, stderr } = await command.exit();
      assert.equal(code, 0);
      assert.match(stderr, /^listening on .*\nconnection from 127\.0\.0\.1:\d+\n$/);
    });
  }

  test("over TLS, with Node's client, with openssl's, and with a certificate of the client's", async () => {
    const server = [
      "--tls",
      "--cert",
      certificates.path("server.pem"),
      "--key",
      certificates.path("server.key"),
    ];
    const plain = await listening("0", ...server);
    await using _ = plain.command;
    const client = connect({ port: plain.port, host: "127.0.0.1", ca: certificates.read("root.pem") });
    client.setEncoding("utf8").write("hello\n");
    assert.equal(await plain.command.line(), "hello");
    plain.command.process.stdin!.write("welcome\n");
    assert.deepEqual(await once(client, "data"), ["welcome\n"]);
    client.end();
    plain.command.process.stdin!.end();
    assert.equal((await plain.command.exit()).code, 0);

    const known = await listening("0", ...server, "--ca", ca);
    await using __ = known.command;
    await using openssl = startPeer("openssl", [
      ...["s_client", "-quiet", "-connect", `127.0.0.1:${known.port}`, "-CAfile", ca],
      ...["-cert", certificates.path("client.pem"), "-key", certificates.path("client.key")],
    ]);
    openssl.process.stdin!.write("from openssl\n");
    assert.equal(await known.command.line(), "from openssl");
    openssl.kill();
    assert.notEqual((await known.command.exit()).code, null);
  });

  test("a time limit, an address that another has, and a port that asks for more rights", async () => {
    const late = await run(["tcp", "--listen", "0", "--timeout", "0.2"]);
    assert.equal(late.code, 1);
    assert.match(late.stderr, /\nstd-net: tcp listener accept failed: [^\n]*\n$/);
    const other = createTcpServer();
    await once(other.listen(0, "127.0.0.1"), "listening");
    const { port } = other.address() as AddressInfo;
    for (const args of [["tcp", "--listen"], ["serve"]]) {
      const taken = await run([...args, `:${port}`]);
      assert.equal(taken.code, 1);
      assert.match(taken.stderr, /: another program has it; take another port, or 0 for one that is free\n$/);
    }
    other.close();
  });
});

describe("a port alone is one of this computer", () => {
  for (const text of ["", ":"]) {
    test(`serve ${text}PORT, request :PORT and tcp ${text}PORT`, async () => {
      const probe = createTcpServer();
      await once(probe.listen(0, "127.0.0.1"), "listening");
      const { port } = probe.address() as AddressInfo;
      probe.close();
      await once(probe, "close");
      await using server = start("serve", `${text}${port}`);
      const notice = String((await once(server.process.stderr!, "data"))[0]);
      assert.match(notice, new RegExp(`^listening on http://127\\.0\\.0\\.1:${port} `));
      const { stdout } = await run(["request", `:${port}/a`]);
      assert.match(stdout, /^\{"method":"GET","path":"\/a"/);
      const head = await run(["tcp", `${text}${port}`], "GET /b HTTP/1.0\r\n\r\n");
      assert.match(head.stdout, /^HTTP\/1\.1 200 OK\r\n/);
    });
  }
});

describe("wrong usage says what to write", () => {
  for (const [args, complaint] of [
    [["a:1", "--insecure"], /--insecure is for TLS: add --tls/],
    [["a:1", "--ca", ca], /--ca is for TLS: add --tls/],
    [["--listen", "0", "--tls"], /--listen --tls wants the server's certificate: --cert FILE --key FILE/],
    [["a:1", "--tls", "--cert", "/no/such"], /\/no\/such cannot be read: ENOENT/],
  ] as const) {
    test(args.join(" "), async () => {
      const { code, stderr } = await run(["tcp", ...args]);
      assert.match(stderr, complaint);
      assert.equal(code, 2);
    });
  }
});
