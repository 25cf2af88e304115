/**
 * What a caller gave for a message that goes out, checked. Everything is checked before a byte is made, so that a refused message
 * leaves nothing on the wire. What comes in is of any JavaScript type; where reading it can throw (getters, proxies), the
 * public functions catch.
 */
import { isUint8Array } from "node:util/types";
import { byteLength, part } from "../../arguments.ts";
import { Failure } from "../../error.ts";
import { holdsBytes, unfitForJson } from "../../json/unfit.ts";
import { stringify } from "../../json.ts";
import type { OutgoingBody } from "../wire/body.ts";
import { type Field, isSendableValue, isToken } from "../wire/fields.ts";
import { prepared } from "./encode.ts";

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
export function readFields(headers: { readonly [key: string]: unknown }, label: string): Field[] | Failure {
  const fields: Field[] = [];
  for (const name of Object.keys(headers)) {
    const value = headers[name];
    if (typeof value !== "string") return new Failure(`${label} '${name}' must be a string`);
    if (!isToken(name) || !isSendableValue(value))
      return new Failure(`${label} '${name}' is not a valid field`);
    fields.push([name, value]);
  }
  return fields;
}

/**
 * The body that a message's `body` (as JSON text), `body_text`, `body_bytes` or `body_base64` asks for, or null where none of
 * them is given. More than one is an error, for one of them would be silently lost. `deadlineOf` is called where
 * making the body can take long; the error is TIMED_OUT where that deadline is past before it is made.
 */
export function readBody(
  message: { readonly [key: string]: unknown },
  deadlineOf?: () => number,
): OutgoingBody | null | Failure {
  const { body, body_text: text, body_bytes: bytes, body_base64: base64 } = message;
  if (text === undefined && bytes === undefined && base64 === undefined) {
    if (body === undefined) return null;
    const unfit = typeof body === "object" && body !== null ? unfitForJson(body) : null;
    if (unfit !== null)
      return new Failure(`'body' is sent as JSON, which has no ${unfit}: ${remedyFor(unfit)}`);
    const text = stringify(body, deadlineOf);
    if (text.isErr) return new Failure(text.error);
    return { content: prepared(text.value), contentType: "application/json" };
  }
  if ([body, text, bytes, base64].filter((given) => given !== undefined).length > 1) {
    return new Failure("only one of 'body', 'body_text', 'body_bytes' and 'body_base64' can be given");
  }
  if (text !== undefined) {
    if (typeof text !== "string") return new Failure("'body_text' must be a string");
    return { content: prepared(text), contentType: "text/plain; charset=utf-8" };
  }
  if (bytes !== undefined) {
    if (!isUint8Array(bytes)) return new Failure("'body_bytes' must be a Uint8Array");
    // A view of our own: a subclass's length could be any number.
    return { content: part(bytes, 0, byteLength(bytes)), contentType: "application/octet-stream" };
  }
  if (typeof base64 !== "string") return new Failure("'body_base64' must be a string");
  if (!isBase64(base64)) return new Failure("'body_base64' is not valid base64");
  return { content: Buffer.from(base64, "base64"), contentType: "application/octet-stream" };
}

/** Where the content of such an object goes. */
function remedyFor(unfit: string): string {
  if (holdsBytes(unfit)) return "use 'body_bytes'";
  return REMEDIES[unfit]!;
}

const REMEDIES: { readonly [unfit: string]: string } = {
  Map: "use 'body' with Object.fromEntries(map)",
  Set: "use 'body' with [...set]",
  Headers: "use 'body' with Object.fromEntries(headers)",
  Blob: "use 'body_bytes' with new Uint8Array(await blob.arrayBuffer())",
  File: "use 'body_bytes' with new Uint8Array(await file.arrayBuffer())",
  FormData: "use 'body_bytes' with the form encoded, and its content-type in 'headers'",
  URLSearchParams: "use 'body_text' with String(params), and its content-type in 'headers'",
  Promise: "use 'body' with what it resolves to",
  Generator: "use 'body_parts' in a request, and http.start_response for a response",
  AsyncGenerator: "use 'body_bytes' with what it yields",
  ReadableStream: "use 'body_bytes' with what it brings",
};

/** RFC 4648, 4: groups of four, the last one padded. (Buffer.from skips what is not base64, and so would mangle.) */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
