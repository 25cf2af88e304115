import { loadUnstopped } from "../../runtime/load-guard.ts";
import { type Constants, darwin, linux } from "../constants.ts";
import { loadKoffi } from "../koffi.ts";
import type { Platform } from "../platform.ts";
import { loadLookup } from "./resolver.ts";
import { loadSelectors } from "./selectors.ts";
import { loadSignalQueue } from "./signal-queue.ts";
import { loadTransfers } from "./transfers.ts";

/** What is asked of a struct addrinfo. */
interface AddressInfo {
  readonly ai_family: number;
  readonly ai_addrlen: number;
  readonly ai_addr: bigint;
  readonly ai_next: bigint | null;
}

/** 32 MiB less what malloc adds to a block. */
const LARGEST_LESSON = 32 * 1024 * 1024 - 64 * 1024;

/**
 * libc through koffi, which passes a typed array as the pointer to its memory and checks no bounds. `errno` is read with
 * `koffi.errno()`, which koffi saves from its own activity.
 */
export function loadPosix(): Platform {
  const constants: Constants | undefined = { linux, darwin, android: linux }[process.platform as "linux"];
  if (constants === undefined) throw new Error("this system is not supported yet");
  const koffi = loadKoffi();
  const libc = koffi.load(null);

  const socket = libc.func("int socket(int, int, int)");
  const socketpair = libc.func("int socketpair(int, int, int, void *)");
  const setsockopt = libc.func("int setsockopt(int, int, int, void *, uint32_t)");
  const sigmask = libc.func("int pthread_sigmask(int, void *, void *)");
  const fcntl = libc.func("int fcntl(int, int, ...)");
  const malloc = libc.func("void *malloc(size_t)");
  const free = libc.func("void free(void *)");
  const close = libc.func("int close(int)");
  const strerror = libc.func("const char *strerror(int)");
  const gaiStrerror = libc.func("const char *gai_strerror(int)");
  const getaddrinfo = libc.func("int getaddrinfo(const char *, const char *, void *, void *)");
  const freeaddrinfo = libc.func("void freeaddrinfo(void *)");

  // The parts of struct addrinfo that are asked for; the two systems differ in the order of the pointers.
  const addrinfo = koffi.struct({
    ai_flags: "int",
    ai_family: "int",
    ai_socktype: "int",
    ai_protocol: "int",
    ai_addrlen: "uint32_t",
    ...(constants === darwin
      ? { ai_canonname: "void *", ai_addr: "void *" }
      : { ai_addr: "void *", ai_canonname: "void *" }),
    ai_next: "void *",
  });
  const sizeOfLong = koffi.sizeof("long");
  let selectors: ReturnType<typeof loadSelectors> | undefined;

  const accept: (descriptor: number) => number =
    constants.SOCK_CLOEXEC === 0
      ? acceptThenMark(libc.func("int accept(int, void *, void *)"))
      : acceptClosedOnExec(libc.func("int accept4(int, void *, void *, int)"), constants.SOCK_CLOEXEC);

  /** For systems where a descriptor is not born close-on-exec and safe from SIGPIPE. */
  function mark(descriptor: number): number {
    if (descriptor < 0) return descriptor;
    fcntl(descriptor, constants!.F_SETFD, "int", constants!.FD_CLOEXEC);
    if (constants!.SO_NOSIGPIPE !== 0) {
      setsockopt(descriptor, constants!.SOL_SOCKET, constants!.SO_NOSIGPIPE, Int32Array.of(1), 4);
    }
    return descriptor;
  }

  function acceptThenMark(call: (descriptor: number, address: null, length: null) => number) {
    return (listener: number): number => {
      const descriptor = mark(call(listener, null, null));
      // BSD's accept(2) hands the listener's mode down; Linux' does not.
      if (descriptor >= 0) fcntl(descriptor, constants!.F_SETFL, "int", 0);
      return descriptor;
    };
  }

  function hintsFor(type: number): Buffer {
    const hints = Buffer.alloc(koffi.sizeof(addrinfo));
    hints.writeInt32LE(type, koffi.offsetof(addrinfo, "ai_socktype"));
    return hints;
  }

  /** The socket addresses of getaddrinfo's list, with the port put in; the list is freed. */
  function takeAddresses(list: bigint, port: number): Buffer[] {
    const addresses: Buffer[] = [];
    for (let entry: bigint | null = list; entry; ) {
      const info: AddressInfo = koffi.decode(entry, addrinfo);
      if (info.ai_family === constants!.AF_INET || info.ai_family === constants!.AF_INET6) {
        const bytes = koffi.decode(info.ai_addr, koffi.array("uint8_t", info.ai_addrlen, "Typed"));
        const address = Buffer.from(bytes);
        address.writeUInt16BE(port, 2);
        addresses.push(address);
      }
      entry = info.ai_next;
    }
    freeaddrinfo(list);
    return addresses;
  }

  const lookup = loadLookup(koffi, libc);

  return {
    constants,
    errno: koffi.errno,
    strerror,
    gaiStrerror,
    socket:
      constants.SOCK_CLOEXEC === 0
        ? (family, type, protocol) => mark(socket(family, type, protocol))
        : (family, type, protocol) => socket(family, type | constants.SOCK_CLOEXEC, protocol),
    socketpair(family, type, protocol, pair) {
      const result = socketpair(family, type | constants.SOCK_CLOEXEC, protocol, pair);
      if (result === 0 && constants.SOCK_CLOEXEC === 0) {
        mark(pair[0]!);
        mark(pair[1]!);
      }
      return result;
    },
    bind: libc.func("int bind(int, void *, uint32_t)"),
    listen: libc.func("int listen(int, int)"),
    connect: libc.func("int connect(int, void *, uint32_t)"),
    accept,
    ...loadTransfers(koffi, libc),
    shutdown: libc.func("int shutdown(int, int)"),
    close,
    getsockname: libc.func("int getsockname(int, void *, void *)"),
    getpeername: libc.func("int getpeername(int, void *, void *)"),
    getsockopt: libc.func("int getsockopt(int, int, int, void *, void *)"),
    setsockopt,
    poll: libc.func("int poll(void *, unsigned long, int)"),
    fcntl: (descriptor, command, argument) => fcntl(descriptor, command, "int", argument),
    maskSignal(signal, masked) {
      // A sigset_t has a bit for each signal, from 1 on; 128 bytes are the largest there is (glibc).
      const set = Buffer.alloc(128);
      set[(signal - 1) >> 3] = 1 << ((signal - 1) & 7);
      sigmask(masked ? constants.SIG_BLOCK : constants.SIG_UNBLOCK, set, null);
    },
    queuedSignals: loadSignalQueue(libc),
    siginterrupt: libc.func("int siginterrupt(int, int)"),
    interfaceIndex: libc.func("uint32_t if_nametoindex(const char *)"),
    getaddrinfo(host, port, type) {
      const head = new BigUint64Array(1);
      const code: number = getaddrinfo(host, null, hintsFor(type), head);
      return code === 0 ? takeAddresses(head[0]!, port) : code;
    },
    lookup: lookup && {
      start: (host, type) => lookup.start(host, hintsFor(type)),
      wait: lookup.wait,
      finish(handle, port) {
        const { code, list } = lookup.finish(handle);
        return code === 0 ? takeAddresses(list, port) : code;
      },
      abandon: lookup.abandon,
    },
    keepFreedMemory() {
      // glibc learns from a large block that is freed: blocks of up to its size no longer come from mmap(2), and twice
      // as much may stay free at the heap's end (mallopt(3), M_MMAP_THRESHOLD). 32 MiB is the most that it learns from. Where
      // the user has set these limits (MALLOC_TRIM_THRESHOLD_ and so on), they stay; other allocators do nothing.
      free(malloc(LARGEST_LESSON));
    },
    selector(portable) {
      selectors ??= loadUnstopped(() => loadSelectors({ koffi, library: libc, constants, close }));
      return selectors(portable);
    },
    timeval(milliseconds) {
      const value = Buffer.alloc(2 * sizeOfLong);
      const seconds = Math.floor(milliseconds / 1000);
      const microseconds = (milliseconds % 1000) * 1000;
      if (sizeOfLong === 8) {
        value.writeBigInt64LE(BigInt(seconds), 0);
        value.writeBigInt64LE(BigInt(microseconds), 8);
      } else {
        value.writeInt32LE(Math.min(seconds, 0x7fffffff), 0);
        value.writeInt32LE(microseconds, 4);
      }
      return value;
    },
  };
}

function acceptClosedOnExec(
  call: (descriptor: number, address: null, length: null, flags: number) => number,
  flags: number,
) {
  return (descriptor: number): number => call(descriptor, null, null, flags);
}
