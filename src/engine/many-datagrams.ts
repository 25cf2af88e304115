import { MOST_DATAGRAMS, type OutgoingDatagram } from "../sys/platform.ts";
import { copyOut, scratch } from "./buffers.ts";
import { ScratchBuffer } from "./scratch.ts";
import type { Socket } from "./socket.ts";
import { addressText, sender } from "./socket-address.ts";
import { FOREVER } from "./wait/slices.ts";

export type { OutgoingDatagram } from "../sys/platform.ts";

/** Several datagrams with one system call where the system has one (Linux), else one after another. */

/** Where received datagrams lie before they are copied out. As many as fit come with one call. */
const ROOM = 1024 * 1024;
const room = new ScratchBuffer(ROOM);

/** Sends them in their order: how many were sent, or minus an errno when not even the first was. */
export function sendMany(socket: Socket, datagrams: readonly OutgoingDatagram[]): number {
  const { sys, descriptor } = socket;
  const many = sys.manyDatagrams();
  for (let sent = 0; sent < datagrams.length; ) {
    let count: number;
    if (many === null) {
      const { bytes, length, address } = datagrams[sent]!;
      count = socket.sendTo(bytes, length, address);
      if (count >= 0) count = 1;
    } else {
      const some = datagrams.slice(sent, sent + MOST_DATAGRAMS);
      count = socket.sendBy((flags) => many.send(descriptor, some, flags), FOREVER);
    }
    if (count < 0) return sent === 0 ? count : sent;
    sent += count;
  }
  return datagrams.length;
}

/** Waits for one, and takes those that are there as well: at most `most`, or minus an errno. */
export function receiveMany(socket: Socket, most: number, size: number): [Buffer, string][] | number {
  const { sys, descriptor } = socket;
  const many = sys.manyDatagrams();
  if (many === null || size > ROOM) return receiveEach(socket, most, size);
  const target = room.borrow(ROOM);
  const count = Math.min(most, MOST_DATAGRAMS, Math.floor(ROOM / size));
  const came = socket.receiveBy((flags) => many.receive(descriptor, target, size, count, flags));
  if (came < 0) return came;
  return Array.from({ length: came }, (_, index): [Buffer, string] => {
    const { length, address, addressLength } = many.received(index);
    const bytes = Buffer.from(target.subarray(index * size, index * size + length));
    return [bytes, addressText(sys, address, addressLength)];
  });
}

/** One after another: the first is waited for, and the others are there. */
function receiveEach(socket: Socket, most: number, size: number): [Buffer, string][] | number {
  const { sys, descriptor } = socket;
  const { MSG_DONTWAIT, POLLIN } = sys.constants;
  const target = scratch(size);
  const length = Math.min(size, target.length);
  const first = socket.receiveFrom(target, length, false);
  if (first < 0) return first;
  const received: [Buffer, string][] = [[copyOut(target, first), socket.senderText()]];
  while (received.length < Math.min(most, MOST_DATAGRAMS) && sys.waitFor(descriptor, POLLIN, 0) > 0) {
    sender.length[0] = sender.address.length;
    const count = sys.recvfrom(descriptor, target, length, MSG_DONTWAIT, sender.address, sender.length);
    if (count < 0) break;
    received.push([copyOut(target, count), socket.senderText()]);
  }
  return received;
}
