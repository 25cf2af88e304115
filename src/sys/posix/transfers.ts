import type { Koffi } from "../koffi.ts";
import { addressFinder } from "../pinned-memory.ts";
import type { Platform } from "../platform.ts";

type Libc = ReturnType<Koffi["load"]>;

/**
 * recv(2), send(2) and their kin, each in two forms. The usual one takes a buffer, and koffi asks the engine where its
 * memory is, each time. The address of lasting memory is passed as a number: then koffi has nothing to look up, nor anything
 * to tidy up after the call, which takes a third off what a call costs.
 */
export function loadTransfers(
  koffi: Koffi,
  libc: Libc,
): Pick<Platform, "recv" | "send" | "recvfrom" | "sendto"> {
  const recv = libc.func("int64_t recv(int, void *, size_t, int)");
  const recvAt = libc.func("int64_t recv(int, uintptr_t, size_t, int)");
  const send = libc.func("int64_t send(int, void *, size_t, int)");
  const sendAt = libc.func("int64_t send(int, uintptr_t, size_t, int)");
  const recvfrom = libc.func("int64_t recvfrom(int, void *, size_t, int, void *, void *)");
  const recvfromAt = libc.func("int64_t recvfrom(int, uintptr_t, size_t, int, uintptr_t, uintptr_t)");
  const sendto = libc.func("int64_t sendto(int, void *, size_t, int, void *, uint32_t)");
  const sendtoAt = libc.func("int64_t sendto(int, uintptr_t, size_t, int, uintptr_t, uint32_t)");

  const received = addressFinder(koffi);
  const sent = addressFinder(koffi);
  const sender = addressFinder(koffi);
  const senderLength = addressFinder(koffi);
  const destination = addressFinder(koffi);

  return {
    recv(descriptor, buffer, length, flags) {
      const at = received(buffer);
      return at === 0 ? recv(descriptor, buffer, length, flags) : recvAt(descriptor, at, length, flags);
    },
    send(descriptor, buffer, length, flags) {
      const at = sent(buffer);
      return at === 0 ? send(descriptor, buffer, length, flags) : sendAt(descriptor, at, length, flags);
    },
    recvfrom(descriptor, buffer, length, flags, address, addressLength) {
      const at = received(buffer);
      const addressAt = sender(address);
      const lengthAt = senderLength(addressLength);
      return at === 0 || addressAt === 0 || lengthAt === 0
        ? recvfrom(descriptor, buffer, length, flags, address, addressLength)
        : recvfromAt(descriptor, at, length, flags, addressAt, lengthAt);
    },
    sendto(descriptor, buffer, length, flags, address, addressLength) {
      const at = sent(buffer);
      const addressAt = destination(address);
      return at === 0 || addressAt === 0
        ? sendto(descriptor, buffer, length, flags, address, addressLength)
        : sendtoAt(descriptor, at, length, flags, addressAt, addressLength);
    },
  };
}
