import { constants } from "node:buffer";
import { markAsUntransferable } from "node:worker_threads";
import { Failure } from "../error.ts";
import { platform } from "../sys/index.ts";
import { alsoLent, ScratchBuffer } from "./scratch.ts";

/** Typed arrays of up to so many bytes are kept inside the JavaScript heap (V8's typed_array_max_size_in_heap). */
const SMALL = 64;

// One receive buffer for the whole thread. A call is over before the next begins (nothing calls back in between),
// so nobody sees another's bytes. It grows with the sizes that are asked for, up to more than a socket's receive
// buffer can hold (tcp(7): tcp_rmem's maximum is 6 MiB); pages that no byte has reached cost no memory.
const received = new ScratchBuffer(64 * 1024, 8 * 1024 * 1024);

/** The thread's receive buffer, with room for `size` bytes or for as much as one call can give. */
export function scratch(size: number): Buffer {
  return received.borrow(size);
}

/**
 * Makes a Buffer with a copy of a typed array's bytes in one step, which takes a third of the time of allocating and
 * setting: the class behind Buffer, which Node gives as Buffer's species. (Elsewhere that may be Buffer itself, which
 * `new` copies a typed array with as well.)
 */
const CopyOf = Buffer[Symbol.species as never] as new (bytes: Uint8Array) => Buffer;

// The first bytes of the receive buffer, as views that are made once: a view costs more than a copy of 64 bytes.
let scratchStarts: Buffer[] = [];

function scratchStart(memory: Buffer, count: number): Buffer {
  if (scratchStarts[0]?.buffer !== memory.buffer) {
    scratchStarts = Array.from({ length: SMALL + 1 }, (_, length) => memory.subarray(0, length));
  }
  return scratchStarts[count]!;
}

/**
 * A Buffer of its own with the first `count` bytes of `source`. Never cut from Node's shared pool: a few bytes would
 * keep 8 KiB alive. (Up to 64 bytes V8 keeps the contents inside the object, which takes a tenth of the time.)
 */
export function copyOut(source: Buffer, count: number): Buffer {
  if (count <= SMALL && received.isOf(source)) return new CopyOf(scratchStart(source, count));
  return new CopyOf(source.subarray(0, count));
}

// Where a great deal comes at once, the copy costs more than all the rest (the bytes leave the processor's cache), so
// the system writes it straight into the Buffers that are given out. They are cut from slabs, since memory is dear
// to get and to give back; none is smaller than a quarter of its slab, so it keeps no more alive than four times itself.
const PIECE = 64 * 1024;
const SLAB = 4 * PIECE;
const NO_SLAB = Buffer.alloc(0);
let slab = NO_SLAB;
let slabUsed = 0;

/** Where to receive at most `size` bytes that the caller will get: what came is then taken out with `takeReceived`. */
export function receiveRoom(size: number): Buffer {
  if (size < PIECE || size > SLAB) return scratch(size);
  if (slab.length - slabUsed < size) {
    if (slab === NO_SLAB) keepFreedMemory();
    slab = Buffer.allocUnsafeSlow(SLAB);
    // As Node does with its own pool: to transfer one Buffer to a worker would empty its neighbours.
    markAsUntransferable(slab.buffer);
    slabUsed = 0;
  }
  return slab.subarray(slabUsed, slabUsed + size);
}

function keepFreedMemory(): void {
  const sys = platform();
  if (!(sys instanceof Failure)) sys.keepFreedMemory();
}

/** A Buffer of its own with the first `count` bytes of what `receiveRoom` gave. */
export function takeReceived(room: Buffer, count: number): Buffer {
  if (count < PIECE || room.buffer !== slab.buffer) return copyOut(room, count);
  slabUsed += count;
  return count === room.length ? room : room.subarray(0, count);
}

/** A larger buffer with the same contents, of at most `most` bytes; null when there is no memory for it. */
export function enlarge(buffer: Buffer, most: number): Buffer | null {
  const length = Math.min(most, 2 * buffer.length, constants.MAX_LENGTH);
  if (length <= buffer.length) return null;
  try {
    const larger = Buffer.allocUnsafeSlow(length);
    larger.set(buffer);
    return larger;
  } catch {
    return null;
  }
}

// No pointer can be had into the JavaScript heap without moving the bytes out of it first (0.7 microseconds). A copy
// into memory that stays put is quicker.
const small = new ScratchBuffer(SMALL);

/** The same bytes where a pointer to them is cheap: for a call that is over before the next one begins. */
export function inPlace(bytes: Uint8Array, length: number): Uint8Array {
  if (length > SMALL) return bytes;
  // (No bytes at all can be a detached buffer, which cannot even be read from.)
  const memory = small.borrow(length);
  if (length > 0) memory.set(bytes);
  return memory;
}

alsoLent({
  // Its next bytes are promised to the call that waits. Others begin another slab, which stays: that call copies its bytes then.
  lend() {
    slab = NO_SLAB;
    return () => {};
  },
});
