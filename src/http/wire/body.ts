/**
 * Bodies: how a head says where its body ends (RFC 9112, 6), the chunked coding undone, and bytes to a value.
 * Pure.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { type Json, type LATE, parseBefore } from "../../json.ts";
import type { SectionLimits } from "./fields.ts";
import { checkTrailers, type RequestHead, type ResponseHead } from "./head-parser.ts";
import { HEADERS_TOO_LARGE, MessageError } from "./message-error.ts";

/** Where a body ends: there is none; after so many bytes; by its chunks; or with the connection. */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

const NONE: Framing = { kind: "none" };
const CHUNKED: Framing = { kind: "chunked" };
const UNTIL_CLOSE: Framing = { kind: "close" };

export const INVALID_CONTENT_LENGTH = new MessageError("limit", "invalid Content-Length header");
export const BODY_TOO_LARGE = new MessageError("limit", "body too large");

/**
 * The framing of a request's body. Strict: RFC 9112 (6.1, 6.3) lets a server refuse both fields together, any
 * repeated Content-Length, and a Transfer-Encoding from an HTTP/1.0 client.
 */
export function requestFraming(head: RequestHead): Framing | MessageError {
  const coding = head.headers["transfer-encoding"];
  const length = head.headers["content-length"];
  if (coding === undefined) {
    if (length === undefined) return NONE;
    return DIGITS.test(length) ? lengthFraming(length) : INVALID_CONTENT_LENGTH;
  }
  if (length !== undefined)
    return new MessageError("syntax", "Content-Length together with Transfer-Encoding");
  if (head.version === "HTTP/1.0") return new MessageError("syntax", "Transfer-Encoding in HTTP/1.0");
  return CHUNKED_CODING.test(coding) ? CHUNKED : new MessageError("syntax", "unsupported Transfer-Encoding");
}

/**
 * The framing of an answer's body, by the seven rules of RFC 9112, 6.3, in their order. `method` is the
 * request's. An answer to CONNECT with a 2xx has no body: what follows belongs to the tunnel.
 */
export function responseFraming(head: ResponseHead, method: string): Framing | MessageError {
  const { status } = head;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return NONE;
  if (method === "CONNECT" && status < 300) return NONE;
  const coding = head.headers["transfer-encoding"];
  if (coding !== undefined) {
    // Both fields together are an attempt at smuggling, or a proxy's error: the RFC asks to treat it as one.
    if (head.headers["content-length"] !== undefined) {
      return new MessageError("syntax", "Content-Length together with Transfer-Encoding");
    }
    return CHUNKED_CODING.test(coding)
      ? CHUNKED
      : new MessageError("syntax", "unsupported Transfer-Encoding");
  }
  const length = head.headers["content-length"];
  if (length === undefined) return UNTIL_CLOSE;
  if (DIGITS.test(length)) return lengthFraming(length);
  // The same length several times is one length (RFC 9110, 8.6).
  const lengths = length.split(",").map((member) => LIST_MEMBER.exec(member)?.[1]);
  const first = lengths[0];
  return first !== undefined && lengths.every((other) => other === first)
    ? lengthFraming(first)
    : INVALID_CONTENT_LENGTH;
}

/** Content-Length = 1*DIGIT: no sign, no space, no list (RFC 9110, 8.6). */
const DIGITS = /^[0-9]+$/;
/** One of a list of them. It begins at the member's start, so that a long run of blanks is gone through once. */
const LIST_MEMBER = /^[ \t]*([0-9]+)[ \t]*$/;

/** Without the `u` flag, so that only the ASCII letters match: not U+212A, which lower-cases to a "k". */
const CHUNKED_CODING = /^chunked$/i;

function lengthFraming(digits: string): Framing {
  const length = Number(digits); // Infinity at worst, which is over every limit
  return length === 0 ? NONE : { kind: "length", length };
}

/**
 * Bytes that gather in one buffer, which grows with what has come and not with what was announced.
 */
export class ByteCollector {
  #bytes: Buffer;
  length = 0;

  constructor(capacity = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(capacity);
  }

  append(view: Uint8Array, start: number, end: number): void {
    const target = this.room(end - start);
    target.set(view.subarray(start, end));
    this.length += end - start;
  }

  push(byte: number): void {
    this.room(1)[0] = byte;
    this.length++;
  }

  /** Room for at least `size` more bytes, to be written and then added to `length`. */
  room(size: number): Buffer {
    if (this.length + size > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.length + size, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, this.length);
      this.#bytes = grown;
    }
    return this.#bytes.subarray(this.length);
  }

  /** What has gathered, without a copy. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.length);
  }
}

/** Where a ChunkedDecoder stands: what the next byte belongs to. */
type ChunkedState = "size" | "extension" | "size LF" | "data" | "data CR" | "data LF" | "trailers" | "done";

/**
 * The chunked coding undone (RFC 9112, 7.1), from pieces cut anywhere:
 *
 *     chunked-body = *( chunk-size [ chunk-ext ] CRLF chunk-data CRLF ) 1*("0") [ chunk-ext ] CRLF trailer-section CRLF
 *
 * The data gathers in `body`. Extensions and trailers are checked, counted against the header limits, and dropped.
 * White space around the parts of an extension, and behind a size without any, is none of the grammar's; some servers
 * send it all the same (RFC 9112, 7.1.1: BWS). It is an error unless `allowBlanks`.
 */
export class ChunkedDecoder {
  readonly body: ByteCollector;
  readonly #maxBytes: number;
  readonly #limits: SectionLimits;
  readonly #allowBlanks: boolean;
  #state: ChunkedState = "size";
  #size = 0;
  #digits = 0;
  #extension = "";
  #extensionBytes = 0;
  readonly #trailers = new ByteCollector();
  #lineBytes = 0; // of the trailer line that is being read, its CRLF not counted
  #previous = 0; // the trailer byte before

  constructor(maxBytes: number, limits: SectionLimits, allowBlanks = false) {
    this.body = new ByteCollector();
    this.#allowBlanks = allowBlanks;
    this.#maxBytes = maxBytes;
    this.#limits = limits;
  }

  get done(): boolean {
    return this.#state === "done";
  }

  /**
   * Reads the bytes from `start` to `end`; gives the position after the last one that belonged to the body,
   * which is `end` as long as it is not `done`.
   */
  decode(view: Uint8Array, start: number, end: number): number | MessageError {
    let at = start;
    while (at < end && this.#state !== "done") {
      if (this.#state === "data") {
        const taken = Math.min(this.#size, end - at);
        this.body.append(view, at, at + taken);
        this.#size -= taken;
        at += taken;
        if (this.#size === 0) this.#state = "data CR";
        continue;
      }
      const failure = this.#step(view[at] as number);
      if (failure !== undefined) return failure;
      at++;
    }
    return at;
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
      // 16 digits hold 64 bits, more than any limit: what is longer is leading zeros, without bound.
      if (++this.#digits > 16) return MALFORMED_SIZE;
      this.#size = this.#size * 16 + digit;
      return this.#size + this.body.length > this.#maxBytes ? BODY_TOO_LARGE : undefined;
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
    this.#digits = 0;
    this.#extension = "";
    return undefined;
  }

  #trailerByte(byte: number): MessageError | undefined {
    if (byte === LF ? this.#previous !== CR : this.#previous === CR) return MALFORMED_TRAILER;
    if (byte < 0x20 ? byte !== CR && byte !== LF && byte !== TAB : byte === 0x7f) return MALFORMED_TRAILER;
    if (this.#trailers.length >= this.#limits.bytes) return HEADERS_TOO_LARGE;
    this.#trailers.push(byte);
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
    return checkTrailers(this.#trailers.bytes().toString("latin1"), this.#limits);
  }
}

const CR = 0x0d;
const LF = 0x0a;
const TAB = 0x09;
const SPACE = 0x20;
const SEMICOLON = 0x3b;

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

/** What a body becomes: JSON where it is that and else text; text; or base64 text. */
export type BodyDecoding = "json" | "text" | "base64";

/** The value of a body's bytes; undefined where text is asked for and they are not UTF-8; or LATE, after the deadline. */
export function decodeBody(
  bytes: Buffer,
  decoding: BodyDecoding,
  deadline: number,
): Json | undefined | typeof LATE {
  if (bytes.length === 0) return decoding === "json" ? null : "";
  if (decoding === "base64") return bytes.toString("base64");
  if (!isUtf8(bytes)) return undefined;
  const marked = bytes.length >= 3 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf; // byte order mark
  const textBytes = marked ? bytes.subarray(3) : bytes;
  // ASCII reads alike in both, and large ISO-8859-1 texts are made without going through V8's heap.
  const text = textBytes.toString(isAscii(textBytes) ? "latin1" : "utf8");
  if (decoding === "text") return text;
  if (text.trim() === "") return null;
  const value = parseBefore(deadline, text, textBytes);
  return value === undefined ? text : value;
}
