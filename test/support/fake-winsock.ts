// A Winsock of the test's own, for what Wine does otherwise than Windows. It runs on every system.
import { systemCalled } from "../../src/sys/constants.ts";
import type { Koffi } from "../../src/sys/koffi.ts";
import { loadWinsock, type Winsock } from "../../src/sys/windows/winsock.ts";

export const windows = systemCalled("windows");
const { SOL_SOCKET, SO_TYPE, SOCK_STREAM, SOCK_DGRAM } = windows.constants;

/** A function of Windows. The arguments are numbers and buffers. */
export type Call = (...args: never[]) => number;

export interface FakeWinsock {
  readonly winsock: Winsock;
  /** The names of the functions that were called, in their order. */
  readonly called: string[];
  /** Sets the error of WSAGetLastError and gives -1. */
  fail(error: number): -1;
}

/**
 * All libraries have all functions but those that are `missing`. A function does what `calls` says, else it gives 0. Sockets are
 * streams, but for those in `datagrams`.
 */
export function fakeWinsock({
  calls = {} as Record<string, Call>,
  missing = [] as string[],
  datagrams = [] as number[],
}): FakeWinsock {
  const called: string[] = [];
  let lastError = 0;
  const own: Record<string, (...args: unknown[]) => number> = {
    WSAGetLastError: () => lastError,
    WSAStartup: () => 0,
    getsockopt(socket, level, option, value) {
      if (level === SOL_SOCKET && option === SO_TYPE) {
        (value as Buffer).writeInt32LE(datagrams.includes(socket as number) ? SOCK_DGRAM : SOCK_STREAM);
      }
      return 0;
    },
  };
  const library = {
    func(prototype: string) {
      const name = /(\w+)\(/.exec(prototype)![1]!;
      if (missing.includes(name)) throw new Error(`Cannot find function '${name}' in shared library`);
      const call = calls[name] as ((...args: unknown[]) => number) | undefined;
      return (...args: unknown[]): number => {
        if (call === undefined && name in own) return own[name]!(...args);
        called.push(name);
        return call?.(...args) ?? 0;
      };
    },
  };
  const koffi = { load: () => library, address: () => 0n } as unknown as Koffi;
  return {
    winsock: loadWinsock(koffi, windows),
    called,
    fail(error) {
      lastError = error;
      return -1;
    },
  };
}
