/**
 * The client: one call from the caller's request to the answer, over as many exchanges as it takes.
 */

import { errorText } from "../../error.ts";
import { type Claimed, type Json, TIMED_OUT } from "../../json.ts";
import { Result } from "../../result.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { traced } from "../../trace.ts";
import { mostBytesOf } from "../wire/content-coding.ts";
import { type Field, hasOption } from "../wire/fields.ts";
import type { ResponseHead } from "../wire/head-parser.ts";
import { type Connection, openConnection } from "./connect.ts";
import {
  ExchangeFailure,
  giveBack,
  type Inbox,
  LargeRequest,
  readBody,
  readHead,
  sendRequest,
  takeInbox,
} from "./exchange.ts";
import { encodeRequest } from "./outgoing-request.ts";
import { keepIdle, lifetimeOf, noteUnasked, takeIdle } from "./pool.ts";
import { type Asked, isRedirect, redirected } from "./redirect.ts";
import { type ClientRequest, readSettings, type Settings, type TlsFields } from "./request-options.ts";
import { answerOf, type ClientResponse } from "./response.ts";
import { type Route, routeOf } from "./route.ts";

/**
 * Sends an HTTP/1.1 request and gives the answer.
 *
 * Blocks until the whole answer has come, at most `timeout_ms`. Connections are kept for the next call to the same
 * origin; one that the server has closed meanwhile is replaced unseen where that is safe.
 *
 * @param req at least `method` and `url`
 * @typeParam T what the caller takes the body for. It is a claim and not a check: whatever the peer sends is given as a `T`.
 * @returns the answer. `body` is null when it is empty or white space; else the parsed JSON when it is valid JSON, with
 * a `bigint` for integers beyond ±(2^53 − 1); else the text. Errors, nothing being sent: `request must be a JSON object`;
 * `missing required field 'method'`; `'method' must be a string`; `'method' is not a valid method`; `missing required field
 * 'url'`; `'url' must be a string`; `'url' is not a valid http or https URL`; `'headers' must be a JSON object`; `header 'X'
 * must be a string`; `header 'X' is not a valid field`; `cannot serialize ...`; and what is wrong with any other field.
 * Then `http request failed: ` with the system's reason, `timed out`, or what is wrong with the answer.
 * Source: RFC 9110; RFC 9112.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const answer = http.request({ method: "GET", url: "http://127.0.0.1:8080/users?id=7" });
 * if (answer.isOk) console.log(answer.value.status, answer.value.body);
 * else console.log(answer.error); // such as http request failed: Connection refused (os error 111)
 * ```
 */
export function request<T = Json>(req: ClientRequest): Result<ClientResponse<Claimed<T>>, string>;
// ReturnType<typeof request> looks at the last overload. With a T in it, the body there would be unknown.
export function request(req: ClientRequest): Result<ClientResponse, string>;
export function request(req: ClientRequest): Result<ClientResponse<unknown>, string> {
  return requestTraced(req);
}

const requestTraced = traced("http.request", requestPlain);

function requestPlain(req: ClientRequest): Result<ClientResponse, string> {
  let settings: Settings | string;
  try {
    settings = readSettings(req, monotonicTime);
  } catch (thrown) {
    // A getter or a proxy's trap.
    return Result.err(`request cannot be read: ${errorText(thrown)}`);
  }
  if (settings === TIMED_OUT) return Result.err(`http request failed: ${TIMED_OUT}`);
  if (typeof settings === "string") return Result.err(settings);
  const inbox = takeInbox();
  try {
    const answer = perform(settings, inbox);
    return typeof answer === "string" ? Result.err(`http request failed: ${answer}`) : Result.ok(answer);
  } finally {
    giveBack(inbox);
  }
}

function perform(settings: Settings, inbox: Inbox): ClientResponse | string {
  const begin = monotonicTime();
  const deadline = (settings.begin ?? begin) + settings.timeout;
  let asked: Asked = settings;
  let { tls } = settings;
  for (let redirects = 0; ; redirects++) {
    const now = redirects === 0 ? begin : monotonicTime();
    if (now >= deadline) return "timed out";
    const received = exchange(settings, asked, tls, inbox, now, deadline);
    if (received instanceof ExchangeFailure) return received.reason;
    const { head, body } = received;
    if (settings.maxRedirects === 0 || !isRedirect(head)) return answerOf(head, body, settings, deadline);
    if (redirects === settings.maxRedirects) return "too many redirects";
    const next = redirected(asked, head);
    if (typeof next === "string") return next;
    if (next.target.origin !== asked.target.origin) tls = withoutIdentity(tls);
    asked = next;
  }
}

/** The TLS options that hold for another server too: neither who we are nor who it is. */
function withoutIdentity(tls: TlsFields | undefined): TlsFields | undefined {
  if (tls === undefined) return undefined;
  const { cert, key, passphrase, server_name, ...others } = tls;
  return others;
}

/** An answer with its body as it came, which lies in the inbox. */
interface Received {
  readonly head: ResponseHead;
  readonly body: Buffer;
}

/** One request and its answer, on a connection at rest or a new one. */
function exchange(
  settings: Settings,
  asked: Asked,
  tls: TlsFields | undefined,
  inbox: Inbox,
  now: number,
  deadline: number,
): Received | ExchangeFailure {
  const route = routeOf(asked.target, settings, proxyAuthorizationOf(asked.fields), tls);
  if (typeof route === "string") return new ExchangeFailure(route);
  if (settings.keepAlive) {
    const kept = takeIdle(route.key, now, IDEMPOTENT.has(asked.method), deadline);
    if (kept !== undefined) {
      const received = exchangeOn(kept, settings, asked, route, inbox, deadline);
      if (!(received instanceof ExchangeFailure) || !mayRetry(received, asked.method)) return received;
    }
  }
  const connection = openConnection(route, inbox, deadline, settings.connectTimeout);
  if (typeof connection === "string") return new ExchangeFailure(connection);
  return exchangeOn(connection, settings, asked, route, inbox, deadline);
}

function proxyAuthorizationOf(fields: readonly Field[]): string | null {
  for (const [name, value] of fields) if (name.toLowerCase() === "proxy-authorization") return value;
  return null;
}

/** RFC 9110, 9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

function mayRetry(failure: ExchangeFailure, method: string): boolean {
  return failure.retry === "safe" || (failure.retry === "if idempotent" && IDEMPOTENT.has(method));
}

/** The exchange on a connection, which afterwards is either kept or closed. */
function exchangeOn(
  connection: Connection,
  settings: Settings,
  asked: Asked,
  route: Route,
  inbox: Inbox,
  deadline: number,
): Received | ExchangeFailure {
  const { method } = asked;
  const request = encodeRequest(asked, route, settings.keepAlive);
  const source = sendRequest(connection, request, deadline);
  if (source instanceof ExchangeFailure) {
    connection.abandon();
    return source;
  }
  const head = readHead(source, inbox, settings.keepFields, deadline);
  if (head instanceof ExchangeFailure) {
    connection.abandon();
    return head;
  }
  const isFollowed = settings.maxRedirects > 0 && isRedirect(head);
  const maxBytes = isFollowed ? REDIRECT_BODY : mostBytesOf(head, settings.maxBodyBytes);
  const received = readBody(source, inbox, head, method, maxBytes, deadline);
  if (received instanceof ExchangeFailure) {
    connection.abandon();
    return isFollowed && !received.isInterruption ? { head, body: NO_BYTES } : received;
  }
  const isWhole = !(source instanceof LargeRequest) || source.isWhole;
  const isTunnel = method === "CONNECT" && head.status < 300;
  if (isWhole && received.behind === "nothing" && !request.closes && !isTunnel && staysOpen(head)) {
    const isQuiet = connection.tookAll(inbox.hadRoom);
    keepIdle(route.key, connection, lifetimeOf(head.headers["keep-alive"]), isQuiet);
  } else {
    connection.close();
    if (received.behind === "bytes" && !isTunnel) noteUnasked(route.key);
  }
  return { head, body: received.bytes };
}

/** Nobody sees the body of a redirect: as much is read of it as a new connection costs. */
const REDIRECT_BODY = 64 * 1024;
const NO_BYTES = Buffer.alloc(0);

/** Whether the server keeps the connection (RFC 9112, 9.3), and where its answer ended is beyond doubt. */
function staysOpen({ version, headers }: ResponseHead): boolean {
  // HTTP/1.0 has no chunked coding: something between may have read another end (RFC 9112, 6.1).
  if (version === "HTTP/1.0" && headers["transfer-encoding"] !== undefined) return false;
  const option = headers.connection;
  if (option === undefined) return version === "HTTP/1.1";
  if (hasOption(option, "close")) return false;
  return version === "HTTP/1.1" || hasOption(option, "keep-alive");
}
