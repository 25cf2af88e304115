/**
 * The head that was read last. The next one is mostly the same, byte for byte: the answers of a server differ by their date,
 * the requests of a client in nothing. To compare takes a tenth of the time of reading. Pure, save for what it remembers.
 */
import type { Headers, SectionLimits } from "./fields.ts";

/** A longer one is read each time. */
const LONGEST = 2048;

export class KnownHead<Head extends { readonly size: number; readonly headers: Headers }> {
  readonly #bytes = Buffer.allocUnsafeSlow(LONGEST);
  #limits: SectionLimits | undefined;
  #head: Head | undefined;

  /** The head that begins at `start`, if it is the known one. What a head says depends on its bytes and the limits alone. */
  find(view: Buffer, start: number, end: number, limits: SectionLimits): Head | undefined {
    const head = this.#head;
    if (head === undefined || limits !== this.#limits || end - start < head.size) return undefined;
    const bytes = this.#bytes;
    for (let at = 0; at < head.size; at++) if (bytes[at] !== view[start + at]) return undefined;
    return withOwnHeaders(head);
  }

  /** Remembers the head that was read at `start` within these limits. */
  keep(view: Buffer, start: number, limits: SectionLimits, head: Head): void {
    if (head.size > LONGEST) return;
    view.copy(this.#bytes, 0, start, start + head.size);
    this.#limits = limits;
    this.#head = withOwnHeaders(head);
  }
}

/** The caller gets the headers, and may change them. */
function withOwnHeaders<Head extends { readonly headers: Headers }>(head: Head): Head {
  return { ...head, headers: { ...head.headers } };
}
