import { loadUnstopped } from "../runtime/load-guard.ts";
import type { Platform } from "./platform.ts";
import { loadPosix } from "./posix/index.ts";

export type { Platform } from "./platform.ts";

let loaded: Platform | string | undefined;

/** EMFILE and ENFILE, in the words of libuv and strerror(3): Node since 24 says them under a code of another meaning. */
const DESCRIPTORS_USED_UP = /too many open files|file table overflow/i;

/**
 * The platform this process runs on, loaded on the first call; or a text that says why there is none and what to
 * do about it.
 */
export function platform(): Platform | string {
  if (loaded === undefined) {
    try {
      loaded = loadUnstopped(loadPosix);
    } catch (error) {
      // Not for good: the next call may find a descriptor free.
      if (error instanceof Error && DESCRIPTORS_USED_UP.test(error.message)) {
        return `std-net's native part (the npm package koffi) could not be loaded: ${error.message}`;
      }
      loaded =
        (error as { code?: unknown } | null)?.code === "ERR_DLOPEN_DISABLED"
          ? "std-net's native part (the npm package koffi) may not be loaded: native addons are disabled, by Node's " +
            "permission model (--allow-addons) or by --no-addons"
          : `std-net's native part (the npm package koffi) could not be loaded on ${process.platform}-${process.arch}; ` +
            "install it again on this very platform, optional dependencies included: " +
            // The first line: what follows is Node's list of who required it.
            (error instanceof Error ? error.message : String(error)).split("\n", 1)[0];
    }
  }
  return loaded;
}

const reasons = new Map<number, string>();

/** `Connection refused (os error 111)`: strerror's text and the number. */
export function systemReason(sys: Platform, errno: number): string {
  let reason = reasons.get(errno);
  if (reason === undefined) {
    reason = `${sys.strerror(errno)} (os error ${errno})`;
    reasons.set(errno, reason);
  }
  return reason;
}
