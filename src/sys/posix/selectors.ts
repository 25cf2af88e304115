import { openPoll } from "../poll-selector.ts";
import type { Selector } from "../selector.ts";
import { POLLFD } from "../structs.ts";
import { openEpoll } from "./epoll.ts";
import { openKqueue } from "./kqueue.ts";
import type { Libc } from "./libc.ts";

/** Gives the function that opens a selector: the best one of the system, or the one that every system has. */
export function loadSelectors(libc: Libc): (portable: boolean) => Selector | number {
  // macOS makes poll(2) of kqueue's filters, and its poll_callback (XNU's sys_generic.c) hides POLLOUT behind POLLHUP and tells nothing
  // of entries without events. So kqueue is the one for every case there.
  if (process.platform === "darwin") return openKqueue(libc);
  const openBest = openEpoll(libc);
  const openPortable = openPoll({
    poll: libc.library.func("int poll(void *, unsigned long, int)"),
    errno: libc.koffi.errno,
    layout: POLLFD,
    constants: libc.constants,
  });
  return (portable) => (portable ? openPortable() : openBest());
}
