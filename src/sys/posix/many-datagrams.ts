import type { System } from "../constants.ts";
import { lastingBuffer } from "../pinned-memory.ts";
import { MOST_DATAGRAMS, type Platform, type PlatformDatagrams } from "../platform.ts";
import { SOCKADDR_ROOM, writeIovec, writeMessageHeader } from "../structs.ts";
import type { Libc } from "./libc.ts";

/** sendmmsg(2) and recvmmsg(2), which Linux has: several datagrams in one call. Null where there are none. */
export function loadManyDatagrams(libc: Libc, { behaviour }: System): Pick<Platform, "manyDatagrams"> {
  let loaded: PlatformDatagrams | undefined;
  return {
    manyDatagrams() {
      if (!behaviour.hasManyDatagrams) return null;
      loaded ??= load(libc);
      return loaded;
    },
  };
}

/**
 * struct mmsghdr is a msghdr and, behind it, how many bytes were sent or received: eight times a pointer's room in all, on 64 bits and on
 * 32.
 */
function load({ koffi, library, numbers }: Libc): PlatformDatagrams {
  const sizeOfPointer = koffi.sizeof("void *");
  const sendmmsg = library.func("int sendmmsg(int, void *, unsigned int, int)");
  const recvmmsg = library.func("int recvmmsg(int, void *, unsigned int, int, void *)");
  const entrySize = 8 * sizeOfPointer;
  const entries = lastingBuffer(MOST_DATAGRAMS * entrySize);
  const parts = lastingBuffer(MOST_DATAGRAMS * 2 * sizeOfPointer);
  const senders = lastingBuffer(MOST_DATAGRAMS * SOCKADDR_ROOM);
  const addressOf = (bytes: Uint8Array): number => Number(koffi.address(bytes));
  const partsAt = addressOf(parts);
  const sendersAt = addressOf(senders);
  const entry = (index: number): Buffer => entries.subarray(index * entrySize, (index + 1) * entrySize);

  return {
    send(descriptor, datagrams, flags) {
      for (const [index, { bytes, length, address }] of datagrams.entries()) {
        writeIovec(parts, index, addressOf(bytes), length, sizeOfPointer);
        writeMessageHeader(
          entry(index),
          {
            name: addressOf(address),
            nameLength: address.length,
            parts: partsAt + 2 * index * sizeOfPointer,
            count: 1,
          },
          sizeOfPointer,
        );
      }
      return sendmmsg(descriptor, entries, datagrams.length, flags);
    },
    receive(descriptor, target, size, count, flags) {
      const targetAt = addressOf(target);
      for (let index = 0; index < count; index++) {
        writeIovec(parts, index, targetAt + index * size, size, sizeOfPointer);
        writeMessageHeader(
          entry(index),
          {
            name: sendersAt + index * SOCKADDR_ROOM,
            nameLength: SOCKADDR_ROOM,
            parts: partsAt + 2 * index * sizeOfPointer,
            count: 1,
          },
          sizeOfPointer,
        );
      }
      return recvmmsg(descriptor, entries, count, flags | numbers.MSG_WAITFORONE, null);
    },
    received(index) {
      const header = entry(index);
      const at = index * SOCKADDR_ROOM;
      return {
        length: header.readUInt32LE(7 * sizeOfPointer),
        address: senders.subarray(at, at + SOCKADDR_ROOM),
        addressLength: header.readUInt32LE(sizeOfPointer),
      };
    },
  };
}
