import type { Failure } from "../error.ts";
import { copyOut, enlarge, scratch } from "./buffers.ts";
import { HeldBytes } from "./pushback.ts";
import { StoppedRead } from "./stopped-read.ts";
import type { Transport } from "./transport.ts";

const FOREVER = Number.POSITIVE_INFINITY;

/** The room at first; it grows with what comes. */
const FIRST_ROOM = 64 * 1024;
/** From this size on, bytes that an earlier try gave back are not copied: the next try goes on in their memory. */
const WORTH_KEEPING = 64 * 1024;

/** Exactly `size` bytes. After a failure none is lost: the transport has what had come, for the next read. */
export function readExact(transport: Transport, size: number): Buffer | Failure {
  return gather(transport, size, true);
}

/** All bytes until the end of the stream, at most `limit`. After a failure none is lost. */
export function readToEnd(transport: Transport, limit: number): Buffer | Failure {
  return gather(transport, limit, false);
}

/** Receives until `size` bytes are there, or (when they need not be all) until the end of the stream. */
function gather(transport: Transport, size: number, all: boolean): Buffer | Failure {
  const shared = scratch(Math.min(size, FIRST_ROOM));
  const before = transport.heldLength;
  const held = transport.takeHeld(WORTH_KEEPING, size);
  let buffer = held?.memory ?? shared;
  let used = held?.length ?? 0;
  let stopped: StoppedRead | null = null;
  while (used < size) {
    if (used === buffer.length) {
      const larger = enlarge(buffer, size);
      if (larger === null) {
        stopped = new StoppedRead("out of memory");
        break;
      }
      buffer = larger;
    }
    const most = Math.min(size, buffer.length) - used;
    const count = transport.receive(used === 0 ? buffer : buffer.subarray(used), most, FOREVER);
    if (count < 0) stopped = StoppedRead.by(transport, count);
    else if (count === 0 && all) stopped = new StoppedRead("failed to fill whole buffer");
    if (count <= 0) break;
    used += count;
  }
  if (stopped === null && used === size && !all) stopped = lookForMore(transport, size);
  if (stopped === null) {
    // A buffer of this call's own is given out without a copy when most of it is full.
    const isOwn = buffer !== shared && 2 * used >= buffer.length;
    return isOwn ? buffer.subarray(0, used) : copyOut(buffer, used);
  }
  if (used > 0) {
    const tooFew = stopped.wouldBlock && used === before;
    transport.hold(
      buffer === shared
        ? HeldBytes.copyOf(buffer.subarray(0, used), tooFew)
        : new HeldBytes(buffer, used, tooFew),
    );
  }
  return stopped;
}

/** At the limit of `readToEnd`: null at the end of the stream, or why this is not the end. */
function lookForMore(transport: Transport, size: number): StoppedRead | null {
  const count = transport.peek(Buffer.allocUnsafeSlow(1), 1, FOREVER);
  if (count < 0) return StoppedRead.by(transport, count);
  return count === 0 ? null : new StoppedRead(`more than ${size} bytes before the end of the stream`);
}
