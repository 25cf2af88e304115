import type { System } from "../constants.ts";
import { lastingBuffer } from "../pinned-memory.ts";
import { END_OF_STREAM, MOST_PARTS, NO_DESCRIPTOR, type Platform } from "../platform.ts";
import { controlLayout, messageHeader, writeIovec } from "../structs.ts";
import type { Libc } from "./libc.ts";

type Named = "sendParts" | "sendDescriptor" | "receiveDescriptor" | "peerCredentials";

/** struct ucred (unix(7)): process 4, user 4, group 4. */
const UCRED_SIZE = 12;
/** struct xucred (sys/ucred.h of XNU): version 4, user 4, how many groups 2, gap 2, sixteen groups of 4. */
const XUCRED_SIZE = 76;
const SOL_LOCAL = 0;
const XUCRED_USER = 4;
const XUCRED_GROUP = 12;

/** sendmsg(2) and recvmsg(2): several buffers in one call, and descriptors on Unix streams. */
export function loadMessages(libc: Libc, system: System): Pick<Platform, Named> {
  const { koffi, library } = libc;
  const sizeOfPointer = koffi.sizeof("void *");
  const sendmsg = library.func("int64_t sendmsg(int, void *, int)");
  // A table for the most buffers that one call takes, made for the first call.
  let table: Buffer | undefined;

  return {
    sendParts(descriptor, parts, lengths, flags) {
      table ??= lastingBuffer(2 * MOST_PARTS * sizeOfPointer);
      for (const [index, part] of parts.entries()) {
        writeIovec(table, index, Number(koffi.address(part)), lengths[index]!, sizeOfPointer);
      }
      const header = messageHeader(
        { parts: Number(koffi.address(table)), count: parts.length },
        sizeOfPointer,
      );
      return sendmsg(descriptor, header, flags);
    },
    ...carryingDescriptors(libc, system, sizeOfPointer, sendmsg),
    peerCredentials: credentialsReader(libc),
  };
}

function carryingDescriptors(
  { koffi, library, constants, numbers }: Libc,
  system: System,
  sizeOfPointer: number,
  sendmsg: (descriptor: number, header: Buffer, flags: number) => number,
): Pick<Platform, "sendDescriptor" | "receiveDescriptor"> {
  const recvmsg = library.func("int64_t recvmsg(int, void *, int)");
  const fcntl = library.func("int fcntl(int, int, ...)");
  const layout = controlLayout(system, sizeOfPointer);
  const { SOL_SOCKET } = constants;
  const { MSG_CMSG_CLOEXEC, SCM_RIGHTS, F_SETFD, FD_CLOEXEC } = numbers;
  const byte = lastingBuffer(1);
  const control = lastingBuffer(layout.size);
  const table = lastingBuffer(2 * sizeOfPointer);

  /** One byte, and room for one descriptor. */
  function header(controlLength: number): Buffer {
    writeIovec(table, 0, Number(koffi.address(byte)), 1, sizeOfPointer);
    const [partsAt, controlAt] = [Number(koffi.address(table)), Number(koffi.address(control))];
    return messageHeader({ parts: partsAt, count: 1, control: controlAt, controlLength }, sizeOfPointer);
  }

  return {
    sendDescriptor(descriptor, carried, flags) {
      byte[0] = 0;
      control.fill(0);
      control.writeUInt32LE(layout.length, 0);
      control.writeInt32LE(SOL_SOCKET, layout.level);
      control.writeInt32LE(SCM_RIGHTS, layout.type);
      control.writeInt32LE(carried, layout.descriptor);
      return sendmsg(descriptor, header(layout.length), flags);
    },
    receiveDescriptor(descriptor, flags) {
      control.fill(0);
      // There is room for one, so the kernel closes any other that comes with it (unix(7)).
      const count = recvmsg(descriptor, header(layout.length), flags | MSG_CMSG_CLOEXEC);
      if (count <= 0) return count === 0 ? END_OF_STREAM : -1;
      const isRights =
        control.readUInt32LE(0) >= layout.length &&
        control.readInt32LE(layout.level) === SOL_SOCKET &&
        control.readInt32LE(layout.type) === SCM_RIGHTS;
      if (!isRights) return NO_DESCRIPTOR;
      const received = control.readInt32LE(layout.descriptor);
      if (MSG_CMSG_CLOEXEC === 0) fcntl(received, F_SETFD, "int", FD_CLOEXEC);
      return received;
    },
  };
}

function credentialsReader({ library, constants, numbers }: Libc): Platform["peerCredentials"] {
  const getsockopt = library.func("int getsockopt(int, int, int, void *, void *)");
  const { SO_PEERCRED, LOCAL_PEERCRED, LOCAL_PEERPID } = numbers;
  const { SOL_SOCKET } = constants;
  function read(descriptor: number, level: number, option: number, size: number): Buffer | null {
    const value = Buffer.alloc(size);
    return getsockopt(descriptor, level, option, value, Uint32Array.of(size)) < 0 ? null : value;
  }
  return (descriptor) => {
    if (SO_PEERCRED !== 0) {
      const value = read(descriptor, SOL_SOCKET, SO_PEERCRED, UCRED_SIZE);
      return value && { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
    }
    const value = read(descriptor, SOL_LOCAL, LOCAL_PEERCRED, XUCRED_SIZE);
    const process = value && read(descriptor, SOL_LOCAL, LOCAL_PEERPID, 4);
    if (value === null || process === null) return null;
    const [uid, gid] = [value.readUInt32LE(XUCRED_USER), value.readUInt32LE(XUCRED_GROUP)];
    return { pid: process.readInt32LE(0), uid, gid };
  };
}
