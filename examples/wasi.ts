// A WebAssembly program with real sockets: WASI preview 1's sock_accept, sock_recv, sock_send and sock_shutdown on std-net.
//   npm run example wasi [PROGRAM.wasm|PROGRAM.wat] [ADDRESS]      (without a program: an echo server, guests/echo.wat)
// The program finds a listener as descriptor 3, as after `wasmtime run --tcplisten`. Its calls block until there is something, which
// Node's own sockets cannot do. Files, clocks and the rest come from node:wasi.
import { readFileSync } from "node:fs";
import { WASI } from "node:wasi";
import { error_code, Result, TcpListener, TcpStream } from "std-net";
import wabt from "wabt";

// (TypeScript has these types in its library for browsers, which a program for Node does not load.)
declare global {
  namespace WebAssembly {
    function compile(bytes: Uint8Array): Promise<object>;
    function instantiate(
      program: object,
      imports: object,
    ): Promise<{ exports: { memory: { buffer: ArrayBuffer } } }>;
  }
}

// The numbers of WASI preview 1: `errno`, `filetype`, `riflags`, `roflags`, `sdflags`.
const ERRNO: { [code: string]: number } = {
  EAGAIN: 6,
  ECONNABORTED: 13,
  ECONNRESET: 15,
  EINTR: 27,
  EINVAL: 28,
  EMFILE: 33,
  ENOTCONN: 53,
  EPIPE: 64,
};
const [SUCCESS, BADF, IO, NOTSOCK] = [0, 8, 29, 57];
const SOCKET_STREAM = 6;
const RECV_PEEK = 1;
const HOW = { 1: "read", 2: "write", 3: "both" } as const;

const [file = "examples/guests/echo.wat", address = "127.0.0.1:0"] = process.argv.slice(2);
const listener = TcpListener.bind(address).expect(address);
const sockets = new Map<number, TcpListener | TcpStream>([[3, listener]]);
/** Descriptors of connections begin where node:wasi has none. */
let nextDescriptor = 1000;

const wasi = new WASI({ version: "preview1", args: [file], env: {}, preopens: {} });
const { wasi_snapshot_preview1: rest } = wasi.getImportObject() as {
  wasi_snapshot_preview1: { [name: string]: (...values: never[]) => number };
};
const program = await WebAssembly.compile(await bytesOf(file));
const instance = await WebAssembly.instantiate(program, {
  wasi_snapshot_preview1: { ...rest, sock_accept, sock_recv, sock_send, sock_shutdown, ...alsoForSockets() },
});
console.log(`listening on ${listener.local_addr().unwrap()}`);
process.exitCode = wasi.start(instance) as number;

async function bytesOf(path: string): Promise<Uint8Array<ArrayBuffer>> {
  if (!path.endsWith(".wat")) return new Uint8Array(readFileSync(path));
  return new Uint8Array((await wabt()).parseWat(path, readFileSync(path, "utf8")).toBinary({}).buffer);
}

/** The program's memory. Taken at each call, because it can grow, and moves then. */
function memory(): DataView {
  return new DataView(instance.exports.memory.buffer);
}

/** The buffers of an iovec array: address 4, length 4 each. */
function buffers(at: number, count: number): Uint8Array[] {
  const view = memory();
  const pairs = Array.from({ length: count }, (_, index) => at + 8 * index);
  return pairs.map(
    (pair) => new Uint8Array(view.buffer, view.getUint32(pair, true), view.getUint32(pair + 4, true)),
  );
}

/** Stores a number that a call gave, or gives its error in WASI's numbers. */
function store(result: Result<number, string>, at: number): number {
  if (result.isErr) return ERRNO[error_code(result.error) ?? ""] ?? IO;
  memory().setUint32(at, result.value, true);
  return SUCCESS;
}

function sock_accept(descriptor: number, _flags: number, at: number): number {
  const socket = sockets.get(descriptor);
  if (!(socket instanceof TcpListener)) return socket === undefined ? BADF : NOTSOCK;
  return store(
    socket.accept().map((stream) => {
      sockets.set(nextDescriptor, stream);
      return nextDescriptor++;
    }),
    at,
  );
}

function sock_recv(
  fd: number,
  at: number,
  count: number,
  flags: number,
  sizeAt: number,
  flagsAt: number,
): number {
  const stream = sockets.get(fd);
  if (!(stream instanceof TcpStream)) return stream === undefined ? BADF : NOTSOCK;
  // As recv(2), a call gives what is there: the first buffer with room takes it, straight into the program's memory.
  const target = buffers(at, count).find((buffer) => buffer.length > 0);
  if (target === undefined) return store(Result.ok(0), sizeAt);
  memory().setUint16(flagsAt, 0, true);
  return store((flags & RECV_PEEK) === 0 ? stream.read_into(target) : peekInto(stream, target), sizeAt);
}

function peekInto(stream: TcpStream, target: Uint8Array): Result<number, string> {
  return stream.peek(target.length).map((bytes) => {
    target.set(bytes);
    return bytes.length;
  });
}

function sock_send(fd: number, at: number, count: number, _flags: number, sizeAt: number): number {
  const stream = sockets.get(fd);
  if (!(stream instanceof TcpStream)) return stream === undefined ? BADF : NOTSOCK;
  return store(stream.write(Buffer.concat(buffers(at, count))), sizeAt);
}

function sock_shutdown(fd: number, how: number): number {
  const stream = sockets.get(fd);
  if (!(stream instanceof TcpStream)) return stream === undefined ? BADF : NOTSOCK;
  const ended = stream.shutdown(HOW[how as keyof typeof HOW]);
  return ended.isErr ? (ERRNO[error_code(ended.error) ?? ""] ?? IO) : SUCCESS;
}

/** What a program also calls with any descriptor: read and write of C, close, and which sort of descriptor it is. */
function alsoForSockets(): { [name: string]: (...values: never[]) => number } {
  const orElse =
    (name: string, ofSocket: (fd: number, ...values: number[]) => number) =>
    (...values: never[]) =>
      sockets.has(values[0]!) ? ofSocket(values[0]!, ...values.slice(1)) : rest[name]!(...values);
  return {
    fd_read: orElse("fd_read", (fd, at, count, sizeAt) => sock_recv(fd, at!, count!, 0, sizeAt!, sizeAt!)),
    fd_write: orElse("fd_write", (fd, at, count, sizeAt) => sock_send(fd, at!, count!, 0, sizeAt!)),
    fd_close: orElse("fd_close", (fd) => {
      sockets.get(fd)?.close();
      sockets.delete(fd);
      return SUCCESS;
    }),
    fd_fdstat_get: orElse("fd_fdstat_get", (_fd, at) => {
      const view = memory();
      for (let index = 0; index < 24; index++) view.setUint8(at! + index, index < 8 ? 0 : 0xff);
      view.setUint8(at!, SOCKET_STREAM);
      return SUCCESS;
    }),
  };
}
