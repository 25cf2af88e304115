// Whom TlsStream trusts: every certificate of badssl.com's kind, judged by this library and by node:tls.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { after, before, test } from "node:test";
import * as net from "std-net";
import { Certificates, type ServerCase, serverCases } from "../support/certificates.ts";
import { nodeFile, type Peer } from "../support/peer.ts";

let certificates: Certificates;
let cases: ServerCase[];
let ca: string;
let servers: Peer;
let ports: number[];
let nodeVerdicts: (string | null)[];

before(async () => {
  certificates = new Certificates();
  const made = serverCases(certificates);
  cases = made.cases;
  ca = made.root.cert;
  writeFileSync(certificates.path("cases.json"), JSON.stringify(cases));
  servers = nodeFile("tls-cases.mjs", certificates.path("cases.json"));
  ports = JSON.parse(await servers.line()) as number[];
  const clients = cases.map((each, index) => ({ port: ports[index], name: each.asks ?? "server.test" }));
  writeFileSync(certificates.path("clients.json"), JSON.stringify({ ca, clients }));
  await using client = nodeFile("tls-verdicts.mjs", certificates.path("clients.json"));
  nodeVerdicts = JSON.parse(await client.line()) as (string | null)[];
});

after(async () => {
  await servers?.[Symbol.asyncDispose]();
  certificates?.remove();
});

/** Connects, says hello, and closes: null, or the error. */
function verdictOf(index: number, options: net.TlsClientOptions): string | null {
  const { asks } = cases[index]!;
  const result = net.TlsStream.connect(`127.0.0.1:${ports[index]}`, {
    server_name: asks ?? "server.test",
    timeout_ms: 10_000,
    ...options,
  });
  if (result.isErr) return result.error;
  const stream = result.value;
  assert.equal(stream.read(100).map(String).unwrapOr(""), "hello");
  assert.ok(stream.peer_certificate().isOk);
  stream.close();
  return null;
}

test("every server is judged as it should be, and as node:tls judges it", () => {
  for (const [index, { name, error, nodeDiffers }] of cases.entries()) {
    const verdict = verdictOf(index, { ca });
    if (error === null) assert.equal(verdict, null, name);
    else assert.match(verdict ?? "accepted", error, name);
    if (nodeDiffers !== true) {
      const text = `${name}: node:tls says ${nodeVerdicts[index]}, std-net says ${verdict}`;
      assert.equal(verdict === null, nodeVerdicts[index] === null, text);
    }
    if (verdict !== null) assert.match(verdict, /^tls handshake failed: ./, name);
  }
});

test("a second time, with sessions to resume, the verdicts are the same", () => {
  for (const [index, { name, error }] of cases.entries()) {
    assert.equal(verdictOf(index, { ca }) === null, error === null, name);
  }
});

test("without the root, none is trusted", () => {
  for (const [index, { name, error }] of cases.entries()) {
    if (error === null) assert.match(verdictOf(index, {}) ?? "accepted", /certificate verify failed/, name);
  }
});

test("a session made without verification, or under another root, opens nothing", () => {
  const stranger = certificates.authority("another").cert;
  for (const [index, { name, error }] of cases.entries()) {
    if (error !== null) continue;
    assert.equal(verdictOf(index, { insecure: true }), null, name);
    assert.equal(verdictOf(index, { insecure: true }), null, name);
    assert.equal(verdictOf(index, { ca: stranger, insecure: true }), null, name);
    assert.match(verdictOf(index, {}) ?? "accepted", /certificate verify failed/, name);
    assert.match(verdictOf(index, { ca: stranger }) ?? "accepted", /certificate verify failed/, name);
    assert.match(
      verdictOf(index, { ca, server_name: "other.test" }) ?? "accepted",
      /hostname mismatch/,
      name,
    );
  }
});

test("insecure accepts any certificate, but no version below TLS 1.2", () => {
  for (const [index, { name, error }] of cases.entries()) {
    const verdict = verdictOf(index, { insecure: true });
    if (/^TLS 1\.[01]$|^RC4/.test(name)) assert.match(verdict ?? "accepted", error!, name);
    // A key or signature too weak for the security level is refused before anybody looks at the chain, as in Node.
    else if (!/^weak|signature/.test(name)) assert.equal(verdict, null, name);
  }
});

test("min_version is obeyed", () => {
  const index = cases.findIndex(({ name }) => name === "TLS 1.2");
  assert.match(verdictOf(index, { ca, min_version: "TLSv1.3" }) ?? "accepted", /^tls handshake failed: /);
});
