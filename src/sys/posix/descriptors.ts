import type { Behaviour } from "../constants.ts";
import type { Platform } from "../platform.ts";
import { linger, lingerSeconds, timeval } from "../structs.ts";
import type { Libc } from "./libc.ts";

type Made = "socket" | "socketpair" | "accept";
type Changed =
  | "adopt"
  | "duplicate"
  | "isNonblocking"
  | "setNonblocking"
  | "limitReceive"
  | "limitSend"
  | "readableFrom"
  | "setLinger"
  | "linger"
  | "unsent";

export interface Calls extends Pick<Platform, "getsockopt" | "setsockopt"> {
  fcntl(descriptor: number, command: number, argument: number): number;
}

export function loadCalls({ library }: Libc): Calls {
  const fcntl = library.func("int fcntl(int, int, ...)");
  return {
    fcntl: (descriptor, command, argument) => fcntl(descriptor, command, "int", argument),
    getsockopt: library.func("int getsockopt(int, int, int, void *, void *)"),
    setsockopt: library.func("int setsockopt(int, int, int, void *, uint32_t)"),
  };
}

/** The largest datagram (UDP over IPv4; 65,507 bytes of payload), for systems whose buffers are smaller at first. */
const DATAGRAM_ROOM = 65_535;

/** What makes descriptors. They are close-on-exec, without SIGPIPE, and in the mode that Platform's comment names. */
export function makingDescriptors(libc: Libc, behaviour: Behaviour, calls: Calls): Pick<Platform, Made> {
  const made = makingAlike(libc, behaviour, calls);
  if (behaviour.hasRoomForDatagrams) return made;
  const { SOL_SOCKET, SO_SNDBUF, SO_RCVBUF, SOCK_DGRAM, AF_UNIX } = libc.constants;
  const size = Buffer.alloc(4);
  size.writeInt32LE(DATAGRAM_ROOM);
  const makeRoom = (descriptor: number, family: number, type: number): void => {
    if (descriptor < 0 || type !== SOCK_DGRAM) return;
    calls.setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, size, size.length);
    if (family === AF_UNIX) calls.setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, size, size.length);
  };
  return {
    ...made,
    socket(family, type, protocol) {
      const descriptor = made.socket(family, type, protocol);
      makeRoom(descriptor, family, type);
      return descriptor;
    },
    socketpair(family, type, protocol, pair) {
      const result = made.socketpair(family, type, protocol, pair);
      if (result === 0) for (const descriptor of pair) makeRoom(descriptor, family, type);
      return result;
    },
  };
}

function makingAlike(libc: Libc, { kernelEndsWaits }: Behaviour, calls: Calls): Pick<Platform, Made> {
  const { library, numbers } = libc;
  const { SOCK_CLOEXEC, SOCK_NONBLOCK, F_SETFD, F_SETFL, FD_CLOEXEC, O_NONBLOCK } = numbers;
  const socket = library.func("int socket(int, int, int)");
  const socketpair = library.func("int socketpair(int, int, int, void *)");

  if (SOCK_CLOEXEC !== 0) {
    const flags = SOCK_CLOEXEC | (kernelEndsWaits ? 0 : SOCK_NONBLOCK);
    const accept4 = library.func("int accept4(int, void *, void *, int)");
    return {
      socket: (family, type, protocol) => socket(family, type | flags, protocol),
      socketpair: (family, type, protocol, pair) => socketpair(family, type | flags, protocol, pair),
      accept: (listener) => accept4(listener, null, null, flags),
    };
  }

  const accept = library.func("int accept(int, void *, void *)");
  /** A descriptor is born without any of this. */
  const mark = (descriptor: number): number => {
    if (descriptor < 0) return descriptor;
    calls.fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    withoutSigpipe(libc, calls, descriptor);
    // accept(2) hands the listener's mode down on the BSDs; so it is set in any case.
    calls.fcntl(descriptor, F_SETFL, kernelEndsWaits ? 0 : O_NONBLOCK);
    return descriptor;
  };
  return {
    socket: (family, type, protocol) => mark(socket(family, type, protocol)),
    socketpair(family, type, protocol, pair) {
      const result: number = socketpair(family, type, protocol, pair);
      if (result === 0) for (const descriptor of pair) mark(descriptor);
      return result;
    },
    accept: (listener) => mark(accept(listener, null, null)),
  };
}

/** What fcntl(2) does, and the options of socket(7) whose values are structures. */
export function changingDescriptors(libc: Libc, calls: Calls): Pick<Platform, Changed> {
  const { koffi, constants, numbers } = libc;
  const { F_GETFD, F_SETFD, FD_CLOEXEC, F_GETFL, F_SETFL, O_NONBLOCK, F_DUPFD_CLOEXEC } = numbers;
  const { SOL_SOCKET, SO_TYPE } = constants;
  const sizeOfLong = koffi.sizeof("long");
  // The timeval made last: nearly all are of the same length.
  let lastLimit: { milliseconds: number; value: Buffer } = { milliseconds: -1, value: Buffer.alloc(0) };

  function setLimit(descriptor: number, option: number, milliseconds: number): number {
    if (milliseconds !== lastLimit.milliseconds) {
      lastLimit = { milliseconds, value: timeval(milliseconds, sizeOfLong) };
    }
    const { value } = lastLimit;
    return calls.setsockopt(descriptor, SOL_SOCKET, option, value, value.length);
  }

  return {
    adopt(descriptor) {
      const flags = calls.fcntl(descriptor, F_GETFD, 0);
      if (flags < 0) return -1;
      if (calls.getsockopt(descriptor, SOL_SOCKET, SO_TYPE, Buffer.alloc(4), Uint32Array.of(4)) < 0)
        return -1;
      if ((flags & FD_CLOEXEC) === 0) calls.fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC);
      withoutSigpipe(libc, calls, descriptor);
      return 0;
    },
    duplicate: (descriptor) => calls.fcntl(descriptor, F_DUPFD_CLOEXEC, 0),
    isNonblocking(descriptor) {
      const flags = calls.fcntl(descriptor, F_GETFL, 0);
      return flags >= 0 && (flags & O_NONBLOCK) !== 0;
    },
    setNonblocking(descriptor, enabled) {
      const flags = calls.fcntl(descriptor, F_GETFL, 0);
      if (flags < 0) return -1;
      const wanted = enabled ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
      return wanted === flags ? 0 : calls.fcntl(descriptor, F_SETFL, wanted);
    },
    limitReceive: (descriptor, milliseconds) => setLimit(descriptor, numbers.SO_RCVTIMEO, milliseconds),
    limitSend: (descriptor, milliseconds) => setLimit(descriptor, numbers.SO_SNDTIMEO, milliseconds),
    readableFrom(descriptor, bytes) {
      const value = Buffer.alloc(4);
      value.writeInt32LE(Math.min(bytes, 0x7fffffff));
      return calls.setsockopt(descriptor, SOL_SOCKET, numbers.SO_RCVLOWAT, value, 4);
    },
    setLinger(descriptor, seconds) {
      const value = linger(seconds);
      return calls.setsockopt(descriptor, SOL_SOCKET, numbers.SO_LINGER, value, value.length);
    },
    linger(descriptor) {
      const value = linger(null);
      const length = Uint32Array.of(value.length);
      if (calls.getsockopt(descriptor, SOL_SOCKET, numbers.SO_LINGER, value, length) < 0) return -1;
      return lingerSeconds(value);
    },
    unsent(descriptor) {
      const value = Buffer.alloc(numbers.UNSENT_AT + 4);
      const length = Uint32Array.of(value.length);
      if (calls.getsockopt(descriptor, SOL_SOCKET, numbers.SO_UNSENT, value, length) < 0) return -1;
      return value.readInt32LE(numbers.UNSENT_AT);
    },
  };
}

/** It fails on a connection that was reset already. MSG_NOSIGNAL with each send is the second guard. */
function withoutSigpipe({ constants, numbers }: Libc, calls: Calls, descriptor: number): void {
  if (numbers.SO_NOSIGPIPE === 0) return;
  calls.setsockopt(descriptor, constants.SOL_SOCKET, numbers.SO_NOSIGPIPE, Buffer.from([1, 0, 0, 0]), 4);
}
