/**
 * Content codings undone (RFC 9110, 8.4), by node:zlib, which is loaded with the first response that needs it. Pure.
 */
import { Failure } from "../../error.ts";
import { listMembers } from "./fields.ts";
import type { ResponseHead } from "./head-parser.ts";
import { MOST_CONTENT_CODINGS } from "./limits.ts";
import { responseTooLarge } from "./message-error.ts";
import { framesOf } from "./zstd.ts";

/** zstdDecompressSync is there since Node 22.15. */
type Zlib = typeof import("node:zlib") & {
  readonly zstdDecompressSync?: (bytes: Buffer, options: Options) => unknown;
};
type Decoder = (zlib: Zlib, bytes: Buffer, options: Options) => Decoded;

interface Options {
  readonly info: true;
  readonly maxOutputLength: number;
}

/** What node:zlib gives with the option `info`. */
interface Decoded {
  readonly buffer: Buffer;
  /** `bytesWritten`: how many bytes the decoder took. */
  readonly engine: { readonly bytesWritten: number };
}

// The option `info` changes the type of what is returned, which the type declarations do not show.
const gunzip: Decoder = (zlib, bytes, options) => zlib.gunzipSync(bytes, options) as unknown as Decoded;

const DECODERS: { readonly [coding: string]: Decoder } = {
  gzip: gunzip,
  "x-gzip": gunzip,
  // RFC 9110, 8.4.1.2: the zlib format; some servers send the bare deflate data in it.
  deflate: (zlib, bytes, options) =>
    (isZlib(bytes)
      ? zlib.inflateSync(bytes, options)
      : zlib.inflateRawSync(bytes, options)) as unknown as Decoded,
  br: (zlib, bytes, options) => zlib.brotliDecompressSync(bytes, options) as unknown as Decoded,
};
const zstd: Decoder = (zlib, bytes, options) => {
  const found = framesOf(bytes);
  if (found === undefined || found.frames.length === 0) throw new Error("unexpected end of file");
  let room = options.maxOutputLength;
  const parts = found.frames.map((frame) => {
    // As with the whole, the limit has to be positive: what is too much by that shows in the end.
    const { buffer } = zlib.zstdDecompressSync!(frame, {
      info: true,
      maxOutputLength: Math.max(1, room),
    }) as Decoded;
    room -= buffer.length;
    return buffer;
  });
  const buffer = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  return { buffer, engine: { bytesWritten: found.end } };
};

/** The decoders that node:zlib has here. */
function decoderOf(zlib: Zlib, coding: string): Decoder | undefined {
  if (coding === "zstd" && zlib.zstdDecompressSync !== undefined) return zstd;
  return Object.hasOwn(DECODERS, coding) ? DECODERS[coding] : undefined;
}

/** RFC 1950, 2.2: the method is 8, and the first two bytes are a multiple of 31. */
function isZlib(bytes: Buffer): boolean {
  return bytes.length >= 2 && (bytes[0]! & 0x0f) === 8 && bytes.readUInt16BE(0) % 31 === 0;
}

/**
 * The codings to undo, in the order in which they were applied; `identity` is none. A 206 has none to undo: a range is one of the
 * coded bytes (RFC 9110, 14.2), and a part of them does not decode.
 */
export function codingsOf({ status, headers }: Pick<ResponseHead, "status" | "headers">): readonly string[] {
  const contentEncoding = headers["content-encoding"];
  if (contentEncoding === undefined || status === PARTIAL_CONTENT) return NO_CODINGS;
  return listMembers(contentEncoding).filter((coding) => coding !== "identity");
}

const PARTIAL_CONTENT = 206;
const NO_CODINGS: readonly string[] = [];

/**
 * How many bytes of a body may come, so that at most `maxBytes` come out: of coded bytes a few more, because data that does not
 * compress grows a little.
 */
export function mostBytesOf(head: ResponseHead, maxBytes: number): number {
  return codingsOf(head).length === 0 ? maxBytes : maxBytes + Math.ceil(maxBytes / 64) + 1024;
}

/** The bytes with these codings undone, of which there may be at most `maxBytes`; or why not. */
export function decodeContent(bytes: Buffer, codings: readonly string[], maxBytes: number): Buffer | Failure {
  if (codings.length > MOST_CONTENT_CODINGS) return new Failure("too many content codings");
  let decoded = bytes;
  for (let index = codings.length - 1; index >= 0; index--) {
    const result = undo(decoded, codings[index]!, maxBytes);
    if (result instanceof Failure) return result;
    decoded = result;
  }
  return decoded.length > maxBytes ? new Failure(responseTooLarge(maxBytes)) : decoded;
}

function undo(bytes: Buffer, coding: string, maxBytes: number): Buffer | Failure {
  zlib ??= process.getBuiltinModule("node:zlib") as Zlib;
  const decoder = decoderOf(zlib, coding);
  if (decoder === undefined) return new Failure(`unknown content coding '${coding}'`);
  try {
    // zlib's own limit has to be positive.
    const { buffer, engine } = decoder(zlib, bytes, { info: true, maxOutputLength: Math.max(1, maxBytes) });
    const { bytesWritten } = engine;
    if (bytesWritten === bytes.length || (isPadded(coding) && isZero(bytes, bytesWritten))) return buffer;
    return new Failure(`response body goes on after its ${coding} data`);
  } catch (error) {
    if ((error as { code?: unknown }).code === "ERR_BUFFER_TOO_LARGE")
      return new Failure(responseTooLarge(maxBytes));
    return new Failure(`response body does not decode as ${coding}`);
  }
}

/**
 * Whether zero bytes may follow the data of a coding: gzip(1) takes those for padding, which files have that were written in blocks.
 */
function isPadded(coding: string): boolean {
  return DECODERS[coding] === gunzip || coding === "deflate";
}

function isZero(bytes: Buffer, start: number): boolean {
  for (let at = start; at < bytes.length; at++) if (bytes[at] !== 0) return false;
  return true;
}

let zlib: Zlib | undefined;
