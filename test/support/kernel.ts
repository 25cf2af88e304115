// The kernel's behaviour, where a test has to know it.

/** macOS's, or Linux's with the library that behaves as macOS's (xnu/xnu.c, `npm run test:darwin`). */
export const isXnu = process.platform === "darwin" || /\bxnu\.so\b/.test(process.env["LD_PRELOAD"] ?? "");

/** For tests of a Unix socket's full queue: on XNU nothing waits for room in it (docs/platforms.md). */
export const skipWithoutUnixQueue = isXnu
  ? "on macOS a Unix socket's full queue is an error at once: ECONNREFUSED, ENOBUFS"
  : false;
