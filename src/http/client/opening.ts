/**
 * From "where to" to a connection, as connect.ts makes it, without ever waiting: the lookup, the race of the addresses, a proxy's tunnel,
 * TLS.
 */
import { tryConnectUnix } from "../../engine/connect.ts";
import { alternateFamilies, ConnectRace } from "../../engine/connect-race.ts";
import { networkPlatform } from "../../engine/permission.ts";
import type { Socket } from "../../engine/socket.ts";
import { Failure } from "../../error.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { ClientHandshake } from "../../tls/index.ts";
import { Connection } from "./connection.ts";
import type { OwnReader } from "./exchange.ts";
import type { Route } from "./route.ts";
import { TunnelRequest } from "./tunnel.ts";
import type { Waits } from "./waits.ts";

const TIMED_OUT = new Failure("timed out");
const CONNECT_TIMED_OUT = new Failure("connection timed out");
/** The longest pause before another try of a Unix listener whose backlog is full, in milliseconds. */
const LONGEST_PAUSE = 50;

export class Opening {
  /** The connection, in non-blocking mode, or why there is none; once it is over. */
  outcome: Connection | Failure | null = null;
  readonly #route: Route;
  readonly #reader: OwnReader;
  readonly #deadline: number;
  readonly #connectTimeout: number;
  readonly #waits: Waits;
  #state: "lookup" | "race" | "backlog" | "tunnel" | "handshake" | "over" = "lookup";
  /** When the present state ends at the latest. */
  #end: number;
  #race: ConnectRace | null = null;
  #socket: Socket | null = null;
  #tunnel: TunnelRequest | null = null;
  #handshake: ClientHandshake | null = null;
  #tries = 0;
  #nextTry = 0;

  constructor(route: Route, reader: OwnReader, deadline: number, connectTimeout: number, waits: Waits) {
    this.#route = route;
    this.#reader = reader;
    this.#deadline = deadline;
    this.#connectTimeout = connectTimeout;
    this.#waits = waits;
    this.#end = deadline;
    if (route.isUnix) this.#beginUnix();
    else this.#beginLookup();
  }

  /** When `advance` is to be called at the latest, on monotonicTime()'s clock. */
  get wakeAt(): number {
    if (this.#state === "race") return Math.min(this.#end, this.#race!.nextAttemptAt);
    return this.#state === "backlog" ? Math.min(this.#end, this.#nextTry) : this.#end;
  }

  /** Goes on as far as it can. */
  advance(): void {
    const now = monotonicTime();
    if (this.#state === "race") this.#advanceRace(now);
    else if (this.#state === "backlog") this.#tryUnix(now);
    else if (this.#state === "lookup" && now >= this.#end) this.#fail(TIMED_OUT);
    if (this.#state === "tunnel") this.#advanceTunnel();
    if (this.#state === "handshake") this.#advanceHandshake();
  }

  /** The socket is ready: it may be one of an attempt. */
  ready(socket: Socket): void {
    if (this.#state === "race") this.#race!.ready(socket);
  }

  /** Gives it up. */
  close(): void {
    if (this.#state === "race") this.#race!.close();
    else if (this.#handshake !== null) this.#handshake.abandon();
    else this.#socket?.close();
    this.#state = "over";
  }

  #beginLookup(): void {
    let isLater = false;
    this.#waits.lookups.find(this.#route.address, (found) => {
      if (this.#state !== "lookup") return;
      if (found instanceof Failure) this.#fail(found);
      else this.#beginRace(found);
      if (isLater) this.#waits.wake();
    });
    isLater = true;
  }

  #beginRace(addresses: readonly Buffer[]): void {
    const sys = networkPlatform();
    if (sys instanceof Failure) {
      this.#fail(sys);
      return;
    }
    this.#setEnd();
    this.#state = "race";
    this.#race = new ConnectRace(sys, alternateFamilies(sys, addresses), {
      add: (socket) => this.#waits.watch(socket, "writable"),
      remove: (socket) => this.#waits.unwatch(socket),
    });
  }

  /** What is to be done now may take as long as the caller said for a connection. */
  #setEnd(): void {
    this.#end = Math.min(this.#deadline, monotonicTime() + this.#connectTimeout);
  }

  #advanceRace(now: number): void {
    const race = this.#race!;
    const result = race.advance(now);
    if (result === null) {
      if (now < this.#end) return;
      race.close();
      this.#fail(CONNECT_TIMED_OUT);
    } else if (result instanceof Failure) {
      this.#fail(result);
    } else {
      this.#connected(result);
    }
  }

  #beginUnix(): void {
    this.#setEnd();
    this.#state = "backlog";
  }

  #tryUnix(now: number): void {
    if (this.#tries > 0 && now < this.#nextTry && now < this.#end) return;
    const result = tryConnectUnix(this.#route.address);
    if (result === null) {
      this.#nextTry = now + Math.min(2 ** Math.min(this.#tries++, 10), LONGEST_PAUSE);
      if (now >= this.#end) this.#fail(CONNECT_TIMED_OUT);
    } else if (result instanceof Failure) {
      this.#fail(result);
    } else {
      this.#connected(result);
    }
  }

  #connected(socket: Socket): void {
    const { tls, tunnel } = this.#route;
    this.#socket = socket;
    if (tls === null) {
      this.#finish(new Connection(socket));
      return;
    }
    this.#setEnd();
    this.#state = tunnel === null ? "handshake" : "tunnel";
    if (tunnel !== null) this.#tunnel = new TunnelRequest(tunnel, socket, this.#reader, this.#end);
  }

  #advanceTunnel(): void {
    const want = this.#tunnel!.advance();
    if (want instanceof Failure) this.#fail(want);
    else if (want === null) this.#state = "handshake";
    else this.#waits.watch(this.#socket!, want);
  }

  #advanceHandshake(): void {
    const { client, host, origin } = this.#route.tls!;
    const socket = this.#socket!;
    if (this.#handshake === null) {
      const handshake = ClientHandshake.begin(client, socket, host, origin);
      if (handshake instanceof Failure) {
        this.#fail(failedHandshake(handshake.reason));
        return;
      }
      this.#handshake = handshake;
    }
    const result = this.#handshake.goOn();
    if (result instanceof Failure) {
      // It has closed the socket.
      this.#handshake = null;
      this.#fail(failedHandshake(result.reason));
    } else if (typeof result !== "string") {
      this.#finish(new Connection(socket, result));
    } else if (monotonicTime() >= this.#end) {
      this.#fail(failedHandshake(TIMED_OUT.reason));
    } else {
      this.#waits.watch(socket, result);
    }
  }

  #finish(connection: Connection): void {
    this.#state = "over";
    this.outcome = connection;
  }

  #fail(failure: Failure): void {
    if (this.#handshake !== null) this.#handshake.abandon();
    else this.#socket?.close();
    this.#state = "over";
    this.outcome = monotonicTime() >= this.#deadline ? TIMED_OUT : failure;
  }
}

function failedHandshake(reason: string): Failure {
  return new Failure(`tls handshake failed: ${reason}`);
}
