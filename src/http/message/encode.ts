/**
 * Heads and bodies to bytes. Nothing here sends.
 */
import { ScratchBuffer } from "../../engine/scratch.ts";

/** What a head may take in front of a body that was made ready for it. */
const HEAD_ROOM = 8 * 1024;
/** Bodies that stand in a buffer with room for a head before them. */
const roomy = new WeakMap<Uint8Array, Buffer>();

/**
 * A text as it is, or, when it is large, as bytes with room for a head before them: so that a megabyte is
 * written once, and not measured (which takes longer than to write it) and copied besides.
 */
export function prepared(text: string): string | Uint8Array {
  if (text.length < SCRATCH_SIZE) return text;
  // ASCII takes a byte for each character. With a few bytes to spare, every other text shows by taking more.
  let whole = Buffer.allocUnsafeSlow(HEAD_ROOM + text.length + 8);
  let length = whole.write(text, HEAD_ROOM);
  if (length !== text.length) {
    whole = Buffer.allocUnsafeSlow(HEAD_ROOM + Buffer.byteLength(text));
    length = whole.write(text, HEAD_ROOM);
  }
  const content = whole.subarray(HEAD_ROOM, HEAD_ROOM + length);
  roomy.set(content, whole);
  return content;
}

/** A message as bytes: the first `length` of `bytes`. */
export interface Encoded {
  readonly bytes: Buffer;
  readonly length: number;
  /** Whether they lie in memory that the next message overwrites: send them, or copy what remains. */
  readonly isShared: boolean;
}

/** The same message in memory of its own. */
export function unshared(message: Encoded): Encoded {
  if (!message.isShared) return message;
  const { bytes, length } = message;
  return { bytes: Buffer.from(bytes.subarray(0, length)), length, isShared: false };
}

/** Small messages are made in one buffer, again and again: a new one for each costs more than the rest. */
const SCRATCH_SIZE = 64 * 1024;
const scratch = new ScratchBuffer(SCRATCH_SIZE);

/** Head and body in one buffer, for one send. */
export function encode(head: string, body: string | Uint8Array): Encoded {
  // UTF-8 takes at most three bytes for each UTF-16 unit.
  const most = head.length * 3 + (typeof body === "string" ? body.length * 3 : body.length);
  if (most <= SCRATCH_SIZE) {
    const bytes = scratch.borrow(most);
    return { bytes, length: write(bytes, head, body), isShared: true };
  }
  const whole = typeof body === "string" ? undefined : roomy.get(body);
  if (whole !== undefined && head.length * 3 <= HEAD_ROOM) {
    const at = HEAD_ROOM - Buffer.byteLength(head);
    whole.write(head, at);
    return { bytes: whole.subarray(at), length: HEAD_ROOM - at + body.length, isShared: false };
  }
  const bodyBytes = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(head) + bodyBytes);
  return { bytes, length: write(bytes, head, body), isShared: false };
}

function write(target: Buffer, head: string, body: string | Uint8Array): number {
  if (typeof body === "string" && body.length <= 1024) return target.write(head + body);
  const at = target.write(head);
  if (typeof body === "string") return at + target.write(body, at);
  target.set(body, at);
  return at + body.length;
}
