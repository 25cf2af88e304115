import { Failure } from "../error.ts";
import { configure } from "./configure.ts";
import { takeReason } from "./errors.ts";
import type { OpenSsl, Pointer } from "./openssl.ts";
import type { CheckedOptions } from "./options.ts";
import { CONTEXT, disown, own, SESSION } from "./owned.ts";

/** What a context owns of OpenSSL's. */
interface Owned {
  readonly ssl: OpenSsl;
  readonly pointer: Pointer;
  readonly sessions: Map<string, Pointer>;
}

// Connections and http's pool may hold a context for longer than the list below does. It is freed with the last of them.
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
 * An SSL_CTX for one set of options, with the sessions that were made under it. A session is only offered again under the
 * context that it comes from, because another set of options may trust other servers.
 */
export class Context {
  /** Different for each set of options. A pool of connections tells them apart by it. */
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
   * A session to resume with this origin, or null; the caller frees it. Each session is given only once: an observer could
   * link two connections that use the same TLS 1.3 ticket (RFC 8446, C.4).
   */
  takeSession(origin: string): Pointer | null {
    const session = this.#sessions.get(origin);
    if (session === undefined) return null;
    this.#sessions.delete(origin);
    disown(session);
    return session;
  }

  /** Keeps a session of this origin for later, and takes it over. */
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

// To make a context takes long, because keys and certificates are parsed. So the contexts that were used last are kept.
const contexts = new Map<string, Context>();

/** The context for these options, from the list or made anew. */
export function contextFor(ssl: OpenSsl, options: CheckedOptions): Context | Failure {
  const key = keyOf(options);
  let context = contexts.get(key);
  if (context === undefined) {
    const made = create(ssl, options);
    if (made instanceof Failure) return made;
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

/** Everything that matters to a context. Each part stands behind its length, so that two sets of options never look alike. */
function keyOf(options: CheckedOptions): string {
  const { role, ca, cert, key, passphrase, alpn, minVersion, insecure, requestCert } = options;
  if (ca === null && cert === null && alpn.length === 0)
    return `${role} ${minVersion} ${insecure} ${requestCert}`;
  const parts = [cert, key, passphrase === null ? null : Buffer.from(passphrase), alpn, ...(ca ?? [null])];
  const texts = parts.map((part) => (part === null ? "-" : `${part.length}:${part.toString("latin1")}`));
  return `${role} ${minVersion} ${insecure} ${requestCert} ${texts.join(" ")}`;
}

function create(ssl: OpenSsl, options: CheckedOptions): Context | Failure {
  ssl.ERR_clear_error();
  const isClient = options.role === "client";
  const pointer = ssl.SSL_CTX_new(isClient ? ssl.TLS_client_method() : ssl.TLS_server_method());
  if (pointer === null) return new Failure(takeReason(ssl, "no TLS context"));
  own(CONTEXT, pointer);
  const owned = { ssl, pointer, sessions: new Map() };
  const failure = configure(ssl, pointer, options);
  if (failure !== null) free(owned);
  // A success may have left an error in the queue too.
  ssl.ERR_clear_error();
  return failure ?? new Context(owned);
}
