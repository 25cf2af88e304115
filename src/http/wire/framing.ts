/**
 * How a head says where its body ends (RFC 9112, 6). Pure.
 */
import type { RequestHead, ResponseHead } from "./head-parser.ts";
import { MessageError } from "./message-error.ts";
import { opensTunnel } from "./status.ts";

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
 * The framing of a response's body, by the seven rules of RFC 9112, 6.3, in their order. `method` is the
 * request's. A response to CONNECT with a 2xx has no body: what follows belongs to the tunnel.
 */
export function responseFraming(head: ResponseHead, method: string): Framing | MessageError {
  const { status } = head;
  if (method === "HEAD" || status < 200 || status === 204 || status === 304) return NONE;
  if (opensTunnel(status, method)) return NONE;
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
