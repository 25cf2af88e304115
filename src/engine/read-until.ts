import { byteLength } from "../arguments.ts";
import type { Failure } from "../error.ts";
import { copyOut, enlarge, scratch } from "./buffers.ts";
import { HeldBytes } from "./pushback.ts";
import { StoppedRead } from "./stopped-read.ts";
import type { Transport } from "./transport.ts";

const FOREVER = Number.POSITIVE_INFINITY;

/** How much of the stream is looked at first: more than most lines, and little to copy. */
const FIRST_LOOK = 4096;
/** The room at first; it grows with what is looked at. */
const FIRST_ROOM = 64 * 1024;

const END_OF_STREAM = "end of stream before the delimiter";

/**
 * The bytes up to and with the delimiter, at most `limit`. After a failure none is lost: the transport has all that had
 * come, for the next read.
 *
 * It searches with `peek`, so that no byte behind the delimiter is ever taken. `peek` shows only a part of a long line at a
 * time: then the bytes before `taken` are taken off the stream, to see more.
 */
export function readUntil(transport: Transport, delimiter: Uint8Array, limit: number): Buffer | Failure {
  const delimiterLength = byteLength(delimiter);
  let buffer = scratch(Math.min(limit, FIRST_ROOM));
  let taken = 0;
  let searched = 0;
  let look = FIRST_LOOK;
  let waitedAt = -1;
  const before = transport.heldLength;
  let stopped: StoppedRead;
  for (;;) {
    if (buffer.length - taken < Math.min(look, limit - taken)) buffer = enlarge(buffer, limit) ?? buffer;
    if (taken === buffer.length) {
      stopped = new StoppedRead("out of memory");
      break;
    }
    const most = Math.min(look, limit - taken, buffer.length - taken);
    const rest = taken === 0 ? buffer : buffer.subarray(taken);
    const count = transport.peek(rest, most, FOREVER);
    if (count <= 0) {
      stopped = count === 0 ? new StoppedRead(END_OF_STREAM) : StoppedRead.by(transport, count);
      break;
    }
    const shown = buffer.subarray(0, taken + count);
    const found = shown.indexOf(delimiter, Math.max(0, searched - delimiterLength + 1));
    searched = shown.length;
    let take = count;
    if (found >= 0) {
      take = found + delimiterLength - taken;
    } else if (shown.length === limit) {
      stopped = new StoppedRead(`no delimiter within ${limit} bytes`);
      break;
    } else if (count === most && most === look) {
      look *= 4;
      continue;
    } else if (transport.waitBeyond !== undefined && waitedAt !== searched) {
      waitedAt = searched;
      const failure = transport.waitBeyond(count, FOREVER);
      if (failure === 0) continue;
      stopped = StoppedRead.by(transport, failure);
      // Left on the stream, they would make a Poller report it again and again although no more has come.
      if (transport.nonblocking) taken += Math.max(0, transport.receive(rest, count, FOREVER));
      break;
    }
    const got = transport.receive(rest, take, FOREVER);
    if (got <= 0) {
      stopped = new StoppedRead(got === 0 ? END_OF_STREAM : transport.reason(got));
      break;
    }
    taken += got;
    if (found >= 0 && got === take) return copyOut(buffer, taken);
    // Fewer than were shown: somebody else reads the same socket, and what follows may be different now.
    if (got < take) searched = 0;
  }
  const tooFew = stopped.wouldBlock && taken === before;
  if (taken > 0) transport.hold(HeldBytes.copyOf(buffer.subarray(0, taken), tooFew));
  return stopped;
}
