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
  let at = start + 5 + headerRest(descriptor);
  for (;;) {
    if (at + 3 > bytes.length) return Number.POSITIVE_INFINITY;
    const header = bytes.readUIntLE(at, 3);
    at += 3 + blockSize(header);
    if ((header & 1) === 1) break;
  }
  const hasChecksum = (descriptor & 4) !== 0;
  return at + (hasChecksum ? 4 : 0);
}

/** What the bytes that come next are: the parts of a frame that say how long another part is. */
type FramePart = "magic" | "skippable-size" | "descriptor" | "block-header";

const PART_BYTES: { readonly [part in FramePart]: number } = {
  magic: 4,
  "skippable-size": 4,
  descriptor: 1,
  "block-header": 3,
};

/**
 * Follows frames through data that comes in pieces, however they are cut. It tells where a frame ends, because the decoder of
 * node:zlib does not tell whether it is within one.
 */
export class ZstdFrames {
  /** Whether the data can end here: at the end of a frame. */
  isBetween = true;
  #part: FramePart = "magic";
  #value = 0;
  #collected = 0;
  /** How many bytes come before the next part. */
  #skip = 0;
  #hasChecksum = false;
  #isLast = false;

  /** Whether the data has ended in what may be no frame at all. */
  get isInMagic(): boolean {
    return !this.isBetween && this.#part === "magic" && this.#skip === 0;
  }

  /**
   * Goes through the bytes from `start` to the end of the frame, or to `end`: where that is. -1: there begins something
   * that is no frame.
   */
  follow(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end) {
      this.isBetween = false;
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, end - at);
        this.#skip -= skipped;
        at += skipped;
      } else {
        this.#value += bytes[at]! * 2 ** (8 * this.#collected);
        at++;
        if (++this.#collected === PART_BYTES[this.#part] && !this.#readPart()) return -1;
      }
      if (this.#isLast && this.#skip === 0) {
        this.#isLast = false;
        this.#part = "magic";
        this.isBetween = true;
        return at;
      }
    }
    return at;
  }

  /** Reads a part that is whole. False: no frame has such a one. */
  #readPart(): boolean {
    const value = this.#value;
    this.#value = 0;
    this.#collected = 0;
    switch (this.#part) {
      case "magic":
        if ((value & ~0x0f) >>> 0 === SKIPPABLE_MAGIC) this.#part = "skippable-size";
        else if (value === MAGIC) this.#part = "descriptor";
        else return false;
        return true;
      case "skippable-size":
        this.#skip = value;
        this.#isLast = true;
        return true;
      case "descriptor":
        this.#hasChecksum = (value & 4) !== 0;
        this.#skip = headerRest(value);
        this.#part = "block-header";
        return true;
      case "block-header":
        this.#isLast = (value & 1) === 1;
        this.#skip = blockSize(value) + (this.#isLast && this.#hasChecksum ? 4 : 0);
        return true;
    }
  }
}

/** How many bytes of a frame's header follow its descriptor: [ window 1 ], [ dictionary id ], [ content size ]. */
function headerRest(descriptor: number): number {
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeFlag = descriptor >> 6;
  const contentSizeBytes = contentSizeFlag === 0 ? Number(isSingleSegment) : 1 << contentSizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  return Number(!isSingleSegment) + dictionaryBytes + contentSizeBytes;
}

/** How many bytes of a block follow its header. */
function blockSize(header: number): number {
  const isRepeated = ((header >> 1) & 3) === 1;
  return isRepeated ? 1 : header >> 3;
}
