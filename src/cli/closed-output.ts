/**
 * Whether a write failed because nobody reads the output any more: `std-net tcp ... | head -1`. Windows has two errors for that,
 * ERROR_NO_DATA and ERROR_BROKEN_PIPE, and libuv calls the second one EOF (src/win/error.c).
 */
export function isClosedOutput(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EPIPE" || code === "EOF";
}
