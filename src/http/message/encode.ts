/**
 * The writer: what a caller gave, checked, and heads and bodies to bytes. Pure: nothing here sends.
 *
 * Everything is checked before a byte is made, so that a refused message leaves nothing on the wire. What comes
 * in is of any JavaScript type; where reading it can throw (getters, proxies), the public functions catch.
 */

import { ScratchBuffer } from "../../engine/scratch.ts";
import { stringify } from "../../json.ts";
import { err, ok, type Result } from "../../result.ts";
import { type Field, isSendableValue, isToken } from "../wire/fields.ts";

/** The body of a message that goes out: text (sent as UTF-8) or bytes. */
export interface OutgoingBody {
  readonly content: string | Uint8Array;
  /** What it is called where the caller's headers have no Content-Type. */
  readonly contentType: string;
}

/**
 * An object as JSON has it: no null, no array, no function; and nothing that can be iterated over. A Headers or a Map
 * has no properties of its own, and would pass for an object without any field.
 */
export function isJsonObject(value: unknown): value is { readonly [key: string]: unknown } {
  return typeof value === "object" && value !== null && !(Symbol.iterator in value);
}

/**
 * The caller's header fields, in their order. `label` is how an error calls one: "header" or "response header".
 */
export function readFields(
  headers: { readonly [key: string]: unknown },
  label: string,
): Result<Field[], string> {
  const fields: Field[] = [];
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (typeof value !== "string") return err(`${label} '${name}' must be a string`);
    if (!isToken(name) || !isSendableValue(value)) return err(`${label} '${name}' is not a valid field`);
    fields.push([name, value]);
  }
  return ok(fields);
}

/**
 * The body that a message's `body` (as JSON text), `body_text` or `body_base64` asks for, or null where none of
 * the three is given. More than one is an error, for one of them would be silently lost. `deadlineOf` is called where
 * making the body can take long; the error is TIMED_OUT where that deadline is past before it is made.
 */
export function readBody(
  message: { readonly [key: string]: unknown },
  deadlineOf?: () => number,
): Result<OutgoingBody | null, string> {
  const { body, body_text: text, body_base64: base64 } = message;
  if (text === undefined && base64 === undefined) {
    if (body === undefined) return ok(null);
    const text = stringify(body, deadlineOf);
    if (text.isErr) return err(text.error);
    return ok({ content: prepared(text.value), contentType: "application/json" });
  }
  if (body !== undefined || (text !== undefined && base64 !== undefined)) {
    return err("only one of 'body', 'body_text' and 'body_base64' can be given");
  }
  if (text !== undefined) {
    if (typeof text !== "string") return err("'body_text' must be a string");
    return ok({ content: prepared(text), contentType: "text/plain; charset=utf-8" });
  }
  if (typeof base64 !== "string") return err("'body_base64' must be a string");
  if (!isBase64(base64)) return err("'body_base64' is not valid base64");
  return ok({ content: Buffer.from(base64, "base64"), contentType: "application/octet-stream" });
}

/** What a head may take in front of a body that was made ready for it. */
const HEAD_ROOM = 8 * 1024;
/** Bodies that stand in a buffer with room for a head before them. */
const roomy = new WeakMap<Uint8Array, Buffer>();

/**
 * A text as it is, or, when it is large, as bytes with room for a head before them: so that a megabyte is
 * written once, and not measured (which takes longer than to write it) and copied besides.
 */
function prepared(text: string): string | Uint8Array {
  if (text.length < SCRATCH_SIZE) return text;
  // ASCII takes a byte for each character. With a few bytes to spare, every other text shows by taking more.
  let whole = Buffer.allocUnsafeSlow(HEAD_ROOM + text.length + 8);
  let length = whole.write(text, HEAD_ROOM);
  if (length !== text.length) {
    whole = Buffer.allocUnsafeSlow(HEAD_ROOM + Buffer.byteLength(text));
    length = whole.write(text, HEAD_ROOM);
  }
  const content = whole.subarray(HEAD_ROOM, HEAD_ROOM + length);
  roomy.set(content, whole);
  return content;
}

/** RFC 4648, 4: groups of four, the last one padded. (Buffer.from skips what is not base64, and so would mangle.) */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}

/** Bytes that a body takes on the wire. */
export function contentLength(body: OutgoingBody): number {
  return typeof body.content === "string" ? Buffer.byteLength(body.content) : body.content.length;
}

/** An answer's head, of field lines that are made already. The version is the highest that we speak (RFC 9112, 2.3). */
export function responseHead(status: number, lines: string): string {
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${lines}\r\n`;
}

/** A field's line, with its end. */
export function fieldLine(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
}

/** A message as bytes: the first `length` of `bytes`. */
export interface Encoded {
  readonly bytes: Buffer;
  readonly length: number;
}

/** Small messages are made in one buffer, again and again: a new one for each costs more than the rest. */
const SCRATCH_SIZE = 64 * 1024;
const scratch = new ScratchBuffer(SCRATCH_SIZE);

/**
 * Head and body in one buffer, for one send. The bytes may lie in a buffer that the next call overwrites: send
 * them, or copy what remains.
 */
export function encode(head: string, body: string | Uint8Array): Encoded {
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  const most = head.length * 3 + (typeof body === "string" ? body.length * 3 : body.length);
  if (most <= SCRATCH_SIZE) {
    const bytes = scratch.borrow(most);
    return { bytes, length: write(bytes, head, body) };
  }
  const whole = typeof body === "string" ? undefined : roomy.get(body);
  if (whole !== undefined && head.length * 3 <= HEAD_ROOM) {
    const at = HEAD_ROOM - Buffer.byteLength(head);
    whole.write(head, at);
    return { bytes: whole.subarray(at), length: HEAD_ROOM - at + body.length };
  }
  const bodyBytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(head) + bodyBytes);
  return { bytes, length: write(bytes, head, body) };
}

function write(target: Buffer, head: string, body: string | Uint8Array): number {
  if (typeof body === "string" && body.length <= 1024) return target.write(head + body);
  const at = target.write(head);
  if (typeof body === "string") return at + target.write(body, at);
  target.set(body, at);
  return at + body.length;
}

/** The Date field's value (RFC 9110, 5.6.7), made once a second. */
export function dateNow(): string {
  const now = Date.now();
  if (now >= dateUntil || now < dateUntil - 1000) {
    const second = now - (now % 1000);
    dateUntil = second + 1000;
    dateText = new Date(second).toUTCString(); // IMF-fixdate: ECMA-262, 21.4.4.43
  }
  return dateText;
}
let dateUntil = 0;
let dateText = "";

/** Reason phrases of RFC 9110, 15, and of the IANA registry of status codes. */
const REASONS: { readonly [status: number]: string } = {
  100: "Continue",
  101: "Switching Protocols",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  511: "Network Authentication Required",
};
