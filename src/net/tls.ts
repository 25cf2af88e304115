import type { X509Certificate } from "node:crypto";
import { parseAddress } from "../address.ts";
import { timeoutOption } from "../arguments.ts";
import { connectTo } from "../engine/connect.ts";
import { networkPlatform } from "../engine/permission.ts";
import { openedSocket, type Socket } from "../engine/socket.ts";
import { Failure, failed } from "../error.ts";
import { Result } from "../result.ts";
import { monotonicTime } from "../runtime/clock.ts";
import {
  clientTls,
  startClient,
  startServer,
  type TlsClientOptions,
  type TlsServerOptions,
  TlsSession,
} from "../tls/index.ts";
import { ByteStream } from "./byte-stream.ts";
import { TCP_STREAM, TLS_STREAM } from "./error-words.ts";
import { TRANSPORT } from "./socket-object.ts";
import { TcpStream } from "./tcp.ts";

/**
 * The options of `TlsStream.connect`.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import { type TlsConnectOptions, TlsStream } from "std-net";
 *
 * const options: TlsConnectOptions = { ca: readFileSync("ca.pem"), server_name: "localhost", timeout_ms: 5000 };
 * const stream = TlsStream.connect("127.0.0.1:8443", options);
 * console.log(stream.isOk ? "connected" : stream.error); // connected
 * ```
 */
export interface TlsConnectOptions extends TlsClientOptions {
  /** The time for the connection and the handshake together, in milliseconds; no limit by default. */
  readonly timeout_ms?: number;
}

/**
 * A TLS connection: a stream like TcpStream, but encrypted, and the peer has proven its identity.
 *
 * The TLS library is the OpenSSL that Node itself is linked with, and the trusted certificates are those that Node trusts.
 * Errors begin with `tls `; the descriptions of the members that all streams have quote `tcp `.
 *
 * @example
 * ```ts
 * import { TlsStream } from "std-net";
 *
 * const stream = TlsStream.connect("127.0.0.1:8443", { server_name: "localhost" });
 * if (stream.isErr) console.log(stream.error);
 * else stream.value.close();
 * ```
 */
export class TlsStream extends ByteStream<TlsSession> {
  /** @internal */
  constructor(session: TlsSession) {
    super(session, openedSocket(session instanceof TlsSession ? session.socket : null), TLS_STREAM);
  }

  /**
   * Connects to a server and makes the handshake, which verifies version, keys, certificate and name.
   *
   * Blocks while the name is resolved, the connection is made (the addresses of a name race, as with TcpStream) and the
   * handshake lasts. Without `timeout_ms` it waits for ever for a server that never responds.
   *
   * @param addr `"name:443"`; the certificate must be for this name (in its subjectAltName; an IP address must be there as
   * an IP address), unless `server_name` gives another
   * @param options see {@link TlsClientOptions}; `timeout_ms` limits connection and handshake together
   * @returns Errors: `expected string`; `timeout must be a positive number`; `failed to connect: ` as with TcpStream;
   * `tls handshake failed: ` with OpenSSL's reason, such as `certificate verify failed: hostname mismatch`, with the
   * system's, with `timed out`, or with what is wrong with an option. Source: SSL_do_handshake(3), RFC 8446, RFC 9525.
   *
   * @example
   * ```ts
   * import { readFileSync } from "node:fs";
   * import { TlsStream } from "std-net";
   *
   * const stream = TlsStream.connect("127.0.0.1:8443", { ca: readFileSync("ca.pem"), timeout_ms: 5000 }).unwrap();
   * stream.write_all("GET / HTTP/1.0\r\n\r\n");
   * console.log(stream.read_until("\r\n").unwrap().toString().trimEnd()); // HTTP/1.1 200 OK
   * stream.close();
   *
   * const stranger = TlsStream.connect("127.0.0.1:8443", { timeout_ms: 5000 });
   * if (stranger.isErr) console.log(stranger.error.startsWith("tls handshake failed: certificate verify failed")); // true
   * ```
   */
  static connect(addr: string, options?: TlsConnectOptions): Result<TlsStream, string> {
    if (typeof addr !== "string") return Result.err("expected string");
    const timeout = timeoutOption(options);
    if (timeout instanceof Failure) return Result.err(timeout.reason);
    const deadline = monotonicTime() + timeout;
    const parsed = parseAddress(addr);
    if (typeof parsed === "string") return failed(TLS_STREAM.prefix("connect"), parsed);
    const sys = networkPlatform();
    if (sys instanceof Failure) return failed(TLS_STREAM.prefix("connect"), sys.reason);
    // What is wrong with the options is found before anything is sent.
    const tls = clientTls(options);
    if (tls instanceof Failure) return failed(TLS_STREAM.prefix("handshake"), tls.reason);
    const socket = connectTo(addr, deadline);
    if (socket instanceof Failure) return failed(TLS_STREAM.prefix("connect"), socket.reason);
    const session = startClient(tls, socket, parsed.host, `${parsed.host}:${parsed.port}`, deadline);
    return session instanceof Failure
      ? failed(TLS_STREAM.prefix("handshake"), session.reason)
      : Result.ok(new TlsStream(session));
  }

  /**
   * The client's handshake on an open connection (STARTTLS). It takes over the connection with its timeouts. The given stream
   * is closed then, both after success and after an error.
   *
   * Blocks until the handshake is over, in non-blocking mode too. The stream's read timeout limits each wait.
   *
   * @param stream the connection; the handshake begins with the bytes that a failed read gave back to it
   * @param server_name the name that the certificate must be for; `options.server_name` goes before it
   * @param options see {@link TlsClientOptions}
   * @returns Errors: `expected tcp stream`, `invalid tcp stream`; `tls handshake failed: ` as for `connect`. Source:
   * SSL_do_handshake(3), RFC 8446, RFC 9525.
   *
   * @example
   * ```ts
   * import { readFileSync } from "node:fs";
   * import { TcpStream, TlsStream } from "std-net";
   *
   * const stream = TcpStream.connect("127.0.0.1:8443").andThen((plain) => {
   *   plain.set_read_timeout(5000); // a protocol with STARTTLS would request TLS here
   *   return TlsStream.client(plain, "localhost", { ca: readFileSync("ca.pem") });
   * });
   * console.log(stream.isOk ? "encrypted" : stream.error); // encrypted
   * ```
   */
  static client(
    stream: TcpStream,
    server_name: string,
    options?: TlsClientOptions,
  ): Result<TlsStream, string> {
    const socket = takeOver(stream);
    if (socket instanceof Failure) return Result.err(socket.reason);
    const tls = clientTls(options);
    if (tls instanceof Failure) {
      socket.close();
      return failed(TLS_STREAM.prefix("handshake"), tls.reason);
    }
    const session = startClient(tls, socket, server_name, "", Number.POSITIVE_INFINITY);
    return session instanceof Failure
      ? failed(TLS_STREAM.prefix("handshake"), session.reason)
      : Result.ok(new TlsStream(session));
  }

  /**
   * The server's handshake on an accepted connection. It takes over the connection with its timeouts. The given stream is
   * closed then, both after success and after an error.
   *
   * Blocks until the handshake is over, in non-blocking mode too. The stream's read timeout limits each wait.
   *
   * @param stream the connection; the handshake begins with the bytes that a failed read gave back to it
   * @param options see {@link TlsServerOptions}: `cert` and `key` are needed
   * @returns Errors: `expected tcp stream`, `invalid tcp stream`; `tls handshake failed: ` with OpenSSL's reason (such as
   * `tlsv1 alert unknown ca` from a client that does not trust the certificate), the system's, or with what is wrong with an
   * option. Source: SSL_do_handshake(3), RFC 8446.
   *
   * @example
   * ```ts
   * import { readFileSync } from "node:fs";
   * import { Worker } from "node:worker_threads";
   * import { TcpListener, TlsStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const client = `require("std-net").TlsStream.connect(${JSON.stringify(listener.local_addr().unwrapOr(""))},
   *   { insecure: true }).value.write_all("hello\\n")`;
   * const worker = new Worker(client, { eval: true }); // the other side: a handshake takes two
   * const options = { cert: readFileSync("cert.pem"), key: readFileSync("key.pem") };
   * const stream = listener.accept().andThen((plain) => TlsStream.server(plain, options)).unwrap();
   * console.log(stream.read_until("\n").unwrap().toString().trimEnd()); // hello
   * await worker.terminate();
   * ```
   */
  static server(stream: TcpStream, options: TlsServerOptions): Result<TlsStream, string> {
    const socket = takeOver(stream);
    if (socket instanceof Failure) return Result.err(socket.reason);
    const session = startServer(options, socket, Number.POSITIVE_INFINITY);
    return session instanceof Failure
      ? failed(TLS_STREAM.prefix("handshake"), session.reason)
      : Result.ok(new TlsStream(session));
  }

  /**
   * The TLS version of the connection: `"TLSv1.3"` or `"TLSv1.2"`. Does not block.
   *
   * @returns Errors: `invalid tls stream` after `close`. Source: SSL_get_version(3).
   *
   * @example
   * ```ts
   * import { readFileSync } from "node:fs";
   * import { TlsStream } from "std-net";
   *
   * const stream = TlsStream.connect("127.0.0.1:8443", { ca: readFileSync("ca.pem") });
   * console.log(stream.andThen((open) => open.protocol()).unwrapOr("none")); // TLSv1.3
   * ```
   */
  protocol(): Result<string, string> {
    const session = this[TRANSPORT];
    return session.open ? Result.ok(session.protocol) : Result.err(TLS_STREAM.invalid);
  }

  /**
   * The protocol that ALPN agreed on, or null for none. Does not block.
   *
   * @returns Errors: `invalid tls stream` after `close`. Source: RFC 7301.
   *
   * @example
   * ```ts
   * import { readFileSync } from "node:fs";
   * import { TlsStream } from "std-net";
   *
   * const options = { ca: readFileSync("ca.pem"), alpn: ["h2", "http/1.1"] };
   * const stream = TlsStream.connect("127.0.0.1:8443", options);
   * console.log(stream.andThen((open) => open.alpn_protocol()).unwrapOr(null)); // http/1.1
   * ```
   */
  alpn_protocol(): Result<string | null, string> {
    const session = this[TRANSPORT];
    return session.open ? Result.ok(session.alpnProtocol) : Result.err(TLS_STREAM.invalid);
  }

  /**
   * The peer's certificate, as an X509Certificate of node:crypto; null when the peer has sent none. Does not block.
   *
   * @returns Errors: `invalid tls stream` after `close`. Source: SSL_get1_peer_certificate(3).
   *
   * @example
   * ```ts
   * import { readFileSync } from "node:fs";
   * import { TlsStream } from "std-net";
   *
   * const stream = TlsStream.connect("127.0.0.1:8443", { ca: readFileSync("ca.pem") });
   * const certificate = stream.andThen((open) => open.peer_certificate()).unwrapOr(null);
   * console.log(certificate?.subjectAltName); // DNS:localhost, IP Address:127.0.0.1
   * ```
   */
  peer_certificate(): Result<X509Certificate | null, string> {
    const session = this[TRANSPORT];
    if (!session.open) return Result.err(TLS_STREAM.invalid);
    const der = session.peerCertificate;
    if (der === null) return Result.ok(null);
    const crypto = process.getBuiltinModule("node:crypto");
    return Result.ok(new crypto.X509Certificate(der));
  }
}

/** The socket of a stream, under a new owner: the stream is closed from now on. */
function takeOver(stream: unknown): Socket | Failure {
  try {
    if (!(stream instanceof TcpStream)) return new Failure("expected tcp stream");
    if (!stream[TRANSPORT].open) return new Failure(TCP_STREAM.invalid);
    return stream[TRANSPORT].moved();
  } catch {
    // A proxy's trap threw.
    return new Failure("expected tcp stream");
  }
}
