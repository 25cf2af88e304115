import { networkPlatform } from "../engine/permission.ts";
import { errorText, Failure } from "../error.ts";
import { loadUnstopped } from "../runtime/load-guard.ts";
import { type Koffi, loadKoffi } from "../sys/koffi.ts";
import { alpnSelection } from "./alpn.ts";

type Library = ReturnType<Koffi["load"]>;

/** The address of something that OpenSSL owns. Null is C's NULL. */
export type Pointer = bigint;

/**
 * The functions of OpenSSL 3 that this library calls, under their own names. The manual pages of section 3ossl describe them.
 * Macros of C (over SSL_ctrl, SSL_CTX_ctrl and BIO_ctrl) are functions here.
 *
 * koffi passes a typed array as the pointer to its memory and checks no bounds. The caller must get every length right, and
 * must keep a buffer alive for as long as OpenSSL reads from it.
 */
export interface OpenSsl {
  /** Looks first whether there is an error (ERR_peek_error(3)): with an empty queue this takes a third of the time. */
  ERR_clear_error(): void;
  /** Takes the oldest error out of this thread's queue; 0 when there is none. */
  ERR_get_error(): number | bigint;
  /** The newest error, which stays in the queue; 0 when there is none. */
  ERR_peek_last_error(): number | bigint;
  ERR_reason_error_string(error: number | bigint): string | null;
  ERR_lib_error_string(error: number | bigint): string | null;

  TLS_client_method(): Pointer;
  TLS_server_method(): Pointer;
  SSL_CTX_new(method: Pointer): Pointer | null;
  SSL_CTX_free(context: Pointer): void;
  SSL_CTX_ctrl(context: Pointer, command: number, number: number, pointer: Pointer | null): number;
  SSL_CTX_set_options(context: Pointer, options: number): number | bigint;
  SSL_CTX_set_cipher_list(context: Pointer, ciphers: string): number;
  SSL_CTX_set_ciphersuites(context: Pointer, ciphers: string): number;
  SSL_CTX_set_verify(context: Pointer, mode: number, callback: null): void;
  SSL_CTX_set_post_handshake_auth(context: Pointer, enabled: number): void;
  SSL_CTX_set1_cert_store(context: Pointer, store: Pointer): void;
  SSL_CTX_use_certificate(context: Pointer, certificate: Pointer): number;
  SSL_CTX_use_PrivateKey(context: Pointer, key: Pointer): number;
  SSL_CTX_check_private_key(context: Pointer): number;
  SSL_CTX_add_client_CA(context: Pointer, certificate: Pointer): number;
  SSL_CTX_set_alpn_protos(context: Pointer, protocols: Uint8Array, length: number): number;
  SSL_CTX_set_session_id_context(context: Pointer, id: Uint8Array, length: number): number;

  SSL_new(context: Pointer): Pointer | null;
  SSL_free(ssl: Pointer): void;
  SSL_set_bio(ssl: Pointer, readFrom: Pointer, writeTo: Pointer): void;
  SSL_set_connect_state(ssl: Pointer): void;
  SSL_set_accept_state(ssl: Pointer): void;
  SSL_ctrl(ssl: Pointer, command: number, number: number, pointer: Uint8Array | null): number;
  SSL_get0_param(ssl: Pointer): Pointer;
  SSL_do_handshake(ssl: Pointer): number;
  SSL_read(ssl: Pointer, buffer: Uint8Array, length: number): number;
  SSL_peek(ssl: Pointer, buffer: Uint8Array, length: number): number;
  SSL_pending(ssl: Pointer): number;
  SSL_write(ssl: Pointer, buffer: Uint8Array, length: number): number;
  SSL_get_error(ssl: Pointer, result: number): number;
  SSL_has_pending(ssl: Pointer): number;
  SSL_shutdown(ssl: Pointer): number;
  SSL_get_verify_result(ssl: Pointer): number;
  SSL_get_version(ssl: Pointer): string;
  SSL_version(ssl: Pointer): number;
  SSL_session_reused(ssl: Pointer): number;
  SSL_get1_session(ssl: Pointer): Pointer | null;
  SSL_set_session(ssl: Pointer, session: Pointer): number;
  SSL_SESSION_is_resumable(session: Pointer): number;
  SSL_SESSION_free(session: Pointer): void;
  SSL_get1_peer_certificate(ssl: Pointer): Pointer | null;
  /** The protocol that ALPN agreed on; null for none. */
  SSL_get0_alpn_selected(ssl: Pointer): string | null;

  X509_VERIFY_PARAM_set_hostflags(parameters: Pointer, flags: number): void;
  X509_VERIFY_PARAM_set1_host(parameters: Pointer, name: string, length: number): number;
  X509_VERIFY_PARAM_add1_host(parameters: Pointer, name: string, length: number): number;
  X509_VERIFY_PARAM_set1_ip_asc(parameters: Pointer, address: string): number;
  X509_verify_cert_error_string(code: number): string;
  X509_STORE_new(): Pointer | null;
  X509_STORE_free(store: Pointer): void;
  X509_STORE_add_cert(store: Pointer, certificate: Pointer): number;
  X509_STORE_set_default_paths(store: Pointer): number;
  X509_free(certificate: Pointer): void;
  /** The certificate's DER encoding; empty when that fails. */
  i2d_X509(certificate: Pointer): Buffer;
  EVP_PKEY_free(key: Pointer): void;

  /** Reads from `bytes`. They must stay alive as long as the BIO. */
  BIO_new_mem_buf(bytes: Uint8Array, length: number): Pointer | null;
  BIO_free(bio: Pointer): number;
  /** BIO_new(BIO_s_mem()): what is written can be read. A read from an empty one says "try again". */
  BIO_new_mem(): Pointer | null;
  BIO_pending(bio: Pointer): number;
  BIO_read(bio: Pointer, into: Uint8Array, length: number): number;
  BIO_write(bio: Pointer, bytes: Uint8Array, length: number): number;
  /**
   * `password` is a C string: without a callback, these two functions take their last argument as one. It must not be NULL,
   * for certificates too: any PEM text may say that it is encrypted (RFC 1421, 4.6.1.1), and with NULL OpenSSL would ask for
   * the password at the terminal (PEM_read_bio_PrivateKey(3)).
   */
  PEM_read_bio_X509_AUX(bio: Pointer, into: null, callback: null, password: Uint8Array): Pointer | null;
  PEM_read_bio_PrivateKey(bio: Pointer, into: null, callback: null, password: Uint8Array): Pointer | null;

  /**
   * Makes servers of this context choose the first of `protocols` (in the form of the wire, RFC 7301, 3.1) that the client
   * offers too. When there is none, the handshake fails. A client that offers nothing gets no protocol.
   */
  selectAlpn(context: Pointer, protocols: Uint8Array): void;
  /** Must be called before such a context is freed. */
  forgetAlpn(context: Pointer): void;

  /** libc's, which every library has beneath it: a variable of the process's environment; null where it has no such. */
  getenv(name: string): string | null;
}

// ssl.h, bio.h, x509_vfy.h, x509v3.h of OpenSSL 3: part of its binary interface, which is stable within 3.x.
export const SSL_ERROR_WANT_READ = 2;
export const SSL_ERROR_ZERO_RETURN = 6;
export const SSL_VERIFY_NONE = 0;
export const SSL_VERIFY_PEER = 1;
export const SSL_VERIFY_FAIL_IF_NO_PEER_CERT = 2;
export const SSL_CTRL_MODE = 33;
export const SSL_CTRL_SET_READ_AHEAD = 41;
export const SSL_CTRL_SET_TLSEXT_HOSTNAME = 55;
export const SSL_CTRL_CHAIN_CERT = 89;
export const SSL_CTRL_SET_MIN_PROTO_VERSION = 123;
export const SSL_CTRL_SET_MAX_PROTO_VERSION = 124;
export const TLSEXT_NAMETYPE_host_name = 0;
export const TLS1_2_VERSION = 0x0303;
export const TLS1_3_VERSION = 0x0304;
export const SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER = 0x2;
export const SSL_OP_CIPHER_SERVER_PREFERENCE = 2 ** 22;
export const SSL_OP_NO_RENEGOTIATION = 2 ** 30;
export const X509_V_OK = 0;
export const X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS = 0x4;
export const X509_CHECK_FLAG_NEVER_CHECK_SUBJECT = 0x20;

const BIO_CTRL_PENDING = 10;

let loaded: OpenSsl | Failure | undefined;
let chosen: { readonly version: string; readonly file: string | null } | undefined;

/** Which OpenSSL was loaded: its own words, and its file; null where it is the runtime's own. Undefined before that. */
export function chosenOpenssl(): typeof chosen {
  return chosen;
}

/** OpenSSL, loaded by the first call; or a failure that says what is missing. */
export function openssl(): OpenSsl | Failure {
  if (loaded === undefined) {
    // Without a platform it is not OpenSSL that is missing, and the platform's text says what to do.
    const sys = networkPlatform();
    if (sys instanceof Failure) return sys;
    try {
      loaded = loadUnstopped(load);
    } catch (error) {
      loaded = new Failure(errorText(error));
    }
  }
  return loaded;
}

/** Node is linked with OpenSSL and exports it. When the runtime has none, or another library, the system's is used. */
function candidates(): (string | null)[] {
  // node.exe exports all that is called here. koffi's null, "what this program has loaded", is POSIX.
  if (process.platform === "win32") return [process.execPath];
  if (process.platform === "darwin") {
    return [
      null,
      "/opt/homebrew/opt/openssl@3/lib/libssl.3.dylib",
      "/usr/local/opt/openssl@3/lib/libssl.3.dylib",
      "/opt/local/libexec/openssl3/lib/libssl.3.dylib",
    ];
  }
  return [null, "libssl.so.3"];
}

function load(): OpenSsl {
  const koffi = loadKoffi();
  for (const path of candidates()) {
    try {
      const library = koffi.load(path);
      // A library with the same names may take other arguments: BoringSSL calls itself 1.1.1.
      if (library.func("unsigned long OpenSSL_version_num()")() >= 0x30000000) {
        const version: string = library.func("const char *OpenSSL_version(int)")(0);
        chosen = { version, file: path === process.execPath ? null : path };
        return declare(koffi, library);
      }
    } catch {
      // Not there: try the next one.
    }
  }
  throw new Error(
    `no OpenSSL 3: this ${process.versions.bun ? "Bun" : process.versions.deno ? "Deno" : "runtime"} exports ` +
      "none, and the system's was not found (Debian and Ubuntu: libssl3, Fedora: openssl-libs, Alpine: libssl3, " +
      "Homebrew: openssl@3)",
  );
}

/** The longest value of a variable on Windows, in characters (GetEnvironmentVariableW). */
const LONGEST_VALUE = 32_767;

/** getenv(3). On Windows a C library has a copy of the environment from the program's start, so the system is asked. */
function loadGetenv(koffi: Koffi, library: Library): OpenSsl["getenv"] {
  if (process.platform !== "win32") return library.func("const char *getenv(const char *)");
  const getVariable = koffi
    .load("kernel32.dll")
    .func("uint32_t __stdcall GetEnvironmentVariableW(const char16_t *, void *, uint32_t)");
  return (name) => {
    const room = Buffer.alloc(2 * (LONGEST_VALUE + 1));
    const length: number = getVariable(name, room, LONGEST_VALUE + 1);
    return length === 0 ? null : room.toString("utf16le", 0, 2 * length);
  };
}

function declare(koffi: Koffi, library: Library): OpenSsl {
  const f = (prototype: string) => library.func(prototype);
  const ERR_clear_error = f("void ERR_clear_error()");
  const ERR_peek_error = f("unsigned long ERR_peek_error()");
  const BIO_new = f("void *BIO_new(void *)");
  const BIO_s_mem = f("void *BIO_s_mem()");
  const BIO_free = f("int BIO_free(void *)");
  const BIO_ctrl = f("long BIO_ctrl(void *, int, long, void *)");
  const BIO_read = f("int BIO_read(void *, void *, int)");
  const i2d_X509_bio = f("int i2d_X509_bio(void *, void *)");
  const SSL_get0_alpn_selected = f(
    "void SSL_get0_alpn_selected(void *, _Out_ void **, _Out_ unsigned int *)",
  );

  return {
    ERR_clear_error() {
      if (ERR_peek_error() !== 0) ERR_clear_error();
    },
    ERR_get_error: f("unsigned long ERR_get_error()"),
    ERR_peek_last_error: f("unsigned long ERR_peek_last_error()"),
    ERR_reason_error_string: f("const char *ERR_reason_error_string(unsigned long)"),
    ERR_lib_error_string: f("const char *ERR_lib_error_string(unsigned long)"),
    TLS_client_method: f("void *TLS_client_method()"),
    TLS_server_method: f("void *TLS_server_method()"),
    SSL_CTX_new: f("void *SSL_CTX_new(void *)"),
    SSL_CTX_free: f("void SSL_CTX_free(void *)"),
    SSL_CTX_ctrl: f("long SSL_CTX_ctrl(void *, int, long, void *)"),
    SSL_CTX_set_options: f("uint64_t SSL_CTX_set_options(void *, uint64_t)"),
    SSL_CTX_set_cipher_list: f("int SSL_CTX_set_cipher_list(void *, const char *)"),
    SSL_CTX_set_ciphersuites: f("int SSL_CTX_set_ciphersuites(void *, const char *)"),
    SSL_CTX_set_verify: f("void SSL_CTX_set_verify(void *, int, void *)"),
    SSL_CTX_set_post_handshake_auth: f("void SSL_CTX_set_post_handshake_auth(void *, int)"),
    SSL_CTX_set1_cert_store: f("void SSL_CTX_set1_cert_store(void *, void *)"),
    SSL_CTX_use_certificate: f("int SSL_CTX_use_certificate(void *, void *)"),
    SSL_CTX_use_PrivateKey: f("int SSL_CTX_use_PrivateKey(void *, void *)"),
    SSL_CTX_check_private_key: f("int SSL_CTX_check_private_key(void *)"),
    SSL_CTX_add_client_CA: f("int SSL_CTX_add_client_CA(void *, void *)"),
    SSL_CTX_set_alpn_protos: f("int SSL_CTX_set_alpn_protos(void *, void *, unsigned int)"),
    SSL_CTX_set_session_id_context: f("int SSL_CTX_set_session_id_context(void *, void *, unsigned int)"),
    SSL_new: f("void *SSL_new(void *)"),
    SSL_free: f("void SSL_free(void *)"),
    SSL_set_bio: f("void SSL_set_bio(void *, void *, void *)"),
    SSL_set_connect_state: f("void SSL_set_connect_state(void *)"),
    SSL_set_accept_state: f("void SSL_set_accept_state(void *)"),
    SSL_ctrl: f("long SSL_ctrl(void *, int, long, void *)"),
    SSL_get0_param: f("void *SSL_get0_param(void *)"),
    SSL_do_handshake: f("int SSL_do_handshake(void *)"),
    SSL_read: f("int SSL_read(void *, void *, int)"),
    SSL_peek: f("int SSL_peek(void *, void *, int)"),
    SSL_pending: f("int SSL_pending(void *)"),
    SSL_write: f("int SSL_write(void *, void *, int)"),
    SSL_get_error: f("int SSL_get_error(void *, int)"),
    SSL_has_pending: f("int SSL_has_pending(void *)"),
    SSL_shutdown: f("int SSL_shutdown(void *)"),
    SSL_get_verify_result: f("long SSL_get_verify_result(void *)"),
    SSL_get_version: f("const char *SSL_get_version(void *)"),
    SSL_version: f("int SSL_version(void *)"),
    SSL_session_reused: f("int SSL_session_reused(void *)"),
    SSL_get1_session: f("void *SSL_get1_session(void *)"),
    SSL_set_session: f("int SSL_set_session(void *, void *)"),
    SSL_SESSION_is_resumable: f("int SSL_SESSION_is_resumable(void *)"),
    SSL_SESSION_free: f("void SSL_SESSION_free(void *)"),
    SSL_get1_peer_certificate: f("void *SSL_get1_peer_certificate(void *)"),
    SSL_get0_alpn_selected(ssl) {
      const data: (Pointer | null)[] = [null];
      const length: number[] = [0];
      SSL_get0_alpn_selected(ssl, data, length);
      return data[0] && length[0] ? koffi.decode.string(data[0], length[0]) : null;
    },
    X509_VERIFY_PARAM_set_hostflags: f("void X509_VERIFY_PARAM_set_hostflags(void *, unsigned int)"),
    X509_VERIFY_PARAM_set1_host: f("int X509_VERIFY_PARAM_set1_host(void *, const char *, size_t)"),
    X509_VERIFY_PARAM_add1_host: f("int X509_VERIFY_PARAM_add1_host(void *, const char *, size_t)"),
    X509_VERIFY_PARAM_set1_ip_asc: f("int X509_VERIFY_PARAM_set1_ip_asc(void *, const char *)"),
    X509_verify_cert_error_string: f("const char *X509_verify_cert_error_string(long)"),
    X509_STORE_new: f("void *X509_STORE_new()"),
    X509_STORE_free: f("void X509_STORE_free(void *)"),
    X509_STORE_add_cert: f("int X509_STORE_add_cert(void *, void *)"),
    X509_STORE_set_default_paths: f("int X509_STORE_set_default_paths(void *)"),
    X509_free: f("void X509_free(void *)"),
    i2d_X509(certificate) {
      const bio: Pointer | null = BIO_new(BIO_s_mem());
      if (bio === null) return Buffer.alloc(0);
      i2d_X509_bio(bio, certificate);
      const der = Buffer.allocUnsafeSlow(BIO_ctrl(bio, BIO_CTRL_PENDING, 0, null));
      const count: number = der.length > 0 ? BIO_read(bio, der, der.length) : 0;
      BIO_free(bio);
      return der.subarray(0, Math.max(count, 0));
    },
    EVP_PKEY_free: f("void EVP_PKEY_free(void *)"),
    BIO_new_mem_buf: f("void *BIO_new_mem_buf(void *, int)"),
    BIO_free,
    BIO_new_mem: () => BIO_new(BIO_s_mem()),
    BIO_pending: (bio) => BIO_ctrl(bio, BIO_CTRL_PENDING, 0, null),
    BIO_read,
    BIO_write: f("int BIO_write(void *, void *, int)"),
    PEM_read_bio_X509_AUX: f("void *PEM_read_bio_X509_AUX(void *, void *, void *, void *)"),
    PEM_read_bio_PrivateKey: f("void *PEM_read_bio_PrivateKey(void *, void *, void *, void *)"),
    ...alpnSelection(koffi, library),
    getenv: loadGetenv(koffi, library),
  };
}
