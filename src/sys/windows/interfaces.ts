import type { Platform } from "../platform.ts";
import { ERROR_NOT_FOUND } from "./errors.ts";
import { systemLibrary } from "./system-library.ts";
import type { Winsock } from "./winsock.ts";

/**
 * The number of a network interface. Windows has two sorts of names: if_nametoindex knows `ethernet_32769`; people, Windows' own windows and
 * os.networkInterfaces() say `Ethernet`, which is an alias.
 */
export function loadInterfaces({ koffi, failed }: Winsock): Platform["interfaceIndex"] {
  let lookUp: ((name: string) => number) | undefined;

  function load(): (name: string) => number {
    // Loaded on the first use: hardly any program has a scope with a name.
    const iphlpapi = systemLibrary(koffi, "iphlpapi.dll");
    const if_nametoindex = iphlpapi.func("uint32_t __stdcall if_nametoindex(const char *)");
    const aliasToLuid = iphlpapi.func("int __stdcall ConvertInterfaceAliasToLuid(const char16_t *, void *)");
    const luidToIndex = iphlpapi.func("int __stdcall ConvertInterfaceLuidToIndex(void *, void *)");
    return (name) => {
      const index: number = if_nametoindex(name);
      if (index !== 0) return index;
      const luid = new BigUint64Array(1);
      const found = new Uint32Array(1);
      return aliasToLuid(name, luid) === 0 && luidToIndex(luid, found) === 0 ? found[0]! : 0;
    };
  }

  return (name) => {
    lookUp ??= load();
    const index = lookUp(name);
    if (index === 0) failed(ERROR_NOT_FOUND);
    return index;
  };
}
