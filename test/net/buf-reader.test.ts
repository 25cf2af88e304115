// BufReader: what it gives is what the stream would give, whatever the pieces in which the bytes come.
import assert from "node:assert/strict";
import { test } from "node:test";
import { BufReader, error_code, type ReadSource, TcpListener, TcpStream, type UnixStream } from "std-net";
import { err, ok, portOf, python } from "../support/peer.ts";
import fc from "../support/properties.ts";
import { streamPair } from "../support/sockets.ts";
import { isWindows } from "../support/system-errors.ts";

/** Pairs are TCP connections on Windows. */
const READ = `${isWindows ? "tcp" : "unix"} read failed: `;

function unixPair(): [UnixStream, UnixStream] {
  return streamPair() as [UnixStream, UnixStream];
}

/** A reader of a stream that has these bytes and has ended. */
function readerOf(text: string | Uint8Array, capacity?: number): BufReader<UnixStream> {
  const [near, far] = unixPair();
  if (text.length > 0) ok(near.write_all(text));
  near.close();
  return new BufReader(far, capacity);
}

test("read gives what is buffered, then what comes, then the end", () => {
  const reader = readerOf("hello", 4);
  assert.equal(ok(reader.read(2)).toString(), "he");
  assert.equal(reader.buffer().toString(), "ll");
  assert.equal(ok(reader.read(100)).toString(), "ll");
  assert.equal(ok(reader.read(100)).toString(), "o");
  assert.equal(ok(reader.read(100)).length, 0);
  assert.equal(ok(reader.read(100)).length, 0);
});

test("read_into fills what fits, and a large buffer goes straight to the stream", () => {
  const reader = readerOf("0123456789", 4);
  const small = Buffer.alloc(3);
  assert.equal(ok(reader.read_into(small)), 3);
  assert.equal(small.toString(), "012");
  assert.equal(ok(reader.read_into(small)), 1);
  const large = Buffer.alloc(16);
  assert.equal(ok(reader.read_into(large)), 6);
  assert.equal(large.toString("utf8", 0, 6), "456789");
  assert.equal(reader.buffer().length, 0);
  assert.equal(ok(reader.read_into(large)), 0);
});

test("read_exact gives all or nothing, and loses nothing", () => {
  const reader = readerOf("0123456789", 4);
  assert.equal(ok(reader.read_exact(6)).toString(), "012345");
  assert.equal(err(reader.read_exact(5)), `${READ}failed to fill whole buffer`);
  assert.equal(ok(reader.read_exact(4)).toString(), "6789");
});

test("read_until stops behind the delimiter, wherever the pieces are cut", () => {
  const reader = readerOf("ab\rcd\r\n\r\nrest", 3);
  assert.equal(ok(reader.read_until("\r\n")).toString(), "ab\rcd\r\n");
  assert.equal(ok(reader.read_until([13, 10])).toString(), "\r\n");
  assert.equal(err(reader.read_until("\r\n")), `${READ}end of stream before the delimiter`);
  assert.equal(ok(reader.read_to_end()).toString(), "rest");
});

test("read_until holds the limit, and the bytes stay", () => {
  const reader = readerOf("0123456789;", 4);
  assert.equal(err(reader.read_until(";", 10)), `${READ}no delimiter within 10 bytes`);
  assert.equal(ok(reader.read_until(";", 11)).toString(), "0123456789;");
});

test("read_line takes LF and CR LF off, and gives null at the end", () => {
  const reader = readerOf("one\r\ntwo\n\nfour\r\n\rfive\r", 2);
  const lines = [];
  for (let line = ok(reader.read_line()); line !== null; line = ok(reader.read_line())) lines.push(line);
  assert.deepEqual(lines, ["one", "two", "", "four", "\rfive\r"]);
});

test("lines ends with an error that it gives once", () => {
  const reader = readerOf("one\nlonger than that\n", 4);
  assert.deepEqual(
    [...reader.lines(6)].map((line) => (line.isOk ? line.value : line.error)),
    ["one", `${READ}no line end within 6 bytes`],
  );
  assert.equal(ok(reader.read_line()), "longer than that");
});

test("a character is not cut where a piece ends, and U+2028 ends no line", () => {
  assert.deepEqual(
    [...readerOf("gr\u{fc}\u{df}e\u{2028}\u{1f600}\nx", 1).lines()].map((line) => ok(line)),
    ["gr\u{fc}\u{df}e\u{2028}\u{1f600}", "x"],
  );
});

test("read_to_end holds its limit, and the bytes stay", () => {
  const reader = readerOf("0123456789", 4);
  assert.equal(err(reader.read_to_end(9)), `${READ}more than 9 bytes before the end of the stream`);
  assert.equal(ok(reader.read_to_end(10)).toString(), "0123456789");
  assert.equal(ok(reader.read_to_end()).length, 0);
});

test("fill_buf, consume and buffer", () => {
  const reader = readerOf("abc", 2);
  assert.equal(reader.buffer().length, 0);
  assert.equal(ok(reader.fill_buf()).toString(), "ab");
  assert.equal(ok(reader.fill_buf()).toString(), "ab");
  for (const wrong of [3, -1, 0.5, Number.NaN])
    assert.equal(err(reader.consume(wrong)), "invalid buffer size");
  ok(reader.consume(2));
  assert.equal(ok(reader.fill_buf()).toString(), "c");
  ok(reader.consume(1));
  assert.equal(ok(reader.fill_buf()).length, 0);
});

test("into_inner gives the stream back, which goes on behind what was buffered", () => {
  const [near, far] = unixPair();
  ok(near.write_all("one\ntwo\n"));
  const reader = new BufReader(far, 4);
  assert.equal(ok(reader.read_line()), "one");
  assert.equal(reader.into_inner(), far);
  assert.equal(err(reader.read(1)), "invalid buf reader");
  assert.equal(err(reader.fill_buf()), "invalid buf reader");
  assert.equal(ok(far.read(100)).toString(), "two\n");
});

test("what was given out is the caller's: no later read changes it", () => {
  const reader = readerOf("one\ntwo\nthree\n", 4);
  const first = ok(reader.read_until("\n"));
  ok(reader.read_until("\n"));
  assert.equal(first.toString(), "one\n");
});

test("without waiting: an EAGAIN error, and nothing is lost", () => {
  const [near, far] = unixPair();
  ok(far.set_nonblocking(true));
  const reader = new BufReader(far);
  assert.equal(error_code(err(reader.read_line())), "EAGAIN");
  for (const piece of ["he", "llo", "\r"]) {
    ok(near.write_all(piece));
    assert.equal(error_code(err(reader.read_line())), "EAGAIN");
    assert.equal(error_code(err(reader.read_exact(100))), "EAGAIN");
  }
  ok(near.write_all("\nnext"));
  assert.equal(ok(reader.read_line()), "hello");
  assert.equal(ok(reader.read(100)).toString(), "next");
});

test("wrong arguments are errors", () => {
  const wrongSource = new BufReader("text" as never);
  assert.equal(err(wrongSource.read(1)), "expected stream");
  assert.equal(err(new BufReader(null as never).read_line()), "expected stream");
  const [, far] = unixPair();
  for (const capacity of [0, -1, 1.5, Number.NaN, "8" as never]) {
    assert.equal(err(new BufReader(far, capacity).read(1)), "invalid buffer size");
  }
  const reader = readerOf("abc");
  for (const size of [0, -1, 0.5, "1" as never]) {
    assert.equal(err(reader.read(size)), "invalid buffer size");
    assert.equal(err(reader.read_exact(size)), "invalid buffer size");
    assert.equal(err(reader.read_until("x", size)), "invalid buffer size");
    assert.equal(err(reader.read_line(size)), "invalid buffer size");
    assert.equal(err(reader.read_to_end(size)), "invalid buffer size");
  }
  assert.equal(err(reader.read_until("")), "delimiter must not be empty");
  assert.equal(err(reader.read_until([256])), "byte value out of range");
  assert.equal(err(reader.read_into([] as never)), "expected Uint8Array");
  assert.equal(err(reader.read_into(Buffer.alloc(0))), "invalid buffer size");
});

test("errors are the stream's own, closed streams included", () => {
  const [, far] = unixPair();
  far.close();
  assert.equal(err(new BufReader(far).read(1)), isWindows ? "invalid tcp stream" : "invalid unix stream");
  const listener = ok(TcpListener.bind("127.0.0.1:0"));
  const stream = ok(TcpStream.connect(ok(listener.local_addr())));
  const peer = ok(listener.accept());
  peer.close();
  listener.close();
  assert.equal(err(new BufReader(stream).read_exact(1)), "tcp read failed: failed to fill whole buffer");
});

test("it reads whatever has a read_into", () => {
  const pieces = ["a\nb", "c\n", ""];
  const source = {
    read_into(buffer: Uint8Array) {
      const value = Buffer.from(pieces.shift() ?? "").copy(buffer);
      return { isOk: true, isErr: false, value };
    },
  };
  const reader = new BufReader(source as unknown as ReadSource);
  assert.deepEqual(
    [...reader.lines()].map((line) => ok(line)),
    ["a", "bc"],
  );
  assert.equal(err(reader.read_exact(1)), "read failed: failed to fill whole buffer");
});

test("any sequence of reads gives the stream's bytes in order", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("read" as const), size: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("read_exact" as const), size: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("read_into" as const), size: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("read_until" as const), size: fc.integer({ min: 1, max: 50 }) }),
    fc.record({ kind: fc.constant("consume" as const), size: fc.integer({ min: 1, max: 50 }) }),
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 0, maxLength: 600, max: 3 }),
      fc.integer({ min: 1, max: 40 }),
      fc.array(step, { maxLength: 40 }),
      (bytes, capacity, steps) => {
        const reader = readerOf(bytes, capacity);
        const parts: Uint8Array[] = [];
        for (const { kind, size } of steps) {
          if (kind === "read_into") {
            const buffer = Buffer.alloc(size);
            parts.push(buffer.subarray(0, ok(reader.read_into(buffer))));
          } else if (kind === "consume") {
            const part = Buffer.from(ok(reader.fill_buf()).subarray(0, size));
            ok(reader.consume(part.length));
            parts.push(part);
          } else {
            const result = kind === "read_until" ? reader.read_until([1, 2], size) : reader[kind](size);
            if (result.isOk) parts.push(result.value);
          }
        }
        parts.push(ok(reader.read_to_end()));
        reader.into_inner().close();
        assert.deepEqual(Buffer.concat(parts), Buffer.from(bytes));
      },
    ),
    { numRuns: 200 },
  );
});

test("100,000 replies in few system calls", async () => {
  const listener = ok(TcpListener.bind("127.0.0.1:0"));
  const peer = python(
    'peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))\npeer.sendall(b"+OK\\r\\n" * 100000)\npeer.close()',
    portOf(ok(listener.local_addr())),
  );
  const stream = ok(listener.accept());
  let reads = 0;
  const counted: ReadSource = {
    read_into(buffer) {
      reads++;
      return stream.read_into(buffer);
    },
  };
  let replies = 0;
  for (const line of new BufReader(counted, 64 * 1024).lines()) {
    assert.equal(ok(line), "+OK");
    replies++;
  }
  await peer.exit;
  assert.equal(replies, 100_000);
  assert.ok(reads < 5_000, `${reads} reads`);
});
