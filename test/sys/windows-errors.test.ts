// Windows' table of errors: no call of Windows' is needed for it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { windowsErrorName, windowsErrorText } from "../../src/sys/windows/errors.ts";

test("error numbers have POSIX names", () => {
  // From Microsoft's "Windows Sockets Error Codes", and from libuv's table for the Win32 errors (src/win/error.c).
  for (const [number, name] of [
    [10004, "EINTR"],
    [10013, "EACCES"],
    [10022, "EINVAL"],
    [10035, "EAGAIN"],
    [10036, "EINPROGRESS"],
    [10042, "ENOPROTOOPT"],
    [10045, "EOPNOTSUPP"],
    [10048, "EADDRINUSE"],
    [10054, "ECONNRESET"],
    [10058, "ESHUTDOWN"],
    [10060, "ETIMEDOUT"],
    [10061, "ECONNREFUSED"],
    [10065, "EHOSTUNREACH"],
    [10071, "EREMOTE"],
    [2, "ENOENT"],
    [5, "EACCES"],
    [109, "EPIPE"],
    [183, "EEXIST"],
    [995, "ECANCELED"],
    [1225, "ECONNREFUSED"],
    [11001, null],
    [1168, null],
    [10036_1, null],
    [0, null],
  ] as const) {
    assert.equal(windowsErrorName(number), name, String(number));
  }
});

test("every number of Winsock's has a text, of one line with a full stop, and no two have the same", () => {
  const texts = new Set<string>();
  // (The gaps are numbers that Winsock does not use.)
  const used = [10004, 10009, 10013, 10014, 10022, 10024];
  for (let number = 10035; number <= 10071; number++) used.push(number);
  for (const number of [...used, 10091, 10092, 10093, 11001, 11002, 11003, 11004]) {
    const text = windowsErrorText(number);
    assert.match(String(text), /^[A-Z][^\r\n]+[^.]\.$/, String(number));
    texts.add(text!);
    if (number < 10091) assert.match(String(windowsErrorName(number)), /^E[A-Z]+$/, String(number));
  }
  assert.equal(texts.size, used.length + 7);
  assert.equal(
    windowsErrorText(10061),
    "No connection could be made because the target machine actively refused it.",
  );
  assert.equal(windowsErrorText(12345), null);
});
