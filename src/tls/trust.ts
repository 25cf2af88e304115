import { isMainThread } from "node:worker_threads";
import { Failure } from "../error.ts";
import { takeReason } from "./errors.ts";
import { nodeTls } from "./node-defaults.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import { shared } from "./owned.ts";

/**
 * The certificates that Node trusts in this process, as an X509_STORE that all contexts of all threads share (it has a lock of
 * its own). The first call makes it: OpenSSL parses some 150 certificates, which takes 10 to 20 ms and a megabyte of memory.
 */
export function defaultTrust(ssl: OpenSsl): Pointer | Failure {
  return shared(() => load(ssl), ssl.X509_STORE_free);
}

function load(ssl: OpenSsl): Pointer | Failure {
  const { getCACertificates, rootCertificates } = nodeTls();
  const store = ssl.X509_STORE_new();
  if (store === null) return new Failure("out of memory");
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
 * Whether Node takes the system's directory (and SSL_CERT_FILE, SSL_CERT_DIR) in place of its own list. It does so with
 * --use-openssl-ca, and when it was configured with --openssl-use-def-ca-store, as in Debian and other distributions. Node
 * reads `_` in an option's name as `-`.
 */
export function usesOpensslDirectory(ssl: OpenSsl): boolean {
  const given = [...process.execArgv, ...(processVariable(ssl, "NODE_OPTIONS") ?? "").split(/\s+/)];
  const flags = given.map((flag) => flag.replaceAll("_", "-"));
  if (flags.includes("--use-openssl-ca")) return true;
  // Not every runtime tells how it was built.
  const built: readonly string[] = process.config?.target_defaults?.defines ?? [];
  return built.includes("NODE_OPENSSL_CERT_STORE") && !flags.includes("--use-bundled-ca");
}

/**
 * The bytes of the file that NODE_EXTRA_CA_CERTS names, unchanged: OpenSSL skips a byte order mark, which editors on Windows
 * write. Node goes on without a file that it cannot read, and warns of it itself.
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

/** Node reads the environment of the process. A worker can have another one of its own (the option `env` of Worker). */
function processVariable(ssl: OpenSsl, name: string): string | null | undefined {
  return isMainThread ? process.env[name] : ssl.getenv(name);
}

/** Adds the certificates that can be parsed. The store keeps each certificate once (X509_STORE_add_cert(3)). */
function addCertificates(ssl: OpenSsl, store: Pointer, pem: string | Uint8Array): void {
  for (const certificate of readCertificates(ssl, pem)) {
    ssl.X509_STORE_add_cert(store, certificate);
    ssl.X509_free(certificate);
  }
  ssl.ERR_clear_error();
}

/** A store with these certificates and no others. */
export function trustOf(ssl: OpenSsl, pem: readonly (string | Uint8Array)[]): Pointer | Failure {
  const store = ssl.X509_STORE_new();
  if (store === null) return new Failure("out of memory");
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
    return new Failure(takeReason(ssl, "no certificate"));
  }
  ssl.ERR_clear_error();
  return store;
}

// An encrypted certificate is an error. With NULL in place of this, OpenSSL would ask for a password at the terminal.
const NO_PASSWORD = Buffer.from("\0");

/**
 * The certificates in a PEM text; the caller frees each of them. The error that ended the reading stays in OpenSSL's queue:
 * PEM_R_NO_START_LINE at the end of the text.
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
