import { takeReason } from "./errors.ts";
import { nodeTls } from "./node-defaults.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import * as o from "./openssl.ts";
import type { CheckedOptions } from "./options.ts";
import { CONTEXT, disown, own, SESSION } from "./owned.ts";
import { defaultTrust, readCertificates, trustOf } from "./trust.ts";

/** What a context owns of OpenSSL's. */
interface Owned {
  readonly ssl: OpenSsl;
  readonly pointer: Pointer;
  readonly sessions: Map<string, Pointer>;
}

// Connections, and http's pool, may hold a context for longer than the list below: it goes with the last of them.
const contextRegistry = new FinalizationRegistry<Owned>(free);

function free({ ssl, pointer, sessions }: Owned): void {
  for (const session of sessions.values()) freeSession(ssl, session);
  ssl.forgetAlpn(pointer);
  disown(pointer);
  ssl.SSL_CTX_free(pointer);
}

function freeSession(ssl: OpenSsl, session: Pointer): void {
  disown(session);
  ssl.SSL_SESSION_free(session);
}

/**
 * An SSL_CTX for one set of options, with the sessions that were made under it. A session is only ever offered again
 * under the context it comes from: what one set of options trusted is nothing to another.
 */
export class Context {
  /** Different for each set of options: what a pool of connections can tell them apart by. */
  readonly id: number;
  readonly pointer: Pointer;
  readonly #ssl: OpenSsl;
  readonly #sessions: Map<string, Pointer>;

  constructor(owned: Owned) {
    this.id = ++lastId;
    this.#ssl = owned.ssl;
    this.pointer = owned.pointer;
    this.#sessions = owned.sessions;
    contextRegistry.register(this, owned);
  }

  /**
   * A session to resume with this origin, to be freed by the caller; null for none. It is given once only: a
   * TLS 1.3 ticket used twice would let an onlooker link the two connections (RFC 8446, C.4).
   */
  takeSession(origin: string): Pointer | null {
    const session = this.#sessions.get(origin);
    if (session === undefined) return null;
    this.#sessions.delete(origin);
    disown(session);
    return session;
  }

  /** Keeps a session of this origin for later; takes it over. */
  keepSession(origin: string, session: Pointer): void {
    const previous = this.#sessions.get(origin);
    if (previous !== undefined) freeSession(this.#ssl, previous);
    own(SESSION, session);
    // Deleted first, so that the order of the map is the order of use.
    this.#sessions.delete(origin);
    this.#sessions.set(origin, session);
    if (this.#sessions.size <= MOST_SESSIONS) return;
    for (const [oldest, pointer] of this.#sessions) {
      freeSession(this.#ssl, pointer);
      this.#sessions.delete(oldest);
      return;
    }
  }
}

const MOST_SESSIONS = 256;
const MOST_CONTEXTS = 32;
let lastId = 0;

// Making a context parses keys and certificates, so it is kept for as long as it is used now and then.
const contexts = new Map<string, Context>();

/** The context for these options, made anew or found; or the text of an error. */
export function contextFor(ssl: OpenSsl, options: CheckedOptions): Context | string {
  const key = keyOf(options);
  let context = contexts.get(key);
  if (context === undefined) {
    const made = create(ssl, options);
    if (typeof made === "string") return made;
    context = made;
  } else if (contexts.size > 1) {
    contexts.delete(key);
  }
  contexts.set(key, context);
  if (contexts.size > MOST_CONTEXTS) {
    for (const oldest of contexts.keys()) {
      contexts.delete(oldest);
      break;
    }
  }
  return context;
}

/** Everything that matters to a context, each part behind its length, so that no two sets of options read alike. */
function keyOf(options: CheckedOptions): string {
  const { role, ca, cert, key, passphrase, alpn, minVersion, insecure, requestCert } = options;
  if (ca === null && cert === null && alpn.length === 0)
    return `${role} ${minVersion} ${insecure} ${requestCert}`;
  const parts = [cert, key, passphrase === null ? null : Buffer.from(passphrase), alpn, ...(ca ?? [null])];
  const texts = parts.map((part) => (part === null ? "-" : `${part.length}:${part.toString("latin1")}`));
  return `${role} ${minVersion} ${insecure} ${requestCert} ${texts.join(" ")}`;
}

function create(ssl: OpenSsl, options: CheckedOptions): Context | string {
  ssl.ERR_clear_error();
  const isClient = options.role === "client";
  const pointer = ssl.SSL_CTX_new(isClient ? ssl.TLS_client_method() : ssl.TLS_server_method());
  if (pointer === null) return takeReason(ssl, "no TLS context");
  own(CONTEXT, pointer);
  const owned = { ssl, pointer, sessions: new Map() };
  const failure = configure(ssl, pointer, options);
  if (failure !== null) free(owned);
  // What went well may have left something behind too.
  ssl.ERR_clear_error();
  return failure ?? new Context(owned);
}

/** Null, or the text of the first thing that failed. */
function configure(ssl: OpenSsl, context: Pointer, options: CheckedOptions): string | null {
  // Whatever of keys, signatures, ciphers and versions Node takes and refuses, this does too.
  const { DEFAULT_CIPHERS, DEFAULT_MAX_VERSION } = nodeTls();
  const ciphers = DEFAULT_CIPHERS.split(":");
  // As Node divides them: the names of TLS 1.3 have a list of their own.
  const isTls13 = (name: string) => /^!?TLS_/.test(name);
  const suites = ciphers.filter(isTls13).join(":");
  const others = ciphers.filter((name) => !isTls13(name)).join(":");
  // What --tls-cipher-list gives may be wrong: then OpenSSL would go on with a list of its own. It calls an empty one wrong
  // too, and takes it.
  if (
    (suites !== "" && ssl.SSL_CTX_set_ciphersuites(context, suites) !== 1) ||
    (ssl.SSL_CTX_set_cipher_list(context, others) !== 1 && others !== "")
  ) {
    return `Node's list of ciphers cannot be used: ${takeReason(ssl, "not accepted")}`;
  }
  ssl.ERR_clear_error();

  const minVersion = others === "" ? o.TLS1_3_VERSION : options.minVersion;
  ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_SET_MIN_PROTO_VERSION, minVersion, null);
  // What --tls-max-v1.2 sets.
  if (DEFAULT_MAX_VERSION === "TLSv1.2") {
    ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_SET_MAX_PROTO_VERSION, o.TLS1_2_VERSION, null);
  }
  ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_MODE, o.SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, null);
  // One recv(2) for header and body of a record, or for many small records, in place of two for each.
  ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_SET_READ_AHEAD, 1, null);

  const isClient = options.role === "client";
  if (options.cert !== null && options.key !== null) {
    const failure = useIdentity(ssl, context, options.cert, options.key, options.passphrase);
    if (failure !== null) return failure;
    // For a server that asks only when it has seen which path is wanted (Apache's SSLVerifyClient in a <Location>): TLS 1.3
    // lets it only where the client has offered so in its hello (RFC 8446, 4.2.6).
    if (isClient) ssl.SSL_CTX_set_post_handshake_auth(context, 1);
  }

  if (isClient ? !options.insecure : options.requestCert) {
    const failure = useTrust(ssl, context, options);
    if (failure !== null) return failure;
    const mode = o.SSL_VERIFY_PEER + (isClient ? 0 : o.SSL_VERIFY_FAIL_IF_NO_PEER_CERT);
    ssl.SSL_CTX_set_verify(context, mode, null);
  } else {
    ssl.SSL_CTX_set_verify(context, o.SSL_VERIFY_NONE, null);
  }

  if (isClient) {
    if (options.alpn.length > 0) ssl.SSL_CTX_set_alpn_protos(context, options.alpn, options.alpn.length);
  } else {
    // Renegotiation lets a client make the server work for nothing, and nothing here needs it.
    ssl.SSL_CTX_set_options(context, o.SSL_OP_CIPHER_SERVER_PREFERENCE + o.SSL_OP_NO_RENEGOTIATION);
    if (options.alpn.length > 0) ssl.selectAlpn(context, options.alpn);
    // SSL_CTX_set_session_id_context(3): without one, a server that asks for certificates refuses resumption.
    ssl.SSL_CTX_set_session_id_context(context, SESSION_ID_CONTEXT, SESSION_ID_CONTEXT.length);
  }
  return null;
}

const SESSION_ID_CONTEXT = Buffer.from("std-net");

function useTrust(ssl: OpenSsl, context: Pointer, options: CheckedOptions): string | null {
  if (options.ca === null) {
    const store = defaultTrust(ssl);
    if (typeof store === "string") return store;
    ssl.SSL_CTX_set1_cert_store(context, store);
    return null;
  }
  const store = trustOf(ssl, options.ca);
  if (typeof store === "string") return `option 'ca' cannot be read: ${store}`;
  ssl.SSL_CTX_set1_cert_store(context, store);
  ssl.X509_STORE_free(store);
  if (options.role === "server") {
    // The names that the request for a certificate gives the client to choose by (RFC 8446, 4.2.4).
    for (const pem of options.ca) {
      for (const certificate of readCertificates(ssl, pem)) {
        ssl.SSL_CTX_add_client_CA(context, certificate);
        ssl.X509_free(certificate);
      }
    }
  }
  return null;
}

/** The certificate, those that follow it as its chain, and the key. */
function useIdentity(
  ssl: OpenSsl,
  context: Pointer,
  cert: Buffer,
  key: Buffer,
  passphrase: string | null,
): string | null {
  ssl.ERR_clear_error();
  const certificates = readCertificates(ssl, cert);
  // What ended the reading: the end of the text, where it is whole. A chain must not lose a part silently.
  const end = takeReason(ssl, "no certificate");
  let failure: string | null = null;
  if (certificates.length === 0 || end !== "no start line") failure = `option 'cert' cannot be read: ${end}`;
  certificates.forEach((certificate, index) => {
    if (failure === null) {
      ssl.ERR_clear_error();
      const done =
        index === 0
          ? ssl.SSL_CTX_use_certificate(context, certificate)
          : ssl.SSL_CTX_ctrl(context, o.SSL_CTRL_CHAIN_CERT, ADD_A_REFERENCE, certificate);
      if (done !== 1) failure = `option 'cert' cannot be used: ${takeReason(ssl, "not accepted")}`;
    }
    ssl.X509_free(certificate);
  });
  return failure ?? usePrivateKey(ssl, context, key, passphrase);
}

/** SSL_CTX_add1_chain_cert(3) in place of SSL_CTX_add0_chain_cert. */
const ADD_A_REFERENCE = 1;

function usePrivateKey(
  ssl: OpenSsl,
  context: Pointer,
  key: Buffer,
  passphrase: string | null,
): string | null {
  ssl.ERR_clear_error();
  const bio = key.length === 0 ? null : ssl.BIO_new_mem_buf(key, key.length);
  if (bio === null) return "option 'key' cannot be read: no key";
  // Without a password, an encrypted key must fail: OpenSSL would ask for one at the terminal if it got NULL here.
  const password = Buffer.from(`${passphrase ?? ""}\0`);
  const parsed = ssl.PEM_read_bio_PrivateKey(bio, null, null, password);
  password.fill(0);
  ssl.BIO_free(bio);
  if (parsed === null) return `option 'key' cannot be read: ${takeReason(ssl, "no key")}`;
  ssl.ERR_clear_error();
  const used = ssl.SSL_CTX_use_PrivateKey(context, parsed);
  ssl.EVP_PKEY_free(parsed);
  if (used !== 1 || ssl.SSL_CTX_check_private_key(context) !== 1) {
    return `option 'key' does not fit 'cert': ${takeReason(ssl, "not accepted")}`;
  }
  return null;
}
