/**
 * One call of the client: from the caller's request to the response, over as many connections and exchanges as it takes.
 */
import { Failure } from "../../error.ts";
import type { Json } from "../../json.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import type { Source } from "../message/input.ts";
import { mostBytesOf } from "../wire/content-coding.ts";
import { type Field, hasOption } from "../wire/fields.ts";
import type { ResponseHead } from "../wire/head-parser.ts";
import { DEFAULT_SECTION_LIMITS, REDIRECT_BODY_BYTES } from "../wire/limits.ts";
import { opensTunnel } from "../wire/status.ts";
import { openConnection } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { Exchange, type OwnReader, type ResponsePlan, type Want } from "./exchange.ts";
import type { ExchangeFailure } from "./exchange-failure.ts";
import { keepIdle, lifetimeOf, noteUnexpected, takeIdle } from "./pool.ts";
import { isRedirect, redirected, withoutIdentity } from "./redirect.ts";
import { encodeRequest, type SentRequest } from "./request-bytes.ts";
import type { Settings, TlsFields } from "./request-options.ts";
import { type ClientResponse, responseOf } from "./response.ts";
import { type Route, routeOf } from "./route.ts";

const NO_BYTES = Buffer.alloc(0);
const TIMED_OUT = new Failure("timed out");
const TOO_MANY_REDIRECTS = new Failure("too many redirects");

/** RFC 9110, 9.2.2. */
const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

export class Call implements ResponsePlan {
  /** The response or why there is none, once the call is over. Where the body is left on the connection, just the head. */
  outcome: ClientResponse<Json | Buffer> | ResponseHead | Failure | null = null;
  readonly mayUpgrade: boolean;
  readonly deadline: number;
  readonly section = DEFAULT_SECTION_LIMITS;
  readonly keepFields: boolean;
  readonly #settings: Settings;
  readonly #reader: OwnReader;
  /** What is sent now: the caller's request, or what a redirect made of it. */
  #request: SentRequest;
  #tls: TlsFields | undefined;
  #redirects = 0;
  /** When the next exchange begins, on monotonicTime()'s clock. */
  #now: number;
  /** The exchange under way; null where the next one is to be begun. */
  #exchange: Exchange | null = null;
  /** What it goes over. */
  #route!: Route;
  #connection!: Connection;
  /** Whether the connection served other exchanges before. */
  #isReused = false;
  /** Whether the request says that the connection ends with it. */
  #closes = false;
  readonly #leavesBody: boolean;

  /** `leavesBody`: the body is not read here. It, and the connection, are then the caller's: see `release`. */
  constructor(settings: Settings, reader: OwnReader, leavesBody = false) {
    this.#settings = settings;
    this.#leavesBody = leavesBody;
    this.mayUpgrade = leavesBody && settings.fields.some(([name]) => name.toLowerCase() === "upgrade");
    this.#reader = reader;
    this.#request = settings;
    this.#tls = settings.tls;
    this.keepFields = settings.keepFields;
    this.#now = monotonicTime();
    this.deadline = (settings.begin ?? this.#now) + settings.timeout;
  }

  /**
   * Goes on as far as it can: null when the call is over, else what its connection must be to go on. (To connect, it waits; an
   * exchange on a non-blocking connection does not.)
   */
  advance(): Want | null {
    while (this.outcome === null) {
      if (this.#exchange === null) {
        this.#begin();
        continue;
      }
      const want = this.#exchange.advance();
      if (want !== null) return want;
      this.#conclude(this.#exchange);
    }
    return null;
  }

  /** A redirect's body is nobody's: so much of it is read that the connection can be used again. */
  mostBodyBytes(head: ResponseHead): number | null {
    if (this.#isFollowed(head)) return REDIRECT_BODY_BYTES;
    return this.#leavesBody ? null : mostBytesOf(head, this.#settings.maxBodyBytes);
  }

  get maxBodyBytes(): number {
    return this.#settings.maxBodyBytes;
  }

  /** What the last exchange went over. */
  get connection(): Connection {
    return this.#connection;
  }

  /** What the body that was left is read from. */
  get source(): Source {
    return this.#exchange!.source;
  }

  get isUnix(): boolean {
    return this.#route.isUnix;
  }

  /** The method of the last request. */
  get method(): string {
    return this.#request.method;
  }

  #isFollowed(head: ResponseHead): boolean {
    return this.#settings.maxRedirects > 0 && isRedirect(head);
  }

  /** Begins an exchange, on an idle connection or a new one. */
  #begin(): void {
    const now = this.#now;
    if (now >= this.deadline) {
      this.outcome = TIMED_OUT;
      return;
    }
    const { method, target, fields, parts } = this.#request;
    const route = routeOf(target, this.#settings, proxyAuthorizationOf(fields), this.#tls);
    if (route instanceof Failure) {
      this.outcome = route;
      return;
    }
    const idle = this.#settings.keepAlive
      ? takeIdle(route.key, now, IDEMPOTENT.has(method) && !parts, this.deadline)
      : undefined;
    this.#route = route;
    if (idle === undefined) this.#connect();
    else this.#start(idle, true);
  }

  #connect(): void {
    const { connectTimeout } = this.#settings;
    const connection = openConnection(this.#route, this.#reader, this.deadline, connectTimeout);
    if (connection instanceof Failure) this.outcome = connection;
    else this.#start(connection, false);
  }

  #start(connection: Connection, isReused: boolean): void {
    const request = encodeRequest(this.#request, this.#route, this.#settings.keepAlive);
    const { method } = this.#request;
    this.#connection = connection;
    this.#isReused = isReused;
    this.#closes = request.closes;
    this.#exchange = new Exchange(connection, this.#reader, request, method, this, this.deadline);
  }

  /** An exchange is over: the call is too, or another one follows. */
  #conclude(exchange: Exchange): void {
    const { head, failure } = exchange;
    if (this.#leavesBody && failure === null && !this.#isFollowed(head!)) {
      this.outcome = head;
      return;
    }
    this.#exchange = null;
    if (failure !== null) {
      this.#connection.abandon();
      if (this.#isReused && mayRetry(failure, this.#request)) {
        this.#connect();
      } else if (head !== null && this.#isFollowed(head) && !failure.isInterruption) {
        // Where it leads is known, and its body would have been dropped.
        this.#finish(head, NO_BYTES);
      } else {
        this.outcome = failure;
      }
      return;
    }
    this.#release(exchange, head!);
    this.#finish(head!, exchange.body);
  }

  /** Keeps the connection of a body that was left on it and has been read to its end, or closes it. */
  release(): void {
    const exchange = this.#exchange!;
    this.#release(exchange, exchange.head!);
  }

  /** Keeps the connection for the next request, or closes it. */
  #release(exchange: Exchange, head: ResponseHead): void {
    const { input, body } = this.#reader;
    const connection = this.#connection;
    const { key } = this.#route;
    const isTunnel = opensTunnel(head.status, this.#request.method);
    const hasMore = input.start < input.end;
    if (
      exchange.isSent &&
      !hasMore &&
      !body.endsWithStream &&
      !this.#closes &&
      !isTunnel &&
      staysOpen(head)
    ) {
      const isQuiet = connection.tookAll(input.hadRoom);
      keepIdle(key, connection, lifetimeOf(head.headers["keep-alive"]), isQuiet);
    } else {
      connection.close();
      if (hasMore && !isTunnel) noteUnexpected(key);
    }
  }

  /** A response: the call's, or one that leads elsewhere. */
  #finish(head: ResponseHead, body: Buffer): void {
    if (!this.#isFollowed(head)) {
      this.outcome = responseOf(head, body, this.#settings, this.deadline);
      return;
    }
    if (this.#redirects++ === this.#settings.maxRedirects) {
      this.outcome = TOO_MANY_REDIRECTS;
      return;
    }
    const next = redirected(this.#request, head);
    if (next instanceof Failure) {
      this.outcome = next;
      return;
    }
    if (next.target.origin !== this.#request.target.origin) this.#tls = withoutIdentity(this.#tls);
    this.#request = next;
    this.#now = monotonicTime();
  }
}

function proxyAuthorizationOf(fields: readonly Field[]): string | null {
  for (const [name, value] of fields) if (name.toLowerCase() === "proxy-authorization") return value;
  return null;
}

function mayRetry(failure: ExchangeFailure, { method, parts }: SentRequest): boolean {
  if (parts?.hasBegun) return false;
  return failure.retry === "safe" || (failure.retry === "if idempotent" && IDEMPOTENT.has(method));
}

/** Whether the server keeps the connection (RFC 9112, 9.3), and where its response ended is beyond doubt. */
function staysOpen({ version, headers }: ResponseHead): boolean {
  // HTTP/1.0 has no chunked coding: something between may have read another end (RFC 9112, 6.1).
  if (version === "HTTP/1.0" && headers["transfer-encoding"] !== undefined) return false;
  const option = headers.connection;
  if (option === undefined) return version === "HTTP/1.1";
  if (hasOption(option, "close")) return false;
  return version === "HTTP/1.1" || hasOption(option, "keep-alive");
}
