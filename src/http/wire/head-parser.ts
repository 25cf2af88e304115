/**
 * Bytes to a head: the start line and header section of a request or a response (RFC 9112, 2 to 5). Pure: a view
 * and a position in, and out comes a head, an error, or undefined for "need more bytes".
 *
 * Requests are read strictly: what one server reads as one request and another as two is how requests are
 * smuggled, so whatever the RFC lets a server refuse is refused. Responses are read as the RFC demands of a user
 * agent: a folded value reads as a space (RFC 9112, 5.2), and control characters in values are retained (RFC
 * 9110, 5.5), save CR, LF and NUL.
 */
import {
  addField,
  decodeText,
  type Field,
  type Headers,
  isBlank,
  isToken,
  isTokenCode,
  trimmed,
} from "./fields.ts";
import { KnownHead } from "./head-cache.ts";
import type { HeadSearch } from "./head-search.ts";
import type { SectionLimits } from "./limits.ts";
import { HEADERS_TOO_LARGE, MessageError } from "./message-error.ts";

export type Version = "HTTP/1.1" | "HTTP/1.0";

/** The head of a request. */
export interface RequestHead {
  /** Bytes that the head took, empty lines before it included. */
  readonly size: number;
  readonly method: string;
  /** What stands before the `?` of the request target, decoded as a field value is; after it, `query`. */
  readonly path: string;
  readonly query: string;
  readonly version: Version;
  readonly headers: Headers;
  /** The field lines as they came; empty unless asked for. */
  readonly fields: readonly Field[];
}

/** The head of a response, interim ones (1xx) included. */
export interface ResponseHead {
  readonly size: number;
  readonly status: number;
  readonly reason: string;
  readonly version: Version;
  readonly headers: Headers;
  readonly fields: readonly Field[];
  /**
   * The Location lines of a 3xx, as octets, one character each; of any other response none. `headers` has their text, joined, and
   * tells neither how many there were nor which octets the text was made from.
   */
  readonly locations: readonly string[];
}

function malformed(reason: string): MessageError {
  return new MessageError("syntax", reason);
}

const CR = 0x0d;
const LF = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const DELETE = 0x7f;

const knownRequest = new KnownHead(readRequestHead);
const knownResponse = new KnownHead(readResponseHead);

/**
 * The request head that begins at `start`. When it gives undefined, call it again with the same `start`, more
 * bytes and the same `search`. `keepFields` asks for the field lines as they came.
 */
export function parseRequestHead(
  view: Buffer,
  start: number,
  end: number,
  search: HeadSearch,
  limits: SectionLimits,
  keepFields = false,
): RequestHead | MessageError | undefined {
  return keepFields
    ? readRequestHead(view, start, end, search, limits, true)
    : knownRequest.read(view, start, end, search, limits);
}

function readRequestHead(
  view: Buffer,
  start: number,
  end: number,
  search: HeadSearch,
  limits: SectionLimits,
  keepFields: boolean,
): RequestHead | MessageError | undefined {
  const size = findEnd(view, start, end, search, limits, true);
  if (typeof size !== "number") return size;
  const head = view.toString("latin1", start + search.blank, start + size);
  const foreign = search.bits > DELETE;

  // request-line = method SP request-target SP HTTP-version, with exactly these two spaces (RFC 9112, 3).
  const lineEnd = head.indexOf("\r");
  const methodEnd = head.indexOf(" ");
  const targetEnd = lineEnd - 9;
  if (methodEnd > targetEnd - 2 || head[targetEnd] !== " ") return malformed("malformed request line");
  const version = versionAt(head, targetEnd + 1);
  if (typeof version !== "string") return version;
  const method = head.slice(0, methodEnd);
  if (!isToken(method)) return malformed("malformed method");
  const target = head.slice(methodEnd + 1, targetEnd);
  if (!isTarget(method, target)) return malformed("malformed request target");

  const headers: Headers = {};
  const fields: Field[] = [];
  const failure = parseFields(
    head,
    lineEnd + 2,
    headers,
    keepFields ? fields : undefined,
    limits,
    foreign,
    true,
  );
  if (failure !== undefined) return failure;
  const host = headers.host;
  if (host === undefined ? version === "HTTP/1.1" : !HOST.test(host)) {
    return malformed(host === undefined ? "missing Host header" : "malformed Host header");
  }

  const queryAt = target.indexOf("?");
  return {
    size,
    method,
    path: textOf(queryAt < 0 ? target : target.slice(0, queryAt), foreign),
    query: queryAt < 0 ? "" : textOf(target.slice(queryAt + 1), foreign),
    version,
    headers,
    fields,
  };
}

/** The response's head that begins at `start`, in the same way. */
export function parseResponseHead(
  view: Buffer,
  start: number,
  end: number,
  search: HeadSearch,
  limits: SectionLimits,
  keepFields = false,
): ResponseHead | MessageError | undefined {
  return keepFields
    ? readResponseHead(view, start, end, search, limits, true)
    : knownResponse.read(view, start, end, search, limits);
}

function readResponseHead(
  view: Buffer,
  start: number,
  end: number,
  search: HeadSearch,
  limits: SectionLimits,
  keepFields: boolean,
): ResponseHead | MessageError | undefined {
  const size = findEnd(view, start, end, search, limits, false);
  if (size === undefined && !mayBeAnswer(view, start + search.blank, end)) return NOT_HTTP;
  if (typeof size !== "number") return size;
  const head = view.toString("latin1", start + search.blank, start + size);
  const foreign = search.bits > DELETE;

  // status-line = HTTP-version SP status-code SP [ reason-phrase ] (RFC 9112, 4); many servers leave out the
  // second space together with the phrase.
  const lineEnd = head.indexOf("\r");
  const version = versionAt(head, 0);
  if (typeof version !== "string") return version;
  const status = statusAt(head, lineEnd);
  if (status === 0) return malformed("malformed status line");

  const headers: Headers = {};
  const fields: Field[] = [];
  const failure = parseFields(
    head,
    lineEnd + 2,
    headers,
    keepFields ? fields : undefined,
    limits,
    foreign,
    false,
  );
  if (failure !== undefined) return failure;
  const reason = head.slice(STATUS_END + 1, lineEnd);
  return {
    size,
    status,
    reason: textOf(reason, foreign),
    version,
    headers,
    fields,
    locations:
      headers.location !== undefined && status >= 300 && status < 400
        ? octetsOf("location", head, lineEnd + 2, limits)
        : NONE,
  };
}

const NONE: readonly string[] = [];

/** The values of the lines of one name, in a section that was found good, as octets. */
function octetsOf(name: string, section: string, start: number, limits: SectionLimits): readonly string[] {
  const fields: Field[] = [];
  parseFields(section, start, {}, fields, limits, false, false);
  return fields.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
}

/** Whether a response that is not whole can be HTTP: a server of another protocol waits for us, and says no more. */
function mayBeAnswer(view: Buffer, start: number, end: number): boolean {
  const name = "HTTP/";
  for (let at = start; at < end && at < start + name.length; at++) {
    if (view[at] !== name.charCodeAt(at - start)) return view[start] === CR; // half of an empty line
  }
  return true;
}

const NOT_HTTP = malformed("malformed start line");

const STATUS_AT = "HTTP/1.1 ".length;
const STATUS_END = STATUS_AT + 3;

/** status-code = 3DIGIT, its first from 1 on, between a space and a space or the line's end; 0 for anything else. */
function statusAt(head: string, lineEnd: number): number {
  if (head.charCodeAt(STATUS_AT - 1) !== SPACE) return 0;
  if (lineEnd !== STATUS_END && !(lineEnd > STATUS_END && head.charCodeAt(STATUS_END) === SPACE)) return 0;
  const hundreds = head.charCodeAt(STATUS_AT) - ZERO;
  const tens = head.charCodeAt(STATUS_AT + 1) - ZERO;
  const ones = head.charCodeAt(STATUS_AT + 2) - ZERO;
  if (hundreds < 1 || hundreds > 9 || tens < 0 || tens > 9 || ones < 0 || ones > 9) return 0;
  return hundreds * 100 + tens * 10 + ones;
}

const ZERO = 0x30;

/**
 * Checks a whole trailer section, from its first byte to its empty line's end: the same grammar, nothing kept.
 * Fields that frame a message have no place there (RFC 9110, 6.5.1).
 */
export function checkTrailers(section: string, limits: SectionLimits): MessageError | undefined {
  const headers: Headers = {};
  const failure = parseFields(section, 0, headers, undefined, limits, false, true);
  if (failure !== undefined) return failure;
  const framing = ["content-length", "transfer-encoding", "host"].find((name) => name in headers);
  return framing === undefined ? undefined : malformed(`${framing} in a trailer`);
}

/**
 * The head's size, or undefined while its end is not there. Refuses on the way what can have no place in a
 * line, so that a peer that speaks something else (bare LF, TLS) learns it at once and does not wait.
 */
function findEnd(
  view: Buffer,
  start: number,
  end: number,
  search: HeadSearch,
  limits: SectionLimits,
  strict: boolean,
): number | MessageError | undefined {
  if (search.looked === search.blank) {
    let at = start + search.blank;
    while (at + 1 < end && view[at] === CR && view[at + 1] === LF) at += 2;
    search.blank = at - start;
    search.looked = search.blank;
    if (at === end || (view[at] === CR && at + 1 === end)) return roomLeft(start, end, limits);
    if (!isTokenCode(view[at] as number)) return malformed("malformed start line");
  }
  let bits = search.bits;
  // One byte back: a CR that was the last one must have its LF now.
  for (let at = Math.max(start + search.looked - 1, start + search.blank); at < end; at++) {
    const byte = view[at] as number;
    bits |= byte;
    if (byte >= SPACE && byte !== DELETE) continue;
    if (byte === LF) {
      if (view[at - 1] !== CR) return malformed("bare LF");
      if (view[at - 2] === LF) {
        search.bits = bits;
        const size = at + 1 - start;
        return size > limits.bytes ? HEADERS_TOO_LARGE : size;
      }
    } else if (byte === CR) {
      if (at + 1 < end && view[at + 1] !== LF) return malformed("bare CR");
    } else if (byte === 0) {
      return malformed("NUL");
    } else if (strict && byte !== TAB) {
      return malformed("control character");
    }
  }
  search.bits = bits;
  search.looked = end - start;
  return roomLeft(start, end, limits);
}

/** Undefined ("need more") as long as more may come. */
function roomLeft(start: number, end: number, limits: SectionLimits): MessageError | undefined {
  return end - start >= limits.bytes ? HEADERS_TOO_LARGE : undefined;
}

function versionAt(head: string, at: number): Version | MessageError {
  if (head.startsWith("HTTP/1.1", at)) return "HTTP/1.1";
  if (head.startsWith("HTTP/1.0", at)) return "HTTP/1.0";
  return malformed(
    /^HTTP\/\d\.\d/.test(head.slice(at, at + 8)) ? "unsupported version" : "malformed start line",
  );
}

/** The text of latin1 characters that stand for bytes. `foreign` says whether the head has any byte beyond ASCII. */
function textOf(latin1: string, foreign: boolean): string {
  return foreign ? decodeText(latin1) : latin1;
}

/**
 * request-target (RFC 9112, 3.2): one of its four forms, without control characters and spaces. What clients send without
 * encoding it may be in its path and query: `"`, `|`, and bytes beyond ASCII (curl sends those as they are; nginx and llhttp
 * take them). Not a `#`, which no client sends: what follows it is the path to one program and a fragment, which a request
 * does not have, to the next.
 */
function isTarget(method: string, target: string): boolean {
  if (method === "CONNECT") return AUTHORITY.test(target);
  if (target === "*") return method === "OPTIONS";
  if (!/^[\x21\x22\x24-\x7e\x80-\xff]+$/.test(target)) return false;
  return target[0] === "/" || ABSOLUTE.test(target);
}

/** authority-form = uri-host ":" port */
const AUTHORITY = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+):\d+$/i;
/** absolute-form: a scheme, of letters as those of HTTP are, and an authority: [ userinfo "@" ] host [ ":" port ]. */
const ABSOLUTE =
  /^[a-z]+:\/\/(?:[\w.~!$&'()*+,;=%:-]*@)?(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]+)(?::\d*)?(?:[/?]|$)/i;
/** Host = uri-host [ ":" port ]; empty where the target has no authority (RFC 9110, 7.2). */
const HOST = /^(?:\[[\da-z:.%_~-]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/**
 * Reads the field lines of `section` from `at` to its empty line: field-line = field-name ":" OWS field-value OWS
 * (RFC 9112, 5). That each line ends in CRLF and holds no other CR or LF is known already.
 */
function parseFields(
  section: string,
  start: number,
  headers: Headers,
  fields: Field[] | undefined,
  limits: SectionLimits,
  foreign: boolean,
  strict: boolean,
): MessageError | undefined {
  const sectionEnd = section.length - 2;
  let at = start;
  for (let count = 1; at < sectionEnd; count++) {
    if (count > limits.fields) return HEADERS_TOO_LARGE;
    let nameEnd = section.indexOf(":", at);
    let lowerName = usualName(section, at, nameEnd);
    if (lowerName === undefined) {
      nameEnd = at;
      while (isTokenCode(section.charCodeAt(nameEnd))) nameEnd++;
      if (nameEnd === at || section.charCodeAt(nameEnd) !== COLON)
        return malformed(whatIsWrong(section, at, nameEnd));
      lowerName = section.slice(at, nameEnd).toLowerCase();
    }

    let lineEnd = section.indexOf("\r", nameEnd);
    let value = trimmed(section, nameEnd + 1, lineEnd);
    while (isBlank(section.charCodeAt(lineEnd + 2))) {
      // A line that begins with white space continues the one before (obs-fold).
      if (strict) return malformed("folded header line");
      if (++count > limits.fields) return HEADERS_TOO_LARGE;
      const foldAt = lineEnd + 2;
      lineEnd = section.indexOf("\r", foldAt);
      const more = trimmed(section, foldAt, lineEnd);
      value = value === "" || more === "" ? value + more : `${value} ${more}`;
    }

    value = textOf(value, foreign);
    if (strict && lowerName === "host" && headers.host !== undefined)
      return malformed("more than one Host header");
    addField(headers, lowerName, value);
    fields?.push([section.slice(at, nameEnd), value]);
    at = lineEnd + 2;
  }
  return undefined;
}

const COLON = 0x3a;

/** The names that come most, by their length: found without making, checking and lowering a string for each line. */
const USUAL_NAMES: (readonly (readonly [name: string, lowerName: string])[])[] = [];
for (const name of [
  "Accept",
  "Accept-Encoding",
  "Accept-Language",
  "Accept-Ranges",
  "Cache-Control",
  "Connection",
  "Content-Encoding",
  "Content-Length",
  "Content-Type",
  "Cookie",
  "Date",
  "ETag",
  "Host",
  "Keep-Alive",
  "Last-Modified",
  "Server",
  "Set-Cookie",
  "Transfer-Encoding",
  "User-Agent",
  "Vary",
]) {
  const lowerName = name.toLowerCase();
  const others = USUAL_NAMES[name.length] ?? [];
  USUAL_NAMES[name.length] = [...others, [name, lowerName], [lowerName, lowerName]];
}

/** The lower-case name of a line that begins with one of the usual names and its colon. */
function usualName(section: string, at: number, nameEnd: number): string | undefined {
  const names = USUAL_NAMES[nameEnd - at];
  if (names === undefined) return undefined;
  for (const [name, lowerName] of names) if (section.startsWith(name, at)) return lowerName;
  return undefined;
}

function whatIsWrong(section: string, at: number, nameEnd: number): string {
  if (isBlank(section.charCodeAt(at))) return "white space before a header line";
  return isBlank(section.charCodeAt(nameEnd)) ? "white space in a header name" : "malformed header line";
}
