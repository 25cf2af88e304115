/**
 * The head of a request that the client sends: the caller's fields, and those that are ours to set or to add. Pure.
 */
import { lastingBuffer } from "../../engine/scratch.ts";
import { contentLength, type Encoded, encode } from "../message/encode.ts";
import { hasOption } from "../wire/fields.ts";
import type { Target } from "../wire/url.ts";
import type { Asked } from "./redirect.ts";

/** What the answer's body may be coded in (RFC 9110, 12.5.3): what node:zlib undoes, which knows zstd since 22.15. */
const ACCEPT_ENCODING = `Accept-Encoding: gzip, deflate, br${process.versions.zstd === undefined ? "" : ", zstd"}\r\n`;
/** A range would be one of the coded bytes, which nobody can decode (RFC 9110, 14.2; Fetch, "HTTP-network-or-cache fetch"). */
const ACCEPT_IDENTITY = "Accept-Encoding: identity\r\n";
// Without these two some servers refuse to answer.
const ACCEPT = "Accept: */*\r\n";
const USER_AGENT = "User-Agent: std-net\r\n";
const DEFAULT_LINES = ACCEPT + ACCEPT_ENCODING + USER_AGENT;

/** Methods that give a body a meaning: without one they say so (RFC 9110, 8.6). */
const EXPECTS_BODY = new Set(["POST", "PUT", "PATCH"]);

/** A request as bytes: the first `length` of them. */
export interface EncodedRequest extends Encoded {
  /** True when it says that the connection ends with this exchange. */
  readonly closes: boolean;
}

/** What the way of a request means for its head; the Route has it. */
export interface Form {
  readonly absoluteForm: boolean;
  readonly proxyAuthorization: string | null;
  readonly tunnel: object | null;
}

/** Requests for a target without fields and body: programs send the same again and again. */
const plain = new WeakMap<Target, EncodedPlain>();

interface EncodedPlain extends EncodedRequest {
  readonly method: string;
  readonly absoluteForm: boolean;
  readonly keepAlive: boolean;
}

/**
 * Head and body of a request. The bytes may lie in a buffer that the next call overwrites: send them, or copy what
 * remains.
 */
export function encodeRequest(asked: Asked, form: Form, keepAlive: boolean): EncodedRequest {
  const { method, target, fields, body } = asked;
  const { absoluteForm } = form;
  const isPlain = body === null && fields.length === 0 && form.proxyAuthorization === null;
  if (isPlain) {
    const known = plain.get(target);
    if (known?.method === method && known.absoluteForm === absoluteForm && known.keepAlive === keepAlive) {
      return known;
    }
  }
  const { text, closes } = requestHead(asked, form, keepAlive);
  const { bytes, length } = encode(text, body === null ? "" : body.content);
  if (!isPlain) return { bytes, length, closes };
  const request = { bytes: lastingBuffer(length), length, closes, method, absoluteForm, keepAlive };
  bytes.copy(request.bytes, 0, 0, length);
  plain.set(target, request);
  return request;
}

function requestHead(
  asked: Asked,
  form: Form,
  keepAlive: boolean,
): { readonly text: string; readonly closes: boolean } {
  const { method, target, fields: given, body } = asked;
  let text = `${method} ${requestTarget(method, target, form.absoluteForm)} HTTP/1.1\r\n`;
  let closes = !keepAlive;
  if (given.length === 0) {
    text += `Host: ${target.hostField}\r\n${DEFAULT_LINES}`;
    if (target.authorization !== null) text += `Authorization: ${target.authorization}\r\n`;
    if (closes) text += "Connection: close\r\n";
    if (body !== null) text += `Content-Type: ${body.contentType}\r\n`;
  } else {
    let lines = "";
    let host = target.hostField;
    let accept = ACCEPT;
    let hasEncoding = false;
    let hasRange = false;
    let userAgent = USER_AGENT;
    let authorization = target.authorization;
    let hasConnection = false;
    let hasType = body === null;
    for (const [name, value] of given) {
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
          hasEncoding = true;
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
          hasConnection = true;
          closes ||= hasOption(value, "close");
          break;
        case "content-type":
          hasType = true;
          break;
      }
      lines += `${name}: ${value}\r\n`;
    }
    const acceptEncoding = hasRange ? ACCEPT_IDENTITY : ACCEPT_ENCODING;
    text += `Host: ${host}\r\n${accept}${hasEncoding ? "" : acceptEncoding}${userAgent}`;
    if (authorization !== null) text += `Authorization: ${authorization}\r\n`;
    if (closes && !hasConnection) text += "Connection: close\r\n";
    if (!hasType && body !== null) text += `Content-Type: ${body.contentType}\r\n`;
    text += lines;
  }
  if (form.proxyAuthorization !== null) text += `Proxy-Authorization: ${form.proxyAuthorization}\r\n`;
  if (body !== null) text += `Content-Length: ${contentLength(body)}\r\n\r\n`;
  else text += EXPECTS_BODY.has(method) ? "Content-Length: 0\r\n\r\n" : "\r\n";
  return { text, closes };
}

/** The forms of RFC 9112, 3.2: authority-form for CONNECT, absolute-form to a proxy, else origin-form. */
function requestTarget(method: string, target: Target, absoluteForm: boolean): string {
  if (method === "CONNECT") return target.address;
  return absoluteForm ? target.origin + target.path : target.path;
}
