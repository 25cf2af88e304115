// The other side of a conversation: a foreign program in a child process, or this library in another process.
// A blocking call stops this process's event loop, so the peer's output is awaited before the call, never during it.
import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import { existsSync, fstatSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import koffi from "koffi";
import type { Result } from "std-net";

/** The repository's root: programs started here find "std-net" by the package's own name. */
export const root = folderWithPackage(dirname(fileURLToPath(import.meta.url)));

/** A compiled test lies deeper than its source, so the way up is looked for and not counted. */
function folderWithPackage(folder: string): string {
  return existsSync(join(folder, "package.json")) ? folder : folderWithPackage(dirname(folder));
}

const LIMIT = 20_000;

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Peer {
  readonly process: ChildProcess;
  /** The next line that the program prints; rejects when it ends first, or after 20 seconds. */
  line(): Promise<string>;
  /** Waits for the end of the program. */
  exit(): Promise<Exit>;
  kill(signal?: NodeJS.Signals): void;
  [Symbol.asyncDispose](): Promise<void>;
}

export function startPeer(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
  /** What it reads as standard input: a pipe, or an open file's descriptor. */
  input: "pipe" | number = "pipe",
): Peer {
  const [program, programArguments, lent] = programCall(command, args, environment);
  const child = spawn(program, programArguments, {
    cwd: root,
    env: { ...process.env, NODE_NO_WARNINGS: "", ...lent },
    stdio: [input, "pipe", "pipe"],
  }) as ChildProcessByStdio<Writable | null, Readable, Readable>;
  let stdout = "";
  let stderr = "";
  let taken = 0;
  let wake = (): void => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<Exit>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr });
      wake();
    });
  });
  ended.catch(() => {});
  const limited = async <T>(promise: Promise<T>, what: string): Promise<T> => {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        child.kill("SIGKILL");
        reject(new Error(`${command}: no ${what} in ${LIMIT} ms; stdout ${stdout}; stderr ${stderr}`));
      }, LIMIT);
    });
    try {
      return await Promise.race([promise, limit]);
    } finally {
      clearTimeout(timer);
    }
  };
  return {
    process: child,
    async line() {
      const nextLine = async (): Promise<string> => {
        for (;;) {
          const end = stdout.indexOf("\n", taken);
          if (end >= 0) {
            const line = stdout.slice(taken, end);
            taken = end + 1;
            return line;
          }
          if (child.exitCode !== null || child.signalCode !== null) {
            throw new Error(`${command} ended before its line; stdout ${stdout}; stderr ${stderr}`);
          }
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      };
      return limited(nextLine(), "line");
    },
    exit: () => limited(ended, "end"),
    kill: (signal = "SIGKILL") => {
      child.kill(signal);
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
      await ended;
    },
  };
}

/**
 * How to start a program. Under Wine only node.exe can be: whatever else is asked for runs on Linux, and a program that stands for it
 * passes on what it reads and writes (scripts/windows/host.js). On Windows itself Python is called `python`.
 */
export function programCall(
  command: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv = {},
): [command: string, args: readonly string[], environment: NodeJS.ProcessEnv] {
  if (process.platform !== "win32" || command === process.execPath) return [command, args, environment];
  if (process.env.STD_NET_UNDER_WINE === undefined) {
    return [command === "python3" ? "python" : command, args, environment];
  }
  const guest = join(root, "scripts", "windows", "guest.mjs");
  return [process.execPath, [guest, command, ...args], { STD_NET_GUEST_ENV: JSON.stringify(environment) }];
}

/** A Python program, given as its text; `sys`, `socket` and `time` are imported. */
export function python(program: string, ...args: string[]): Peer {
  return startPeer("python3", ["-u", "-c", `import socket, sys, time\n${program}`, ...args]);
}

/** A Node program, given as the text of an ES module; `net` is this library, as it was built. */
export function node(program: string, ...args: string[]): Peer {
  const text = `import * as net from "std-net";\n${program}`;
  return startPeer(process.execPath, ["--input-type=module", "-e", text, ...args]);
}

/** The path of a program of test/support/peers. */
export function peerPath(name: string): string {
  return join(root, "test/support/peers", name);
}

/** A Python program of test/support/peers. */
export function pythonFile(name: string, ...args: string[]): Peer {
  return startPeer("python3", ["-u", peerPath(name), ...args]);
}

/** A Node program of test/support/peers; it may import "std-net". */
export function nodeFile(name: string, ...args: string[]): Peer {
  return startPeer(process.execPath, [peerPath(name), ...args]);
}

/** The value of a result that must be ok. */
export function ok<T>(result: Result<T, string>): T {
  if (result.isErr) throw new Error(`unexpected error result: ${result.error}`);
  return result.value;
}

/** The error of a result that must be one. */
export function err<T>(result: Result<T, string>): string {
  if (result.isOk) throw new Error(`unexpected ok result: ${String(result.value)}`);
  return result.error;
}

/** For `python`: a listener `s` whose queue is full, so that the kernel drops what would make another connection. */
export const FULL_QUEUE = `
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(0)
fill = []
for _ in range(4):
    c = socket.socket(); c.setblocking(False); fill.append(c)
    c.connect_ex(s.getsockname())
time.sleep(0.2)
`;

/** How many descriptors of sockets, pipes and the like this process has open. */
export function openDescriptors(): number {
  if (process.platform === "win32") return openHandles();
  // Files do not count: Node opens and closes them in its own time, and the library has none open between its calls.
  return readdirSync("/dev/fd").filter((descriptor) => !isFile(descriptor)).length;
}

/**
 * The same on Windows, by trying all numbers that a handle can have. Sockets, pipes and devices such as AFD are of the type "File". Node's
 * own threads and events come and go, and do not count.
 */
function openHandles(): number {
  handleType ??= loadHandleType();
  let count = 0;
  for (let handle = 4; handle < LARGEST_HANDLE; handle += 4) {
    const type = handleType(handle);
    if (type === "File" || type === "IoCompletion") count++;
  }
  return count;
}

const LARGEST_HANDLE = 16_384;
let handleType: ((handle: number) => string) | undefined;

/** Gives a handle's type; "" for a number that is none. */
function loadHandleType(): (handle: number) => string {
  const query = koffi
    .load("ntdll.dll")
    .func("uint32_t __stdcall NtQueryObject(intptr_t, int, void *, uint32_t, void *)");
  const ObjectTypeInformation = 2;
  // It begins with a UNICODE_STRING: length 2, room 2, a gap of 4, the text's address 8. The text stands in the same buffer.
  const information = Buffer.alloc(1024);
  const begin = koffi.address(information);
  return (handle) => {
    if (query(handle, ObjectTypeInformation, information, information.length, null) !== 0) return "";
    const at = Number(information.readBigUInt64LE(8) - begin);
    return information.toString("utf16le", at, at + information.readUInt16LE(0));
  };
}

function isFile(descriptor: string): boolean {
  try {
    const status = fstatSync(Number(descriptor));
    return status.isFile() || status.isDirectory() || status.isCharacterDevice();
  } catch {
    return true; // the one that read the folder
  }
}

/** The port of "host:port" text. */
export function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}
