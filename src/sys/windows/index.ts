import { loadUnstopped } from "../../runtime/load-guard.ts";
import { systemCalled } from "../constants.ts";
import { loadKoffi } from "../koffi.ts";
import type { Platform } from "../platform.ts";
import { windowsErrorText } from "./errors.ts";
import { loadOptions } from "./options.ts";
import { loadNames } from "./resolver.ts";
import { loadSelectors } from "./selectors.ts";
import { loadSendParts } from "./send-parts.ts";
import { loadSignals } from "./signals.ts";
import { loadSockets } from "./sockets.ts";
import { systemLibrary } from "./system-library.ts";
import { loadTransfers } from "./transfers.ts";
import { loadWaits } from "./waits.ts";
import { loadWinsock, type Winsock } from "./winsock.ts";

const FORMAT_MESSAGE_FROM_SYSTEM = 0x1000;
const FORMAT_MESSAGE_IGNORE_INSERTS = 0x200;
const EN_US = 0x409;
const USERS_LANGUAGE = 0;

/** Winsock (ws2_32.dll) through koffi, as Platform's comment wants it of a system without timeouts in the kernel. */
export function loadWindows(): Platform {
  const koffi = loadKoffi();
  const system = systemCalled("windows");
  const winsock = loadWinsock(koffi, system);
  const strerror = loadTexts(winsock);
  const { poll, waitFor, pause } = loadWaits(winsock);
  let selectors: ReturnType<typeof loadSelectors> | undefined;

  return {
    ...system,
    errno: () => winsock.error,
    strerror,
    // The resolver's errors are numbers of Winsock. Its own function for their texts (gai_strerror) is not safe among threads.
    gaiStrerror: (code) => `${strerror(code)} (os error ${code})`,
    ...loadSockets(winsock),
    ...loadOptions(winsock),
    ...loadTransfers(winsock),
    ...loadSendParts(winsock),
    // Windows has none of these; `unixCarriesDescriptors` says so.
    sendDescriptor: () => winsock.failed(system.constants.EOPNOTSUPP),
    receiveDescriptor: () => winsock.failed(system.constants.EOPNOTSUPP),
    peerCredentials: () => null,
    manyDatagrams: () => null,
    waitFor,
    pause,
    ...loadSignals(koffi),
    ...loadNames(winsock),
    selector(portable) {
      selectors ??= loadUnstopped(() => loadSelectors(winsock, poll));
      return selectors(portable);
    },
    // The allocator of Windows has no such habit.
    keepFreedMemory() {},
    // It has no such limit: sockets are handles, of which there can be millions.
    mostDescriptors: () => Number.POSITIVE_INFINITY,
  };
}

/** The texts of errors: from the table, and of rarer ones Windows' own, in English where it has them. */
function loadTexts({ koffi }: Winsock): (error: number) => string {
  const FormatMessageW = systemLibrary(koffi, "kernel32.dll").func(
    "uint32_t __stdcall FormatMessageW(uint32_t, void *, uint32_t, uint32_t, void *, uint32_t, void *)",
  );
  const flags = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS;
  return (error) => {
    const known = windowsErrorText(error);
    if (known !== null) return known;
    const room = Buffer.alloc(1024);
    for (const language of [EN_US, USERS_LANGUAGE]) {
      const length: number = FormatMessageW(flags, null, error, language, room, room.length / 2, null);
      const text = room.toString("utf16le", 0, 2 * length).trim();
      if (text !== "") return text;
    }
    return "Unknown error.";
  };
}
