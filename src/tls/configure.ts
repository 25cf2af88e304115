import { Failure } from "../error.ts";
import { takeReason } from "./errors.ts";
import { nodeTls } from "./node-defaults.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import * as o from "./openssl.ts";
import type { CheckedOptions } from "./options.ts";
import { defaultTrust, readCertificates, trustOf } from "./trust.ts";

/** A server's name for itself: see SSL_CTX_set_session_id_context(3). */
const SESSION_ID_CONTEXT = Buffer.from("std-net");

/** Sets up an SSL_CTX as the options say: null, or the first failure. */
export function configure(ssl: OpenSsl, context: Pointer, options: CheckedOptions): Failure | null {
  const isClient = options.role === "client";
  return (
    setCiphersAndVersions(ssl, context, options) ??
    setIdentity(ssl, context, options) ??
    setVerification(ssl, context, options) ??
    (isClient ? setUpClient(ssl, context, options) : setUpServer(ssl, context, options))
  );
}

/** Ciphers and versions are Node's: what Node accepts and refuses, this library accepts and refuses. */
function setCiphersAndVersions(ssl: OpenSsl, context: Pointer, options: CheckedOptions): Failure | null {
  const { DEFAULT_CIPHERS, DEFAULT_MAX_VERSION } = nodeTls();
  const ciphers = DEFAULT_CIPHERS.split(":");
  // As in Node: the names of TLS 1.3 have a list of their own.
  const isTls13 = (name: string) => /^!?TLS_/.test(name);
  const suites = ciphers.filter(isTls13).join(":");
  const others = ciphers.filter((name) => !isTls13(name)).join(":");
  // --tls-cipher-list can be wrong, and then OpenSSL would go on with a list of its own. OpenSSL also calls an empty list
  // wrong, and yet takes it.
  if (
    (suites !== "" && ssl.SSL_CTX_set_ciphersuites(context, suites) !== 1) ||
    (ssl.SSL_CTX_set_cipher_list(context, others) !== 1 && others !== "")
  ) {
    return new Failure(`Node's list of ciphers cannot be used: ${takeReason(ssl, "not accepted")}`);
  }
  ssl.ERR_clear_error();

  const minVersion = others === "" ? o.TLS1_3_VERSION : options.minVersion;
  ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_SET_MIN_PROTO_VERSION, minVersion, null);
  // --tls-max-v1.2 sets this.
  if (DEFAULT_MAX_VERSION === "TLSv1.2") {
    ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_SET_MAX_PROTO_VERSION, o.TLS1_2_VERSION, null);
  }
  ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_MODE, o.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, null);
  // One recv(2) takes header and body of a record, or many small records; without this, each record takes two.
  ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_SET_READ_AHEAD, 1, null);
  return null;
}

function setIdentity(ssl: OpenSsl, context: Pointer, options: CheckedOptions): Failure | null {
  const { cert, key, passphrase, role } = options;
  if (cert === null || key === null) return null;
  const failure = useCertificates(ssl, context, cert) ?? usePrivateKey(ssl, context, key, passphrase);
  if (failure !== null) return failure;
  // Some servers request a certificate only after they have seen the path (Apache's SSLVerifyClient in a <Location>). TLS 1.3
  // allows this only when the client has offered it in its hello (RFC 8446, 4.2.6).
  if (role === "client") ssl.SSL_CTX_set_post_handshake_auth(context, 1);
  return null;
}

/** Whether the peer's certificate is verified, and against whom. */
function setVerification(ssl: OpenSsl, context: Pointer, options: CheckedOptions): Failure | null {
  const isClient = options.role === "client";
  const verifies = isClient ? !options.insecure : options.requestCert;
  if (!verifies) {
    ssl.SSL_CTX_set_verify(context, o.SSL_VERIFY_NONE, null);
    return null;
  }
  const failure = setTrust(ssl, context, options);
  if (failure !== null) return failure;
  const mode = o.SSL_VERIFY_PEER + (isClient ? 0 : o.SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
  ssl.SSL_CTX_set_verify(context, mode, null);
  return null;
}

function setTrust(ssl: OpenSsl, context: Pointer, options: CheckedOptions): Failure | null {
  if (options.ca === null) {
    const store = defaultTrust(ssl);
    if (store instanceof Failure) return store;
    ssl.SSL_CTX_set1_cert_store(context, store);
    return null;
  }
  const store = trustOf(ssl, options.ca);
  if (store instanceof Failure) return new Failure(`option 'ca' cannot be read: ${store.reason}`);
  ssl.SSL_CTX_set1_cert_store(context, store);
  ssl.X509_STORE_free(store);
  if (options.role === "server") {
    // The request for a certificate carries these names, and the client chooses by them (RFC 8446, 4.2.4).
    for (const pem of options.ca) {
      for (const certificate of readCertificates(ssl, pem)) {
        ssl.SSL_CTX_add_client_CA(context, certificate);
        ssl.X509_free(certificate);
      }
    }
  }
  return null;
}

function setUpClient(ssl: OpenSsl, context: Pointer, { alpn }: CheckedOptions): null {
  if (alpn.length > 0) ssl.SSL_CTX_set_alpn_protos(context, alpn, alpn.length);
  return null;
}

function setUpServer(ssl: OpenSsl, context: Pointer, { alpn }: CheckedOptions): null {
  // Renegotiation lets a client make the server work for nothing, and nothing here needs it.
  ssl.SSL_CTX_set_options(context, o.SSL_OP_CIPHER_SERVER_PREFERENCE + o.SSL_OP_NO_RENEGOTIATION);
  if (alpn.length > 0) ssl.selectAlpn(context, alpn);
  // SSL_CTX_set_session_id_context(3): without one, a server that requests certificates refuses to resume a session.
  ssl.SSL_CTX_set_session_id_context(context, SESSION_ID_CONTEXT, SESSION_ID_CONTEXT.length);
  return null;
}

/** SSL_CTX_add1_chain_cert(3) in place of SSL_CTX_add0_chain_cert. */
const ADD_A_REFERENCE = 1;

/** The first certificate of the text is the own one; the others are its chain. */
function useCertificates(ssl: OpenSsl, context: Pointer, pem: Buffer): Failure | null {
  ssl.ERR_clear_error();
  const certificates = readCertificates(ssl, pem);
  // The error that ended the reading is "no start line" at the end of a whole text. A chain must not lose a part unnoticed.
  const end = takeReason(ssl, "no certificate");
  let failure: Failure | null = null;
  if (certificates.length === 0 || end !== "no start line") {
    failure = new Failure(`option 'cert' cannot be read: ${end}`);
  }
  certificates.forEach((certificate, index) => {
    if (failure === null) {
      ssl.ERR_clear_error();
      const done =
        index === 0
          ? ssl.SSL_CTX_use_certificate(context, certificate)
          : ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_CHAIN_CERT, ADD_A_REFERENCE, certificate);
      if (done !== 1)
        failure = new Failure(`option 'cert' cannot be used: ${takeReason(ssl, "not accepted")}`);
    }
    ssl.X509_free(certificate);
  });
  return failure;
}

function usePrivateKey(
  ssl: OpenSsl,
  context: Pointer,
  key: Buffer,
  passphrase: string | null,
): Failure | null {
  ssl.ERR_clear_error();
  const bio = key.length === 0 ? null : ssl.BIO_new_mem_buf(key, key.length);
  if (bio === null) return new Failure("option 'key' cannot be read: no key");
  // Without a password, an encrypted key must fail. With NULL here, OpenSSL would ask for a password at the terminal.
  const password = Buffer.from(`${passphrase ?? ""}\0`);
  const parsed = ssl.PEM_read_bio_PrivateKey(bio, null, null, password);
  password.fill(0);
  ssl.BIO_free(bio);
  if (parsed === null) return new Failure(`option 'key' cannot be read: ${takeReason(ssl, "no key")}`);
  ssl.ERR_clear_error();
  const used = ssl.SSL_CTX_use_PrivateKey(context, parsed);
  ssl.EVP_PKEY_free(parsed);
  if (used !== 1 || ssl.SSL_CTX_check_private_key(context) !== 1) {
    return new Failure(`option 'key' does not fit 'cert': ${takeReason(ssl, "not accepted")}`);
  }
  return null;
}
