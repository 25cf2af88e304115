import { isUint8Array } from "node:util/types";
import { type Bytes, byteLength, isSize, toBytes, toParts } from "../arguments.ts";
import { copyOut, inPlace, receiveRoom, scratch, takeReceived } from "../engine/buffers.ts";
import { readExact, readToEnd } from "../engine/read-exact.ts";
import { readUntil } from "../engine/read-until.ts";
import { sendParts } from "../engine/send-parts.ts";
import { sendAll, type Transport } from "../engine/transport.ts";
import { Failure, failed } from "../error.ts";
import { Result, type Unit } from "../result.ts";
import { getTimeout, peerAddr, setTimeout } from "./socket-members.ts";
import { SOCKET, SocketObject, TRANSPORT, WORDS } from "./socket-object.ts";

const FOREVER = Number.POSITIVE_INFINITY;

const DEFAULT_UNTIL_LIMIT = 64 * 1024;

/**
 * What TCP, Unix and TLS streams have in common: bytes in order, in both directions. Error texts are quoted as a TcpStream
 * gives them. Those of the other classes have their own name in place of `tcp`.
 */
export abstract class ByteStream<T extends Transport = Transport> extends SocketObject<T> {
  /**
   * Reads up to `size` bytes: as many as have come, and at least one.
   *
   * Blocks until a byte has come or the peer has ended the stream.
   *
   * @param size the most to read, in bytes: a positive integer. A large size costs nothing by itself.
   * @returns the bytes; an empty Buffer is end of stream. Errors: `invalid tcp stream` after `close`,
   * `invalid buffer size`, and `tcp read failed: ` with the system's reason (`EAGAIN` in non-blocking mode when
   * nothing has come). Source: recv(2).
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const client = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * const server = listener.accept().unwrap();
   * client.write("hello");
   * const bytes = server.read(1024).unwrap();
   * console.log(bytes[0], bytes.toString()); // 104 hello
   * client.close();
   * console.log(server.read(1024).unwrap().length); // 0, the end of the stream
   * ```
   */
  read(size: number): Result<Buffer, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    if (!isSize(size)) return Result.err("invalid buffer size");
    const target = receiveRoom(size);
    const count = transport.receive(target, Math.min(size, target.length), Number.POSITIVE_INFINITY);
    if (count < 0) return failed(this[WORDS].prefix("read"), transport.reason(count));
    return Result.ok(takeReceived(target, count));
  }

  /**
   * Reads into the caller's own memory, without a copy: as many bytes as have come and fit, and at least one.
   *
   * Blocks until a byte has come or the peer has ended the stream.
   *
   * @param buffer where the bytes go, from its start; not of length 0
   * @returns the number of bytes; 0 is end of stream. Errors: `invalid tcp stream` after `close`, `expected Uint8Array`,
   * `invalid buffer size` for an empty one, and `tcp read failed: ` with the system's reason. Source: recv(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("hello");
   * near.close();
   * const buffer = Buffer.alloc(64 * 1024); // one for all reads
   * for (;;) {
   *   const count = far.read_into(buffer).unwrap();
   *   if (count === 0) break;
   *   console.log(buffer.toString("utf8", 0, count)); // hello
   * }
   * ```
   */
  read_into(buffer: Uint8Array): Result<number, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    if (!isUint8Array(buffer)) return Result.err("expected Uint8Array");
    const length = byteLength(buffer);
    if (length === 0) return Result.err("invalid buffer size");
    const count = transport.receive(buffer, length, FOREVER);
    if (count < 0) return failed(this[WORDS].prefix("read"), transport.reason(count));
    return Result.ok(count);
  }

  /**
   * Reads exactly `size` bytes.
   *
   * Blocks until all of them have come. After an error no byte is lost: the next read returns what had come.
   *
   * @param size the number of bytes: a positive integer
   * @returns the bytes. Errors: `invalid tcp stream` after `close`, `invalid buffer size`; `tcp read failed: ` with
   * `failed to fill whole buffer` when the stream ends before that, or the system's reason (`EAGAIN` after the read
   * timeout, which limits each wait). Source: recv(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all([0, 5, 104, 101, 108, 108, 111]); // a length of two bytes, then as many bytes
   * const length = far.read_exact(2).unwrap().readUInt16BE();
   * console.log(far.read_exact(length).unwrap().toString()); // hello
   * ```
   */
  read_exact(size: number): Result<Buffer, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    if (!isSize(size)) return Result.err("invalid buffer size");
    const bytes = readExact(transport, size);
    return bytes instanceof Failure ? failed(this[WORDS].prefix("read"), bytes.reason) : Result.ok(bytes);
  }

  /**
   * Reads everything until the peer ends the stream.
   *
   * Blocks until then. After an error no byte is lost: the next read returns what had come.
   *
   * @param limit the most to read, in bytes; no limit when left out
   * @returns the bytes, perhaps none. Errors: `invalid tcp stream` after `close`, `invalid buffer size` for a limit that is
   * not a positive integer; `tcp read failed: ` with `more than N bytes before the end of the stream`, or the system's
   * reason (`EAGAIN` after the read timeout, which limits each wait). Source: recv(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("all that there is");
   * near.shutdown("write");
   * const few = far.read_to_end(3);
   * if (few.isErr) console.log(few.error); // unix read failed: more than 3 bytes before the end of the stream
   * console.log(far.read_to_end().unwrap().toString()); // all that there is
   * ```
   */
  read_to_end(limit?: number): Result<Buffer, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    if (limit !== undefined && !isSize(limit)) return Result.err("invalid buffer size");
    const bytes = readToEnd(transport, limit ?? Number.MAX_SAFE_INTEGER);
    return bytes instanceof Failure ? failed(this[WORDS].prefix("read"), bytes.reason) : Result.ok(bytes);
  }

  /**
   * Reads up to and including a delimiter, and not a byte more. Use it for the lines of a text protocol.
   *
   * Blocks until the delimiter has come. After an error no byte is lost: the next read returns what had come.
   *
   * @param delimiter the bytes that end it, such as `"\r\n"`; not empty
   * @param limit the most to read, including the delimiter, in bytes: 65536 when left out
   * @returns the bytes, with the delimiter at the end. Errors: `invalid tcp stream` after `close`; `expected list of ints`, `bytes
   * list must contain ints`, `byte value out of range` and `delimiter must not be empty`; `invalid buffer size` for a
   * limit that is not a positive integer; `tcp read failed: ` with `no delimiter within N bytes`, `end of stream before the
   * delimiter`, or the system's reason (`EAGAIN` after the read timeout, which limits each wait). Source: recv(2), MSG_PEEK.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("220 ready\r\n250 ok\r\n");
   * console.log(far.read_until("\r\n").unwrap().toString().trimEnd()); // 220 ready
   * console.log(far.read_until("\r\n").unwrap().toString().trimEnd()); // 250 ok
   * ```
   */
  read_until(delimiter: Bytes, limit: number = DEFAULT_UNTIL_LIMIT): Result<Buffer, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    const wanted = toBytes(delimiter);
    if (wanted instanceof Failure) return Result.err(wanted.reason);
    if (byteLength(wanted) === 0) return Result.err("delimiter must not be empty");
    if (!isSize(limit)) return Result.err("invalid buffer size");

    const bytes = readUntil(transport, wanted, limit);
    return bytes instanceof Failure ? failed(this[WORDS].prefix("read"), bytes.reason) : Result.ok(bytes);
  }

  /**
   * Returns up to `size` bytes and leaves them on the stream for the next read.
   *
   * Blocks until a byte has come or the peer has ended the stream.
   *
   * @param size the most to return, in bytes: a positive integer
   * @returns the bytes, not always all that have come; an empty Buffer is end of stream. Errors: as for `read`.
   * Source: recv(2), MSG_PEEK.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all("hello");
   * console.log(far.peek(1).unwrap().toString()); // h
   * console.log(far.read(100).unwrap().toString()); // hello
   * ```
   */
  peek(size: number): Result<Buffer, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    if (!isSize(size)) return Result.err("invalid buffer size");
    const target = scratch(size);
    const count = transport.peek(target, Math.min(size, target.length), FOREVER);
    if (count < 0) return failed(this[WORDS].prefix("read"), transport.reason(count));
    return Result.ok(copyOut(target, count));
  }

  /**
   * Sends bytes: as many as the system takes, which can be fewer than were given.
   *
   * Blocks while the system's send buffer is full.
   *
   * @param data a Uint8Array, a list of integers 0..255, or a string that is sent as UTF-8
   * @returns the number of bytes taken. Errors: `invalid tcp stream` after `close`; `expected list of ints`, `bytes
   * list must contain ints`, `byte value out of range` for other data; `tcp write failed: ` with the system's
   * reason (`EPIPE` or `ECONNRESET` when the peer has gone). Source: send(2).
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * console.log(stream.write("Grüße").unwrap()); // 7, because it is sent as UTF-8
   * console.log(stream.write([0, 127, 255]).unwrap()); // 3
   * const wrong = stream.write([256]);
   * if (wrong.isErr) console.log(wrong.error); // byte value out of range
   * ```
   */
  write(data: Bytes): Result<number, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    const bytes = toBytes(data);
    if (bytes instanceof Failure) return Result.err(bytes.reason);
    const length = byteLength(bytes);
    const count = transport.send(inPlace(bytes, length), length, Number.POSITIVE_INFINITY);
    if (count < 0) return failed(this[WORDS].prefix("write"), transport.reason(count));
    return Result.ok(count);
  }

  /**
   * Sends bytes, all of them.
   *
   * Blocks while the system's send buffer is full. After an error, some of them may have been sent.
   *
   * @param data as for `write`
   * @returns Errors: as for `write` (`EAGAIN` after the write timeout, which limits each wait). Source: send(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.write_all(Buffer.from("the whole message\n")).unwrap();
   * console.log(far.read_until("\n").unwrap().length); // 18
   * ```
   */
  write_all(data: Bytes): Result<Unit, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    const bytes = toBytes(data);
    if (bytes instanceof Failure) return Result.err(bytes.reason);
    const length = byteLength(bytes);
    const failure = sendAll(transport, inPlace(bytes, length), length, FOREVER);
    if (failure < 0) return failed(this[WORDS].prefix("write"), transport.reason(failure));
    return Result.ok();
  }

  /**
   * Writes several buffers that follow each other with one system call, without copying them together: as many bytes as the system
   * takes, and at least one unless all are empty. A TLS stream sends one record at most.
   *
   * Blocks until there is room for some of them.
   *
   * @param buffers each bytes, a list of ints 0 to 255, or text (UTF-8)
   * @returns the number of bytes that were taken, counted over all buffers. Errors: `invalid tcp stream` after `close`; `buffers must be
   * an array`; `expected list of ints`, `bytes list must contain ints` and `byte value out of range`; `tcp write failed: ` with the
   * system's reason. Source: sendmsg(2).
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * const body = Buffer.from("hello");
   * console.log(near.write_vectored([`length: ${body.length}\n`, body]).unwrap()); // 15
   * console.log(far.read(100).unwrap().toString()); // length: 5
   * ```
   */
  write_vectored(buffers: readonly Bytes[]): Result<number, string> {
    const transport = this[TRANSPORT];
    if (!transport.open) return Result.err(this[WORDS].invalid);
    const parts = toParts(buffers);
    if (parts instanceof Failure) return Result.err(parts.reason);
    if (parts.length === 0) return Result.ok(0);
    const count = sendParts(transport, parts, parts.map(byteLength));
    return count < 0 ? failed(this[WORDS].prefix("write"), transport.reason(count)) : Result.ok(count);
  }

  /**
   * Sets how long one wait to receive may last. After that time, the call returns an `EAGAIN` error. Does not block.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: `invalid tcp stream` after `close`, `timeout must be a positive number`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { error_code, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.set_read_timeout(50).unwrap();
   * const bytes = near.read(1024); // nobody writes
   * if (bytes.isErr) console.log(error_code(bytes.error)); // EAGAIN
   * far.close();
   * ```
   */
  set_read_timeout(ms: number | null): Result<Unit, string> {
    return setTimeout(this[TRANSPORT], this[WORDS], "readTimeout", ms);
  }

  /**
   * The read timeout in milliseconds; null, the default, means no timeout. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`. Source: socket(7), SO_RCVTIMEO.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [stream] = UnixStream.pair().unwrap();
   * console.log(stream.read_timeout().unwrap()); // null
   * stream.set_read_timeout(1500);
   * console.log(stream.read_timeout().unwrap()); // 1500
   * ```
   */
  read_timeout(): Result<number | null, string> {
    return getTimeout(this[TRANSPORT], this[WORDS], "readTimeout");
  }

  /**
   * Sets how long one wait to send may last. After that time, the call returns an `EAGAIN` error. Does not block.
   *
   * @param ms milliseconds, more than 0; null for no timeout
   * @returns Errors: `invalid tcp stream` after `close`, `timeout must be a positive number`. Source: socket(7), SO_SNDTIMEO.
   *
   * @example
   * ```ts
   * import { error_code, UnixStream } from "std-net";
   *
   * const [near, far] = UnixStream.pair().unwrap();
   * near.set_write_timeout(50).unwrap();
   * const sent = near.write_all(Buffer.alloc(16 * 1024 * 1024)); // nobody reads
   * if (sent.isErr) console.log(error_code(sent.error)); // EAGAIN
   * far.close();
   * ```
   */
  set_write_timeout(ms: number | null): Result<Unit, string> {
    return setTimeout(this[TRANSPORT], this[WORDS], "writeTimeout", ms);
  }

  /**
   * The write timeout in milliseconds; null, the default, means no timeout. Does not block.
   *
   * @returns Errors: `invalid tcp stream` after `close`. Source: socket(7), SO_SNDTIMEO.
   *
   * @example
   * ```ts
   * import { UnixStream } from "std-net";
   *
   * const [stream] = UnixStream.pair().unwrap();
   * stream.set_write_timeout(1500);
   * console.log(stream.write_timeout().unwrap()); // 1500
   * ```
   */
  write_timeout(): Result<number | null, string> {
    return getTimeout(this[TRANSPORT], this[WORDS], "writeTimeout");
  }

  /**
   * The remote address: `"127.0.0.1:80"` or `"[::1]:80"`. Of a Unix stream it is the path, `""` if it has none. Does not
   * block.
   *
   * @returns Errors: `invalid tcp stream` after `close`; `tcp peer_addr failed: ` with the system's reason
   * (`ENOTCONN` when the connection is gone). Source: getpeername(2).
   *
   * @example
   * ```ts
   * import { TcpListener, TcpStream } from "std-net";
   *
   * const listener = TcpListener.bind("127.0.0.1:0").unwrap();
   * const stream = TcpStream.connect(listener.local_addr().unwrap()).unwrap();
   * console.log(stream.peer_addr().unwrap()); // 127.0.0.1:34567
   * ```
   */
  peer_addr(): Result<string, string> {
    return peerAddr(this[SOCKET], this[WORDS]);
  }
}

/** The transport of a stream of this library; undefined for any other value. */
export function transportOf(value: unknown): Transport | undefined {
  try {
    return value instanceof ByteStream ? value[TRANSPORT] : undefined;
  } catch {
    // A proxy's trap threw.
    return undefined;
  }
}
