/**
 * The decoders of node:zlib, written to synchronously and piece by piece. The public functions of node:zlib are either
 * asynchronous or want all of the data at once; the handle below its classes has `writeSync`, on which those functions stand in
 * Node, Bun and Deno. (npm's minizlib goes through `_processChunk`, which gathers all that one piece becomes: a few bytes of
 * Brotli can be 16 MiB. Here no more comes out than there is room for.)
 */

/** What this needs of an object of one of node:zlib's classes. */
interface Internals {
  readonly _handle?: Handle;
  /** After a write: how much room is left in the output, and how many bytes of the input. */
  readonly _writeState?: Uint32Array;
}

interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputStart: number,
    inputLength: number,
    output: Uint8Array,
    outputStart: number,
    outputLength: number,
  ): void;
  close(): void;
}

type EngineName = "Gunzip" | "Inflate" | "InflateRaw" | "BrotliDecompress" | "ZstdDecompress";
type EngineClass = new (options: object) => unknown;

const NO_BYTES = Buffer.alloc(0);
/** Z_NO_FLUSH, BROTLI_OPERATION_PROCESS and ZSTD_e_continue. */
const GO_ON = 0;
/** Z_FINISH. */
const ZLIB_FINISH = 4;
/** BROTLI_OPERATION_FINISH. */
const BROTLI_FINISH = 2;
/** ZSTD_d_windowLogMax. */
const ZSTD_LARGEST_WINDOW = 100;
/** RFC 9659: a zstd content coding needs no larger window than 8 MiB, and a client need not have more memory for it. */
const ZSTD_WINDOW_LOG = 23;

export class ZlibEngine {
  /** Of the last write: how many bytes of the input it took, and how many it made. */
  used = 0;
  made = 0;
  readonly #name: EngineName;
  /** Null after an error or `close`: a write to a closed handle would abort the process. */
  #handle: Handle | null;
  readonly #state: Uint32Array;
  #hasFailed = false;

  private constructor(name: EngineName, handle: Handle, state: Uint32Array) {
    this.#name = name;
    this.#handle = handle;
    this.#state = state;
    handle.onerror = () => {
      this.#hasFailed = true;
    };
  }

  /** A decoder, or null where the runtime has none that can be written to like this. */
  static create(name: EngineName): ZlibEngine | null {
    const zlib = process.getBuiltinModule("node:zlib") as unknown as {
      [name: string]: EngineClass | undefined;
    };
    const Class = zlib[name];
    if (Class === undefined) return null;
    // The smallest buffer of its own, because it uses none.
    const options: { [name: string]: unknown } = { chunkSize: 64 };
    if (name === "ZstdDecompress") options.params = { [ZSTD_LARGEST_WINDOW]: ZSTD_WINDOW_LOG };
    const { _handle: handle, _writeState: state } = new Class(options) as Internals;
    if (typeof handle?.writeSync !== "function" || !(state instanceof Uint32Array)) return null;
    return new ZlibEngine(name, handle, state);
  }

  /** Decodes what it can of the input's bytes from `start` to `end`, to the first `length` bytes of `output`. False: it cannot. */
  write(input: Uint8Array, start: number, end: number, output: Uint8Array, length: number): boolean {
    return this.#write(GO_ON, input, start, end, output, length);
  }

  /** Whether the data has ended where the input has. All that was decoded must have been taken. */
  finish(): boolean {
    const flush = this.#name === "BrotliDecompress" ? BROTLI_FINISH : ZLIB_FINISH;
    // With room left, zlib and Brotli take a missing end for an error.
    return this.#write(flush, NO_BYTES, 0, 0, finishScratch, finishScratch.length) && this.made === 0;
  }

  #write(
    flush: number,
    input: Uint8Array,
    start: number,
    end: number,
    output: Uint8Array,
    length: number,
  ): boolean {
    if (this.#handle === null) return false;
    try {
      this.#handle.writeSync(flush, input, start, end - start, output, 0, length);
    } catch {
      // So Deno's zstd tells of an error.
      this.#hasFailed = true;
    }
    if (this.#hasFailed) {
      this.close();
      return false;
    }
    this.made = length - this.#state[0]!;
    this.used = end - start - this.#state[1]!;
    return true;
  }

  /** Gives its memory back. */
  close(): void {
    const handle = this.#handle;
    this.#handle = null;
    handle?.close();
  }
}

const finishScratch = Buffer.alloc(64);
