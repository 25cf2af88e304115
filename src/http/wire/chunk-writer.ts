/**
 * The chunked coding made (RFC 9112, 7.1). Pure.
 */

/** The end of a body. */
export const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** One chunk with these bytes, of which there is at least one. */
export function chunkOf(bytes: Uint8Array): Buffer {
  const size = `${bytes.length.toString(16)}\r\n`;
  const chunk = Buffer.allocUnsafeSlow(size.length + bytes.length + 2);
  chunk.write(size, 0, "latin1");
  chunk.set(bytes, size.length);
  chunk.write("\r\n", size.length + bytes.length, "latin1");
  return chunk;
}
