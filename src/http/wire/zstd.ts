/**
 * The frames of zstd data: node:zlib before 26 decodes the first one alone, and before 24 takes data that was cut short for
 * data that has ended. Pure.
 */

import { MOST_ZSTD_FRAMES } from "./limits.ts";

const MAGIC = 0xfd2fb528;
/** The last four bits are anything. */
const SKIPPABLE_MAGIC = 0x184d2a50;

/** Where the frames that hold data lie in it, and where the last frame ends; undefined where that one is not whole. */
export interface Frames {
  readonly frames: readonly Buffer[];
  readonly end: number;
}

/** Data is one frame after another, and may be skippable ones (RFC 8878, 3): magic 4, size 4, and so many bytes. */
export function framesOf(bytes: Buffer): Frames | undefined {
  const frames: Buffer[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && frames.length < MOST_ZSTD_FRAMES) {
    const magic = bytes.readUInt32LE(at);
    const isSkippable = (magic & ~0x0f) >>> 0 === SKIPPABLE_MAGIC;
    if (!isSkippable && magic !== MAGIC) break;
    const end = isSkippable ? skippableEnd(bytes, at) : frameEnd(bytes, at);
    if (end > bytes.length) return undefined;
    if (!isSkippable) frames.push(bytes.subarray(at, end));
    at = end;
  }
  return { frames, end: at };
}

function skippableEnd(bytes: Buffer, start: number): number {
  return start + 8 > bytes.length ? Number.POSITIVE_INFINITY : start + 8 + bytes.readUInt32LE(start + 4);
}

/**
 * Walks over a frame's blocks (RFC 8878, 3.1.1) without decoding them; gives more than there is where it is not whole:
 *
 *   frame = magic 4, descriptor 1, [ window 1 ], [ dictionary id ], [ content size ], 1*block, [ checksum 4 ]
 *   block = last 1 bit, type 2 bits, size 21 bits, then the block's data: of type 1 (RLE) one byte, else `size`
 */
function frameEnd(bytes: Buffer, start: number): number {
  if (start + 5 > bytes.length) return Number.POSITIVE_INFINITY;
  const descriptor = bytes[start + 4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeFlag = descriptor >> 6;
  const contentSizeBytes = contentSizeFlag === 0 ? Number(isSingleSegment) : 1 << contentSizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  let at = start + 5 + Number(!isSingleSegment) + dictionaryBytes + contentSizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return Number.POSITIVE_INFINITY;
    const header = bytes.readUIntLE(at, 3);
    const isRepeated = ((header >> 1) & 3) === 1;
    at += 3 + (isRepeated ? 1 : header >> 3);
    if ((header & 1) === 1) break;
  }
  const hasChecksum = (descriptor & 4) !== 0;
  return at + (hasChecksum ? 4 : 0);
}
