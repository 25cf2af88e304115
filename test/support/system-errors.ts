// What a system error's text is on the system that the tests run on: a test names the error, and not its text and number.
import { constants } from "node:os";
import { windowsErrorText } from "../../src/sys/windows/errors.ts";

/** [text of glibc, number on Windows], by name. */
const ERRORS = {
  EACCES: ["Permission denied", 10013],
  EADDRINUSE: ["Address already in use", 10048],
  EAGAIN: ["Resource temporarily unavailable", 10035],
  EBADF: ["Bad file descriptor", 10009],
  ECONNREFUSED: ["Connection refused", 10061],
  ECONNRESET: ["Connection reset by peer", 10054],
  EEXIST: ["File exists", 183],
  EINTR: ["Interrupted system call", 10004],
  EINVAL: ["Invalid argument", 10022],
  EMFILE: ["Too many open files", 10024],
  EMSGSIZE: ["Message too long", 10040],
  ENOBUFS: ["No buffer space available", 10055],
  ENODEV: ["No such device", 1168],
  ENOENT: ["No such file or directory", 2],
  ENOTCONN: ["Transport endpoint is not connected", 10057],
  ENOTSOCK: ["Socket operation on non-socket", 10038],
  ETIMEDOUT: ["Connection timed out", 10060],
  EPIPE: ["Broken pipe", 109],
} as const;

/** The texts of macOS's libc that differ. */
const ON_MACOS: Partial<Record<keyof typeof ERRORS, string>> = {
  ENODEV: "Operation not supported by device",
  ENOTCONN: "Socket is not connected",
  ETIMEDOUT: "Operation timed out",
};

export type ErrorName = keyof typeof ERRORS;

export const isWindows = process.platform === "win32";

/** `Connection refused (os error 111)` for ECONNREFUSED on Linux. */
export function reason(name: ErrorName): string {
  const [text, onWindows] = ERRORS[name];
  if (isWindows) return `${windowsErrorText(onWindows)} (os error ${onWindows})`;
  const here = process.platform === "darwin" ? (ON_MACOS[name] ?? text) : text;
  return `${here} (os error ${constants.errno[name]})`;
}

/** The same within a regular expression. */
export function reasonPattern(name: ErrorName): string {
  return reason(name).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
