import { constants } from "node:os";
import { Failure } from "../runtime/failure.ts";
import { loadUnstopped } from "../runtime/load-guard.ts";
import { isKoffiLoaded } from "./koffi.ts";
import type { Platform } from "./platform.ts";
import { loadPosix } from "./posix/index.ts";
import { loadWindows } from "./windows/index.ts";

export type { Platform } from "./platform.ts";

const { errno: errnos } = constants;

let loaded: Platform | Failure | undefined;

/** EMFILE and ENFILE, in the words of libuv and strerror(3): Node since 24 says them under a code of another meaning. */
const DESCRIPTORS_USED_UP = /too many open files|file table overflow/i;

/** There is no platform for this process, whatever is installed. */
class UnsupportedSystem extends Error {}

/** The platform this process runs on, loaded on the first call; or why there is none and what to do about it. */
export function platform(): Platform | Failure {
  if (loaded === undefined) {
    try {
      loaded = loadUnstopped(load);
    } catch (error) {
      const failure = new Failure(whyNotLoaded(error));
      // Not for good: the next call may find a descriptor free.
      if (error instanceof Error && DESCRIPTORS_USED_UP.test(error.message)) return failure;
      loaded = failure;
    }
  }
  return loaded;
}

/** The one place that chooses. Here one adds a system, beside its folder and its column in constants.ts. */
function load(): Platform {
  const way = process.env.STD_NET_WAIT;
  switch (process.platform) {
    case "linux":
    case "android":
      return loadPosix("linux", way);
    case "darwin":
      return loadPosix("darwin", way);
    case "win32":
      // The structures of Windows' half are those of 64 bits.
      if (process.arch === "ia32") throw new UnsupportedSystem("a 32-bit Node is not supported on Windows");
      return loadWindows();
    default:
      throw new UnsupportedSystem("this system is not supported");
  }
}

function whyNotLoaded(error: unknown): string {
  if (error instanceof UnsupportedSystem) return error.message;
  if (error instanceof Error && DESCRIPTORS_USED_UP.test(error.message)) {
    const errno = /file table/i.test(error.message) ? errnos.ENFILE : errnos.EMFILE;
    return `std-net's native part (the npm package koffi) could not be loaded: ${error.message} (os error ${errno})`;
  }
  if ((error as { code?: unknown } | null)?.code === "ERR_DLOPEN_DISABLED") {
    return (
      "std-net's native part (the npm package koffi) may not be loaded: native addons are disabled, by Node's " +
      "permission model (--allow-addons) or by --no-addons"
    );
  }
  // The first line: what may follow is Node's list of who required koffi.
  const reason = (error instanceof Error ? error.message : String(error)).split("\n", 1)[0]!;
  if (isKoffiLoaded()) return `this system lacks what std-net needs: ${reason}`;
  return (
    `std-net's native part (the npm package koffi) could not be loaded on ${process.platform}-${process.arch}; ` +
    `install it again on this very platform, optional dependencies included: ${reason}`
  );
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
