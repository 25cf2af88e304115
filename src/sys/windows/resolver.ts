import type { Platform } from "../platform.ts";
import { addrinfo, setPort } from "../structs.ts";
import { loadInterfaces } from "./interfaces.ts";
import { type AddressReader, loadLookup } from "./lookup.ts";
import type { Winsock } from "./winsock.ts";

/** ADDRINFOW on 64 bits: its size, and where two members stand. */
const ADDRINFOW = { size: 48, socktype: 8, next: 40 } as const;

/** What is read of a list of addresses, up to where the two structures differ. */
interface AddressInfo {
  readonly ai_family: number;
  readonly ai_addrlen: number;
  readonly ai_addr: bigint;
}

/** GetAddrInfoW, and GetAddrInfoExW to wait for in slices. */
export function loadNames(winsock: Winsock): Pick<Platform, "getaddrinfo" | "lookup" | "interfaceIndex"> {
  const { library } = winsock;
  const GetAddrInfoW = library.func("int __stdcall GetAddrInfoW(const char16_t *, void *, void *, void *)");
  const FreeAddrInfoW = library.func("void __stdcall FreeAddrInfoW(void *)");
  const addressesOf = addressReader(winsock);
  return {
    getaddrinfo(host, port, type) {
      const hints = Buffer.alloc(ADDRINFOW.size);
      hints.writeInt32LE(type, ADDRINFOW.socktype);
      const head = new BigUint64Array(1);
      const code: number = GetAddrInfoW(host, null, hints, head);
      if (code !== 0) return code;
      const addresses = addressesOf(head[0]!, port, ADDRINFOW.next);
      FreeAddrInfoW(head[0]!);
      return addresses;
    },
    lookup: loadLookup(winsock, addressesOf),
    interfaceIndex: loadInterfaces(winsock),
  };
}

/** ADDRINFOW and ADDRINFOEXW begin alike. */
function addressReader({ koffi, system }: Winsock): AddressReader {
  const { AF_INET, AF_INET6 } = system.constants;
  const { ai_next: _differs, ...members } = addrinfo(system);
  const info = koffi.struct(members);
  return (list, port, nextAt) => {
    const addresses: Buffer[] = [];
    for (let entry: bigint | null = list; entry; ) {
      const found: AddressInfo = koffi.decode(entry, info);
      if (found.ai_family === AF_INET || found.ai_family === AF_INET6) {
        const bytes = koffi.decode(found.ai_addr, koffi.array("uint8_t", found.ai_addrlen, "Typed"));
        const address = Buffer.from(bytes);
        setPort(address, port);
        addresses.push(address);
      }
      entry = koffi.decode(entry, nextAt, "void *");
    }
    return addresses;
  };
}
