import { addressFinder } from "../pinned-memory.ts";
import type { Platform } from "../platform.ts";
import { WSAECONNREFUSED, WSAEMSGSIZE, WSAESHUTDOWN } from "./errors.ts";
import { asIpv6, type Winsock } from "./winsock.ts";

/**
 * Winsock takes a send of any size at once, a gigabyte too, into memory of the kernel, or fails with WSAENOBUFS (Microsoft's KB 214397
 * and 201213). So no send is longer.
 */
export const LARGEST_SEND = 1024 * 1024;
/** The lengths are int here. */
const LARGEST_RECEIVE = 0x7fffffff;

/**
 * recv, send and their kin, which never wait: the sockets are non-blocking. Where Windows reports something else than POSIX, it is put right here.
 *
 * Each has two forms, as in posix/transfers.ts: a buffer, and the address of lasting memory.
 */
export function loadTransfers(winsock: Winsock): Pick<Platform, "recv" | "send" | "recvfrom" | "sendto"> {
  return { ...receivingCalls(winsock), ...sendingCalls(winsock) };
}

function receivingCalls(winsock: Winsock): Pick<Platform, "recv" | "recvfrom"> {
  const { koffi, library, system } = winsock;
  const recv = library.func("int __stdcall recv(intptr_t, void *, int, int)");
  const recvAt = library.func("int __stdcall recv(intptr_t, uintptr_t, int, int)");
  const recvfrom = library.func("int __stdcall recvfrom(intptr_t, void *, int, int, void *, void *)");
  const recvfromAt = library.func(
    "int __stdcall recvfrom(intptr_t, uintptr_t, int, int, uintptr_t, uintptr_t)",
  );
  const received = addressFinder(koffi);
  const sender = addressFinder(koffi);
  const senderLength = addressFinder(koffi);

  /** After a call has failed. */
  function afterReceive(socket: number, length: number): number {
    winsock.failed();
    switch (winsock.error) {
      // A datagram that was cut: the bytes are in the buffer, and the sender is known.
      case WSAEMSGSIZE:
        return length;
      // After this side's own shutdown of reading: POSIX says end of stream.
      case WSAESHUTDOWN:
        return 0;
      case system.constants.ECONNRESET:
        return refusedOrReset(winsock, socket);
      default:
        return -1;
    }
  }

  return {
    recv(descriptor, buffer, wanted, flags) {
      const length = wanted > LARGEST_RECEIVE ? LARGEST_RECEIVE : wanted;
      const at = received(buffer);
      const count: number =
        at === 0 ? recv(descriptor, buffer, length, flags) : recvAt(descriptor, at, length, flags);
      return count >= 0 ? count : afterReceive(descriptor, length);
    },
    recvfrom(descriptor, buffer, wanted, flags, address, addressLength) {
      const length = wanted > LARGEST_RECEIVE ? LARGEST_RECEIVE : wanted;
      const at = received(buffer);
      const addressAt = sender(address);
      const lengthAt = senderLength(addressLength);
      const count: number =
        at === 0 || addressAt === 0 || lengthAt === 0
          ? recvfrom(descriptor, buffer, length, flags, address, addressLength)
          : recvfromAt(descriptor, at, length, flags, addressAt, lengthAt);
      return count >= 0 ? count : afterReceive(descriptor, length);
    },
  };
}

function sendingCalls(winsock: Winsock): Pick<Platform, "send" | "sendto"> {
  const { koffi, library, system } = winsock;
  const { EAGAIN, EPIPE, ECONNRESET } = system.constants;
  const send = library.func("int __stdcall send(intptr_t, void *, int, int)");
  const sendAt = library.func("int __stdcall send(intptr_t, uintptr_t, int, int)");
  const sendto = library.func("int __stdcall sendto(intptr_t, void *, int, int, void *, int)");
  const sent = addressFinder(koffi);

  /** After a call has failed. */
  function afterSend(socket: number): -1 {
    winsock.failed();
    if (winsock.error === WSAESHUTDOWN) return winsock.failed(EPIPE);
    return winsock.error === ECONNRESET ? refusedOrReset(winsock, socket) : -1;
  }

  return {
    send(descriptor, buffer, given, flags) {
      const length = given > LARGEST_SEND ? LARGEST_SEND : given;
      const at = sent(buffer);
      const count: number =
        at === 0 ? send(descriptor, buffer, length, flags) : sendAt(descriptor, at, length, flags);
      return count >= 0 ? count : afterSend(descriptor);
    },
    sendto(descriptor, buffer, length, flags, address, addressLength) {
      const count: number = sendto(descriptor, buffer, length, flags, address, addressLength);
      if (count >= 0) return count;
      afterSend(descriptor);
      const { error } = winsock;
      const mapped = error === EAGAIN ? null : asIpv6(winsock, descriptor, address);
      if (mapped === null) return winsock.failed(error);
      const again: number = sendto(descriptor, buffer, length, flags, mapped, mapped.length);
      return again >= 0 ? again : afterSend(descriptor);
    },
  };
}

/** An ICMP "port unreachable" is a reset here and a refusal in POSIX. */
function refusedOrReset(winsock: Winsock, socket: number): -1 {
  return winsock.failed(winsock.isDatagram(socket) ? WSAECONNREFUSED : winsock.system.constants.ECONNRESET);
}
