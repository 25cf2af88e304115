/**
 * What a caller asks of `http.request`, checked. Every field of the caller's object is read once, and nothing is sent
 * before all of it was found good.
 */

import { type Bytes, INVALID_TIMEOUT, timeoutFrom } from "../../arguments.ts";
import { Failure } from "../../error.ts";
import type { Json } from "../../json.ts";
import type { TlsClientOptions } from "../../tls/index.ts";
import { type BodyParts, readParts } from "../message/body-parts.ts";
import { isJsonObject, readBody, readFields } from "../message/caller-message.ts";
import { foreignName, REQUEST_NAMES } from "../message/foreign-names.ts";
import { INVALID_DECODING, isCount, isDecoding } from "../message/read-options.ts";
import type { BodyDecoding } from "../wire/body.ts";
import { type Field, isToken } from "../wire/fields.ts";
import {
  DEFAULT_CONNECT_TIMEOUT,
  DEFAULT_REDIRECTS,
  DEFAULT_RESPONSE_BODY_BYTES,
  DEFAULT_TIMEOUT,
  mostDecodable,
} from "../wire/limits.ts";
import { type Target, targetOf } from "../wire/url.ts";
import { type ProxyServer, parseProxy } from "./proxy.ts";
import type { SentRequest } from "./request-bytes.ts";
import type { Way } from "./route.ts";

/**
 * A request for `http.request`. Times are in milliseconds, and null is none.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const request: http.ClientRequest = {
 *   method: "POST",
 *   url: "http://127.0.0.1:8080/orders",
 *   headers: { authorization: "Bearer s3cret" },
 *   body: { id: 9007199254740993n, tags: ["new"] },
 *   timeout_ms: 10_000,
 * };
 * const response = http.request(request);
 * console.log(response.isOk ? response.value.status : response.error); // 200
 * ```
 */
export interface ClientRequest {
  /** Any token, sent as given: `"GET"`. */
  method: string;
  /** An http or https URL, as text or as a `URL`. A user and password in it become `Authorization: Basic`; a fragment is not sent. */
  url: string | URL;
  /** Sent as given, save that Content-Length and Transfer-Encoding are replaced. Default: none but those that are needed. */
  headers?: { [name: string]: string };
  /** Sent as JSON text, null too, with `Content-Type: application/json` unless `headers` has one. No body when left out. */
  body?: Json;
  /** Text that is sent as it is (UTF-8), in place of `body`, which is left out then. */
  body_text?: string;
  /** Bytes that are sent as they are, in place of `body`, which is left out then. */
  body_bytes?: Uint8Array;
  /** Bytes in base64, in place of `body`, which is left out then. */
  body_base64?: string;
  /**
   * Parts of the body, each bytes or text, in place of `body`, which is left out then. They are sent one by one, each as it comes: in
   * chunks, or with a Content-Length where `body_length` is given. An iterable is walked through once.
   */
  body_parts?: Iterable<Bytes>;
  /** How many bytes `body_parts` have together; left out where that is not known. */
  body_length?: number;
  /** Milliseconds for the whole call (default 300000); null is no limit. */
  timeout_ms?: number | null;
  /** Milliseconds for making a connection, name resolution aside (default 30000); null is no limit. */
  connect_timeout_ms?: number | null;
  /** Redirects to follow before it is an error (default 20). 0 gives the 3xx response itself. */
  max_redirects?: number;
  /** Bytes of the response's body, after decompression (default 67108864). */
  max_body_bytes?: number;
  /** `"json"` (the default): JSON where the text is that, else the text; `"text"`; for any bytes `"bytes"` (a Buffer) or `"base64"`. */
  decode_body?: BodyDecoding;
  /** Adds `raw_headers` to the response (default false). */
  raw_headers?: boolean;
  /**
   * The path of a Unix socket to connect to in place of the URL's host, as `UnixStream.connect` takes it; null (the default)
   * is none.
   */
  socket_path?: string | null;
  /**
   * `"http://[user:password@]host:port"`; null for none. When it is left out, HTTP_PROXY, HTTPS_PROXY and NO_PROXY count if
   * NODE_USE_ENV_PROXY is 1.
   */
  proxy?: string | null;
  /** How to speak TLS with an https server: TlsStream's client options, and their defaults. */
  tls?: TlsClientOptions;
  /** False: a connection for this call alone (default true). */
  keep_alive?: boolean;
}

/** A request that was checked. */
export interface Settings extends SentRequest, Way {
  readonly timeout: number;
  /** When the time began to count, where making the body may have taken a while; else null, and it begins with the call. */
  readonly begin: number | null;
  readonly connectTimeout: number;
  readonly maxRedirects: number;
  readonly maxBodyBytes: number;
  readonly decoding: BodyDecoding;
  readonly keepFields: boolean;
  readonly keepAlive: boolean;
  /** A copy, not checked yet: TLS does that when it is needed. */
  readonly tls: TlsFields | undefined;
}

export type TlsFields = { readonly [option: string]: unknown };

const NO_FIELDS: readonly Field[] = [];

const NO_REQUEST = "request must be a JSON object";
/** Where a URL stands in its place, as in a call of fetch. */
const NO_REQUEST_BUT_URL = `${NO_REQUEST}, such as { method: "GET", url: "..." }`;

/**
 * The settings, or what is wrong. A streamed response's body has no limit by default. The reason is TIMED_OUT where there is a clock,
 * and the time limit is over before the body is made. Can throw what a getter or proxy of the caller's throws.
 */
export function readSettings(request: unknown, clock?: () => number, isStreamed = false): Settings | Failure {
  if (typeof request === "string" || request instanceof URL) return new Failure(NO_REQUEST_BUT_URL);
  if (!isJsonObject(request)) return new Failure(NO_REQUEST);
  const foreign = foreignName(request, REQUEST_NAMES, "field");
  if (foreign !== null) return foreign;
  const { method, url: given, headers } = request;
  if (method === undefined) return new Failure("missing required field 'method'");
  if (typeof method !== "string") return new Failure("'method' must be a string");
  if (!isToken(method)) return new Failure("'method' is not a valid method");
  if (given === undefined) return new Failure("missing required field 'url'");
  const url = typeof given !== "string" && given instanceof URL ? given.href : given;
  if (typeof url !== "string") return new Failure("'url' must be a string");
  const target = targetOf(url);
  if (target === null) return new Failure("'url' is not a valid http or https URL");
  let fields: readonly Field[] | Failure = NO_FIELDS;
  if (headers !== undefined) {
    if (!isJsonObject(headers)) return new Failure("'headers' must be a JSON object");
    fields = readFields(headers, "header");
    if (fields instanceof Failure) return fields;
  }
  return readRest(request, method, target, fields, clock, isStreamed);
}

/** What the caller says about the call, and the body. */
function readRest(
  request: { readonly [key: string]: unknown },
  method: string,
  target: Target,
  fields: readonly Field[],
  clock: (() => number) | undefined,
  isStreamed: boolean,
): Settings | Failure {
  const {
    timeout_ms = DEFAULT_TIMEOUT,
    connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT,
    max_redirects: maxRedirects = DEFAULT_REDIRECTS,
    max_body_bytes: maxBodyBytes = isStreamed ? Number.MAX_SAFE_INTEGER : DEFAULT_RESPONSE_BODY_BYTES,
    decode_body: decoding = "json",
    raw_headers: keepFields = false,
    keep_alive: keepAlive = true,
    socket_path,
    proxy: proxyUrl,
    tls,
  } = request;
  const timeout = timeoutFrom(timeout_ms);
  const connectTimeout = timeoutFrom(connect_timeout_ms);
  if (timeout === undefined || connectTimeout === undefined) return new Failure(INVALID_TIMEOUT);
  if (!isCount(maxRedirects)) return new Failure("'max_redirects' must be a non-negative integer");
  if (!isCount(maxBodyBytes)) return new Failure("'max_body_bytes' must be a non-negative integer");
  if (!isDecoding(decoding)) return new Failure(INVALID_DECODING);
  if (typeof keepFields !== "boolean") return new Failure("'raw_headers' must be a boolean");
  if (typeof keepAlive !== "boolean") return new Failure("'keep_alive' must be a boolean");
  const way = proxyUrl === undefined && socket_path === undefined ? DIRECT : readWay(socket_path, proxyUrl);
  if (way instanceof Failure) return way;
  if (tls !== undefined && !isJsonObject(tls)) return new Failure("'tls' must be a JSON object");
  let begin: number | null = null;
  const deadlineOf = (): number => {
    if (clock === undefined) return Number.POSITIVE_INFINITY;
    begin = clock();
    return begin + timeout;
  };
  const body = readBody(request, deadlineOf);
  if (body instanceof Failure) return body;
  const parts = readPartsAlone(request, body);
  if (parts instanceof Failure) return parts;
  return {
    method,
    target,
    fields,
    body,
    parts,
    timeout,
    begin,
    connectTimeout,
    maxRedirects,
    maxBodyBytes: isStreamed ? maxBodyBytes : Math.min(maxBodyBytes, mostDecodable(decoding)),
    decoding,
    keepFields,
    keepAlive,
    socketPath: way.socketPath,
    proxy: way.proxy,
    tls: tls === undefined ? undefined : { ...tls },
  };
}

/** `body_parts`, which no other body may stand beside. */
function readPartsAlone(
  request: { readonly [key: string]: unknown },
  body: unknown,
): BodyParts | null | Failure {
  const parts = readParts(request);
  if (body === null || parts === null || parts instanceof Failure) return parts;
  return new Failure("'body_parts' cannot be given together with another body");
}

const DIRECT: Way = { socketPath: null, proxy: undefined };

function readWay(socketPath: unknown = null, proxyUrl: unknown): Way | Failure {
  let proxy: ProxyServer | null | undefined;
  if (proxyUrl !== undefined) {
    if (proxyUrl !== null && typeof proxyUrl !== "string") return new Failure("'proxy' must be a string");
    proxy = proxyUrl === null ? null : parseProxy(proxyUrl);
    if (proxy === null && proxyUrl !== null) return new Failure("'proxy' is not a valid http proxy URL");
  }
  if (socketPath === null) return { socketPath, proxy };
  if (typeof socketPath !== "string") return new Failure("'socket_path' must be a string");
  if (proxy) return new Failure("'socket_path' and 'proxy' cannot be given together");
  return { socketPath, proxy };
}
