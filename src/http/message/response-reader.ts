import type { Transport } from "../../engine/transport.ts";
import type { Failure } from "../../error.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { mostBytesOf } from "../wire/content-coding.ts";
import { responseFraming } from "../wire/framing.ts";
import { parseResponseHead, type ResponseHead } from "../wire/head-parser.ts";
import { MOST_INTERIM_RESPONSES, type SectionLimits } from "../wire/limits.ts";
import { MessageError } from "../wire/message-error.ts";
import { ExactInput } from "./exact-input.ts";
import type { Input } from "./input.ts";
import { type HeadLimits, type Incoming, MessageReader, type ReadLimits } from "./reader.ts";

const TOO_MANY_INTERIM = new MessageError("limit", "too many interim responses");

/** Reads the responses of one connection, step by step. */
export class ResponseReader<From extends Input> extends MessageReader<ResponseHead, From> {
  /** Interim responses that were passed over. */
  #interim = 0;

  constructor(input: From) {
    super(input, "response");
  }

  protected parse({ section, keepFields }: HeadLimits): ResponseHead | MessageError | undefined {
    const { bytes, start, end } = this.input;
    return parseResponseHead(bytes, start, end, this.search, section, keepFields);
  }

  /** Begins a response. At most so many bytes of memory are kept from the one before. */
  override forget(mostKept = 0): void {
    super.forget(mostKept);
    this.#interim = 0;
  }

  /**
   * The head of the final response; an error in it; or the transport's failure (0: end of stream), after which the next call goes
   * on. Interim responses are passed over (RFC 9110, 15.2), save 101, which comes out as a final one.
   */
  readHead(limits: HeadLimits, deadline: number): ResponseHead | MessageError | number {
    while (this.#interim <= MOST_INTERIM_RESPONSES) {
      const head = this.nextHead(limits, deadline, deadline);
      if (typeof head === "number" || head instanceof MessageError) return head;
      if (head.status >= 200 || head.status === 101) {
        this.head = head;
        return head;
      }
      this.#interim++;
    }
    return TOO_MANY_INTERIM;
  }

  /** Begins the body of the head that was read last, in response to a request of this method. */
  beginBody(
    head: ResponseHead,
    method: string,
    most: number,
    section: SectionLimits,
  ): MessageError | undefined {
    const framing = responseFraming(head, method);
    if (framing instanceof MessageError) return framing;
    return this.body.begin(framing, most, section, true);
  }
}

/** Reads whole responses off a stream of the caller's. */
export class StreamResponseReader extends ResponseReader<ExactInput> {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    super(new ExactInput(transport, false));
    this.#transport = transport;
  }

  /**
   * The next response, to a request of this method. Waits until it is whole. After a failure of the transport (a StoppedRead) the
   * next call goes on; after any other it gives the same failure again.
   */
  read(limits: ReadLimits, method: string): Incoming<ResponseHead> | Failure {
    if (this.refused !== undefined) return this.refused;
    const deadline = monotonicTime() + limits.timeout;
    this.input.beginCall();
    return this.concluded(
      this.#transport,
      this.#advance(limits, method, deadline),
      deadline,
      limits.maxBodyBytes,
    );
  }

  /** As `read`, but only the head: its body is then read piece by piece, see `finishBody` and `abandonBody`. */
  open(limits: ReadLimits, method: string): ResponseHead | Failure {
    if (this.refused !== undefined) return this.refused;
    const deadline = monotonicTime() + limits.timeout;
    this.input.beginCall();
    const head = this.head ?? this.readHead(limits, deadline);
    if (typeof head === "number" || head instanceof MessageError) {
      return this.concluded(this.#transport, head, deadline, limits.maxBodyBytes) as Failure;
    }
    const most = mostBytesOf(head, limits.maxBodyBytes);
    const error = this.beginBody(head, method, most, limits.section);
    if (error !== undefined)
      return this.concluded(this.#transport, error, deadline, limits.maxBodyBytes) as Failure;
    return this.opened(this.#transport, head, deadline);
  }

  #advance(limits: ReadLimits, method: string, deadline: number): Buffer | MessageError | number {
    if (this.head === undefined) {
      const head = this.readHead(limits, deadline);
      if (typeof head === "number" || head instanceof MessageError) return head;
      const most = mostBytesOf(head, limits.maxBodyBytes);
      const error = this.beginBody(head, method, most, limits.section);
      if (error !== undefined) return error;
    }
    return this.body.gather(deadline);
  }
}
