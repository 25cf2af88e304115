/**
 * Whether zstd data is whole: node:zlib before 24 takes data that was cut short for data that has ended. Pure.
 */

const MAGIC = 0xfd2fb528;

/**
 * Walks over the first frame's blocks (RFC 8878, 3.1.1) without decoding them:
 *
 *   frame = magic 4, descriptor 1, [ window 1 ], [ dictionary id ], [ content size ], 1*block, [ checksum 4 ]
 *   block = last 1 bit, type 2 bits, size 21 bits, then the block's data: of type 1 (RLE) one byte, else `size`
 */
export function isWholeZstd(bytes: Buffer): boolean {
  if (bytes.length < 5 || bytes.readUInt32LE(0) !== MAGIC) return false;
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeFlag = descriptor >> 6;
  const contentSizeBytes = contentSizeFlag === 0 ? Number(isSingleSegment) : 1 << contentSizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3]!;
  let at = 5 + Number(!isSingleSegment) + dictionaryBytes + contentSizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return false;
    const header = bytes.readUIntLE(at, 3);
    const isRepeated = ((header >> 1) & 3) === 1;
    at += 3 + (isRepeated ? 1 : header >> 3);
    if ((header & 1) === 1) break;
  }
  const hasChecksum = (descriptor & 4) !== 0;
  return at + (hasChecksum ? 4 : 0) <= bytes.length;
}
