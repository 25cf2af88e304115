/**
 * Bodies as values: bytes to what a caller gets, and what a caller gave to how it goes out. Pure.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { type Json, type LATE, parseBefore } from "../../json.ts";

/** What a body becomes: JSON where it is that and else text; text; a Buffer; or base64 text. */
export type BodyDecoding = "json" | "text" | "bytes" | "base64";

/** The value of a body's bytes; undefined where text is asked for and they are not UTF-8; or LATE, after the deadline. */
export function decodeBody(
  bytes: Buffer,
  decoding: BodyDecoding,
  deadline: number,
): Json | Buffer | undefined | typeof LATE {
  if (decoding === "bytes") return Buffer.from(bytes); // a copy, because the next message may come into the same memory
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

/** The body of a message that goes out: text (sent as UTF-8) or bytes. */
export interface OutgoingBody {
  readonly content: string | Uint8Array;
  /** What it is called where the caller's headers have no Content-Type. */
  readonly contentType: string;
}

/** Bytes that a body takes on the wire. */
export function contentLength({ content }: OutgoingBody): number {
  return typeof content === "string" ? Buffer.byteLength(content) : content.length;
}
