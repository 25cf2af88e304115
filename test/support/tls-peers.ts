// Certificates for the tests of TLS, made when this module is loaded, and foreign peers that use them.
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { after } from "node:test";
import type * as net from "std-net";
import { type OpenSsl, openssl } from "../../src/tls/openssl.ts";
import { Certificates } from "./certificates.ts";
import { nodeFile, ok, type Peer, pythonFile } from "./peer.ts";

export const LOOPBACK = "127.0.0.1:0";

export const certificates = new Certificates();
after(() => certificates.remove());

/** The CA of all certificates here. */
export const ca = certificates.authority("root").cert;
export const server = certificates.make("server", "root");
export const client = certificates.make("client", "root", {
  subject: "/CN=client",
  extensions: "extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\n",
});
/** The client's key; its passphrase is "correct horse". */
export const encryptedKey = createPrivateKey(client.key).export({
  type: "pkcs8",
  format: "pem",
  cipher: "aes-256-cbc",
  passphrase: "correct horse",
}) as string;

export const options = (): net.TlsConnectOptions => ({ ca, server_name: "server.test", timeout_ms: 10_000 });

/**
 * A Python server: `prepare` is run with its `context`; then it accepts one connection, `raw`, and runs `program`.
 * `sys`, `socket`, `ssl` and `time` are imported, and the certificates' folder is sys.argv[1].
 */
export async function pythonServer(program: string, prepare = ""): Promise<{ peer: Peer; addr: string }> {
  const peer = pythonFile("tls-server.py", certificates.directory, prepare, program);
  return { peer, addr: `127.0.0.1:${await peer.line()}` };
}

/** For `pythonServer`: the handshake, which makes `tls`. */
export const ACCEPT = "tls = context.wrap_socket(raw, server_side=True, suppress_ragged_eofs=False)\n";

/** For `pythonServer`: accepts and makes handshakes without end. */
export const ACCEPT_ALL = `while True:
  try: context.wrap_socket(raw, server_side=True).close()
  except OSError: pass
  raw, _ = listener.accept()
`;

/** A node:tls server for any number of clients, that echoes. */
export async function echoServer(): Promise<{ peer: Peer; addr: string }> {
  const peer = nodeFile("tls-echo.mjs", certificates.path("server.pem"), certificates.path("server.key"));
  return { peer, addr: `127.0.0.1:${await peer.line()}` };
}

/** Reads until `size` bytes have come. */
export function readAll(stream: net.TlsStream, size: number): Buffer {
  const parts: Buffer[] = [];
  for (let total = 0; total < size; ) {
    const bytes = ok(stream.read(size - total));
    assert.notEqual(bytes.length, 0, "the stream ended early");
    parts.push(bytes);
    total += bytes.length;
  }
  return Buffer.concat(parts);
}

/** Writes all of it. */
export function writeAll(stream: net.TlsStream, bytes: Uint8Array): void {
  for (let sent = 0; sent < bytes.length; ) sent += ok(stream.write(bytes.subarray(sent)));
}

/** Nothing of ours may be left where node:crypto would find it. */
export function assertEmptyErrorQueue(): void {
  const ssl = openssl() as OpenSsl;
  assert.equal(Number(ssl.ERR_get_error()), 0, "OpenSSL's error queue is empty");
}
