/**
 * What a caller gets of a response: its content coding undone, its body decoded. Pure.
 */
import { Failure } from "../../error.ts";
import { type Json, LATE, TIMED_OUT } from "../../json.ts";
import { type BodyDecoding, decodeBody } from "../wire/body.ts";
import { codingsOf, decodeContent } from "../wire/content-coding.ts";
import type { Field, Headers } from "../wire/fields.ts";
import type { ResponseHead } from "../wire/head-parser.ts";

/**
 * A response as `http.request` and `http.read_response` give it.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const response = http.request({ method: "GET", url: "http://127.0.0.1:8080/", raw_headers: true }).unwrap();
 * const { status, headers, body, raw_headers } = response;
 * console.log(status, headers["content-type"], typeof body, Array.isArray(raw_headers)); // 200 application/json object true
 * ```
 *
 * @typeParam T the body's type, which the caller claims and nothing checks
 */
export interface ClientResponse<T = Json> {
  /** The three digits of the status line: 200, 404. */
  status: number;
  /**
   * Values by lower-case name; lines of one name joined with `, `. Content-Encoding and Content-Length are left out when the
   * coding was undone, which it is not of a range (206): a part of compressed data comes as it is.
   */
  headers: Headers;
  /** Null when empty; the parsed JSON when it is JSON, else the text; or what `decode_body` asked for. */
  body: T;
  /** The field lines as they came, in their order; only when `raw_headers: true` asks for them. */
  raw_headers?: Field[];
}

/** How the caller wants it. */
export interface ResponseForm {
  readonly maxBodyBytes: number;
  readonly decoding: BodyDecoding;
  readonly keepFields: boolean;
}

/** The response, or why its body cannot be given: the reason is TIMED_OUT where the deadline is past before it can. */
export function responseOf(
  head: ResponseHead,
  body: Buffer,
  form: ResponseForm,
  deadline: number,
): ClientResponse<Json | Buffer> | Failure {
  const { status, headers, fields } = head;
  let bytes = body;
  const codings = codingsOf(head);
  // A response to HEAD names the coding of a body that it does not have.
  if (codings.length > 0 && body.length > 0) {
    const decoded = decodeContent(body, codings, form.maxBodyBytes);
    if (decoded instanceof Failure) return decoded;
    bytes = decoded;
    // They tell of the body as it came, not as it is handed out.
    delete headers["content-encoding"];
    delete headers["content-length"];
  }
  const value = decodeBody(bytes, form.decoding, deadline);
  if (value === LATE) return LATE_FAILURE;
  if (value === undefined) return NOT_UTF8;
  const response: ClientResponse<Json | Buffer> = { status, headers, body: value };
  if (form.keepFields) response.raw_headers = [...fields];
  return response;
}

const LATE_FAILURE = new Failure(TIMED_OUT);
const NOT_UTF8 = new Failure('response body is not utf-8 (decode_body "bytes" or "base64" gives its bytes)');
