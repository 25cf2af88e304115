/**
 * The chunked coding undone (RFC 9112, 7.1). Pure.
 */
import { checkTrailers } from "./head-parser.ts";
import { MOST_CHUNK_SIZE_DIGITS, type SectionLimits } from "./limits.ts";
import { BODY_TOO_LARGE, HEADERS_TOO_LARGE, MessageError } from "./message-error.ts";

/** Where a ChunkedDecoder stands: what the next byte belongs to. */
type ChunkedState = "size" | "extension" | "size LF" | "data" | "data CR" | "data LF" | "trailers" | "done";

/**
 * Undoes the chunked coding, from pieces cut anywhere:
 *
 *     chunked-body = *( chunk-size [ chunk-ext ] CRLF chunk-data CRLF ) 1*("0") [ chunk-ext ] CRLF trailer-section CRLF
 *
 * It keeps no data: each call gives the next slice of it, where it lies. Extensions and trailers are checked, counted against
 * the limits of a header section (the extensions of a body together, and its trailers), and dropped. White space around
 * the parts of an extension, and behind a size without any, is not in the grammar; some servers send it all the same (RFC 9112,
 * 7.1.1: BWS). It is an error unless `allowBlanks`.
 */
export class ChunkedDecoder {
  /** The data that the last call of `decode` found: this part of its view. Where both are equal it found none. */
  dataStart = 0;
  dataEnd = 0;
  readonly #maxBytes: number;
  readonly #limits: SectionLimits;
  readonly #allowBlanks: boolean;
  #state: ChunkedState = "size";
  /** While a size is read, its value so far; in the data, the bytes of the chunk that are still to come. */
  #size = 0;
  #digits = 0;
  /** Data of all chunks whose size is known. */
  #announced = 0;
  #extension = "";
  #extensionBytes = 0;
  #trailers = "";
  #lineBytes = 0; // of the trailer line that is being read, its CRLF not counted
  #previous = 0; // the trailer byte before

  constructor(maxBytes: number, limits: SectionLimits, allowBlanks = false) {
    this.#maxBytes = maxBytes;
    this.#limits = limits;
    this.#allowBlanks = allowBlanks;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /** Another one that stands at the same place: to look at bytes that are not used yet. */
  copy(): ChunkedDecoder {
    const copy = new ChunkedDecoder(this.#maxBytes, this.#limits, this.#allowBlanks);
    copy.#state = this.#state;
    copy.#size = this.#size;
    copy.#digits = this.#digits;
    copy.#announced = this.#announced;
    copy.#extension = this.#extension;
    copy.#extensionBytes = this.#extensionBytes;
    copy.#trailers = this.#trailers;
    copy.#lineBytes = this.#lineBytes;
    copy.#previous = this.#previous;
    return copy;
  }

  /** How many bytes of the present chunk's data are still to come: the next ones, and nothing else. */
  get dataLeft(): number {
    return this.#state === "data" ? this.#size : 0;
  }

  /**
   * Reads the bytes from `start` on, up to and with the next slice of data (of at most `most` bytes) or to `end`. Gives the
   * position after the last byte that it read: from there the next call goes on, unless it is `done`.
   */
  decode(
    view: Uint8Array,
    start: number,
    end: number,
    most = Number.POSITIVE_INFINITY,
  ): number | MessageError {
    let at = start;
    while (at < end && this.#state !== "done") {
      if (this.#state === "data") {
        this.dataStart = at;
        this.dataEnd = Math.min(at + this.#size, at + most, end);
        this.skip(this.dataEnd - at);
        return this.dataEnd;
      }
      const failure = this.#step(view[at] as number);
      if (failure !== undefined) return failure;
      at++;
    }
    this.dataStart = at;
    this.dataEnd = at;
    return at;
  }

  /** Counts bytes of `dataLeft` that did not go through `decode`. */
  skip(count: number): void {
    this.#size -= count;
    if (this.#size === 0) this.#state = "data CR";
  }

  #step(byte: number): MessageError | undefined {
    switch (this.#state) {
      case "size":
        return this.#sizeByte(byte);
      case "extension":
        return this.#extensionByte(byte);
      case "size LF":
        return byte === LF ? this.#beginChunk() : MALFORMED_SIZE;
      case "data CR":
        this.#state = "data LF";
        return byte === CR ? undefined : MALFORMED_CHUNK;
      case "data LF":
        this.#state = "size";
        return byte === LF ? undefined : MALFORMED_CHUNK;
      default:
        return this.#trailerByte(byte);
    }
  }

  #sizeByte(byte: number): MessageError | undefined {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      if (++this.#digits > MOST_CHUNK_SIZE_DIGITS) return MALFORMED_SIZE;
      this.#size = this.#size * 16 + digit;
      return this.#size + this.#announced > this.#maxBytes ? BODY_TOO_LARGE : undefined;
    }
    if (this.#digits === 0) return MALFORMED_SIZE;
    if (byte === CR) {
      this.#state = "size LF";
      return undefined;
    }
    const isBlank = byte === SPACE || byte === TAB;
    if (byte !== SEMICOLON && !(isBlank && this.#allowBlanks)) return MALFORMED_SIZE;
    this.#state = "extension";
    return this.#extensionByte(byte);
  }

  #extensionByte(byte: number): MessageError | undefined {
    if (byte === CR) {
      this.#state = "size LF";
      const grammar = this.#allowBlanks ? BLANK_EXTENSION : EXTENSION;
      return grammar.test(this.#extension) ? undefined : MALFORMED_EXTENSION;
    }
    if (byte === LF) return MALFORMED_EXTENSION;
    if (++this.#extensionBytes > this.#limits.bytes) return HEADERS_TOO_LARGE;
    this.#extension += String.fromCharCode(byte);
    return undefined;
  }

  #beginChunk(): MessageError | undefined {
    this.#state = this.#size === 0 ? "trailers" : "data";
    this.#announced += this.#size;
    this.#digits = 0;
    this.#extension = "";
    return undefined;
  }

  #trailerByte(byte: number): MessageError | undefined {
    if (byte === LF ? this.#previous !== CR : this.#previous === CR) return MALFORMED_TRAILER;
    if (byte < SPACE ? byte !== CR && byte !== LF && byte !== TAB : byte === DELETE) return MALFORMED_TRAILER;
    if (this.#trailers.length >= this.#limits.bytes) return HEADERS_TOO_LARGE;
    this.#trailers += String.fromCharCode(byte);
    this.#previous = byte;
    if (byte !== LF) {
      if (byte !== CR) this.#lineBytes++;
      return undefined;
    }
    if (this.#lineBytes > 0) {
      this.#lineBytes = 0;
      return undefined;
    }
    this.#state = "done";
    return checkTrailers(this.#trailers, this.#limits);
  }
}

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const SEMICOLON = 0x3b;
const DELETE = 0x7f;

const MALFORMED_SIZE = new MessageError("syntax", "malformed chunk size");
const MALFORMED_EXTENSION = new MessageError("syntax", "malformed chunk extension");
const MALFORMED_CHUNK = new MessageError("syntax", "chunk data of another length than its size");
const MALFORMED_TRAILER = new MessageError("syntax", "malformed trailer");

/** chunk-ext = *( ";" chunk-ext-name [ "=" ( token / quoted-string ) ] ), RFC 9112, 7.1.1, without its bad white space. */
const EXTENSION =
  /^(?:;[\w!#$%&'*+.^`|~-]+(?:=(?:[\w!#$%&'*+.^`|~-]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*$/;
/** The same with its bad white space. */
const BLANK_EXTENSION =
  /^(?:[ \t]*;[ \t]*[\w!#$%&'*+.^`|~-]+(?:[ \t]*=[ \t]*(?:[\w!#$%&'*+.^`|~-]+|"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"))?)*[ \t]*$/;

/** The value of a hexadecimal digit, or -1. */
function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
