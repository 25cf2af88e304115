import type { Platform } from "../platform.ts";
import { linger, lingerSeconds } from "../structs.ts";
import { WSAENOPROTOOPT } from "./errors.ts";
import type { Winsock } from "./winsock.ts";

type Named = "getsockname" | "getpeername" | "getsockopt" | "setsockopt" | "setLinger" | "linger";

const SO_LINGER = 0x80;

/** The addresses and the options of a socket. */
export function loadOptions(winsock: Winsock): Pick<Platform, Named> {
  const { library, system, checked, failed } = winsock;
  const { SOL_SOCKET, AF_INET, AF_INET6, EINVAL } = system.constants;
  const getsockname = library.func("int __stdcall getsockname(intptr_t, void *, void *)");
  const getpeername = library.func("int __stdcall getpeername(intptr_t, void *, void *)");
  const getsockopt = library.func("int __stdcall getsockopt(intptr_t, int, int, void *, void *)");
  const setsockopt = library.func("int __stdcall setsockopt(intptr_t, int, int, void *, int)");

  /** The address of a socket that is not bound yet: Windows gives none, POSIX one of zeros. */
  function unboundAddress(descriptor: number, address: Uint8Array, length: Uint32Array): number {
    const family = winsock.familyOf(descriptor);
    if (family < 0) return failed();
    const room = family === AF_INET ? 16 : family === AF_INET6 ? 28 : 2;
    address.fill(0, 0, room);
    address[0] = family;
    length[0] = room;
    return 0;
  }

  return {
    getsockname(descriptor, address, length) {
      const result = checked(getsockname(descriptor, address, length));
      return result === 0 || winsock.error !== EINVAL ? result : unboundAddress(descriptor, address, length);
    },
    getpeername: (descriptor, address, length) => checked(getpeername(descriptor, address, length)),
    getsockopt: (descriptor, level, option, value, length) =>
      checked(getsockopt(descriptor, level, option, value, length)),
    setsockopt(descriptor, level, option, value, length) {
      // 0 stands for an option that Windows does not have (constants.ts).
      if (level === SOL_SOCKET && option === 0) return failed(WSAENOPROTOOPT);
      return checked(setsockopt(descriptor, level, option, value, length));
    },
    setLinger(descriptor, seconds) {
      const value = linger(seconds, true);
      return checked(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, value, value.length));
    },
    linger(descriptor) {
      const value = linger(null, true);
      const size = Uint32Array.of(value.length);
      if (checked(getsockopt(descriptor, SOL_SOCKET, SO_LINGER, value, size)) < 0) return -1;
      return lingerSeconds(value, true);
    },
  };
}
