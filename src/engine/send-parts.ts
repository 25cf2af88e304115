import { part } from "../arguments.ts";
import { MOST_PARTS } from "../sys/platform.ts";
import { ScratchBuffer } from "./scratch.ts";
import { Socket } from "./socket.ts";
import type { Transport } from "./transport.ts";

/** What one record of TLS holds (RFC 8446, 5.1). More in one call is several records anyway. */
const RECORD = 16 * 1024;
/** Where so many bytes are copied, that costs less than the system's look at each buffer. */
const SMALL = 4096;

const gathered = new ScratchBuffer(RECORD);

/**
 * Sends from several buffers that follow each other, with one call: how many bytes were taken, or a failure. None of the parts is
 * empty.
 */
export function sendParts(
  transport: Transport,
  parts: readonly Uint8Array[],
  lengths: readonly number[],
): number {
  const forever = Number.POSITIVE_INFINITY;
  if (parts.length === 1) return transport.send(parts[0]!, lengths[0]!, forever);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const isOneSocket = transport instanceof Socket;
  if (total > SMALL && isOneSocket) {
    const [some, theirs] = [parts.slice(0, MOST_PARTS), lengths.slice(0, MOST_PARTS)];
    const { sys, descriptor } = transport;
    return transport.sendBy((flags) => sys.sendParts(descriptor, some, theirs, flags), forever);
  }
  // A record holds no more, so a first part that fills one goes as it is.
  if (lengths[0]! >= RECORD) return transport.send(parts[0]!, lengths[0]!, forever);
  const target = gathered.borrow(RECORD);
  let filled = 0;
  for (let index = 0; index < parts.length && filled < RECORD; index++) {
    const length = Math.min(lengths[index]!, RECORD - filled);
    target.set(part(parts[index]!, 0, length), filled);
    filled += length;
  }
  return transport.send(target, filled, forever);
}
