/**
 * What a caller gave for a message that goes out, checked. Everything is checked before a byte is made, so that a refused message
 * leaves nothing on the wire. What comes in is of any JavaScript type; where reading it can throw (getters, proxies), the
 * public functions catch.
 */
import { Failure } from "../../error.ts";
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
 * The body that a message's `body` (as JSON text), `body_text` or `body_base64` asks for, or null where none of
 * the three is given. More than one is an error, for one of them would be silently lost. `deadlineOf` is called where
 * making the body can take long; the error is TIMED_OUT where that deadline is past before it is made.
 */
export function readBody(
  message: { readonly [key: string]: unknown },
  deadlineOf?: () => number,
): OutgoingBody | null | Failure {
  const { body, body_text: text, body_base64: base64 } = message;
  if (text === undefined && base64 === undefined) {
    if (body === undefined) return null;
    const text = stringify(body, deadlineOf);
    if (text.isErr) return new Failure(text.error);
    return { content: prepared(text.value), contentType: "application/json" };
  }
  if (body !== undefined || (text !== undefined && base64 !== undefined)) {
    return new Failure("only one of 'body', 'body_text' and 'body_base64' can be given");
  }
  if (text !== undefined) {
    if (typeof text !== "string") return new Failure("'body_text' must be a string");
    return { content: prepared(text), contentType: "text/plain; charset=utf-8" };
  }
  if (typeof base64 !== "string") return new Failure("'body_base64' must be a string");
  if (!isBase64(base64)) return new Failure("'body_base64' is not valid base64");
  return { content: Buffer.from(base64, "base64"), contentType: "application/octet-stream" };
}

/** RFC 4648, 4: groups of four, the last one padded. (Buffer.from skips what is not base64, and so would mangle.) */
function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
