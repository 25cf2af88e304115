/**
 * One message after another off an input: its head, then its body. What has been read of a message that is not whole stays
 * here, so that a non-blocking program (or one whose read timed out) goes on where it was. Requests: request-reader.ts.
 * Responses: response-reader.ts.
 */
import { StoppedRead } from "../../engine/stopped-read.ts";
import { TOO_LATE, type Transport } from "../../engine/transport.ts";
import { Failure } from "../../error.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { HeadSearch } from "../wire/head-search.ts";
import type { SectionLimits } from "../wire/limits.ts";
import { BODY_TOO_LARGE, MessageError, responseTooLarge } from "../wire/message-error.ts";
import { FramedBody } from "./framed-body.ts";
import type { Input } from "./input.ts";

/** What a head may take, and whether its field lines are kept. */
export interface HeadLimits {
  readonly section: SectionLimits;
  readonly keepFields: boolean;
}

/** What one read of a message allows and keeps. */
export interface ReadLimits extends HeadLimits {
  readonly maxBodyBytes: number;
  /** Milliseconds for the whole message; Infinity is none. */
  readonly timeout: number;
}

export interface Incoming<Head> {
  readonly head: Head;
  /** The body's bytes, the chunked coding undone. They may lie in a buffer that the next read overwrites. */
  readonly body: Buffer;
  /** When the time is over for what is still made of it. */
  readonly deadline: number;
}

type Kind = "request" | "response";

/** Why a message is refused, in words. `most`: how many bytes its body may have. */
export function refusal(kind: Kind, error: MessageError, most: number): string {
  if (error === BODY_TOO_LARGE) return kind === "request" ? "request body too large" : responseTooLarge(most);
  const { reason } = error;
  return error.kind === "syntax" ? `invalid http ${kind}: ${reason}` : reason;
}

/** Where in a message the stream has ended, in words. */
export function cutShort(kind: Kind, hasHead: boolean): string {
  return `connection closed before ${kind} ${hasHead ? "body complete" : "headers"}`;
}

/** How much is looked at for a head's end: more than most heads have, so that one look is enough. */
const HEAD_PIECE = 8 * 1024;

export abstract class MessageReader<Head extends { readonly size: number }, From extends Input> {
  readonly input: From;
  readonly body: FramedBody;
  /** The head, once it is whole and while the body is not. */
  head: Head | undefined;
  protected readonly search = new HeadSearch();
  /** When the present message began, on monotonicTime()'s clock; 0: it came at once. */
  protected begunAt = 0;
  readonly #kind: Kind;
  /** Why nothing more can be read: nobody knows where the next message would begin. */
  #refused: Failure | undefined;
  /** While the body of a head that was given out is read piece by piece. */
  #isOpen = false;

  constructor(input: From, kind: Kind) {
    this.input = input;
    this.body = new FramedBody(input);
    this.#kind = kind;
  }

  /** The head that begins at the start of the input, or undefined while its end is not there. */
  protected abstract parse(limits: HeadLimits): Head | MessageError | undefined;

  /** True between messages: nothing has come of the next one, save empty lines before it. */
  get isIdle(): boolean {
    return this.head === undefined && this.input.end - this.input.start === this.search.blank;
  }

  /**
   * The next head; an error in it; or the transport's failure (0: end of stream), after which the next call goes on. Waits for
   * its first byte up to `firstDeadline`.
   */
  protected nextHead(
    limits: HeadLimits,
    firstDeadline: number,
    deadline: number,
  ): Head | MessageError | number {
    const { input, search } = this;
    for (;;) {
      if (input.start < input.end) {
        const head = this.parse(limits);
        if (head instanceof MessageError) {
          // To close a socket with unread bytes resets the connection, and the peer might never read what it is told about its
          // mistake (RFC 9112, 9.6).
          input.use(input.end - input.start);
          return head;
        }
        if (head !== undefined) {
          input.use(head.size);
          search.reset();
          return head;
        }
        this.noteBegin();
      }
      if (input.isLate(deadline)) return TOO_LATE;
      const count = input.fill(HEAD_PIECE, this.isIdle ? firstDeadline : deadline);
      if (count <= 0) return count;
    }
  }

  /** Notes the time of a message that does not come at once. */
  protected noteBegin(): void {
    if (this.begunAt === 0) this.begunAt = monotonicTime();
  }

  /** Forgets the present message. At most so many bytes of the body's memory are kept for the next one. */
  protected forget(mostKept = 0): void {
    this.search.reset();
    this.head = undefined;
    this.begunAt = 0;
    this.body.forget(mostKept);
  }

  /** Why this reader does not read another message, if that is so. */
  protected get refused(): Failure | undefined {
    if (this.#isOpen) return new Failure(`http read failed: the ${this.#kind} before is not read to its end`);
    return this.#refused;
  }

  /** What a call gives that read a head and leaves the body to be read piece by piece. */
  protected opened(transport: Transport, head: Head, deadline: number): Head | Failure {
    const failure = this.input.settle(deadline);
    if (failure < 0) return this.#stopped(transport, failure, deadline);
    this.head = head;
    this.#isOpen = true;
    transport.isReadInPart = !this.body.isDone;
    return head;
  }

  /** The body that was left has been read to its end: the next message can be read. */
  finishBody(transport: Transport): void {
    this.#isOpen = false;
    this.input.finish(Number.POSITIVE_INFINITY);
    transport.isReadInPart = false;
    this.forget();
  }

  /** The body that was left will not be read to its end: nobody knows where the next message begins. */
  abandonBody(transport: Transport, failure: Failure): void {
    this.#isOpen = false;
    this.input.settle(0);
    transport.isReadInPart = false;
    this.#refused ??= failure;
    this.forget();
  }

  /**
   * What a call gives that read so far: the message, once its body is whole; or why it is not. A head that is not whole is kept
   * by the input, and of all else nothing is off the stream that was not used. `most`: how many bytes its body may have.
   */
  protected concluded(
    transport: Transport,
    result: Buffer | MessageError | number,
    deadline: number,
    most: number,
  ): Incoming<Head> | Failure {
    const { input, head } = this;
    if (result instanceof MessageError) {
      input.settle(deadline);
      transport.isReadInPart = false;
      return this.#refuse(result, most);
    }
    let failure = result;
    if (typeof failure !== "number") {
      const body = failure;
      failure = input.finish(deadline);
      if (failure === 0) {
        transport.isReadInPart = false;
        this.forget();
        return { head: head as Head, body, deadline };
      }
    } else if (head !== undefined) {
      input.settle(deadline);
    }
    if (failure !== 0) transport.isReadInPart = head !== undefined || input.start < input.end;
    return this.#stopped(transport, failure, deadline);
  }

  /** From now on every read gives this failure. */
  #refuse(error: MessageError, most: number): Failure {
    this.#refused = new Failure(refusal(this.#kind, error, most));
    this.forget();
    return this.#refused;
  }

  /** The failure that a transport's number is, and 0, which is the end of its stream. */
  #stopped(transport: Transport, count: number, deadline: number): Failure {
    if (count === 0) return new Failure(cutShort(this.#kind, this.head !== undefined));
    const wouldBlock = count !== TOO_LATE && transport.wouldBlock(count);
    const isLate = count === TOO_LATE || (wouldBlock && monotonicTime() >= deadline);
    const reason = isLate ? "timed out" : transport.reason(count);
    return new StoppedRead(`http read failed: ${reason}`, wouldBlock && !isLate);
  }
}
