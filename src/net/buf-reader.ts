import { isUint8Array } from "node:util/types";
import { type Bytes, byteLength, isSize, toBytes } from "../arguments.ts";
import { copyOut, enlarge } from "../engine/buffers.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import type { ErrorWords } from "./error-words.ts";
import { WORDS } from "./socket-object.ts";

/**
 * What a BufReader reads from: a stream, a response's body, or anything else with a `read_into` of the same meaning.
 *
 * @example
 * ```ts
 * import { BufReader, type ReadSource, UnixStream } from "std-net";
 *
 * function firstLine(source: ReadSource): string | null {
 *   return new BufReader(source).read_line().unwrap();
 * }
 * const [near, far] = UnixStream.pair().unwrap();
 * near.write_all("hello\n");
 * console.log(firstLine(far)); // hello
 * ```
 */
export interface ReadSource {
  /** Reads into the start of `buffer` and gives how many bytes: at least one, and 0 at the end of the stream. */
  read_into(buffer: Uint8Array): Result<number, string>;
}

/** As `BufReader` in Rust's standard library. */
const DEFAULT_CAPACITY = 8192;
const DEFAULT_UNTIL_LIMIT = 64 * 1024;
const DEFAULT_LINE_LIMIT = 1024 * 1024;

const INVALID = "invalid buf reader";
const INVALID_SIZE = "invalid buffer size";
const NO_BYTES = Buffer.alloc(0);

const LF = 0x0a;
const CR = 0x0d;

/**
 * Reads once behind what a reader has buffered, of which `most` bytes are wanted in all: how many came, 0 at the end of the
 * stream, or the text of an error. For those who look for something else than lines.
 */
export let readBehind: (reader: BufReader, most: number) => number | string;

/** How many bytes are buffered: as `buffer`, without a Buffer for them. */
export let bufferedLength: (reader: BufReader) => number;

/** How many bytes are searched by a loop, which for a short line takes less time than the call of a native search. */
const SHORT = 64;

/**
 * Reads a stream in large pieces and hands out small ones, so that most calls make no system call. It is what `makefile` is for
 * Python's sockets, and has the name and the members of Rust's `BufReader`.
 *
 * It reads ahead: bytes that it holds are no longer on the stream, for the stream's own `read`, a `Poller` or `into_fd`. Read
 * from one of the two only. Writing goes through the stream as before.
 *
 * After an error nothing is lost: what had come is there for the next call. An error text begins as one of the stream's own
 * reads does (`tcp read failed: `).
 *
 * @example
 * ```ts
 * import { BufReader, UnixStream } from "std-net";
 *
 * const [near, far] = UnixStream.pair().unwrap();
 * near.write_all("220 ready\r\n250 ok\r\n");
 * near.close();
 * const reader = new BufReader(far);
 * console.log(reader.read_line().unwrap()); // 220 ready
 * for (const line of reader.lines()) console.log(line.unwrap()); // 250 ok
 * ```
 */
export class BufReader<Source extends ReadSource = ReadSource> {
  readonly #source: Source;
  readonly #capacity: number;
  /** Why no member works: a wrong argument of the constructor, or `into_inner`. */
  #problem: string | null;
  /** The bytes that came and were not given out yet: those from `#start` to `#end`. */
  #bytes: Buffer = NO_BYTES;
  #start = 0;
  #end = 0;
  /** How many bytes behind `#start` were searched for `#searchedFor` in vain. */
  #searched = 0;
  #searchedFor: unknown;
  #delimiter: { readonly given: string; readonly bytes: Uint8Array } | undefined;

  /**
   * Makes a reader of a stream. Does not block. A wrong argument is the error of every member. Source: Rust's `BufReader`.
   *
   * @param source the stream to read from
   * @param capacity how many bytes to read ahead at the most: 8192 when left out
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("+OK\r\n");
   * const reader = new BufReader(far, 64 * 1024);
   * console.log(reader.read_line().unwrap()); // +OK
   * ```
   */
  constructor(source: Source, capacity: number = DEFAULT_CAPACITY) {
    this.#source = source;
    this.#capacity = capacity;
    this.#problem = isSource(source) ? (isSize(capacity) ? null : INVALID_SIZE) : "expected stream";
  }

  /**
   * Reads up to `size` bytes: what is buffered, or else as many as have come, and at least one.
   *
   * Blocks until a byte has come or the stream has ended, if nothing is buffered.
   *
   * @param size the most to read, in bytes: a positive integer
   * @returns the bytes; an empty Buffer is the end of the stream. Errors: `invalid buffer size`; `invalid buf reader` after
   * `into_inner`; those of the stream's `read_into`. Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("hello");
   * console.log(new BufReader(far).read(4).unwrap().toString()); // hell
   * ```
   */
  read(size: number): Result<Buffer, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    if (!isSize(size)) return Result.err(INVALID_SIZE);
    const failure = this.#fillIfEmpty();
    if (failure !== null) return Result.err(failure);
    return Result.ok(this.#take(Math.min(size, this.#end - this.#start)));
  }

  /**
   * Reads into the caller's own memory: what is buffered, or else as many bytes as have come and fit, and at least one. A
   * large `buffer` is filled without going through this reader's own.
   *
   * Blocks until a byte has come or the stream has ended, if nothing is buffered.
   *
   * @param buffer where the bytes go, from its start; not of length 0
   * @returns the number of bytes; 0 is the end of the stream. Errors: `expected Uint8Array`, `invalid buffer size` for an empty
   * one; `invalid buf reader` after `into_inner`; those of the stream's `read_into`. Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("hello");
   * const buffer = Buffer.alloc(3);
   * console.log(new BufReader(far).read_into(buffer).unwrap(), buffer.toString()); // 3 hel
   * ```
   */
  read_into(buffer: Uint8Array): Result<number, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    if (!isUint8Array(buffer)) return Result.err("expected Uint8Array");
    const length = byteLength(buffer);
    if (length === 0) return Result.err(INVALID_SIZE);
    if (this.#start === this.#end && length >= this.#capacity) return this.#source.read_into(buffer);
    const failure = this.#fillIfEmpty();
    if (failure !== null) return Result.err(failure);
    const count = Math.min(length, this.#end - this.#start);
    buffer.set(this.#bytes.subarray(this.#start, this.#start + count));
    this.#drop(count);
    return Result.ok(count);
  }

  /**
   * Reads exactly `size` bytes. Blocks until all of them have come.
   *
   * @param size the number of bytes: a positive integer
   * @returns the bytes. Errors: `invalid buffer size`; `invalid buf reader` after `into_inner`; `tcp read failed: failed to fill
   * whole buffer` when the stream ends before; those of the stream's `read_into`. Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all([0, 5, 104, 101, 108, 108, 111]); // a length of two bytes, then as many bytes
   * const reader = new BufReader(far);
   * const length = reader.read_exact(2).unwrap().readUInt16BE();
   * console.log(reader.read_exact(length).unwrap().toString()); // hello
   * ```
   */
  read_exact(size: number): Result<Buffer, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    if (!isSize(size)) return Result.err(INVALID_SIZE);
    while (this.#end - this.#start < size) {
      const count = this.#fill(size);
      if (typeof count === "string") return Result.err(count);
      if (count === 0) return failed(this.#prefix, "failed to fill whole buffer");
    }
    return Result.ok(this.#take(size));
  }

  /**
   * Reads up to and with a delimiter. Blocks until the delimiter has come.
   *
   * @param delimiter what ends it: `"\r\n"`, for instance; not empty
   * @param limit the most to read, delimiter included, in bytes: 65536 when left out
   * @returns the bytes, the delimiter at their end. Errors: `expected list of ints`, `bytes list must contain ints`, `byte value
   * out of range`, `delimiter must not be empty`; `invalid buffer size` for a limit that is no positive integer; `invalid buf
   * reader` after `into_inner`; `tcp read failed: ` with `no delimiter within N bytes` or `end of stream before the delimiter`;
   * those of the stream's `read_into`. Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("one;two;");
   * const reader = new BufReader(far);
   * console.log(reader.read_until(";").unwrap().toString()); // one;
   * console.log(reader.read_until(";").unwrap().toString()); // two;
   * ```
   */
  read_until(delimiter: Bytes, limit: number = DEFAULT_UNTIL_LIMIT): Result<Buffer, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    const wanted = this.#delimiterBytes(delimiter);
    if (wanted instanceof Failure) return Result.err(wanted.reason);
    if (byteLength(wanted) === 0) return Result.err("delimiter must not be empty");
    if (!isSize(limit)) return Result.err(INVALID_SIZE);
    const length = this.#find(wanted, limit);
    if (typeof length === "string") return Result.err(length);
    if (length === 0) return failed(this.#prefix, "end of stream before the delimiter");
    return Result.ok(this.#take(length));
  }

  /**
   * Reads a line, and gives it as text without its end. A line ends at LF or CR LF; the last one needs neither. The text is
   * read as UTF-8. Blocks until the end of the line has come, or that of the stream.
   *
   * @param limit the most bytes that a line may have, its end included: 1 MiB when left out
   * @returns the line, or null at the end of the stream. Errors: `invalid buffer size` for a limit that is no positive integer;
   * `invalid buf reader` after `into_inner`; `tcp read failed: no line end within N bytes`; those of the stream's `read_into`.
   * Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("+OK\r\nlast");
   * near.close();
   * const reader = new BufReader(far);
   * console.log(reader.read_line().unwrap()); // +OK
   * console.log(reader.read_line().unwrap()); // last
   * console.log(reader.read_line().unwrap()); // null
   * ```
   */
  read_line(limit: number = DEFAULT_LINE_LIMIT): Result<string | null, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    if (!isSize(limit)) return Result.err(INVALID_SIZE);
    const length = this.#find(LF, limit);
    if (typeof length === "string") return Result.err(length);
    const start = this.#start;
    if (length === 0) {
      const rest = this.#bytes.toString("utf8", start, this.#end);
      this.#drop(this.#end - start);
      return Result.ok(rest === "" ? null : rest);
    }
    const last = start + length - 1;
    const end = last > start && this.#bytes[last - 1] === CR ? last - 1 : last;
    const line = this.#bytes.toString("utf8", start, end);
    this.#drop(length);
    return Result.ok(line);
  }

  /**
   * All lines to the end of the stream, each as `read_line` gives it. Blocks in each step until a line has come. To leave the
   * loop closes nothing, and the next read goes on behind the last line.
   *
   * @param limit the most bytes that a line may have, its end included: 1 MiB when left out
   * @returns the lines. An error is the last thing that it yields. Errors: those of `read_line`. Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("one\ntwo\n");
   * near.close();
   * for (const line of new BufReader(far).lines()) console.log(line.unwrap()); // one
   * ```
   */
  *lines(limit: number = DEFAULT_LINE_LIMIT): Generator<Result<string, string>, void, undefined> {
    for (;;) {
      const line = this.read_line(limit);
      if (line.isErr) {
        yield Result.err(line.error);
        return;
      }
      if (line.value === null) return;
      yield Result.ok(line.value);
    }
  }

  /**
   * Reads everything until the stream ends. Blocks until then.
   *
   * @param limit the most to read, in bytes; none when left out
   * @returns the bytes, perhaps none. Errors: `invalid buffer size` for a limit that is no positive integer; `invalid buf reader`
   * after `into_inner`; `tcp read failed: ` with `more than N bytes before the end of the stream` or `out of memory`; those of
   * the stream's `read_into`. Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("head\r\nall the rest");
   * near.close();
   * const reader = new BufReader(far);
   * reader.read_line();
   * console.log(reader.read_to_end().unwrap().toString()); // all the rest
   * ```
   */
  read_to_end(limit?: number): Result<Buffer, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    if (limit !== undefined && !isSize(limit)) return Result.err(INVALID_SIZE);
    const most = limit ?? Number.MAX_SAFE_INTEGER - 1;
    for (;;) {
      if (this.#end - this.#start > most) {
        return failed(this.#prefix, `more than ${most} bytes before the end of the stream`);
      }
      const count = this.#fill(most + 1);
      if (typeof count === "string") return Result.err(count);
      if (count === 0) return Result.ok(this.#take(this.#end - this.#start));
    }
  }

  /**
   * The bytes that are buffered; when there are none, as many as come with one read of the stream. They stay buffered until
   * `consume`. Blocks as `read` does.
   *
   * @returns a view of this reader's own memory, which the next read overwrites; empty at the end of the stream. Errors:
   * `invalid buf reader` after `into_inner`; those of the stream's `read_into`. Source: recv(2).
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("aaab");
   * const reader = new BufReader(far);
   * const bytes = reader.fill_buf().unwrap();
   * reader.consume(bytes.indexOf("b"));
   * console.log(reader.buffer().toString()); // b
   * ```
   */
  fill_buf(): Result<Buffer, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    const failure = this.#fillIfEmpty();
    return failure === null ? Result.ok(this.buffer()) : Result.err(failure);
  }

  /**
   * Passes over buffered bytes: no read gives them again. Does not block.
   *
   * @param count how many; at most as many as are buffered
   * @returns Errors: `invalid buffer size` for a number that is no integer of 0 to `buffer().length`; `invalid buf reader` after
   * `into_inner`. Source: Rust's `BufRead::consume`.
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("hello");
   * const reader = new BufReader(far);
   * reader.fill_buf();
   * reader.consume(4);
   * console.log(reader.read(10).unwrap().toString()); // o
   * ```
   */
  consume(count: number): Result<Unit, string> {
    if (this.#problem !== null) return Result.err(this.#problem);
    if (!Number.isInteger(count) || count < 0 || count > this.#end - this.#start) {
      return Result.err(INVALID_SIZE);
    }
    this.#drop(count);
    return Result.ok();
  }

  /**
   * The bytes that are buffered, perhaps none. Does not block, reads nothing, and leaves them buffered.
   *
   * @returns a view of this reader's own memory, which the next read overwrites. Source: Rust's `BufReader::buffer`.
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("one\ntwo\n");
   * const reader = new BufReader(far);
   * reader.read_line();
   * console.log(JSON.stringify(reader.buffer().toString())); // "two\n"
   * ```
   */
  buffer(): Buffer {
    return this.#bytes.subarray(this.#start, this.#end);
  }

  /**
   * Gives the stream back. From then on every other member is the error `invalid buf reader`, and the bytes that are still
   * buffered are lost: take them with `buffer()` before. Does not block, and
   * closes nothing.
   *
   * @returns the stream. Source: Rust's `BufReader::into_inner`.
   *
   * @example
   * ```ts
   * import { BufReader, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("STARTTLS\r\n");
   * const reader = new BufReader(far);
   * reader.read_line();
   * console.log(reader.buffer().length, reader.into_inner() === far); // 0 true
   * ```
   */
  into_inner(): Source {
    this.#problem ??= INVALID;
    this.#bytes = NO_BYTES;
    this.#start = 0;
    this.#end = 0;
    return this.#source;
  }

  static {
    readBehind = (reader, most) => reader.#fill(most);
    bufferedLength = (reader) => reader.#end - reader.#start;
  }

  /** What stands before the errors that are this class's own. */
  get #prefix(): string {
    const words = (this.#source as { [WORDS]?: ErrorWords })[WORDS];
    return words?.prefix("read") ?? "read failed: ";
  }

  /** The bytes of a delimiter. A program uses the same text again and again. */
  #delimiterBytes(given: Bytes): Uint8Array | Failure {
    if (typeof given !== "string") return toBytes(given);
    if (this.#delimiter?.given !== given) this.#delimiter = { given, bytes: Buffer.from(given) };
    return this.#delimiter.bytes;
  }

  /**
   * Reads until a byte or a delimiter is buffered: how many bytes there are up to and with it, 0 when the stream ends before,
   * or the text of an error.
   */
  #find(wanted: number | Uint8Array, limit: number): number | string {
    const length = typeof wanted === "number" ? 1 : byteLength(wanted);
    // A read that was stopped half-way goes on where it was, if it looks for the same.
    if (this.#searchedFor !== wanted) this.#searched = 0;
    this.#searchedFor = wanted;
    for (;;) {
      const buffered = this.#end - this.#start;
      const at = this.#indexOf(wanted, Math.max(0, this.#searched - length + 1));
      if (at >= 0 && at + length <= limit) return at + length;
      this.#searched = buffered;
      if (at >= 0 || buffered >= limit) {
        this.#searched = 0;
        return typeof wanted === "number"
          ? `${this.#prefix}no line end within ${limit} bytes`
          : `${this.#prefix}no delimiter within ${limit} bytes`;
      }
      const count = this.#fill(limit);
      if (typeof count === "string") return count;
      if (count === 0) return 0;
    }
  }

  /** Where the byte or delimiter stands, counted from the first buffered byte and not before `from`; -1 if nowhere. */
  #indexOf(wanted: number | Uint8Array, from: number): number {
    const bytes = this.#bytes;
    const start = this.#start + from;
    const first = typeof wanted === "number" ? wanted : wanted[0]!;
    const shortEnd = Math.min(this.#end, start + SHORT);
    for (let at = start; at < shortEnd; at++) {
      if (bytes[at] === first && this.#isAt(wanted, at)) return at - this.#start;
    }
    if (shortEnd === this.#end) return -1;
    const found = bytes.subarray(0, this.#end).indexOf(wanted, shortEnd);
    return found < 0 ? -1 : found - this.#start;
  }

  #isAt(wanted: number | Uint8Array, at: number): boolean {
    if (typeof wanted === "number") return true;
    if (at + wanted.length > this.#end) return false;
    for (let index = 1; index < wanted.length; index++) {
      if (this.#bytes[at + index] !== wanted[index]) return false;
    }
    return true;
  }

  /** Null when there are buffered bytes now, or the stream is at its end; else the text of the error. */
  #fillIfEmpty(): string | null {
    if (this.#start < this.#end) return null;
    const count = this.#fill(this.#capacity);
    return typeof count === "string" ? count : null;
  }

  /** Reads once behind the buffered bytes, of which `most` are wanted in all: how many came, or the text of the error. */
  #fill(most: number): number | string {
    if (!this.#makeRoom(most)) return `${this.#prefix}out of memory`;
    const count = this.#source.read_into(this.#bytes.subarray(this.#end));
    if (count.isErr) return count.error;
    this.#end += count.value;
    return count.value;
  }

  /** Room for one more byte at least. The buffer grows with what has come, and not with what was asked for. */
  #makeRoom(most: number): boolean {
    const used = this.#end - this.#start;
    if (this.#bytes.length === 0) this.#bytes = Buffer.allocUnsafeSlow(this.#capacity);
    if (used === 0) {
      this.#start = 0;
      this.#end = 0;
    }
    if (this.#end < this.#bytes.length) return true;
    if (this.#start > 0) {
      this.#bytes.copyWithin(0, this.#start, this.#end);
    } else {
      const larger = enlarge(this.#bytes, Math.max(most, used + 1));
      if (larger === null) return false;
      this.#bytes = larger;
    }
    this.#start = 0;
    this.#end = used;
    return true;
  }

  /** A Buffer of the caller's own with the next bytes. A buffer that grew for them is given out itself. */
  #take(count: number): Buffer {
    const end = this.#start + count;
    const next = this.#bytes.subarray(this.#start, end);
    const isOwn = end === this.#end && this.#bytes.length > this.#capacity && 2 * count >= this.#bytes.length;
    const taken = isOwn ? next : copyOut(next, count);
    this.#drop(count);
    if (isOwn) this.#bytes = NO_BYTES;
    return taken;
  }

  #drop(count: number): void {
    this.#start += count;
    this.#searched = 0;
    if (this.#start < this.#end) return;
    this.#start = 0;
    this.#end = 0;
    // What grew for one long read is not kept for the next short one.
    if (this.#bytes.length > this.#capacity) this.#bytes = NO_BYTES;
  }
}

function isSource(source: unknown): source is ReadSource {
  return typeof (source as Partial<ReadSource> | null | undefined)?.read_into === "function";
}
