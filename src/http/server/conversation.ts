/**
 * What is known of a connection that serves requests.
 */
import type { Transport } from "../../engine/transport.ts";
import { ExactInput } from "../message/exact-input.ts";
import type { IncomingBody } from "../message/incoming-body.ts";
import { RequestReader } from "../message/request-reader.ts";
import { MessageWriter } from "../message/writer.ts";
import { hasOption } from "../wire/fields.ts";
import type { RequestHead } from "../wire/head-parser.ts";
import type { AnsweredRequest } from "../wire/head-writer.ts";
import { MOST_UNANSWERED } from "../wire/limits.ts";

/** What a request that waits for its response says about that response. */
export interface UnansweredRequest extends Pick<RequestHead, "method" | "version">, AnsweredRequest {
  /** Its body, where that is read piece by piece. */
  readonly body: IncomingBody | null;
}

/** A response without a request that was read here is written for an ordinary one. */
const ORDINARY: UnansweredRequest = {
  method: "GET",
  version: "HTTP/1.1",
  isLast: false,
  isKept: false,
  body: null,
};

/** What is known of a connection that serves requests. */
export class Conversation {
  readonly writer: MessageWriter;
  readonly #unanswered: UnansweredRequest[] = [];
  readonly #transport: Transport;
  #reader: RequestReader | undefined;
  #responses = 0;
  /** True when the response to a request that its client called the last one was written. */
  isOver = false;
  /** Whether the connection is kept where a response says nothing of it: that of `http.serve`. */
  readonly isKept: boolean;
  /** Whether the last final response has ended the connection. Not found out where nobody needs it, without `isKept`. */
  hasEnded = false;
  /** Whether the body of a response is being written piece by piece, or the stream has switched to another protocol (101). */
  isStreaming = false;
  /** Whether a response could not be sent, for a reason that stays. */
  hasFailed = false;

  constructor(transport: Transport, isKept = false) {
    this.#transport = transport;
    this.writer = new MessageWriter(transport);
    this.isKept = isKept;
  }

  /** Reads requests off the stream, and not a byte more. */
  get reader(): RequestReader {
    this.#reader ??= new RequestReader(this.#transport, new ExactInput(this.#transport, true));
    return this.#reader;
  }

  /** Whether a request waits for its response. */
  get owesResponse(): boolean {
    return this.#unanswered.length > 0;
  }

  /** The request of the next response: responses come in the order of the requests (RFC 9112, 9.3.2). */
  get request(): UnansweredRequest {
    return this.#unanswered[0] ?? ORDINARY;
  }

  /** Notes that a request has come. */
  received(head: RequestHead, body: IncomingBody | null = null): void {
    const { method, version } = head;
    this.isOver = false;
    this.#unanswered.push({ method, version, isLast: isLastRequest(head), isKept: this.isKept, body });
    if (this.#unanswered.length > MOST_UNANSWERED) this.#unanswered.shift();
  }

  /** The next response ends the connection, whatever the client and the caller have said. */
  endWithResponse(): void {
    const request = this.#unanswered[0];
    if (request !== undefined) this.#unanswered[0] = { ...request, isLast: true };
  }

  /**
   * Before the second response of a connection: Nagle's algorithm would hold a small one back until the client has
   * acknowledged the one before it, which a client that sends requests ahead delays by 40 ms (RFC 9293, 3.7.4).
   */
  responding(): void {
    if (++this.#responses === 2) this.#transport.sendAtOnce?.();
  }

  /** Notes that the final response to the next request has gone out, or a part of it, and whether it ends the connection. */
  responded(hasEnded: boolean): void {
    this.hasEnded = hasEnded;
    const request = this.#unanswered.shift();
    if (request !== undefined && this.#unanswered.length === 0) this.isOver = request.isLast;
  }

  /** The text of a failure in sending; the caller gives it out. */
  sendFailed(failure: number): string {
    if (!this.#transport.wouldBlock(failure)) this.hasFailed = true;
    return `http write failed: ${this.#transport.reason(failure)}`;
  }

  readonly sendContinue = (deadline: number): number => {
    const { writer } = this;
    const hasBegun = writer.hasBegun(CONTINUE);
    const failure = writer.finish(deadline);
    return failure < 0 || hasBegun ? failure : writer.send(CONTINUE, CONTINUE.length, CONTINUE, deadline);
  };
}

const CONTINUE = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");

const conversations = new WeakMap<Transport, Conversation>();

/** From now on this conversation is the one on this transport. */
export function beginConversation(transport: Transport, conversation: Conversation): void {
  conversations.set(transport, conversation);
}

export function conversationOn(transport: Transport): Conversation {
  let conversation = conversations.get(transport);
  if (conversation === undefined) {
    conversation = new Conversation(transport);
    conversations.set(transport, conversation);
  }
  return conversation;
}

/** Whether the client ends the connection with this request (RFC 9112, 9.3). */
function isLastRequest(head: RequestHead): boolean {
  const option = head.headers.connection;
  if (head.version === "HTTP/1.0") return !hasOption(option, "keep-alive") || hasOption(option, "close");
  return hasOption(option, "close");
}
