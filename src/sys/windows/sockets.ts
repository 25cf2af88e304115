import { thisWorker, workerOf } from "../../runtime/ownership.ts";
import type { Platform } from "../platform.ts";
import { systemLibrary } from "./system-library.ts";
import { asIpv6, PROTOCOL_INFO_SIZE, type Winsock } from "./winsock.ts";

const WSA_FLAG_OVERLAPPED = 0x1;
const WSA_FLAG_NO_HANDLE_INHERIT = 0x80;
const FLAGS = WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT;
/** In place of a family, a type and a protocol: those of the protocol information that is given (FROM_PROTOCOL_INFO). */
const FROM_INFO = -1;
const HANDLE_FLAG_INHERIT = 1;
/** The command of ioctlsocket, an int32 there. */
const FIONBIO = 0x8004667e | 0;
/** Whether an ICMP "port unreachable" becomes an error of the next receive (Microsoft's KB 263823). */
const SIO_UDP_CONNRESET = 0x9800000c | 0;
/** The same of an ICMP "time exceeded" (mstcpip.h). */
const SIO_UDP_NETRESET = 0x9800000f | 0;

/** A socket's note of the user's mode, which all its duplicates in this thread share. */
interface Mode {
  nonblocking: boolean;
}

type Control = ReturnType<typeof loadControl>;
type Made = "socket" | "socketpair" | "accept" | "adopt" | "duplicate" | "close";
type ModeCalls = "isNonblocking" | "setNonblocking";
type Used =
  | "bind"
  | "listen"
  | "connect"
  | "shutdown"
  | "limitReceive"
  | "limitSend"
  | "readableFrom"
  | "isReadableFrom"
  | "unsent";

/**
 * The calls that make and use sockets. Every socket is non-blocking underneath, always: Windows has no flag for a call that must not
 * wait, and the mode cannot be read back. No child process inherits one (libuv starts them with all inheritable handles).
 */
export function loadSockets(winsock: Winsock): Pick<Platform, Made | ModeCalls | Used> {
  const control = loadControl(winsock);
  // Only of sockets whose mode was changed, or that were duplicated. All others are blocking for the user.
  const modes = new Map<number, Mode>();
  return {
    ...makingSockets(winsock, control, modes),
    ...usingSockets(winsock, control),
    isNonblocking: (descriptor) => modes.get(descriptor)?.nonblocking ?? false,
    setNonblocking(descriptor, enabled) {
      // Only a note. But it must be an open socket, and one that others had may be in blocking mode.
      if (control.unblock(descriptor) < 0) return -1;
      const mode = modes.get(descriptor);
      if (mode !== undefined) mode.nonblocking = enabled;
      else if (enabled) modes.set(descriptor, { nonblocking: true });
      return 0;
    },
  };
}

/** A worker is written down as the owner with no function in between, see runtime/ownership.ts. */
function makingSockets(winsock: Winsock, control: Control, modes: Map<number, Mode>): Pick<Platform, Made> {
  const { library, system, checked, failed } = winsock;
  const { SOCK_DGRAM, ECONNRESET, ENOTSOCK, EOPNOTSUPP } = system.constants;
  const WSASocketW = library.func("intptr_t __stdcall WSASocketW(int, int, int, void *, uint32_t, uint32_t)");
  const accept = library.func("intptr_t __stdcall accept(intptr_t, void *, void *)");
  const closesocket = library.func("int __stdcall closesocket(intptr_t)");

  /** A handle is new: what was noted of another socket with this number, which somebody else has closed, is over. */
  const isNew = (socket: number): number => {
    modes.delete(socket);
    return socket;
  };

  const isClosed = (socket: number): 0 => {
    modes.delete(socket);
    return 0;
  };

  return {
    socket(family, type, protocol) {
      const made: number = WSASocketW(family, type, protocol, null, 0, FLAGS);
      workerOf[made] = thisWorker;
      if (checked(made) === -1) return -1;
      if (type === SOCK_DGRAM) control.ignoreIcmp(made);
      control.unblock(made);
      return isNew(made);
    },
    socketpair: () => failed(EOPNOTSUPP),
    accept(listener) {
      for (;;) {
        const made: number = accept(listener, null, null);
        workerOf[made] = thisWorker;
        // The connection has the listener's mode, non-blocking.
        if (checked(made) !== -1) return isNew(control.keepFromChildren(made));
        // The peer has reset the connection while it was in the queue. Linux does not tell of that.
        if (winsock.error !== ECONNRESET) return -1;
      }
    },
    adopt(descriptor) {
      if (!winsock.isSocket(descriptor)) return failed();
      control.keepFromChildren(descriptor);
      return control.unblock(descriptor);
    },
    duplicate(descriptor) {
      const info = Buffer.alloc(PROTOCOL_INFO_SIZE);
      if (checked(control.describe(descriptor, process.pid, info)) < 0) return -1;
      const made: number = WSASocketW(FROM_INFO, FROM_INFO, FROM_INFO, info, 0, FLAGS);
      workerOf[made] = thisWorker;
      if (checked(made) === -1) return -1;
      const mode = modes.get(descriptor) ?? { nonblocking: false };
      modes.set(descriptor, mode);
      modes.set(control.keepFromChildren(made), mode);
      return made;
    },
    close(descriptor) {
      // A failure with EAGAIN leaves it open: see `close` of Platform.
      if (checked(closesocket(descriptor)) === 0) return isClosed(descriptor);
      // A selector's own handle, which a worker that was terminated has left behind.
      if (winsock.error !== ENOTSOCK || control.closeHandle(descriptor) === 0) return -1;
      return isClosed(descriptor);
    },
  };
}

function usingSockets(winsock: Winsock, control: Control): Pick<Platform, Used> {
  const { library, system, checked, failed } = winsock;
  const { EAGAIN, EINPROGRESS, EOPNOTSUPP } = system.constants;
  const bind = library.func("int __stdcall bind(intptr_t, void *, int)");
  const listen = library.func("int __stdcall listen(intptr_t, int)");
  const connect = library.func("int __stdcall connect(intptr_t, void *, int)");
  const shutdown = library.func("int __stdcall shutdown(intptr_t, int)");
  return {
    bind: (descriptor, address, length) => checked(bind(descriptor, address, length)),
    listen: (descriptor, backlog) => checked(listen(descriptor, backlog)),
    connect(descriptor, address, length) {
      let result = checked(connect(descriptor, address, length));
      // (EAGAIN: the connection is being made.)
      const hasFailed = result < 0 && winsock.error !== EAGAIN;
      const mapped = hasFailed ? asIpv6(winsock, descriptor, address) : null;
      if (mapped !== null) result = checked(connect(descriptor, mapped, mapped.length));
      // Only a datagram socket is connected at once. It hears of a peer that is not there, as in POSIX.
      if (result === 0 && winsock.isDatagram(descriptor)) control.reportUnreachable(descriptor);
      return result < 0 && winsock.error === EAGAIN ? failed(EINPROGRESS) : result;
    },
    shutdown: (descriptor, how) => checked(shutdown(descriptor, how)),
    // A timeout of Windows' own leaves a socket in a state that is "indeterminate" (SOL_SOCKET Socket Options): the engine waits.
    limitReceive: () => failed(EOPNOTSUPP),
    limitSend: () => failed(EOPNOTSUPP),
    readableFrom: () => failed(EOPNOTSUPP),
    isReadableFrom: () => failed(EOPNOTSUPP),
    // Windows does not tell it, so a close that lingers waits in the system.
    unsent: () => -1,
  };
}

/** What has no counterpart among the calls of POSIX. */
function loadControl({ koffi, library, checked }: Winsock) {
  const ioctlsocket = library.func("int __stdcall ioctlsocket(intptr_t, int32_t, void *)");
  const WSAIoctl = library.func(
    "int __stdcall WSAIoctl(intptr_t, int32_t, void *, uint32_t, void *, uint32_t, void *, void *, void *)",
  );
  const WSADuplicateSocketW = library.func("int __stdcall WSADuplicateSocketW(intptr_t, uint32_t, void *)");
  const kernel32 = systemLibrary(koffi, "kernel32.dll");
  const setHandleInformation = kernel32.func(
    "int __stdcall SetHandleInformation(intptr_t, uint32_t, uint32_t)",
  );
  const on = Uint32Array.of(1);
  const tell = (socket: number, what: number, enabled: boolean): void => {
    const value = Uint32Array.of(enabled ? 1 : 0);
    WSAIoctl(socket, what, value, 4, null, 0, new Uint32Array(1), null, null);
  };
  return {
    /** Non-blocking mode: 0 or -1. */
    unblock: (socket: number): number => checked(ioctlsocket(socket, FIONBIO, on)),
    keepFromChildren(socket: number): number {
      setHandleInformation(socket, HANDLE_FLAG_INHERIT, 0);
      return socket;
    },
    /**
     * No receive tells what became of an earlier datagram: it would be an error of a receive that has nothing to do with that peer. So it is
     * in POSIX, and so does Go (net, fd_windows.go).
     */
    ignoreIcmp(socket: number): void {
      tell(socket, SIO_UDP_CONNRESET, false);
      tell(socket, SIO_UDP_NETRESET, false);
    },
    /** A receive of a connected socket tells that nobody listens there. (POSIX says nothing of a hop limit that was too low.) */
    reportUnreachable: (socket: number): void => tell(socket, SIO_UDP_CONNRESET, true),
    closeHandle: kernel32.func("int __stdcall CloseHandle(intptr_t)"),
    describe: (socket: number, pid: number, info: Buffer): number => WSADuplicateSocketW(socket, pid, info),
  };
}
