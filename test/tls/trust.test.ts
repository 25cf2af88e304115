// Which certificates are trusted, and which of Node's flags count.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import * as tls from "node:tls";
import { startPeer } from "../support/peer.ts";
import { ACCEPT_ALL, certificates, pythonServer } from "../support/tls-peers.ts";

/** Since Node 22.15. */
const { getCACertificates } = tls as { getCACertificates?: unknown };

test("NODE_EXTRA_CA_CERTS counts, NODE_TLS_REJECT_UNAUTHORIZED does not", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  const program = `import { readFileSync } from "node:fs";
    import { http, TlsStream } from "std-net";
    const tls = { server_name: "server.test" };
    const stream = TlsStream.connect(process.argv[1], { ...tls, timeout_ms: 10_000 });
    console.log(stream.isOk ? "trusted" : stream.error);
    console.log(http.request({ method: "GET", url: "https://" + process.argv[1], tls, timeout_ms: 10_000 }).error);
    const ca = readFileSync(process.argv[2]);
    console.log(TlsStream.connect(process.argv[1], { ...tls, ca, timeout_ms: 10_000 }).error);`;
  const other = certificates.path("client.pem");
  const run = (environment: NodeJS.ProcessEnv) =>
    startPeer(process.execPath, ["--input-type=module", "-e", program, addr, other], environment);
  await using refusing = run({ NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_EXTRA_CA_CERTS: "" });
  assert.match(await refusing.line(), /^tls handshake failed: certificate verify failed: /);
  assert.match(
    await refusing.line(),
    /^http request failed: tls handshake failed: certificate verify failed: /,
  );
  await using trusting = run({ NODE_EXTRA_CA_CERTS: certificates.path("root.pem") });
  assert.equal(await trusting.line(), "trusted");
  assert.doesNotMatch(await trusting.line(), /certificate/);
  // The option `ca` is in place of all that, as in Node.
  assert.match(await trusting.line(), /^tls handshake failed: certificate verify failed: /);
});

test("NODE_EXTRA_CA_CERTS counts with a byte order mark, whether Node or the library reads it", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  const marked = certificates.path("marked.pem");
  // What stands before the certificates may be in any charset.
  writeFileSync(marked, Buffer.concat([Buffer.from("\ufeff"), readFileSync(certificates.path("root.pem"))]));
  const other = certificates.path("other-charset.pem");
  writeFileSync(other, Buffer.concat([Buffer.from([0xe9, 0xff, 0x0a]), readFileSync(marked).subarray(3)]));
  const connect = `
    const net = require("std-net");
    const stream = net.TlsStream.connect(ADDRESS, { server_name: "server.test", timeout_ms: 10_000 });
    TELL(stream.isOk ? "trusted" : stream.error);`;
  const here = connect.replace("ADDRESS", "process.argv[1]").replace("TELL", "console.log");
  const there = connect
    .replace("ADDRESS", 'require("node:worker_threads").workerData')
    .replace("TELL", 'require("node:worker_threads").parentPort.postMessage');
  const inWorker = (options: string) => `
    const { Worker } = require("node:worker_threads");
    new Worker(${JSON.stringify(there)}, { eval: true, workerData: process.argv[1], ${options} })
      .on("message", (text) => console.log(text));`;
  const inNode = `
    const [host, port] = process.argv[1].split(":");
    require("node:tls").connect({ host, port, servername: "server.test" })
      .on("secureConnect", function () { console.log("trusted"); this.destroy(); })
      .on("error", (error) => console.log(error.message));`;
  for (const file of [marked, other]) {
    for (const flags of [[], ["--use-openssl-ca"]]) {
      // Of the newer Node's list, a worker with an environment of its own gets what Node gives it.
      const isRead = getCACertificates === undefined || flags.length > 0;
      for (const program of [inNode, here, inWorker(""), ...(isRead ? [inWorker("env: {}")] : [])]) {
        await using child = startPeer(process.execPath, [...flags, "-e", program, addr], {
          NODE_EXTRA_CA_CERTS: file,
        });
        assert.equal(await child.line(), "trusted", `${file} ${flags} ${program}`);
      }
    }
  }
});

test("the trusted certificates are loaded once per process, on the first use", async () => {
  // Where they come from: tls.getCACertificates, or in an older Node a file beside the list.
  const uses = `
    const { readFileSync } = fs, { getCACertificates } = tls;
    let loads = 0;
    fs.readFileSync = (path, ...rest) => {
      if (path === process.env.NODE_EXTRA_CA_CERTS) loads++;
      return readFileSync(path, ...rest);
    };
    if (getCACertificates !== undefined) {
      tls.getCACertificates = (type) => {
        loads++;
        return getCACertificates(type);
      };
    }
    const counts = [loads];
    for (const alpn of [["one"], ["two"]]) {
      net.TlsStream.connect("127.0.0.1:1", { alpn });
      counts.push(loads);
    }`;
  const worker = `const fs = require("node:fs"), tls = require("node:tls"), net = require("std-net");
    ${uses} require("node:worker_threads").parentPort.postMessage(counts);`;
  await using child = startPeer(
    process.execPath,
    [
      "--input-type=module",
      "-e",
      `import fs from "node:fs";
      import tls from "node:tls";
      import { once } from "node:events";
      import { Worker } from "node:worker_threads";
      import * as net from "std-net";
      ${uses}
      console.log(...counts);
      const [others] = await once(new Worker(process.argv[1], { eval: true, execArgv: [] }), "message");
      console.log(...others);`,
      worker,
    ],
    { NODE_EXTRA_CA_CERTS: certificates.path("root.pem") },
  );
  assert.equal(await child.line(), "0 1 1");
  assert.equal(await child.line(), "0 0 0");
});

test("Node's own store of certificates, or OpenSSL's, by Node's flags and by how it was built", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  // Distributions configure Node with --openssl-use-def-ca-store; this is what one sees of it.
  const built = `Object.defineProperty(process, "config", {
    value: { target_defaults: { defines: ["NODE_OPENSSL_CERT_STORE"] } },
  });`;
  const program = `import { TlsStream } from "std-net";
    const stream = TlsStream.connect(process.argv[1], { server_name: "server.test", timeout_ms: 10_000 });
    console.log(stream.isOk ? "trusted" : stream.error);`;
  const run = async (prelude: string, ...flags: string[]) => {
    const args = [...flags, "--input-type=module", "-e", prelude + program, addr];
    await using child = startPeer(process.execPath, args, {
      SSL_CERT_FILE: certificates.path("root.pem"),
      SSL_CERT_DIR: certificates.path("none"),
      NODE_EXTRA_CA_CERTS: "",
    });
    return await child.line();
  };
  const refused = /certificate verify failed: unable to get local issuer certificate/;
  assert.match(await run(""), refused);
  assert.equal(await run("", "--use-openssl-ca"), "trusted");
  assert.equal(await run("", "--use_openssl_ca"), "trusted");
  assert.equal(await run(built), "trusted");
  assert.match(await run(built, "--use-bundled-ca"), refused);
});

test("Node's flags for versions and ciphers count, where no option says otherwise", async () => {
  const { peer, addr } = await pythonServer(ACCEPT_ALL);
  await using _ = peer;
  const { peer: old, addr: oldAddr } = await pythonServer(
    ACCEPT_ALL,
    "context.maximum_version = ssl.TLSVersion.TLSv1_2",
  );
  await using __ = old;
  const program = `import { TlsStream } from "std-net";
    const [addr, min_version] = process.argv.slice(1);
    const stream = TlsStream.connect(addr, { insecure: true, min_version, timeout_ms: 10_000 });
    console.log(stream.isOk ? stream.value.protocol().value : stream.error);`;
  const run = async (flag: string, ...args: string[]) => {
    await using child = startPeer(process.execPath, [flag, "--input-type=module", "-e", program, ...args]);
    return await child.line();
  };
  assert.match(await run("--tls-min-v1.3", oldAddr), /^tls handshake failed: .*protocol version/);
  assert.equal(await run("--tls-min-v1.3", oldAddr, "TLSv1.2"), "TLSv1.2");
  assert.equal(await run("--tls-min-v1.0", oldAddr), "TLSv1.2");
  assert.equal(await run("--tls-max-v1.2", addr), "TLSv1.2");
  assert.equal(await run("--tls-cipher-list=TLS_AES_128_GCM_SHA256", addr), "TLSv1.3");
  assert.match(await run("--tls-cipher-list=TLS_AES_128_GCM_SHA256", oldAddr), /protocol version/);
  for (const list of ["nothing", "TLS_NOTHING:HIGH", "HIGH:!TLS_AES_128_GCM_SHA256"]) {
    const error = "tls handshake failed: Node's list of ciphers cannot be used: no cipher match";
    assert.equal(await run(`--tls-cipher-list=${list}`, addr), error);
  }
});
