/**
 * The chunked coding made (RFC 9112, 7.1). Pure.
 */

/** The end of a body. */
export const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** What stands behind the data of a chunk. */
export const CHUNK_END = Buffer.from("\r\n");

/** The most that a chunk has beside its data: the digits of its size, and two ends of line. */
export const CHUNK_FRAME = 20;

/** What stands before the data of a chunk. */
export function chunkHead(size: number): Buffer {
  return Buffer.from(`${size.toString(16)}\r\n`);
}

/** Writes one chunk with these `size` bytes, of which there is at least one: how long it is. */
export function writeChunk(target: Buffer, bytes: Uint8Array, size: number): number {
  const start = target.write(`${size.toString(16)}\r\n`, "latin1");
  target.set(bytes, start);
  target[start + size] = 0x0d;
  target[start + size + 1] = 0x0a;
  return start + size + 2;
}

/** One chunk with these bytes, in memory of its own. */
export function chunkOf(bytes: Uint8Array): Buffer {
  const chunk = Buffer.allocUnsafeSlow(bytes.length + CHUNK_FRAME);
  return chunk.subarray(0, writeChunk(chunk, bytes, bytes.length));
}
