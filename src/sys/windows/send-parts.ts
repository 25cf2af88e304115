import { lastingBuffer } from "../pinned-memory.ts";
import { MOST_PARTS, type Platform } from "../platform.ts";
import { WSAESHUTDOWN } from "./errors.ts";
import { LARGEST_SEND } from "./transfers.ts";
import type { Winsock } from "./winsock.ts";

/** struct WSABUF on 64 bits: length 4, a gap of 4, then the address 8. (Length and address stand the other way round in POSIX.) */
const WSABUF_SIZE = 16;

/** WSASend of several buffers, no more than `send` would send at once. */
export function loadSendParts(winsock: Winsock): Pick<Platform, "sendParts"> {
  const { koffi, library, system, failed } = winsock;
  const WSASend = library.func(
    "int __stdcall WSASend(intptr_t, void *, uint32_t, void *, uint32_t, void *, void *)",
  );
  const count = new Uint32Array(1);
  let table: Buffer | undefined;
  return {
    sendParts(descriptor, parts, lengths, flags) {
      table ??= lastingBuffer(MOST_PARTS * WSABUF_SIZE);
      let room = LARGEST_SEND;
      let used = 0;
      for (; used < parts.length && room > 0; used++) {
        const length = Math.min(room, lengths[used]!);
        table.writeUInt32LE(length, used * WSABUF_SIZE);
        table.writeBigUInt64LE(BigInt(koffi.address(parts[used]!)), used * WSABUF_SIZE + 8);
        room -= length;
      }
      if (WSASend(descriptor, table, used, count, flags, null, null) === 0) return count[0]!;
      failed();
      return winsock.error === WSAESHUTDOWN ? failed(system.constants.EPIPE) : -1;
    },
  };
}
