/**
 * How far the search for a head's end has come, so that a head that arrives byte by byte is looked at once and
 * not once for every byte. One for each message; offsets count from the message's first byte.
 */
export class HeadSearch {
  /** Bytes of empty lines before the start line (RFC 9112, 2.2: a server should ignore them). */
  blank = 0;
  /** Bytes looked at so far. */
  looked = 0;
  /** Every byte seen, or-ed: beyond 0x7f there is text to decode. */
  bits = 0;

  reset(): void {
    this.blank = 0;
    this.looked = 0;
    this.bits = 0;
  }
}
