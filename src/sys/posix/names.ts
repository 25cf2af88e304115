import type { System } from "../constants.ts";
import type { Platform } from "../platform.ts";
import { addrinfo, setPort } from "../structs.ts";
import { loadGetaddrinfoA } from "./getaddrinfo-a.ts";
import type { Libc } from "./libc.ts";
import type { Lookup } from "./lookup.ts";
import { loadLookupThread } from "./lookup-thread.ts";

/** What is read of a struct addrinfo. */
interface AddressInfo {
  readonly ai_family: number;
  readonly ai_addrlen: number;
  readonly ai_addr: bigint;
  readonly ai_next: bigint | null;
}

/** getaddrinfo(3), plainly and in slices. With `asElsewhere`, slices are made as where there is no getaddrinfo_a(3). */
export function loadNames(
  libc: Libc,
  system: System,
  asElsewhere: boolean,
): Pick<Platform, "getaddrinfo" | "lookup"> {
  const { koffi, library } = libc;
  const { AF_INET, AF_INET6 } = system.constants;
  const getaddrinfo = library.func("int getaddrinfo(const char *, const char *, void *, void *)");
  const freeaddrinfo = library.func("void freeaddrinfo(void *)");
  const info = koffi.struct(addrinfo(system));

  function hintsFor(type: number): Buffer {
    const hints = Buffer.alloc(koffi.sizeof(info));
    hints.writeInt32LE(type, koffi.offsetof(info, "ai_socktype"));
    return hints;
  }

  /** The socket addresses of getaddrinfo's list, with the port put in; the list is freed. */
  function takeAddresses(list: bigint, port: number): Buffer[] {
    const addresses: Buffer[] = [];
    for (let entry: bigint | null = list; entry; ) {
      const found: AddressInfo = koffi.decode(entry, info);
      if (found.ai_family === AF_INET || found.ai_family === AF_INET6) {
        const address = Buffer.from(
          koffi.decode(found.ai_addr, koffi.array("uint8_t", found.ai_addrlen, "Typed")),
        );
        setPort(address, port);
        addresses.push(address);
      }
      entry = found.ai_next;
    }
    freeaddrinfo(list);
    return addresses;
  }

  const lookup = loadLookup(libc, asElsewhere);
  return {
    getaddrinfo(host, port, type) {
      const head = new BigUint64Array(1);
      const code: number = getaddrinfo(host, null, hintsFor(type), head);
      return code === 0 ? takeAddresses(head[0]!, port) : code;
    },
    lookup: lookup && {
      start: (host, type) => lookup.start(host, hintsFor(type)),
      wait: (handle, milliseconds) => lookup.wait(handle, milliseconds),
      finish(handle, port) {
        const { code, list } = lookup.finish(handle);
        return code === 0 ? takeAddresses(list, port) : code;
      },
      abandon: (handle) => lookup.abandon(handle),
    },
  };
}

function loadLookup(libc: Libc, asElsewhere: boolean): Lookup | null {
  return (asElsewhere ? null : loadGetaddrinfoA(libc.koffi, libc.library)) ?? loadLookupThread(libc);
}
