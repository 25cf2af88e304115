/**
 * One call of the client: from the caller's request to the response, over as many connections and exchanges as it takes.
 */
import type { KnownNames } from "../../engine/connect.ts";
import { isShortage } from "../../engine/lookups.ts";
import type { Socket } from "../../engine/socket.ts";
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
import { Opening } from "./opening.ts";
import { closeIdle, keepIdle, lifetimeOf, noteUnexpected, Trial, takeIdle } from "./pool.ts";
import { isRedirect, redirected, withoutIdentity } from "./redirect.ts";
import { encodeRequest, type SentRequest } from "./request-bytes.ts";
import type { Settings, TlsFields } from "./request-options.ts";
import { type ClientResponse, responseOf } from "./response.ts";
import { type Route, routeOf } from "./route.ts";
import type { Turns, Waits } from "./waits.ts";

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
  /** Null for a call that waits by itself, on blocking connections. */
  readonly #waits: Waits | null;
  readonly #names: KnownNames | null;
  /** What stands between the call and its next exchange, where it does not wait: a connection is being made, or tried. */
  #ahead: Opening | Trial | "a descriptor" | null = null;

  /**
   * `leavesBody`: the body is not read here. It, and the connection, are then the caller's: see `release`. With `waits` the call
   * never waits. `turns`: what it has in common with others.
   */
  constructor(
    settings: Settings,
    reader: OwnReader,
    leavesBody = false,
    waits: Waits | null = null,
    turns: Turns | null = null,
  ) {
    this.#settings = settings;
    this.#leavesBody = leavesBody;
    this.#waits = waits;
    this.#names = turns === null ? null : turns.names;
    this.mayUpgrade = leavesBody && settings.fields.some(([name]) => name.toLowerCase() === "upgrade");
    this.#reader = reader;
    this.#request = settings;
    this.#tls = settings.tls;
    this.keepFields = settings.keepFields;
    this.#now = monotonicTime();
    const deadline = (settings.begin ?? this.#now) + settings.timeout;
    const common = waits ?? turns;
    this.deadline = common === null ? deadline : Math.min(deadline, common.deadline);
  }

  /** Goes on as far as it can: until the call is over, or, where it does not wait, until it would have to. */
  advance(): void {
    while (this.outcome === null) {
      if (this.#exchange !== null) {
        const want = this.#exchange.advance();
        if (want !== null) {
          this.#watch(want);
          return;
        }
        this.#conclude(this.#exchange);
      } else if (this.#ahead === null) {
        this.#begin();
      } else if (!this.#prepare(this.#ahead)) {
        return;
      }
    }
  }

  /** When `advance` is to be called at the latest, of a call that does not wait. */
  get wakeAt(): number {
    const ahead = this.#ahead;
    if (ahead instanceof Opening) return ahead.wakeAt;
    return ahead instanceof Trial ? Math.min(ahead.end, this.deadline) : this.deadline;
  }

  /** A socket that is watched for this call is ready. */
  ready(socket: Socket): void {
    if (this.#ahead instanceof Opening) this.#ahead.ready(socket);
  }

  /** Ends the call. */
  cancel(failure: Failure): void {
    const ahead = this.#ahead;
    if (ahead instanceof Opening) ahead.close();
    else if (ahead instanceof Trial) ahead.connection.abandon();
    else if (this.#exchange !== null) this.#connection.abandon();
    this.#ahead = null;
    this.#exchange = null;
    this.outcome = failure;
  }

  #watch(want: Want): void {
    const failure = this.#waits?.watch(this.#connection.socket, want) ?? 0;
    if (failure < 0) this.cancel(new Failure(this.#connection.transport.reason(failure)));
  }

  /** Goes on with what comes before the exchange: false where it would have to wait. */
  #prepare(ahead: Opening | Trial | "a descriptor"): boolean {
    if (ahead === "a descriptor") {
      this.#ahead = null;
      this.#now = monotonicTime();
    } else if (ahead instanceof Trial) {
      const connection = ahead.outcome(this.deadline);
      if (connection === null) return false;
      this.#ahead = null;
      if (connection === undefined) this.#connect();
      else this.#start(connection, true);
    } else {
      ahead.advance();
      const { outcome } = ahead;
      if (outcome === null) return false;
      this.#ahead = null;
      return this.#opened(outcome);
    }
    return true;
  }

  /** A connection was made, or could not be. False where that is to be tried again later. */
  #opened(connection: Connection | Failure): boolean {
    if (!(connection instanceof Failure)) {
      this.#waits?.hold(connection);
      this.#start(connection, false);
    } else if (this.#waits?.waitsForDescriptor(connection) === true) {
      this.#ahead = "a descriptor";
      return false;
    } else {
      this.outcome = connection;
    }
    return true;
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
    this.#route = route;
    const isSafe = IDEMPOTENT.has(method) && !parts;
    const holder = this.#waits?.holder ?? null;
    const idle = this.#settings.keepAlive ? takeIdle(route.key, now, isSafe, holder) : undefined;
    if (idle instanceof Trial) this.#try(idle);
    else if (idle === undefined) this.#connect();
    else this.#reuse(idle);
  }

  #try(trial: Trial): void {
    if (this.#waits === null) {
      const connection = trial.wait(this.deadline);
      if (connection === undefined) this.#connect();
      else this.#start(connection, true);
    } else {
      this.#waits.hold(trial.connection);
      this.#waits.watch(trial.connection.socket, "readable");
      this.#ahead = trial;
    }
  }

  #reuse(idle: Connection): void {
    this.#waits?.hold(idle);
    this.#start(idle, true);
  }

  #connect(): void {
    const { connectTimeout } = this.#settings;
    if (this.#waits === null) {
      const open = (): Connection | Failure =>
        openConnection(this.#route, this.#reader, this.deadline, connectTimeout, this.#names);
      const connection = open();
      // Connections that are idle must keep nobody from a descriptor.
      const isShort = connection instanceof Failure && isShortage(connection) && closeIdle();
      this.#opened(isShort ? open() : connection);
    } else {
      this.#ahead = new Opening(this.#route, this.#reader, this.deadline, connectTimeout, this.#waits);
    }
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
