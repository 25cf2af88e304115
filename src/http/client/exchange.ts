/**
 * One exchange on a connection of the client's own: the request's bytes out, the response's head and body in.
 */
import { BODY_PARTS_FAILED } from "../../engine/transport.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { type Encoded, unshared } from "../message/encode.ts";
import type { Source } from "../message/input.ts";
import { ReadAheadInput } from "../message/read-ahead-input.ts";
import { cutShort, type HeadLimits, refusal } from "../message/reader.ts";
import { ResponseReader } from "../message/response-reader.ts";
import type { ResponseHead } from "../wire/head-parser.ts";
import { MessageError } from "../wire/message-error.ts";
import { ExchangeFailure } from "./exchange-failure.ts";
import { isInterruption, LargeRequest, type Line, type SlowRequest } from "./large-request.ts";
import { PartsRequest } from "./parts-request.ts";
import type { EncodedRequest } from "./request-bytes.ts";

/** What the exchange's connection must be for it to go on. */
export type Want = "readable" | "writable" | "either";

/** Reads the responses that come on the client's own connections, one exchange at a time. */
export type OwnReader = ResponseReader<ReadAheadInput>;

/** What an exchange is told about the response. */
export interface ResponsePlan extends HeadLimits {
  /** How many bytes the body of this head may have; null leaves it on the connection, for `reader.body`. */
  mostBodyBytes(head: ResponseHead): number | null;
  /** The caller's own limit of the body, which a coding may be allowed to exceed. */
  readonly maxBodyBytes: number;
  /** Whether the request asked for another protocol, so that 101 is a response to it. */
  readonly mayUpgrade: boolean;
}

/**
 * More than a send buffer surely takes at once (tcp(7): tcp_wmem, 16 KiB at first): the server may respond before it has
 * all of it.
 */
const LARGE = 16 * 1024;

const NO_BYTES = Buffer.alloc(0);
const TIMED_OUT = new ExchangeFailure("timed out");
const SWITCHED = new ExchangeFailure("the server switched protocols (101), which was not asked for");

export class Exchange {
  /** How far it is: sending the request; waiting for the head; for the body. Or it is over, with or without a response. */
  state: "sending" | "head" | "body" | "done" | "failed" = "sending";
  /** The head of the final response, once it has come. */
  head: ResponseHead | null = null;
  /** The body as it came: any content coding is still on it. It lies in memory that the reader's next exchange uses. */
  body: Buffer = NO_BYTES;
  /** Why it failed. */
  failure: ExchangeFailure | null = null;
  readonly #line: Line;
  readonly #reader: OwnReader;
  /** What of the request is still to be sent, unless it is a large one. */
  #request: Encoded;
  #isUnsent = true;
  readonly #large: SlowRequest | null;
  readonly #method: string;
  readonly #plan: ResponsePlan;
  readonly #deadline: number;

  constructor(
    line: Line,
    reader: OwnReader,
    request: EncodedRequest | Encoded,
    method: string,
    plan: ResponsePlan,
    deadline: number,
  ) {
    this.#line = line;
    this.#reader = reader;
    this.#request = request;
    const parts = "parts" in request ? request.parts : null;
    if (parts) this.#large = new PartsRequest(line, request, parts);
    else this.#large = request.length > LARGE ? new LargeRequest(line, request) : null;
    this.#method = method;
    this.#plan = plan;
    this.#deadline = deadline;
    reader.forget(MOST_KEPT);
    reader.input.begin(this.#large ?? line.transport);
  }

  /** What the response is read from. */
  get source(): Source {
    return this.#large ?? this.#line.transport;
  }

  /** Whether all of the request was sent. */
  get isSent(): boolean {
    return this.#large === null ? this.state !== "sending" : this.#large.isWhole;
  }

  /**
   * Goes on as far as it can, and never waits by itself: on a blocking connection, where the calls of the transport wait,
   * always to the end; on a non-blocking one until the connection must be what comes out. Null: it is done or has failed.
   */
  advance(): Want | null {
    this.#reader.input.beginCall();
    let want: Want | null = null;
    if (this.state === "sending") {
      want = this.#large === null ? this.#send() : this.#sendLarge(this.#large);
      if (this.#isTooEarly()) return "readable";
    }
    if (this.state === "head") want = this.#readHead();
    if (this.state === "body") want = this.#readBody();
    return want;
  }

  /** Whether it is no use to look for a response yet: the request has left just now, and the call would be one in vain. */
  #isTooEarly(): boolean {
    if (this.state !== "head" || this.#large !== null) return false;
    const { transport } = this.#line;
    return transport.nonblocking && transport.pending() === 0;
  }

  #send(): Want | null {
    const { transport } = this.#line;
    for (;;) {
      const { bytes, length, isShared } = this.#request;
      const count = transport.send(bytes, length, this.#deadline);
      if (count === length) break;
      if (count < 0) return this.#stop(count, this.#isUnsent ? "safe" : "if idempotent");
      this.#request = { bytes: bytes.subarray(count, length), length: length - count, isShared };
      this.#isUnsent = false;
    }
    this.state = "head";
    return null;
  }

  #sendLarge(request: SlowRequest): Want | null {
    const { transport } = this.#line;
    const failure = request.sendOn(this.#deadline);
    if (failure !== 0) {
      if (failure === BODY_PARTS_FAILED) return this.#stop(failure, "never");
      const isOver = request.isUnsent || isInterruption(transport, failure);
      if (isOver || this.#wouldWait(failure)) return this.#stop(failure, "safe");
    }
    this.state = "head";
    return null;
  }

  #readHead(): Want | null {
    const reader = this.#reader;
    const head = reader.readHead(this.#plan, this.#deadline);
    if (typeof head === "number") {
      const retry = reader.input.hasBegun ? "never" : "if idempotent";
      if (head === 0) return this.#fail(new ExchangeFailure(cutShort("response", false), retry));
      return this.#stop(head, retry);
    }
    if (head instanceof MessageError)
      return this.#fail(new ExchangeFailure(refusal("response", head, this.#plan.maxBodyBytes)));
    if (head.status === 101 && !this.#plan.mayUpgrade) return this.#fail(SWITCHED);
    this.head = head;
    if (head.status >= 300) this.#large?.refuse();
    const most = this.#plan.mostBodyBytes(head);
    if (most === null) {
      this.state = "done";
      return null;
    }
    const error = reader.beginBody(head, this.#method, most, this.#plan.section);
    if (error !== undefined)
      return this.#fail(new ExchangeFailure(refusal("response", error, this.#plan.maxBodyBytes)));
    this.state = "body";
    return null;
  }

  #readBody(): Want | null {
    const body = this.#reader.body.gather(this.#deadline);
    if (body === 0) return this.#fail(new ExchangeFailure(cutShort("response", true)));
    if (typeof body === "number") return this.#stop(body, "never");
    if (body instanceof MessageError)
      return this.#fail(new ExchangeFailure(refusal("response", body, this.#plan.maxBodyBytes)));
    this.body = body;
    this.state = "done";
    return null;
  }

  /** A non-blocking connection has no more, and there is time left: what it must be to go on. Else the exchange has failed. */
  #stop(failure: number, retry: ExchangeFailure["retry"]): Want | null {
    const { source } = this;
    if (failure === BODY_PARTS_FAILED) return this.#fail(new ExchangeFailure(source.reason(failure)));
    if (this.#wouldWait(failure)) return this.#want();
    // The connection has no timeout of its own: only the deadline ends a wait.
    if (source.wouldBlock(failure) || monotonicTime() >= this.#deadline) return this.#fail(TIMED_OUT);
    const isOver = isInterruption(source, failure);
    return this.#fail(new ExchangeFailure(source.reason(failure), isOver ? "never" : retry));
  }

  #wouldWait(failure: number): boolean {
    const { transport } = this.#line;
    return transport.nonblocking && transport.wouldBlock(failure) && monotonicTime() < this.#deadline;
  }

  #want(): Want {
    if (this.isSent) return "readable";
    if (this.#large !== null) {
      this.#large.keepBytes();
      return "either";
    }
    this.#request = unshared(this.#request);
    return "writable";
  }

  #fail(failure: ExchangeFailure): null {
    this.failure = failure;
    this.state = "failed";
    return null;
  }
}

/** A larger buffer for bodies is not kept: it would only be there for the next large response. */
const MOST_KEPT = 4 * 1024 * 1024;

/** Readers that nobody uses. */
const spare: OwnReader[] = [];
/** How many are kept, and how large a body's memory all but one may have. */
const MOST_SPARE = 64;
const MOST_KEPT_OF_MANY = 64 * 1024;

/** A reader for exchanges one after the other. */
export function takeReader(): OwnReader {
  return spare.pop() ?? new ResponseReader(new ReadAheadInput());
}

export function giveBack(reader: OwnReader): void {
  reader.forget(spare.length === 0 ? MOST_KEPT : MOST_KEPT_OF_MANY);
  if (spare.length < MOST_SPARE) spare.push(reader);
}
