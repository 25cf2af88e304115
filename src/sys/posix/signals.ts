import type { Platform } from "../platform.ts";
import type { Libc } from "./libc.ts";
import { loadSignalQueue } from "./signal-queue.ts";

/** A sigset_t has a bit for each signal, from 1 on; 128 bytes are the largest there is (glibc). */
const SIGSET_SIZE = 128;

export function loadSignals(libc: Libc): Pick<Platform, "interruptible" | "maskSignal" | "queuedSignals"> {
  const siginterrupt = libc.library.func("int siginterrupt(int, int)");
  const sigmask = libc.library.func("int pthread_sigmask(int, void *, void *)");
  const { SIG_BLOCK, SIG_UNBLOCK } = libc.numbers;
  return {
    interruptible(signal) {
      siginterrupt(signal, 1);
    },
    maskSignal(signal, masked) {
      const set = Buffer.alloc(SIGSET_SIZE);
      set[(signal - 1) >> 3] = 1 << ((signal - 1) & 7);
      sigmask(masked ? SIG_BLOCK : SIG_UNBLOCK, set, null);
    },
    queuedSignals: loadSignalQueue(libc.library),
  };
}
