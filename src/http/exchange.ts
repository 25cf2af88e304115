/**
 * One exchange on a connection of the client's own: the request's bytes out, the answer's head and body in.
 *
 * The connection belongs to the exchange alone, so it reads as much as has come, in the usual case the whole answer
 * with one system call, and parses it where it lies.
 */
import { error_code } from "../error.ts";
import type { Transport } from "../stream.ts";
import { BODY_TOO_LARGE, ChunkedDecoder, responseFraming } from "./body.ts";
import type { SectionLimits } from "./fields.ts";
import type { Encoded } from "./message.ts";
import { HeadSearch, MessageError, parseResponseHead, type ResponseHead } from "./parser.ts";

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
}

/** The bytes that came on a connection and have not been used up: those from `start` to `end`. */
export class Inbox {
  bytes: Buffer = Buffer.allocUnsafeSlow(INBOX_SIZE);
  start = 0;
  end = 0;
  readonly search = new HeadSearch();

  /** Makes room behind `end`: for at least one byte, and for up to `wanted` as bytes really come. */
  makeRoom(wanted: number): void {
    if (this.end < this.bytes.length) return;
    const used = this.end - this.start;
    if (this.start > 0 && used + wanted <= this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end);
    } else {
      const grown = Buffer.allocUnsafeSlow(Math.min(used + wanted, 2 * Math.max(used, INBOX_SIZE)));
      this.bytes.copy(grown, 0, this.start, this.end);
      this.bytes = grown;
    }
    this.start = 0;
    this.end = used;
  }

  /** Receives at most `wanted` bytes behind those that are there: how many came, 0 at end of stream, or a failure. */
  fill(transport: Transport, wanted: number, deadline: number): number {
    this.makeRoom(wanted);
    const room = Math.min(wanted, this.bytes.length - this.end);
    const target = this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
    const count = transport.receive(target, room, deadline);
    if (count > 0) this.end += count;
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

/** Sends a request: undefined, or how it failed. */
export function sendRequest(
  transport: Transport,
  { bytes, length }: Encoded,
  deadline: number,
): ExchangeFailure | undefined {
  let sent = transport.send(bytes, length, deadline);
  while (sent < length) {
    if (sent < 0) return transportFailure(transport, sent, deadline, "safe");
    const rest = bytes.subarray(sent, length);
    const count = transport.send(rest, rest.length, deadline);
    if (count < 0) return transportFailure(transport, count, deadline, "if idempotent");
    sent += count;
  }
  return undefined;
}

/**
 * Reads the head of the final answer into `inbox`, which begins anew; what follows it is left there. Interim answers
 * are passed over (RFC 9110, 15.2). 101 cannot come in answer to a request that asked for no other protocol.
 */
export function readHead(
  transport: Transport,
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
      if (!mayBeHttp(inbox)) return NOT_HTTP;
    }
    const count = inbox.fill(transport, INBOX_SIZE, deadline);
    const retry = inbox.end === 0 ? "if idempotent" : "never";
    if (count < 0) return transportFailure(transport, count, deadline, retry);
    if (count === 0) return new ExchangeFailure("connection closed before response headers", retry);
  }
  return TOO_MANY_INTERIM;
}

/** Whether an answer that is not whole can be HTTP: a server of another protocol waits for us, and says no more. */
function mayBeHttp({ bytes, start, end }: Inbox): boolean {
  const name = "HTTP/";
  for (let at = start; at < end && at < start + name.length; at++) {
    if (bytes[at] !== name.charCodeAt(at - start)) return bytes[start] === CR; // empty lines before it are passed over
  }
  return true;
}

const CR = 0x0d;
const NOT_HTTP = new ExchangeFailure("invalid http response: malformed status line");
const SWITCHED = new ExchangeFailure("the server switched protocols (101), which was not asked for");
const TOO_MANY_INTERIM = new ExchangeFailure("too many interim responses");

/** The body of an answer, as it came: any content coding is still on it. */
export interface AnswerBody {
  /** Lies in the inbox, up to its next use. */
  readonly bytes: Buffer;
  /** Whether the answer was read to its end and the connection can carry another one. */
  readonly isClean: boolean;
}

/** Reads the body that follows the head. `method` is the request's. */
export function readBody(
  transport: Transport,
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
      return { bytes: NO_BYTES, isClean: inbox.start === inbox.end };
    case "length":
      return readLength(transport, inbox, framing.length, maxBytes, deadline);
    case "chunked":
      return readChunks(transport, inbox, maxBytes, deadline);
    case "close":
      return readToEnd(transport, inbox, maxBytes, deadline);
  }
}

const NO_BYTES = Buffer.alloc(0);

function readLength(
  transport: Transport,
  inbox: Inbox,
  length: number,
  maxBytes: number,
  deadline: number,
): AnswerBody | ExchangeFailure {
  if (length > maxBytes) return badAnswer(BODY_TOO_LARGE);
  for (;;) {
    const missing = length - (inbox.end - inbox.start);
    if (missing <= 0) break;
    const count = inbox.fill(transport, missing, deadline);
    if (count <= 0) return cutShort(transport, count, deadline);
  }
  const bodyEnd = inbox.start + length;
  return { bytes: inbox.bytes.subarray(inbox.start, bodyEnd), isClean: bodyEnd === inbox.end };
}

function readChunks(
  transport: Transport,
  inbox: Inbox,
  maxBytes: number,
  deadline: number,
): AnswerBody | ExchangeFailure {
  const decoder = new ChunkedDecoder(maxBytes, SECTION_LIMITS);
  for (;;) {
    const at = decoder.decode(inbox.bytes, inbox.start, inbox.end);
    if (at instanceof MessageError) return badAnswer(at);
    if (decoder.done) return { bytes: decoder.body.bytes(), isClean: at === inbox.end };
    inbox.start = 0;
    inbox.end = 0;
    const count = inbox.fill(transport, INBOX_SIZE, deadline);
    if (count <= 0) return cutShort(transport, count, deadline);
  }
}

function readToEnd(
  transport: Transport,
  inbox: Inbox,
  maxBytes: number,
  deadline: number,
): AnswerBody | ExchangeFailure {
  for (;;) {
    if (inbox.end - inbox.start > maxBytes) return badAnswer(BODY_TOO_LARGE);
    const count = inbox.fill(transport, INBOX_SIZE, deadline);
    if (count === 0) return { bytes: inbox.bytes.subarray(inbox.start, inbox.end), isClean: false };
    if (count < 0) return transportFailure(transport, count, deadline, "never");
  }
}

function cutShort(transport: Transport, count: number, deadline: number): ExchangeFailure {
  if (count < 0) return transportFailure(transport, count, deadline, "never");
  return new ExchangeFailure("connection closed before response body complete");
}

function badAnswer(error: MessageError): ExchangeFailure {
  if (error === BODY_TOO_LARGE) return new ExchangeFailure("response body too large");
  if (error.kind === "limit") return new ExchangeFailure(error.reason);
  return new ExchangeFailure(`invalid http response: ${error.reason}`);
}

function transportFailure(
  transport: Transport,
  failure: number,
  deadline: number,
  retry: ExchangeFailure["retry"],
): ExchangeFailure {
  // The connection is in blocking mode and has no timeout of its own: only the deadline ends a wait.
  if (transport.wouldBlock(failure) || performance.now() >= deadline) return TIMED_OUT;
  const reason = transport.reason(failure);
  return new ExchangeFailure(reason, error_code(reason) === "EINTR" ? "never" : retry);
}

const TIMED_OUT = new ExchangeFailure("timed out");
