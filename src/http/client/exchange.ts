/**
 * One exchange on a connection of the client's own: the request's bytes out, the answer's head and body in.
 *
 * The connection belongs to the exchange alone, so it reads as much as has come, in the usual case the whole answer
 * with one system call, and parses it where it lies.
 */

import { lastingBuffer } from "../../engine/scratch.ts";
import type { Transport } from "../../engine/transport.ts";
import { TOO_LATE } from "../../engine/transport.ts";
import { error_code } from "../../error-code.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import type { Encoded } from "../message/encode.ts";
import { BODY_TOO_LARGE, ChunkedDecoder, responseFraming } from "../wire/body.ts";
import type { SectionLimits } from "../wire/fields.ts";
import { parseResponseHead, type ResponseHead } from "../wire/head-parser.ts";
import { HeadSearch } from "../wire/head-search.ts";
import { MessageError } from "../wire/message-error.ts";

/** Why an exchange failed. */
export class ExchangeFailure {
  readonly reason: string;
  /**
   * Whether the request may be sent again when the connection had been used before, so that the server just closed it
   * meanwhile: nothing of it was sent; or no byte of an answer came (RFC 9110, 9.2.2: idempotent methods only); or never,
   * since an answer had begun, or the clock or a signal ended the wait.
   */
  readonly retry: "safe" | "if idempotent" | "never";

  constructor(reason: string, retry: "safe" | "if idempotent" | "never" = "never") {
    this.reason = reason;
    this.retry = retry;
  }

  /** Whether a signal ended the exchange: its listener runs when the call comes back, so nothing more is waited for. */
  get isInterruption(): boolean {
    return error_code(this.reason) === "EINTR";
  }
}

/** The bytes that came on a connection and have not been used up: those from `start` to `end`. */
export class Inbox {
  bytes: Buffer = lastingBuffer(INBOX_SIZE);
  start = 0;
  end = 0;
  /** Whether the last bytes that came left room for more: then no more had come. */
  hadRoom = false;
  readonly search = new HeadSearch();

  /** Makes room behind `end`: for at least one byte, and for up to `wanted` as bytes really come. */
  makeRoom(wanted: number): void {
    if (this.end < this.bytes.length) return;
    const used = this.end - this.start;
    if (this.start > 0 && used + wanted <= this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end);
    } else {
      const grown = lastingBuffer(Math.min(used + wanted, 2 * Math.max(used, INBOX_SIZE)));
      this.bytes.copy(grown, 0, this.start, this.end);
      this.bytes = grown;
    }
    this.start = 0;
    this.end = used;
  }

  /** As `fill`, for all but the first bytes of an answer. */
  fillOn(source: Source, wanted: number, deadline: number): number {
    return monotonicTime() >= deadline ? TOO_LATE : this.fill(source, wanted, deadline);
  }

  /** Receives at most `wanted` bytes behind those that are there: how many came, 0 at end of stream, or a failure. */
  fill(source: Source, wanted: number, deadline: number): number {
    this.makeRoom(wanted);
    const room = Math.min(wanted, this.bytes.length - this.end);
    const target = this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
    const count = source.receive(target, room, deadline);
    if (count > 0) this.end += count;
    this.hadRoom = count < room;
    return count;
  }
}

/** Twice the longest head. Pages that no byte reaches cost no memory. */
const INBOX_SIZE = 128 * 1024;
/** A larger buffer is not kept: it would only be there for the next large answer. */
const LARGEST_KEPT = 4 * 1024 * 1024;

// Taken while in use: a listener that runs while a call waits (of a warning) can make a call of its own.
let spare: Inbox | undefined;

export function takeInbox(): Inbox {
  const inbox = spare ?? new Inbox();
  spare = undefined;
  return inbox;
}

export function giveBack(inbox: Inbox): void {
  if (inbox.bytes.length <= LARGEST_KEPT) spare = inbox;
}

/** What an answer's head may take, as a request's. */
const SECTION_LIMITS: SectionLimits = { bytes: 64 * 1024, fields: 128 };
/** Interim answers (1xx) before the final one. */
const MOST_INTERIM = 32;

/** The part of a transport that an answer is read from. */
export type Source = Pick<Transport, "receive" | "reason" | "wouldBlock">;

/** What a request is sent on. */
export interface Line {
  readonly transport: Transport;
  /** Whether nothing has come, and no end either. Does not wait. */
  isQuiet(): boolean;
}

/**
 * More than a send buffer surely takes at once (tcp(7): tcp_wmem, 16 KiB at first): the server may answer before it has
 * all of it.
 */
const LARGE = 16 * 1024;
/**
 * How much of it is sent at once. One send(2) can go on for as long as the peer reads, whatever its timeout: the kernel
 * counts that in ticks, and a wait shorter than a tick as none. So the clock is looked at in between.
 */
const PIECE = 256 * 1024;
/** How long a large request waits for room before it looks whether the server has answered, in milliseconds. */
const PATIENCE = 100;

/** Sends a request: what its answer is to be read from, or how it failed. */
export function sendRequest(
  line: Line,
  { bytes, length }: Encoded,
  deadline: number,
): Source | ExchangeFailure {
  const { transport } = line;
  if (length > LARGE) {
    const request = new LargeRequest(line, bytes, length);
    const failure = request.sendOn(deadline);
    if (failure === 0) return request;
    const isOver = request.isUnsent || isInterruption(transport, failure);
    return isOver ? transportFailure(transport, failure, deadline, "safe") : request;
  }
  let sent = transport.send(bytes, length, deadline);
  while (sent < length) {
    if (sent < 0) return transportFailure(transport, sent, deadline, "safe");
    const rest = bytes.subarray(sent, length);
    const count = transport.send(rest, rest.length, deadline);
    if (count < 0) return transportFailure(transport, count, deadline, "if idempotent");
    sent += count;
  }
  return transport;
}

/**
 * A request that is still being sent while its answer comes: a server may refuse a large body without reading it, or
 * answer part by part as it reads, and reads no more until its answer is read. So when there is no room for more of
 * the request and bytes have come, they are received first. An answer that is whole ends the exchange (RFC 9112, 9.5).
 */
export class LargeRequest implements Source {
  readonly #line: Line;
  readonly #bytes: Buffer;
  readonly #length: number;
  #sent = 0;
  #isBroken = false;

  constructor(line: Line, bytes: Buffer, length: number) {
    this.#line = line;
    this.#bytes = bytes;
    this.#length = length;
  }

  get isUnsent(): boolean {
    return this.#sent === 0;
  }

  get isWhole(): boolean {
    return this.#sent === this.#length;
  }

  /** Sends until all is sent or there is something to receive: 0, or the transport's failure. */
  sendOn(deadline: number): number {
    const { transport } = this.#line;
    while (!this.isWhole && !this.#isBroken) {
      const patience = Math.min(deadline, monotonicTime() + PATIENCE);
      const piece = this.#bytes.subarray(this.#sent, Math.min(this.#length, this.#sent + PIECE));
      const count = transport.send(piece, piece.length, patience);
      if (count >= 0) {
        this.#sent += count;
        if (this.isWhole) return 0;
        if (monotonicTime() >= deadline) {
          this.#isBroken = true;
          return TOO_LATE;
        }
      } else if (!transport.wouldBlock(count) || monotonicTime() >= deadline) {
        // What the server said before it went can still be received.
        this.#isBroken = true;
        return count;
      }
      if (!this.#line.isQuiet()) return 0;
    }
    return 0;
  }

  receive(target: Uint8Array, length: number, deadline: number): number {
    const { transport } = this.#line;
    const failure = this.sendOn(deadline);
    if (failure === TOO_LATE) return failure;
    if (failure < 0 && (transport.wouldBlock(failure) || isInterruption(transport, failure))) return failure;
    return transport.receive(target, length, deadline);
  }

  reason(failure: number): string {
    return this.#line.transport.reason(failure);
  }

  wouldBlock(failure: number): boolean {
    return this.#line.transport.wouldBlock(failure);
  }
}

/**
 * Reads the head of the final answer into `inbox`, which begins anew; what follows it is left there. Interim answers
 * are passed over (RFC 9110, 15.2). 101 cannot come in answer to a request that asked for no other protocol.
 */
export function readHead(
  source: Source,
  inbox: Inbox,
  keepFields: boolean,
  deadline: number,
): ResponseHead | ExchangeFailure {
  inbox.start = 0;
  inbox.end = 0;
  const { search } = inbox;
  search.reset();
  for (let interim = 0; interim <= MOST_INTERIM; ) {
    if (inbox.start < inbox.end) {
      const { bytes, start, end } = inbox;
      const head = parseResponseHead(bytes, start, end, search, SECTION_LIMITS, keepFields);
      if (head instanceof MessageError) return badAnswer(head);
      if (head !== undefined) {
        inbox.start += head.size;
        if (head.status >= 200) return head;
        if (head.status === 101) return SWITCHED;
        search.reset();
        interim++;
        continue;
      }
    }
    const count =
      inbox.end === 0 ? inbox.fill(source, INBOX_SIZE, deadline) : inbox.fillOn(source, INBOX_SIZE, deadline);
    const retry = inbox.end === 0 ? "if idempotent" : "never";
    if (count < 0) return transportFailure(source, count, deadline, retry);
    if (count === 0) return new ExchangeFailure("connection closed before response headers", retry);
  }
  return TOO_MANY_INTERIM;
}

const SWITCHED = new ExchangeFailure("the server switched protocols (101), which was not asked for");
const TOO_MANY_INTERIM = new ExchangeFailure("too many interim responses");

/** The body of an answer, as it came: any content coding is still on it. */
export interface AnswerBody {
  /** Lies in the inbox, up to its next use. */
  readonly bytes: Buffer;
  /** What came behind it with its last bytes. After nothing, the connection can carry another answer. */
  readonly behind: "nothing" | "bytes" | "end of stream";
}

/** Reads the body that follows the head. `method` is the request's. */
export function readBody(
  source: Source,
  inbox: Inbox,
  head: ResponseHead,
  method: string,
  maxBytes: number,
  deadline: number,
): AnswerBody | ExchangeFailure {
  const framing = responseFraming(head, method);
  if (framing instanceof MessageError) return badAnswer(framing);
  switch (framing.kind) {
    case "none":
      return { bytes: NO_BYTES, behind: behind(inbox.start, inbox.end) };
    case "length":
      return readLength(source, inbox, framing.length, maxBytes, deadline);
    case "chunked":
      return readChunks(source, inbox, maxBytes, deadline);
    case "close":
      return readToEnd(source, inbox, maxBytes, deadline);
  }
}

const NO_BYTES = Buffer.alloc(0);

function behind(bodyEnd: number, end: number): AnswerBody["behind"] {
  return bodyEnd === end ? "nothing" : "bytes";
}

function readLength(
  source: Source,
  inbox: Inbox,
  length: number,
  maxBytes: number,
  deadline: number,
): AnswerBody | ExchangeFailure {
  if (length > maxBytes) return badAnswer(BODY_TOO_LARGE);
  for (;;) {
    const missing = length - (inbox.end - inbox.start);
    if (missing <= 0) break;
    const count = inbox.fillOn(source, missing, deadline);
    if (count <= 0) return cutShort(source, count, deadline);
  }
  const bodyEnd = inbox.start + length;
  return { bytes: inbox.bytes.subarray(inbox.start, bodyEnd), behind: behind(bodyEnd, inbox.end) };
}

function readChunks(
  source: Source,
  inbox: Inbox,
  maxBytes: number,
  deadline: number,
): AnswerBody | ExchangeFailure {
  const decoder = new ChunkedDecoder(maxBytes, SECTION_LIMITS, true);
  for (;;) {
    const at = decoder.decode(inbox.bytes, inbox.start, inbox.end);
    if (at instanceof MessageError) return badAnswer(at);
    if (decoder.done) return { bytes: decoder.body.bytes(), behind: behind(at, inbox.end) };
    inbox.start = 0;
    inbox.end = 0;
    const count = inbox.fillOn(source, INBOX_SIZE, deadline);
    if (count <= 0) return cutShort(source, count, deadline);
  }
}

function readToEnd(
  source: Source,
  inbox: Inbox,
  maxBytes: number,
  deadline: number,
): AnswerBody | ExchangeFailure {
  for (;;) {
    if (inbox.end - inbox.start > maxBytes) return badAnswer(BODY_TOO_LARGE);
    const count = inbox.fillOn(source, INBOX_SIZE, deadline);
    if (count === 0) {
      return { bytes: inbox.bytes.subarray(inbox.start, inbox.end), behind: "end of stream" };
    }
    if (count < 0) return transportFailure(source, count, deadline, "never");
  }
}

function cutShort(source: Source, count: number, deadline: number): ExchangeFailure {
  if (count < 0) return transportFailure(source, count, deadline, "never");
  return new ExchangeFailure("connection closed before response body complete");
}

function badAnswer(error: MessageError): ExchangeFailure {
  if (error === BODY_TOO_LARGE) return new ExchangeFailure("response body too large");
  if (error.kind === "limit") return new ExchangeFailure(error.reason);
  return new ExchangeFailure(`invalid http response: ${error.reason}`);
}

function transportFailure(
  source: Source,
  failure: number,
  deadline: number,
  retry: ExchangeFailure["retry"],
): ExchangeFailure {
  // The connection is in blocking mode and has no timeout of its own: only the deadline ends a wait.
  if (source.wouldBlock(failure) || monotonicTime() >= deadline) return TIMED_OUT;
  return new ExchangeFailure(source.reason(failure), isInterruption(source, failure) ? "never" : retry);
}

/** Whether a signal ended the wait. */
function isInterruption(source: Pick<Source, "reason">, failure: number): boolean {
  return error_code(source.reason(failure)) === "EINTR";
}

const TIMED_OUT = new ExchangeFailure("timed out");
