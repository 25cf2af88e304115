import { isUtf8 } from "node:buffer";

/**
 * The name of a Unix socket is bytes to the system (unix(7)), mostly UTF-8 but not always. As text each byte that is not part of
 * UTF-8 stands as a lone surrogate, U+DC80 for 0x80 to U+DCFF for 0xff, and so leads back to the same name: Python's
 * "surrogateescape" (PEP 383).
 */
const ESCAPE = 0xdc00;

export function unixNameText(name: Buffer): string {
  if (isUtf8(name)) return name.toString();
  let text = "";
  for (let at = 0; at < name.length; ) {
    const length = sequenceLength(name[at]!);
    const sequence = name.subarray(at, at + length);
    const isWhole = sequence.length === length && isUtf8(sequence);
    text += isWhole ? sequence.toString() : String.fromCharCode(ESCAPE + name[at]!);
    at += isWhole ? length : 1;
  }
  return text;
}

/** How many bytes a character has that begins with this one; what follows may still be wrong. */
function sequenceLength(first: number): number {
  if (first < 0xc0) return 1;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** The bytes of a name; null when it has a lone surrogate that stands for no byte. */
export function unixNameBytes(text: string): Buffer | null {
  // (With the flag u, a surrogate that is one of a pair matches nothing.)
  if (!/[\uD800-\uDFFF]/u.test(text)) return Buffer.from(text);
  if (/[\uD800-\uDC7F\uDD00-\uDFFF]/u.test(text)) return null;
  const pieces = text.split(/([\uDC80-\uDCFF])/u);
  // Every other piece is an escape.
  return Buffer.concat(
    pieces.map((piece, index) =>
      index % 2 === 1 ? Buffer.of(piece.charCodeAt(0) - ESCAPE) : Buffer.from(piece),
    ),
  );
}
