/**
 * Heads as text: the caller's fields, and those that are ours to set or to add. Pure.
 */
import { contentLength, type OutgoingBody } from "./body.ts";
import { type Field, hasOption } from "./fields.ts";
import { opensTunnel, REASONS } from "./status.ts";
import type { Target } from "./url.ts";

/** What the bodies of responses may be coded in (RFC 9110, 12.5.3): what node:zlib undoes, which knows zstd since 22.15. */
const ACCEPT_ENCODING = `Accept-Encoding: gzip, deflate, br${process.versions.zstd === undefined ? "" : ", zstd"}\r\n`;

/** The Accept-Encoding line for these codings. */
export function acceptEncodingLine(codings: readonly string[]): string {
  return `Accept-Encoding: ${codings.length === 0 ? "identity" : codings.join(", ")}\r\n`;
}

/** A range would be one of the coded bytes, which nobody can decode (RFC 9110, 14.2; Fetch, "HTTP-network-or-cache fetch"). */
const ACCEPT_IDENTITY = "Accept-Encoding: identity\r\n";
// Without these two some servers refuse the request.
const ACCEPT = "Accept: */*\r\n";
const USER_AGENT = "User-Agent: std-net\r\n";
const DEFAULT_LINES = ACCEPT + ACCEPT_ENCODING + USER_AGENT;

/** Methods that give a body a meaning: without one they say so (RFC 9110, 8.6). */
const EXPECTS_BODY = new Set(["POST", "PUT", "PATCH"]);

/** A request that goes out. */
export interface OutgoingRequest {
  readonly method: string;
  readonly target: Target;
  readonly fields: readonly Field[];
  readonly body: OutgoingBody | null;
  /** The Accept-Encoding line in place of the usual one, unless the caller gives one; "" is none. */
  readonly acceptEncoding?: string | undefined;
  /** A body that comes part by part, of so many bytes together; null goes out in chunks. */
  readonly parts?: { readonly length: number | null } | null | undefined;
}

/** What the way of a request means for its head; a Route has it. */
export interface RequestForm {
  /** True where a proxy reads the request itself: it wants the whole URL (RFC 9112, 3.2.2). */
  readonly absoluteForm: boolean;
  /** The Proxy-Authorization that goes with the request; null for none. */
  readonly proxyAuthorization: string | null;
  /** The proxy's tunnel that it goes through; null for none. */
  readonly tunnel: object | null;
}

export interface WrittenHead {
  readonly text: string;
  /** True when it says that the connection ends with this exchange. */
  readonly closes: boolean;
}

export function requestHead(request: OutgoingRequest, form: RequestForm, keepAlive: boolean): WrittenHead {
  const { method, target, fields, body } = request;
  const { text: lines, closes } =
    fields.length === 0 ? defaultLines(request, keepAlive) : givenLines(request, form, keepAlive);
  let text = `${method} ${requestTarget(method, target, form.absoluteForm)} HTTP/1.1\r\n${lines}`;
  if (form.proxyAuthorization !== null) text += `Proxy-Authorization: ${form.proxyAuthorization}\r\n`;
  const { parts } = request;
  if (parts) {
    const isChunked = parts.length === null;
    text += isChunked ? "Transfer-Encoding: chunked\r\n\r\n" : `Content-Length: ${parts.length}\r\n\r\n`;
  } else if (body !== null) text += `Content-Length: ${contentLength(body)}\r\n\r\n`;
  else text += EXPECTS_BODY.has(method) ? "Content-Length: 0\r\n\r\n" : "\r\n";
  return { text, closes };
}

/** The forms of RFC 9112, 3.2: authority-form for CONNECT, absolute-form to a proxy, else origin-form. */
function requestTarget(method: string, target: Target, absoluteForm: boolean): string {
  if (method === "CONNECT") return target.address;
  return absoluteForm ? target.origin + target.path : target.path;
}

/** The Content-Type line where the caller gives none: parts can be anything. */
function contentTypeLine({ body, parts }: OutgoingRequest): string {
  if (parts) return "Content-Type: application/octet-stream\r\n";
  return body === null ? "" : `Content-Type: ${body.contentType}\r\n`;
}

/** The field lines where the caller gave none. */
function defaultLines(request: OutgoingRequest, keepAlive: boolean): WrittenHead {
  const { target, acceptEncoding } = request;
  const lines = acceptEncoding === undefined ? DEFAULT_LINES : ACCEPT + acceptEncoding + USER_AGENT;
  let text = `Host: ${target.hostField}\r\n${lines}`;
  if (target.authorization !== null) text += `Authorization: ${target.authorization}\r\n`;
  if (!keepAlive) text += "Connection: close\r\n";
  text += contentTypeLine(request);
  return { text, closes: !keepAlive };
}

/** The field lines with the caller's among them. */
function givenLines(request: OutgoingRequest, form: RequestForm, keepAlive: boolean): WrittenHead {
  const { target, fields, acceptEncoding: chosen } = request;
  let closes = !keepAlive;
  let lines = "";
  let host = target.hostField;
  let accept = ACCEPT;
  let acceptEncoding: string | undefined;
  let hasRange = false;
  let userAgent = USER_AGENT;
  let authorization = target.authorization;
  let connection = closes ? "Connection: close\r\n" : "";
  let contentType = contentTypeLine(request);
  for (const [name, value] of fields) {
    switch (name.toLowerCase()) {
      case "content-length":
      case "transfer-encoding":
        // The framing is ours.
        continue;
      case "host":
        host = value;
        continue;
      case "proxy-authorization":
        // The proxy had it with the CONNECT; the server at the tunnel's end has no business with it.
        if (form.tunnel !== null) continue;
        break;
      case "accept":
        accept = "";
        break;
      case "accept-encoding":
        acceptEncoding = "";
        break;
      case "range":
        hasRange = true;
        break;
      case "user-agent":
        userAgent = "";
        break;
      case "authorization":
        authorization = null;
        break;
      case "connection":
        connection = "";
        closes ||= hasOption(value, "close");
        break;
      case "content-type":
        contentType = "";
        break;
    }
    lines += fieldLine(name, value);
  }
  if (chosen === "") acceptEncoding ??= chosen;
  acceptEncoding ??= hasRange ? ACCEPT_IDENTITY : (chosen ?? ACCEPT_ENCODING);
  const credentials = authorization === null ? "" : `Authorization: ${authorization}\r\n`;
  const ours = `Host: ${host}\r\n${accept}${acceptEncoding}${userAgent}${credentials}${connection}${contentType}`;
  return { text: ours + lines, closes };
}

/** The request of a response, as far as it matters for its head. */
export interface AnsweredRequest {
  readonly method: string;
  /** Whether the client ends the connection with it. */
  readonly isLast: boolean;
  /** Whether the connection is kept where the response says nothing of it. */
  readonly isKept: boolean;
}

/** Whether a response with these fields ends the connection. */
export function endsConnection(given: readonly Field[], { isLast, isKept }: AnsweredRequest): boolean {
  if (isLast) return true;
  let says: string | undefined;
  for (const [name, value] of given) {
    if (name.length !== "connection".length || name.toLowerCase() !== "connection") continue;
    if (hasOption(value, "close")) return true;
    says = value;
  }
  return says === undefined && !isKept;
}

function connectionLine({ isLast, isKept }: AnsweredRequest): string {
  return isKept && !isLast ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
}

const NULL_BODY: OutgoingBody = { content: "null", contentType: "application/json" };

/** The body that goes out where the caller gave none. */
export function bodyOrNull(body: OutgoingBody | null): OutgoingBody {
  return body ?? NULL_BODY;
}

/** The head of an interim response: the caller's fields but those that frame the message, because it has no body. */
export function interimHead(status: number, given: readonly Field[]): string {
  let lines = "";
  for (const [name, value] of given) {
    if (!/^(?:content-length|transfer-encoding)$/i.test(name)) lines += fieldLine(name, value);
  }
  return responseHead(status, lines);
}

/** The head of a final response. `body` is null where the caller gave none. */
export function finalHead(
  status: number,
  given: readonly Field[],
  request: AnsweredRequest,
  body: OutgoingBody | null,
): string {
  let lines = "";
  let hasType = false;
  let hasDate = false;
  let hasConnection = false;
  for (const [name, value] of given) {
    switch (name.toLowerCase()) {
      case "content-length":
      case "transfer-encoding":
        continue;
      case "content-type":
        hasType = true;
        break;
      case "date":
        hasDate = true;
        break;
      case "connection":
        // A client that cannot keep the connection must not be told that it is kept.
        if (request.isLast && hasOption(value, "keep-alive")) continue;
        hasConnection = true;
    }
    lines += fieldLine(name, value);
  }
  const sent = bodyOrNull(body);
  if (!hasType) lines += fieldLine("Content-Type", sent.contentType);
  if (!hasDate) lines += fieldLine("Date", dateNow());
  if (!hasConnection) lines += connectionLine(request);
  // RFC 9110, 8.6: none with 204 and a tunnel; with 304 only the length that a 200 would have told. (205 is framed as others.)
  if (status !== 204 && !opensTunnel(status, request.method) && (status !== 304 || body !== null)) {
    lines += fieldLine("Content-Length", String(status === 205 ? 0 : contentLength(sent)));
  }
  return responseHead(status, lines);
}

/** How a body is framed that is written piece by piece: "none" where there is none, "close" where the connection's end ends it. */
export type StreamedFraming = "none" | "length" | "chunked" | "close";

/** The head of a response whose body is written piece by piece. */
export function streamedHead(
  status: number,
  given: readonly Field[],
  request: AnsweredRequest,
  framing: StreamedFraming,
): string {
  const isLast = request.isLast || framing === "close";
  let lines = "";
  let hasDate = false;
  let hasConnection = false;
  let hasLength = false;
  for (const [name, value] of given) {
    switch (name.toLowerCase()) {
      case "transfer-encoding":
        continue;
      case "content-length":
        // RFC 9110, 8.6: none with 204 and a tunnel. The same one twice is one.
        if (status === 204 || status === 205 || opensTunnel(status, request.method) || hasLength) continue;
        hasLength = true;
        break;
      case "date":
        hasDate = true;
        break;
      case "connection":
        // A client that cannot keep the connection must not be told that it is kept.
        if (isLast && hasOption(value, "keep-alive")) continue;
        hasConnection = true;
    }
    lines += fieldLine(name, value);
  }
  if (!hasDate) lines += fieldLine("Date", dateNow());
  if (!hasConnection) lines += connectionLine({ ...request, isLast });
  if (framing === "chunked") lines += fieldLine("Transfer-Encoding", "chunked");
  if (status === 205) lines += fieldLine("Content-Length", "0");
  return responseHead(status, lines);
}

/** A response's head, of field lines that are made already. The version is the highest that we speak (RFC 9112, 2.3). */
export function responseHead(status: number, lines: string): string {
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n${lines}\r\n`;
}

/** A field's line, with its end. */
export function fieldLine(name: string, value: string): string {
  return `${name}: ${value}\r\n`;
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
