/**
 * The options of `http.serve`, checked.
 */
import { types } from "node:util";
import { INVALID_TIMEOUT, timeoutFrom } from "../../arguments.ts";
import { errorText, Failure } from "../../error.ts";
import type { Json } from "../../json.ts";
import type { ByteStream } from "../../net/byte-stream.ts";
import { type ServerTls, serverTls, type TlsServerOptions } from "../../tls/index.ts";
import { isJsonObject } from "../message/caller-message.ts";
import {
  defaultSettings,
  type ReadOptions,
  type ReadSettings,
  readOptions,
} from "../message/read-options.ts";
import {
  DEFAULT_HEAD_TIMEOUT,
  DEFAULT_REQUEST_BODY_BYTES,
  LONGEST_IDLE,
  MOST_CONNECTIONS,
  MOST_SURPLUS,
} from "../wire/limits.ts";
import type { ServerRequest } from "./read-request.ts";
import type { ServerResponse } from "./write-response.ts";

/**
 * What `serve` calls for each request: it gives the response, or null when it has taken the stream over.
 *
 * @example
 * ```ts
 * import type { http } from "std-net";
 *
 * const handler: http.ServeHandler = ({ method, path }) =>
 *   method === "GET" ? { status: 200, body: { path } } : { status: 405, headers: { allow: "GET" } };
 * console.log(typeof handler); // function
 * ```
 */
export type ServeHandler<T = Json> = (request: ServerRequest<T>, stream: ByteStream) => ServerResponse | null;

/**
 * What `serve` allows.
 *
 * @example
 * ```ts
 * import { readFileSync } from "node:fs";
 * import type { http } from "std-net";
 *
 * const options: http.ServeOptions = {
 *   tls: { cert: readFileSync("cert.pem"), key: readFileSync("key.pem") },
 *   max_body_bytes: 64 * 1024,
 *   on_error: (error, request) => console.error(request.method, request.path, error),
 * };
 * console.log(options.max_body_bytes); // 65536
 * ```
 */
export interface ServeOptions<T = Json> extends ReadOptions {
  /**
   * How long a connection may be idle between two requests, and how long a client may take nothing of a response, in milliseconds
   * (default 60000); null is no limit.
   */
  idle_timeout_ms?: number | null;
  /**
   * Milliseconds for a request's head, from its first byte (default 10000); null is no limit. The body has the same time once more,
   * and a millisecond for each byte that has come. So it is for the TLS handshake, from the connection on.
   */
  request_timeout_ms?: number | null;
  /**
   * How many connections there may be at once (default 10000). There are never more than `ulimit -n` allows. Further
   * clients get a 503.
   */
  max_connections?: number;
  /** Bytes of a request's body, the chunked coding undone (default 1048576). */
  max_body_bytes?: number;
  /** Serves https, with this certificate. Plain HTTP when left out. */
  tls?: TlsServerOptions;
  /**
   * Called when the handler has thrown, or has given what is no response. When it is left out, the error goes to standard
   * error.
   */
  on_error?: (error: unknown, request: ServerRequest<T>) => void;
  /**
   * Called when a client is refused before the handler is asked, with the status (400, 408, 413 ...) and the reason that the client
   * gets. The stream tells whose it is (`peer_addr`). Nothing is called when left out.
   */
  on_refusal?: (status: number, reason: string, stream: ByteStream) => void;
  /**
   * Memory that threads share (on a SharedArrayBuffer). Once its first element is not 0, `serve` stops as after a signal: so the main
   * thread, which has the signals, stops its workers. It is looked at ten times a second. None when left out.
   */
  stop?: Int32Array;
}

/** A request whose body is whatever `decode_body` says. */
export type ServedRequest = ServerRequest<Json | Buffer>;

/** Checked options; times in milliseconds, Infinity for none. */
export interface ServeSettings {
  readonly handler: (request: ServedRequest, stream: ByteStream) => unknown;
  readonly read: ReadSettings;
  readonly idleTimeout: number;
  readonly requestTimeout: number;
  /** Infinity: the default. */
  readonly maxConnections: number;
  readonly tls: ServerTls | null;
  readonly onError: ((error: unknown, request: ServedRequest) => void) | null;
  readonly onRefusal: NonNullable<ServeOptions["on_refusal"]> | null;
  readonly stop: Int32Array | null;
}

/** The settings that a caller's arguments ask for, or what is wrong with them. */
export function serveSettings(handler: unknown, options: unknown): ServeSettings | Failure {
  if (typeof handler !== "function") return new Failure("expected function");
  const given = options ?? {};
  const read = readOptions(given, DEFAULTS);
  if (read instanceof Failure) return read;
  try {
    return settingsFrom(handler as ServeSettings["handler"], given, read);
  } catch (thrown) {
    // A getter or a proxy's trap.
    return new Failure(`options cannot be read: ${errorText(thrown)}`);
  }
}

const DEFAULTS = defaultSettings(DEFAULT_REQUEST_BODY_BYTES);

function settingsFrom(
  handler: ServeSettings["handler"],
  given: object,
  read: ReadSettings,
): ServeSettings | Failure {
  const {
    idle_timeout_ms = LONGEST_IDLE,
    request_timeout_ms = DEFAULT_HEAD_TIMEOUT,
    max_connections: maxConnections = Number.POSITIVE_INFINITY,
    tls: tlsOptions,
    on_error: onError = null,
    on_refusal: onRefusal = null,
    stop = null,
  } = given as Record<string, unknown>;
  const idleTimeout = timeoutFrom(idle_timeout_ms);
  const requestTimeout = timeoutFrom(request_timeout_ms);
  if (idleTimeout === undefined || requestTimeout === undefined) return new Failure(INVALID_TIMEOUT);
  if (!isLimit(maxConnections)) return new Failure("'max_connections' must be a positive integer");
  if (!isCallback(onError)) return new Failure("'on_error' must be a function");
  if (!isCallback(onRefusal)) return new Failure("'on_refusal' must be a function");
  if (stop !== null && !isSharedInt32Array(stop))
    return new Failure("'stop' must be an Int32Array on shared memory");
  let tls: ServerTls | Failure | null = null;
  if (tlsOptions !== undefined && tlsOptions !== null) {
    if (!isJsonObject(tlsOptions)) return new Failure("'tls' must be a JSON object");
    tls = serverTls(tlsOptions);
    if (tls instanceof Failure) return new Failure(`tls handshake failed: ${tls.reason}`);
  }
  return {
    handler,
    read: { ...read, timeout: Number.POSITIVE_INFINITY },
    idleTimeout,
    requestTimeout,
    maxConnections,
    tls,
    onError: onError as ServeSettings["onError"],
    onRefusal: onRefusal as ServeSettings["onRefusal"],
    stop,
  };
}

function isCallback(value: unknown): boolean {
  return value === null || typeof value === "function";
}

function isLimit(value: unknown): value is number {
  return value === Number.POSITIVE_INFINITY || (Number.isSafeInteger(value) && (value as number) > 0);
}

function isSharedInt32Array(value: unknown): value is Int32Array {
  return types.isInt32Array(value) && types.isSharedArrayBuffer(value.buffer) && value.length > 0;
}

/** How many connections there may be where the caller names no number and the process may have so many descriptors. */
export function defaultConnections(mostDescriptors: number): number {
  // The program, the listeners, and clients that are refused need some too.
  const others = Math.min(2 * MOST_SURPLUS, mostDescriptors / 4);
  return Math.max(1, Math.floor(Math.min(MOST_CONNECTIONS, mostDescriptors - others)));
}
