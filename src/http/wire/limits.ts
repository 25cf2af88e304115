/**
 * Every limit of the HTTP code, with its default. DEFAULT_... are those that an option changes, the others are fixed. Pure.
 */
import { constants } from "node:buffer";

/** What a header section may take before it is refused; a chunked body's extensions together, and its trailers, as well. */
export interface SectionLimits {
  /** Bytes, from the first of the start line to the empty line's end. */
  readonly bytes: number;
  /** Field lines. */
  readonly fields: number;
}

/** `max_header_bytes` and `max_headers`. One object, because the last head is remembered together with its limits. */
export const DEFAULT_SECTION_LIMITS: SectionLimits = { bytes: 64 * 1024, fields: 128 };

/** `max_body_bytes` of `read_request`. */
export const DEFAULT_REQUEST_BODY_BYTES = 1024 * 1024;
/** `max_body_bytes` of `request` and `read_response`. */
export const DEFAULT_RESPONSE_BODY_BYTES = 64 * 1024 * 1024;

/** `timeout_ms` and `connect_timeout_ms` of `request`, in milliseconds. */
export const DEFAULT_TIMEOUT = 300_000;
export const DEFAULT_CONNECT_TIMEOUT = 30_000;

/** `read_timeout_ms` of `open`, in milliseconds. */
export const DEFAULT_READ_TIMEOUT = 300_000;
/** What a body that is closed before its end may still have, if it has arrived: more than that costs a new connection less. */
export const MOST_DRAINED = 64 * 1024;
/** A line, and an event, of a body that is read piece by piece. */
export const DEFAULT_LINE_BYTES = 1024 * 1024;

/** `max_redirects` of `request`. */
export const DEFAULT_REDIRECTS = 20;
/** Nobody sees the body of a redirect: as much of it is read as a new connection costs. */
export const REDIRECT_BODY_BYTES = 64 * 1024;

/** Interim responses (1xx) before the final one. */
export const MOST_INTERIM_RESPONSES = 32;

/** Requests on a stream of the caller's that have no response yet; the program may read those by other means. */
export const MOST_UNANSWERED = 1000;

/** More than anybody applies to one body: each one is a whole pass over it. */
export const MOST_CONTENT_CODINGS = 4;
/** Frames of one zstd body: to decode one costs as much as some kilobytes of it do. */
export const MOST_ZSTD_FRAMES = 1024;

/** Hexadecimal digits of a chunk's size: they hold 64 bits, more than any limit. What is longer is zeros without end. */
export const MOST_CHUNK_SIZE_DIGITS = 16;

/** Places for idle connections, one for each origin and way to it. */
export const MOST_IDLE_PLACES = 64;
/** Idle connections in all places: a quarter of the descriptors that a process mostly may have (getrlimit(2)). */
export const MOST_IDLE_CONNECTIONS = 256;

/** `concurrency` of `request_all` and `request_each`. */
export const DEFAULT_CONCURRENCY = 50;
export const MOST_CONCURRENCY = 1024;
/** How long a connection stays idle when the server does not say, in milliseconds. */
export const LONGEST_IDLE = 60_000;

/** `request_timeout_ms` of `serve`, in milliseconds. Its `idle_timeout_ms` is LONGEST_IDLE. */
export const DEFAULT_HEAD_TIMEOUT = 10_000;
/** `max_connections` of `serve`, if the process may have so many descriptors. */
export const MOST_CONNECTIONS = 10_000;
/** Clients beyond `max_connections` that are told so at once; those beyond them are closed without a word. */
export const MOST_SURPLUS = 128;
/** A body as one Buffer: half of what Node 20 makes one of, because the memory grows ahead of what has come. */
const MOST_BYTES = 2 ** 31 - 1;

/**
 * How many bytes of a body can become a value: the engine has a longest string (512 MiB in V8), and throws past it. This
 * is also below what node:zlib and Buffer take as a size.
 */
export function mostDecodable(decoding: "json" | "text" | "bytes" | "base64"): number {
  if (decoding === "bytes") return MOST_BYTES;
  const { MAX_STRING_LENGTH } = constants;
  return decoding === "base64" ? Math.floor(MAX_STRING_LENGTH / 4) * 3 : MAX_STRING_LENGTH;
}
