/**
 * Whole messages onto a transport. What a non-blocking transport (or one whose write timed out) did not take of
 * a message stays here, so that the message can be finished and is never cut short by the next one.
 */
import type { Transport } from "../../engine/transport.ts";

export class MessageWriter {
  readonly #transport: Transport;
  /** Whether a message is kept of which nothing could go out yet. Without it, the caller may send it again, or another one. */
  keepsUnsent = false;
  /** Bytes still to be sent of the message that `#owner` stands for. */
  #rest: Buffer | undefined;
  #owner: unknown;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** How many bytes of a message wait to be sent. */
  get restLength(): number {
    return this.#rest?.length ?? 0;
  }

  /**
   * Whether a message of this owner was begun: then `finish` sends its rest, and sending it anew would be wrong.
   */
  hasBegun(owner: unknown): boolean {
    return this.#rest !== undefined && this.#owner === owner;
  }

  /** Sends what is left of a message that was begun. 0, or the transport's failure: call it again later. */
  finish(deadline = Number.POSITIVE_INFINITY): number {
    while (this.#rest !== undefined) {
      const count = this.#transport.send(this.#rest, this.#rest.length, deadline);
      if (count < 0) return count;
      this.#rest = count === this.#rest.length ? undefined : this.#rest.subarray(count);
    }
    this.#owner = undefined;
    return 0;
  }

  /**
   * Sends the first `length` of `bytes`: 0, or the transport's failure. When part of it had gone out by then, the
   * rest is kept for `finish`, under the owner's name.
   */
  send(bytes: Buffer, length: number, owner: unknown, deadline = Number.POSITIVE_INFINITY): number {
    const sent = this.#transport.send(bytes, length, deadline);
    if (sent === length) return 0;
    if (sent < 0 && !(this.keepsUnsent && this.#transport.wouldBlock(sent))) return sent;
    this.#rest = bytes.subarray(Math.max(0, sent), length);
    this.#owner = owner;
    const failure = this.finish(deadline);
    // A copy: the buffer may serve the next message of another stream.
    if (this.#rest !== undefined) this.#rest = Buffer.from(this.#rest);
    return failure;
  }

  /** As `send`, of several parts that lie apart: large ones, because to put them together would cost more than to send each. */
  sendParts(parts: readonly Buffer[], owner: unknown): number {
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index] as Buffer;
      const failure = this.send(part, part.length, owner);
      if (failure === 0) continue;
      const isBegun = index > 0 || this.#rest !== undefined;
      if (!isBegun) return failure;
      this.#rest = Buffer.concat([this.#rest ?? part, ...parts.slice(index + 1)]);
      this.#owner = owner;
      return failure;
    }
    return 0;
  }
}
