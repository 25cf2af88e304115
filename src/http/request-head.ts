/**
 * The head of a request that the client sends: the caller's fields, and those that are ours to set or to add. Pure.
 */
import type { Field } from "./fields.ts";
import { hasOption } from "./fields.ts";
import { contentLength, type OutgoingBody } from "./message.ts";
import type { Target } from "./url.ts";

/** What the answer's body may be coded in (RFC 9110, 12.5.3): what node:zlib undoes, which knows zstd since 22.15. */
const ACCEPT_ENCODING = `Accept-Encoding: gzip, deflate, br${process.versions.zstd === undefined ? "" : ", zstd"}\r\n`;
// Without these two some servers refuse to answer.
const ACCEPT = "Accept: */*\r\n";
const USER_AGENT = "User-Agent: std-net\r\n";
const DEFAULT_LINES = ACCEPT + ACCEPT_ENCODING + USER_AGENT;

/** Methods that give a body a meaning: without one they say so (RFC 9110, 8.6). */
const EXPECTS_BODY = new Set(["POST", "PUT", "PATCH"]);

/** A request's head, and what it says about the connection. */
export interface RequestHeadText {
  readonly text: string;
  /** True when it says that the connection ends with this exchange. */
  readonly closes: boolean;
}

/** `requestTarget` is what stands in the request line: the path, or another form of RFC 9112, 3.2. */
export function requestHead(
  method: string,
  requestTarget: string,
  target: Target,
  given: readonly Field[],
  body: OutgoingBody | null,
  keepAlive: boolean,
): RequestHeadText {
  let text = `${method} ${requestTarget} HTTP/1.1\r\n`;
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
    let acceptEncoding = ACCEPT_ENCODING;
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
        case "accept":
          accept = "";
          break;
        case "accept-encoding":
          acceptEncoding = "";
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
    text += `Host: ${host}\r\n${accept}${acceptEncoding}${userAgent}`;
    if (authorization !== null) text += `Authorization: ${authorization}\r\n`;
    if (closes && !hasConnection) text += "Connection: close\r\n";
    if (!hasType && body !== null) text += `Content-Type: ${body.contentType}\r\n`;
    text += lines;
  }
  if (body !== null) text += `Content-Length: ${contentLength(body)}\r\n\r\n`;
  else text += EXPECTS_BODY.has(method) ? "Content-Length: 0\r\n\r\n" : "\r\n";
  return { text, closes };
}
