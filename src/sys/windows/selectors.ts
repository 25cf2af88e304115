import { openPoll } from "../poll-selector.ts";
import type { Selector } from "../selector.ts";
import { WSAPOLLFD } from "../structs.ts";
import { loadAfd } from "./afd.ts";
import type { Winsock } from "./winsock.ts";

/** Gives the function that opens a selector: AFD's, or the one over WSAPoll when AFD cannot be opened. */
export function loadSelectors(
  winsock: Winsock,
  poll: (entries: Uint8Array, count: number, milliseconds: number) => number,
): (portable: boolean) => Selector | number {
  const openPortable = openPoll({
    poll,
    errno: () => winsock.error,
    layout: WSAPOLLFD,
    constants: winsock.system.constants,
  });
  const openBest = loadAfd(winsock);
  return (portable) => (portable ? openPortable() : (openBest?.() ?? openPortable()));
}
