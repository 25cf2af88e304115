import type { Transport } from "../../engine/transport.ts";
import { Failure } from "../../error.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { expectsContinue } from "../wire/fields.ts";
import { requestFraming } from "../wire/framing.ts";
import { parseRequestHead, type RequestHead } from "../wire/head-parser.ts";
import { MessageError } from "../wire/message-error.ts";
import type { Input } from "./input.ts";
import { type HeadLimits, type Incoming, MessageReader, type ReadLimits } from "./reader.ts";

/** Sends the interim response that a client waits for before it sends the body: 0, or the transport's failure. */
export type SendContinue = (deadline: number) => number;

export const NO_MORE = new Failure("connection closed before request headers");

/** Reads the requests of one connection. */
export class RequestReader extends MessageReader<RequestHead, Input> {
  readonly #transport: Transport;
  #owesContinue = false;

  constructor(transport: Transport, input: Input) {
    super(input, "request");
    this.#transport = transport;
  }

  protected parse({ section, keepFields }: HeadLimits): RequestHead | MessageError | undefined {
    const { bytes, start, end } = this.input;
    return parseRequestHead(bytes, start, end, this.search, section, keepFields);
  }

  /**
   * The next request. Waits until it is whole, but for its first byte only if `wait`. After a failure of the transport
   * (a StoppedRead) the next call goes on; after any other it gives the same failure again.
   */
  read(limits: ReadLimits, wait: boolean, sendContinue: SendContinue): Incoming<RequestHead> | Failure {
    if (this.refused !== undefined) return this.refused;
    const deadline = this.#deadline(limits.timeout);
    this.input.beginCall();
    const result = this.#advance(limits, wait ? deadline : 0, deadline, sendContinue);
    if (!wait && this.#isLastIdle(result)) return NO_MORE;
    return this.concluded(this.#transport, result, deadline, limits.maxBodyBytes);
  }

  /** As `read`, but only the head: its body is then read piece by piece, see `finishBody` and `abandonBody`. */
  open(limits: ReadLimits, wait: boolean): RequestHead | Failure {
    if (this.refused !== undefined) return this.refused;
    const deadline = this.#deadline(limits.timeout);
    this.input.beginCall();
    const head = this.head ?? this.nextHead(limits, wait ? deadline : 0, deadline);
    if (typeof head === "number" || head instanceof MessageError) {
      if (!wait && this.#isLastIdle(head)) return NO_MORE;
      return this.concluded(this.#transport, head, deadline, limits.maxBodyBytes) as Failure;
    }
    const error = this.#begin(head, limits);
    if (error !== undefined)
      return this.concluded(this.#transport, error, deadline, limits.maxBodyBytes) as Failure;
    return this.opened(this.#transport, head, deadline);
  }

  /** Whether the client waits to be told to go on before it sends the body that is read now. */
  get owesContinue(): boolean {
    return this.#owesContinue;
  }

  /** The peer said that its last request was its last one: nothing is there, and nothing will come. */
  #isLastIdle(result: unknown): boolean {
    return typeof result === "number" && this.isIdle && this.#transport.wouldBlock(result);
  }

  #deadline(timeout: number): number {
    if (timeout === Number.POSITIVE_INFINITY) return timeout;
    return (this.isIdle ? monotonicTime() : this.begunAt) + timeout;
  }

  /** Reads on: the body, once it is whole, an error in the message, or the transport's failure (0: end of stream). */
  #advance(
    limits: ReadLimits,
    firstDeadline: number,
    deadline: number,
    sendContinue: SendContinue,
  ): Buffer | MessageError | number {
    if (this.head === undefined) {
      const head = this.nextHead(limits, firstDeadline, deadline);
      if (typeof head === "number" || head instanceof MessageError) return head;
      const error = this.#begin(head, limits);
      if (error !== undefined) return error;
    }
    if (this.#owesContinue) {
      const failure = sendContinue(deadline);
      if (failure < 0) return failure;
      this.#owesContinue = false;
    }
    return this.body.gather(deadline);
  }

  #begin(head: RequestHead, { maxBodyBytes, section }: ReadLimits): MessageError | undefined {
    const { input } = this;
    this.#owesContinue = false;
    const framing = requestFraming(head);
    const error =
      framing instanceof MessageError ? framing : this.body.begin(framing, maxBodyBytes, section, false);
    if (error !== undefined) {
      input.use(input.end - input.start);
      return error;
    }
    this.head = head;
    if (this.body.isHere) return undefined;
    this.noteBegin();
    // RFC 9110, 10.1.1: not to an HTTP/1.0 client, and needless once the body has begun to come.
    this.#owesContinue =
      input.start === input.end && head.version === "HTTP/1.1" && expectsContinue(head.headers.expect);
    return undefined;
  }
}
