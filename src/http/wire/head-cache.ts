/**
 * The head that was read last. The next one is mostly the same, byte for byte: the responses of a server differ by their date,
 * the requests of a client in nothing. To compare takes a tenth of the time of reading. Pure, save for what it remembers.
 */
import type { Headers } from "./fields.ts";
import type { HeadSearch } from "./head-search.ts";
import type { SectionLimits } from "./limits.ts";
import type { MessageError } from "./message-error.ts";

/** A longer one is read each time. */
const LONGEST = 2048;

type Known = { readonly size: number; readonly headers: Headers };

/** Reads the head that begins at `start`; undefined asks for more bytes. */
type Reader<Head> = (
  view: Buffer,
  start: number,
  end: number,
  search: HeadSearch,
  limits: SectionLimits,
  keepFields: boolean,
) => Head | MessageError | undefined;

export class KnownHead<Head extends Known> {
  readonly #read: Reader<Head>;
  readonly #bytes = Buffer.allocUnsafeSlow(LONGEST);
  readonly #words = new Int32Array(this.#bytes.buffer);
  /** The memory that was looked at last, and the same four bytes at a time once it is looked at again. */
  #view: Buffer | undefined;
  #viewWords: Int32Array | undefined;
  #limits: SectionLimits | undefined;
  #head: Head | undefined;

  constructor(read: Reader<Head>) {
    this.#read = read;
  }

  /** As the reader, without field lines: the known head if it is that, else what the reader gives, which is known then. */
  read(
    view: Buffer,
    start: number,
    end: number,
    search: HeadSearch,
    limits: SectionLimits,
  ): Head | MessageError | undefined {
    const known = this.#find(view, start, end, limits);
    if (known !== undefined) return known;
    const head = this.#read(view, start, end, search, limits, false);
    if (head !== undefined && "headers" in head) this.#keep(view, start, limits, head);
    return head;
  }

  /** What a head says depends on its bytes and the limits alone. */
  #find(view: Buffer, start: number, end: number, limits: SectionLimits): Head | undefined {
    const head = this.#head;
    if (head === undefined || limits !== this.#limits || end - start < head.size) return undefined;
    return this.#isAt(view, start, head.size) ? withOwnHeaders(head) : undefined;
  }

  /**
   * Whether the bytes from `start` on are the first `size` of those that are kept. Compares four at a time where it can, which
   * takes a quarter of the time. A program mostly reads into the same memory; a view on other memory costs more than it saves.
   */
  #isAt(view: Buffer, start: number, size: number): boolean {
    let compared = 0;
    if (view === this.#view && ((view.byteOffset | start) & 3) === 0) {
      const words = this.#words;
      this.#viewWords ??= new Int32Array(view.buffer, view.byteOffset, view.length >> 2);
      if (!areSame(words, this.#viewWords, start >> 2, size >> 2)) return false;
      compared = size & ~3;
    } else if (view !== this.#view) {
      this.#view = view;
      this.#viewWords = undefined;
    }
    const bytes = this.#bytes;
    for (let at = compared; at < size; at++) if (bytes[at] !== view[start + at]) return false;
    return true;
  }

  #keep(view: Buffer, start: number, limits: SectionLimits, head: Head): void {
    if (head.size > LONGEST) return;
    view.copy(this.#bytes, 0, start, start + head.size);
    this.#limits = limits;
    this.#head = withOwnHeaders(head);
  }
}

function areSame(known: Int32Array, words: Int32Array, start: number, count: number): boolean {
  for (let at = 0; at < count; at++) if (known[at] !== words[start + at]) return false;
  return true;
}

/** The caller gets the headers, and may change them. */
function withOwnHeaders<Head extends Known>(head: Head): Head {
  return { ...head, headers: { ...head.headers } };
}
