import { isMainThread } from "node:worker_threads";
import { takeReason } from "./errors.ts";
import { nodeTls } from "./node-defaults.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import { shared } from "./owned.ts";

/**
 * The certificates that Node trusts in this process, as an X509_STORE that all contexts of all threads share (it has a
 * lock of its own); or the text of an error. Made on the first call: some 150 certificates to parse, which takes OpenSSL
 * 10 to 20 ms, and a megabyte to keep.
 */
export function defaultTrust(ssl: OpenSsl): Pointer | string {
  return shared(() => load(ssl), ssl.X509_STORE_free);
}

function load(ssl: OpenSsl): Pointer | string {
  const { getCACertificates, rootCertificates } = nodeTls();
  const store = ssl.X509_STORE_new();
  if (store === null) return "out of memory";
  if (usesOpensslDirectory(ssl)) {
    ssl.X509_STORE_set_default_paths(store);
    ssl.ERR_clear_error();
    addCertificates(ssl, store, extraCertificates(ssl));
  } else if (getCACertificates !== undefined) {
    addCertificates(ssl, store, getCACertificates("default").join("\n"));
  } else {
    addCertificates(ssl, store, rootCertificates.join("\n"));
    addCertificates(ssl, store, extraCertificates(ssl));
  }
  return store;
}

/**
 * Whether Node takes the system's own directory (and SSL_CERT_FILE, SSL_CERT_DIR) in place of its list: with
 * --use-openssl-ca, or where it was configured with --openssl-use-def-ca-store, as Debian's and other distributions' Node
 * is. Node reads `_` in an option's name as `-`.
 */
function usesOpensslDirectory(ssl: OpenSsl): boolean {
  const given = [...process.execArgv, ...(processVariable(ssl, "NODE_OPTIONS") ?? "").split(/\s+/)];
  const flags = given.map((flag) => flag.replaceAll("_", "-"));
  if (flags.includes("--use-openssl-ca")) return true;
  // Not every runtime says how it was built.
  const built: readonly string[] = process.config?.target_defaults?.defines ?? [];
  return built.includes("NODE_OPENSSL_CERT_STORE") && !flags.includes("--use-bundled-ca");
}

/**
 * The bytes of NODE_EXTRA_CA_CERTS, as they are: OpenSSL passes over a byte order mark, as Windows' editors write it. Node goes on
 * without a file that it cannot read, and warns about it itself.
 */
function extraCertificates(ssl: OpenSsl): Uint8Array {
  const path = processVariable(ssl, "NODE_EXTRA_CA_CERTS");
  if (!path) return NO_BYTES;
  try {
    const { readFileSync } = process.getBuiltinModule("node:fs");
    return readFileSync(path);
  } catch {
    return NO_BYTES;
  }
}

const NO_BYTES = new Uint8Array(0);

/** What Node reads is the process's environment; a worker's own may be another (Worker's option `env`). */
function processVariable(ssl: OpenSsl, name: string): string | null | undefined {
  return isMainThread ? process.env[name] : ssl.getenv(name);
}

/** Adds what can be parsed; a certificate that is there already stays there once (X509_STORE_add_cert(3)). */
function addCertificates(ssl: OpenSsl, store: Pointer, pem: string | Uint8Array): void {
  for (const certificate of readCertificates(ssl, pem)) {
    ssl.X509_STORE_add_cert(store, certificate);
    ssl.X509_free(certificate);
  }
  ssl.ERR_clear_error();
}

/** A store with just these certificates, or the text of an error. */
export function trustOf(ssl: OpenSsl, pem: readonly (string | Uint8Array)[]): Pointer | string {
  const store = ssl.X509_STORE_new();
  if (store === null) return "out of memory";
  let count = 0;
  for (const text of pem) {
    ssl.ERR_clear_error();
    for (const certificate of readCertificates(ssl, text)) {
      ssl.X509_STORE_add_cert(store, certificate);
      ssl.X509_free(certificate);
      count++;
    }
  }
  if (count === 0) {
    ssl.X509_STORE_free(store);
    return takeReason(ssl, "no certificate");
  }
  ssl.ERR_clear_error();
  return store;
}

// An encrypted certificate is an error. Not NULL: then OpenSSL would ask for a password at the terminal.
const NO_PASSWORD = Buffer.from("\0");

/**
 * The certificates in a PEM text, each to be freed by the caller. The error that ended the reading stays in the
 * queue: PEM_R_NO_START_LINE when the text was at its end.
 */
export function readCertificates(ssl: OpenSsl, pem: string | Uint8Array): Pointer[] {
  const bytes = Buffer.from(pem as Uint8Array);
  const certificates: Pointer[] = [];
  const bio = bytes.length === 0 ? null : ssl.BIO_new_mem_buf(bytes, bytes.length);
  if (bio === null) return certificates;
  for (;;) {
    const certificate = ssl.PEM_read_bio_X509_AUX(bio, null, null, NO_PASSWORD);
    if (certificate === null) break;
    certificates.push(certificate);
  }
  ssl.BIO_free(bio);
  return certificates;
}
