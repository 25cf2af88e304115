/**
 * A request as bytes. Those without fields and body are kept, because programs send the same again and again.
 */
import { lastingBuffer } from "../../engine/scratch.ts";
import type { BodyParts } from "../message/body-parts.ts";
import { type Encoded, encode } from "../message/encode.ts";
import { type OutgoingRequest, type RequestForm, requestHead } from "../wire/head-writer.ts";
import type { Target } from "../wire/url.ts";

/** A request with a body of whatever kind. */
export interface SentRequest extends OutgoingRequest {
  readonly parts?: BodyParts | null | undefined;
}

/** A request as bytes: the first `length` of them. */
export interface EncodedRequest extends Encoded {
  /** True when it says that the connection ends with this exchange. */
  readonly closes: boolean;
  /** What follows the bytes; null or left out for nothing. */
  readonly parts?: BodyParts | null | undefined;
}

/** The last request without fields and body for each target. */
const plain = new WeakMap<Target, EncodedPlain>();

interface EncodedPlain extends EncodedRequest {
  readonly method: string;
  readonly absoluteForm: boolean;
  readonly keepAlive: boolean;
}

/** Head and body of a request. */
export function encodeRequest(request: SentRequest, form: RequestForm, keepAlive: boolean): EncodedRequest {
  const { method, target, fields, body } = request;
  const { absoluteForm } = form;
  const isPlain =
    body === null &&
    request.parts == null &&
    fields.length === 0 &&
    form.proxyAuthorization === null &&
    request.acceptEncoding === undefined;
  if (isPlain) {
    const known = plain.get(target);
    if (known?.method === method && known.absoluteForm === absoluteForm && known.keepAlive === keepAlive) {
      return known;
    }
  }
  const { text, closes } = requestHead(request, form, keepAlive);
  const { bytes, length, isShared } = encode(text, body === null ? "" : body.content);
  if (!isPlain) return { bytes, length, isShared, closes, parts: request.parts };
  const kept = {
    bytes: lastingBuffer(length),
    length,
    isShared: false,
    closes,
    method,
    absoluteForm,
    keepAlive,
  };
  bytes.copy(kept.bytes, 0, 0, length);
  plain.set(target, kept);
  return kept;
}
