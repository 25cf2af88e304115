/**
 * The options of `read_request` and `read_response`, checked.
 */
import { INVALID_TIMEOUT, timeoutFrom } from "../../arguments.ts";
import { errorText, Failure } from "../../error.ts";
import type { BodyDecoding } from "../wire/body.ts";
import { DEFAULT_READ_TIMEOUT, DEFAULT_SECTION_LIMITS, mostDecodable } from "../wire/limits.ts";
import { isJsonObject } from "./caller-message.ts";
import { foreignName, OPTION_NAMES } from "./foreign-names.ts";
import type { ReadLimits } from "./reader.ts";

/** What `read_request` and `read_response` have in common. */
export interface ReadOptions {
  /** Bytes of a head (default 65536), empty lines before it included; also of a chunked body's trailers. */
  max_header_bytes?: number;
  /** Field lines (default 128). */
  max_headers?: number;
  /** `"json"` (the default): JSON where the text is that, else the text; `"text"`; for any bytes `"bytes"` (a Buffer) or `"base64"`. */
  decode_body?: BodyDecoding;
  /** Adds `raw_headers` to what comes out (default false). */
  raw_headers?: boolean;
}

/** What one read of a message allows, keeps, and makes of the body. */
export interface ReadSettings extends ReadLimits {
  readonly decoding: BodyDecoding;
}

/** What holds where a caller gives no options. */
export function defaultSettings(maxBodyBytes: number): ReadSettings {
  return {
    section: DEFAULT_SECTION_LIMITS,
    maxBodyBytes,
    timeout: Number.POSITIVE_INFINITY,
    keepFields: false,
    decoding: "json",
  };
}

/** The settings that a caller's options ask for, or what is wrong with them. */
export function readOptions(
  options: unknown,
  defaults: ReadSettings,
  isStreamed = false,
): ReadSettings | Failure {
  if (options === undefined) return defaults;
  try {
    if (!isJsonObject(options)) return new Failure("options must be an object");
    const foreign = foreignName(options, OPTION_NAMES, "option");
    if (foreign !== null) return foreign;
    const {
      max_header_bytes: bytes = defaults.section.bytes,
      max_headers: fields = defaults.section.fields,
      max_body_bytes: maxBodyBytes = defaults.maxBodyBytes,
      timeout_ms = null,
      decode_body: decoding = "json",
      raw_headers: keepFields = false,
    } = options;
    const timeout = timeoutFrom(timeout_ms);
    if (!isCount(bytes)) return new Failure("'max_header_bytes' must be a non-negative integer");
    if (!isCount(fields)) return new Failure("'max_headers' must be a non-negative integer");
    if (!isCount(maxBodyBytes)) return new Failure("'max_body_bytes' must be a non-negative integer");
    if (timeout === undefined) return new Failure(INVALID_TIMEOUT);
    if (!isDecoding(decoding)) return new Failure(INVALID_DECODING);
    if (typeof keepFields !== "boolean") return new Failure("'raw_headers' must be a boolean");
    return {
      section: { bytes, fields },
      maxBodyBytes: isStreamed ? maxBodyBytes : Math.min(maxBodyBytes, mostDecodable(decoding)),
      timeout,
      keepFields,
      decoding,
    };
  } catch (thrown) {
    // A getter or a proxy's trap.
    return new Failure(`options cannot be read: ${errorText(thrown)}`);
  }
}

/** What holds where a caller gives no options for a body that is read piece by piece: it has no limit. */
export const STREAMED_DEFAULTS: ReadSettings = defaultSettings(Number.MAX_SAFE_INTEGER);

/** The `read_timeout_ms` of a request or of options that are an object, in milliseconds; undefined for what is none. */
export function readTimeoutOf(request: unknown): number | undefined {
  const { read_timeout_ms = DEFAULT_READ_TIMEOUT } = Object(request) as { read_timeout_ms?: unknown };
  return timeoutFrom(read_timeout_ms);
}

/** The options of a body that is read piece by piece. */
export interface StreamedSettings {
  readonly settings: ReadSettings;
  readonly readTimeout: number;
}

/** As `readOptions`, for those of `open_response` and `open_request`. */
export function streamedOptions(options: unknown): StreamedSettings | Failure {
  const settings = readOptions(options, STREAMED_DEFAULTS, true);
  if (settings instanceof Failure) return settings;
  try {
    const readTimeout = readTimeoutOf(options);
    return readTimeout === undefined ? new Failure(INVALID_TIMEOUT) : { settings, readTimeout };
  } catch (thrown) {
    return new Failure(`options cannot be read: ${errorText(thrown)}`);
  }
}

export const INVALID_DECODING = "'decode_body' must be 'json', 'text', 'bytes' or 'base64'";

export function isDecoding(value: unknown): value is BodyDecoding {
  return value === "json" || value === "text" || value === "bytes" || value === "base64";
}

export function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
