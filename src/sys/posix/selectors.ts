import type { Selector } from "../selector.ts";
import { openEpoll } from "./epoll.ts";
import { openKqueue } from "./kqueue.ts";
import type { Libc } from "./libc.ts";
import { openPoll } from "./poll.ts";

/** Gives the function that opens a selector: the best one of the system, or the one that every system has. */
export function loadSelectors(libc: Libc): (portable: boolean) => Selector | number {
  const { sockaddrHasLength } = libc.constants;
  const openBest = sockaddrHasLength ? openKqueue(libc) : openEpoll(libc);
  const openPortable = openPoll(libc);
  return (portable) => (portable ? openPortable() : openBest());
}
