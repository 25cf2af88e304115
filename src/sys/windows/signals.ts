import { isLibuv } from "../../runtime/is-libuv.ts";
import type { Koffi } from "../koffi.ts";
import type { Platform } from "../platform.ts";

/** UV_SIGNAL of uv_handle_type, the same since libuv 1.0. */
const UV_SIGNAL = 16;
/** struct uv_signal_t on 64-bit Windows, in libuv 1.46 (Node 20) to 1.51 (Node 22): its size, and where two numbers stand. */
const SIGNAL_SIZE = 264;
const SIGNUM_AT = 104;
const PENDING_SIGNUM_AT = 256;
/** The largest number of a signal that Windows or libuv has (SIGWINCH is 28). */
const LARGEST_SIGNAL = 31;

/**
 * The signals that were handled and that the event loop has not heard of yet; null where that cannot be found out.
 *
 * No call is ever interrupted on Windows: Ctrl-C runs a handler in a thread of its own. libuv's writes the signal's number into each
 * uv_signal_t that listens for it (`pending_signum`), and wakes up the event loop (libuv, src/win/signal.c). So the main thread looks there
 * between two slices of a wait. node.exe exports libuv's functions.
 */
export function loadSignals(koffi: Koffi): Pick<Platform, "interruptible" | "maskSignal" | "queuedSignals"> {
  let look: (() => number[] | null) | undefined;
  return {
    interruptible() {},
    maskSignal() {},
    queuedSignals() {
      look ??= loadLook(koffi);
      return look();
    },
  };
}

function loadLook(koffi: Koffi): () => number[] | null {
  if (!isLibuv || process.arch === "ia32") return () => null;
  try {
    return declareLook(koffi);
  } catch {
    // A program with Node inside that does not export libuv.
    return () => null;
  }
}

function declareLook(koffi: Koffi): () => number[] | null {
  const node = koffi.load(process.execPath);
  const loop: bigint | null = node.func("void *uv_default_loop()")();
  const sizeOf = node.func("uint64_t uv_handle_size(int)");
  const typeOf = node.func("int uv_handle_get_type(void *)");
  const walk = node.func("void uv_walk(void *, void *, void *)");
  if (loop === null || Number(sizeOf(UV_SIGNAL)) !== SIGNAL_SIZE) return () => null;

  let handles: bigint[] = [];
  // koffi gives 0 for what is thrown in here, and goes on; nothing is.
  const visit = koffi.register(
    (handle: bigint) => {
      if (typeOf(handle) === UV_SIGNAL) handles.push(handle);
    },
    koffi.pointer(koffi.proto("void", ["void *", "void *"])),
  );

  return () => {
    handles = [];
    walk(loop, visit, null);
    const queued: number[] = [];
    for (const handle of handles) {
      const signum: number = koffi.decode(handle, SIGNUM_AT, "int32_t");
      const pending: number = koffi.decode(handle, PENDING_SIGNUM_AT, "uint32_t");
      // Should a libuv have another layout, these are numbers of something else.
      if (signum < 0 || signum > LARGEST_SIGNAL || (pending !== 0 && pending !== signum)) return null;
      if (pending !== 0) queued.push(pending);
    }
    return queued;
  };
}
