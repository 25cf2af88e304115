// std-net request -o FILE: to disk in constant memory, and continued where an earlier run has ended.
import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { Meter, sizeText, timeText } from "../../src/cli/progress.ts";
import { contentRangeOf } from "../../src/cli/response-head.ts";
import { CLI, run, start, startInTerminal } from "../support/command.ts";
import { startPeer } from "../support/peer.ts";

const folder = mkdtempSync(join(tmpdir(), "std-net-"));
const file = join(folder, "body.bin");
const etagFile = `${file}.std-net-etag`;
after(() => rmSync(folder, { recursive: true }));

const content = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7) % 251));
const size = content.length;

interface Asked {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
}
/** What the requests asked for. */
let asked: Asked[] = [];
/** What the server does with a request. Each test says it. */
let respond: (response: ServerResponse, asked: Asked) => void = () => {};

const server = createServer((request, response) => {
  const ifRange = request.headers["if-range"];
  const what = { range: request.headers.range, ifRange: Array.isArray(ifRange) ? ifRange[0] : ifRange };
  asked.push(what);
  respond(response, what);
});
let url = "";
before(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
  url = `127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
after(() => server.close());
beforeEach(() => {
  asked = [];
  for (const left of [file, etagFile]) rmSync(left, { force: true });
});

/** As a server of files does it (RFC 9110, 14): one range, If-Range, 416. `most` bytes are sent with a 206. */
function serveFile(etag: string, most = size) {
  return (response: ServerResponse, { range, ifRange }: Asked): void => {
    response.setHeader("etag", etag);
    const first = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
    if (first === 0 || (ifRange !== undefined && ifRange !== etag)) {
      response.writeHead(200, { "content-length": size }).end(content);
    } else if (first >= size) {
      response.writeHead(416, { "content-range": `bytes */${size}` }).end("no such range");
    } else {
      const end = Math.min(first + most, size);
      response.writeHead(206, { "content-range": `bytes ${first}-${end - 1}/${size}` });
      response.end(content.subarray(first, end));
    }
  };
}

/** Sends so many bytes and then breaks the connection. */
function breakAt(bytes: number, etag?: string) {
  return (response: ServerResponse): void => {
    if (etag !== undefined) response.setHeader("etag", etag);
    response.writeHead(200, { "content-length": size });
    response.write(content.subarray(0, bytes), () => response.destroy());
  };
}

const download = (...args: string[]) => run(["request", "-o", file, ...args, url]);

test("the body is saved byte for byte, and nothing is printed where there is no terminal", async () => {
  respond = serveFile('"one"');
  writeFileSync(file, "something longer".repeat(size)); // is replaced
  const { code, stdout, stderr } = await download();
  assert.deepEqual([code, stdout, stderr], [0, "", ""]);
  assert.ok(readFileSync(file).equals(content));
  assert.equal(existsSync(etagFile), false, "a file that is complete needs none");
});

test("-o with METHOD URL, with the head, and - for standard output", async () => {
  respond = (response) => response.writeHead(200, { "x-a": "1", "content-length": 4 }).end("body");
  assert.equal((await run(["request", "GET", url, "-o", file])).stderr, "");
  assert.equal(readFileSync(file, "utf8"), "body");
  assert.equal((await download("-i")).code, 0);
  assert.match(readFileSync(file, "utf8"), /^HTTP\/1\.1 200 OK\r\nx-a: 1\r\n(?:.+\r\n)+\r\nbody$/);
  assert.equal((await run(["request", "GET", url, "-o", "-"])).stdout, "body");
});

test("a connection that breaks leaves what has come, and --resume continues it", async () => {
  respond = breakAt(100_000, '"one"');
  const broken = await download();
  assert.equal(broken.code, 1);
  assert.equal(
    broken.stderr,
    `std-net: connection closed before response body complete; ${file} has 100000 of ${size} bytes: the same command with --resume goes on\n`,
  );
  assert.ok(readFileSync(file).equals(content.subarray(0, 100_000)));
  respond = serveFile('"one"');
  const rest = await download("--resume");
  assert.deepEqual([rest.code, rest.stderr], [0, ""]);
  assert.ok(readFileSync(file).equals(content));
  assert.deepEqual(asked.at(-1), { range: "bytes=100000-", ifRange: '"one"' });
  assert.equal(existsSync(etagFile), false);
});

test("a file that has changed on the server begins anew", async () => {
  respond = breakAt(100_000, '"old"');
  await download();
  respond = serveFile('"new"');
  const { code, stderr } = await download("--resume");
  assert.deepEqual([code, stderr], [0, ""]);
  assert.equal(asked.at(-1)!.ifRange, '"old"');
  assert.ok(readFileSync(file).equals(content));
});

test("a server that knows no ranges sends all: the file begins anew", async () => {
  respond = (response) => response.end(content.subarray(0, 1000));
  writeFileSync(file, content.subarray(1000, 50_000));
  assert.equal((await download("--resume")).code, 0);
  assert.ok(readFileSync(file).equals(content.subarray(0, 1000)));
});

test("without an ETag, or with a weak one, there is no If-Range", async () => {
  for (const etag of [undefined, 'W/"weak"']) {
    respond = breakAt(100_000, etag);
    await download();
    respond = serveFile('"any"');
    assert.equal((await download("--resume")).code, 0);
    assert.deepEqual(asked.at(-1), { range: "bytes=100000-", ifRange: undefined });
    assert.ok(readFileSync(file).equals(content));
  }
});

test("--resume where there is nothing yet begins, and a server that sends less than the rest is asked again", async () => {
  respond = serveFile('"one"');
  assert.equal((await download("--resume")).code, 0);
  assert.deepEqual(asked, [{ range: undefined, ifRange: undefined }]);
  writeFileSync(file, content.subarray(0, 1));
  respond = serveFile('"one"', 120_000);
  assert.equal((await download("--resume")).code, 0);
  assert.ok(readFileSync(file).equals(content));
  assert.deepEqual(
    asked.slice(1).map(({ range }) => range),
    ["bytes=1-", "bytes=120001-", "bytes=240001-"],
  );
});

test("416: the file is complete, or it is another one", async () => {
  respond = serveFile('"one"');
  writeFileSync(file, content);
  const whole = await download("--resume");
  assert.deepEqual([whole.code, whole.stderr], [0, `std-net: ${file} is complete (293.0 KiB)\n`]);
  writeFileSync(file, Buffer.concat([content, content]));
  const longer = await download("--resume");
  assert.equal(longer.code, 1);
  assert.match(longer.stderr, /has 600000 bytes and the server's file 300000: without --resume .* anew\n$/);
  assert.equal(statSync(file).size, 2 * size, "it is as it was");
});

describe("what --resume does not take leaves the file as it was", () => {
  for (const [name, status, headers, complaint] of [
    ["another range", 206, { "content-range": `bytes 0-${size - 1}/${size}` }, /sent others \(bytes 0-/],
    ["no range", 206, {}, /sent others \(none that it names\): without --resume the download begins anew$/m],
    ["a range that is none", 206, { "content-range": "bytes 1000-5/9" }, /sent others/],
    ["not found", 404, {}, /the response's status is 404, and \S+ is as it was$/m],
    ["a redirect", 302, { location: "/b" }, /status is 302, and \S+ is as it was: -L follows redirects$/m],
  ] as const) {
    test(name, async () => {
      respond = (response) => response.writeHead(status, headers).end("something else");
      writeFileSync(file, content.subarray(0, 1000));
      const { code, stderr } = await download("--resume");
      assert.equal(code, 1);
      assert.match(stderr, complaint);
      assert.ok(readFileSync(file).equals(content.subarray(0, 1000)));
    });
  }

  test("more bytes than the range has", async () => {
    respond = (response) => {
      response.writeHead(206, { "content-range": `bytes 1000-1999/${size}` });
      response.write("x");
      response.end(Buffer.alloc(5000));
    };
    writeFileSync(file, content.subarray(0, 1000));
    const { code, stderr } = await download("--resume");
    assert.equal(code, 1);
    assert.match(stderr, /the server sent more bytes than it had announced/);
  });
});

test("an error status and a redirect are saved as curl does, with a word; --fail leaves the file", async () => {
  respond = (response) => response.writeHead(404).end("no such page");
  const { code, stderr } = await download();
  assert.deepEqual([code, stderr], [0, "std-net: the response's status is 404\n"]);
  assert.equal(readFileSync(file, "utf8"), "no such page");
  rmSync(file);
  assert.equal((await download("--fail")).code, 1);
  assert.equal(existsSync(file), false);
  respond = (response) => response.writeHead(301, { location: "/b" }).end();
  assert.equal((await download()).stderr, "std-net: the response's status is 301: -L follows redirects\n");
});

test("a server that is not there leaves the file, and a file that cannot be written is named", async () => {
  writeFileSync(file, "kept");
  const refused = await run(["request", "-o", file, "127.0.0.1:1"]);
  assert.equal(refused.code, 1);
  assert.equal(readFileSync(file, "utf8"), "kept");
  respond = (response) => response.end("x");
  mkdirSync(join(folder, "sub"), { recursive: true });
  const isFolder = await run(["request", "-o", join(folder, "sub"), url]);
  assert.deepEqual([isFolder.code, /sub is a folder: add a file name\n$/.test(isFolder.stderr)], [1, true]);
  const nowhere = await run(["request", "-o", join(folder, "none", "x"), url]);
  assert.match(nowhere.stderr, /^std-net: ENOENT: no such file or directory/);
});

test("Ctrl-C leaves what has come and says how to go on", {
  skip: process.platform === "win32",
}, async () => {
  let isSent = (): void => {};
  const sent = new Promise<void>((resolve) => {
    isSent = resolve;
  });
  respond = (response) => {
    response.writeHead(200, { "content-length": size, etag: '"one"' });
    response.write(content.subarray(0, 50_000), () => isSent());
  };
  await using command = start("request", "-o", file, url);
  await sent;
  while (!existsSync(file) || statSync(file).size < 50_000) await new Promise((go) => setTimeout(go, 20));
  command.kill("SIGINT");
  const { signal, stderr } = await command.exit();
  server.closeAllConnections();
  assert.equal(signal, "SIGINT");
  assert.equal(
    stderr,
    `std-net: interrupted; ${file} has 50000 of ${size} bytes: the same command with --resume goes on\n`,
  );
  respond = serveFile('"one"');
  assert.equal((await download("--resume")).code, 0);
  assert.ok(readFileSync(file).equals(content));
});

test("memory stays the same however long the body is", { skip: process.platform === "win32" }, async () => {
  const peak = async (mebibytes: number): Promise<number> => {
    const piece = Buffer.alloc(1024 * 1024);
    respond = (response) => {
      response.writeHead(200, { "content-length": mebibytes * piece.length });
      let left = mebibytes;
      const go = (): void => {
        let hasRoom = true;
        for (; left > 0 && hasRoom; left--) hasRoom = response.write(piece);
        if (hasRoom) response.end();
        else response.once("drain", go);
      };
      go();
    };
    const program = `import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)`;
    const args = [process.execPath, CLI, "request", "-o", "/dev/null", url];
    await using command = startPeer("python3", ["-c", program, ...args]);
    const [code, kibibytes] = (await command.line()).split(" ");
    assert.equal(code, "0");
    return Number(kibibytes) / 1024;
  };
  const [short, long] = [await peak(1), await peak(300)];
  assert.ok(long - short < 40, `${short} MiB for 1 MiB, ${long} MiB for 300`);
});

test("on a terminal a bar shows how far it is", async () => {
  respond = (response) => {
    response.writeHead(200, { "content-length": size });
    response.write(content.subarray(0, size / 2));
    setTimeout(() => response.end(content.subarray(size / 2)), 700);
  };
  await using terminal = startInTerminal("request", "-o", file, url);
  const { code, stdout } = await terminal.exit();
  assert.equal(code, 0);
  assert.match(stdout, /body\.bin \[-{24}\] 0% 0 B of 293\.0 KiB, 0 B\/s, waiting/);
  assert.match(stdout, /body\.bin \[#{24}\] 100% 293\.0 KiB of 293\.0 KiB, [\d.]+ [KM]iB\/s, done/);
  respond = (response) => {
    response.write("x");
    response.end("y");
  };
  await using endless = startInTerminal("request", "-o", file, url);
  assert.match((await endless.exit()).stdout, /body\.bin 2 B, \d+ B\/s/, "no total is told");
});

test("rate and time left come from the last seconds", () => {
  let now = 0;
  const meter = new Meter("a", () => now);
  meter.begin(1000, 0);
  for (now = 1000; now <= 20_000; now += 1000) meter.update(now / 100); // 10 bytes a second
  now = 20_000;
  assert.equal(meter.line("#-"), "a [#-] 20% 200 B of 1000 B, 10 B/s, 80 s left");
  for (now = 21_000; now <= 27_000; now += 1000) meter.update(200 + (now - 20_000) / 10); // 100 bytes a second
  now = 27_000;
  assert.equal(meter.line("#-"), "a [#-] 90% 900 B of 1000 B, 100 B/s, 1 s left");
  assert.deepEqual([1023, 1024, 1536, 1048575, 5e12].map(sizeText), [
    ...["1023 B", "1.0 KiB", "1.5 KiB", "1.0 MiB", "4.5 TiB"],
  ]);
  assert.deepEqual([0.2, 99.5, 125, 7500].map(timeText), ["1 s", "1 min 40 s", "2 min 5 s", "2 h 5 min"]);
});

test("Content-Range is read as RFC 9110 writes it, and nothing else is taken for one", () => {
  assert.deepEqual(contentRangeOf("bytes 0-4/10"), { first: 0, last: 4, total: 10 });
  assert.deepEqual(contentRangeOf("bytes 5-9/*"), { first: 5, last: 9, total: null });
  assert.deepEqual(contentRangeOf("BYTES */10"), { first: null, last: null, total: 10 });
  for (const text of [undefined, "", "bytes 4-0/10", "bytes 5-10/10", "bytes=0-4/10", "lines 0-4/10"]) {
    assert.equal(contentRangeOf(text), null, text);
  }
});

describe("--lines", () => {
  test("prints each line as soon as it has come, and the rest at the end", async () => {
    let go = (): void => {};
    respond = (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: one\n\nda");
      go = () => response.end("ta: two\n\nlast");
    };
    await using command = start("request", "--lines", url);
    assert.equal(await command.line(), "data: one");
    assert.equal(await command.line(), "");
    go();
    assert.equal((await command.exit()).stdout, "data: one\n\ndata: two\n\nlast");
  });
});

describe("wrong usage says what to write", () => {
  for (const [args, complaint] of [
    [["--resume"], /--resume continues the file of --output: add -o FILE/],
    [["--resume", "-o", "x", "-X", "POST"], /--resume is for a GET alone/],
    [["--resume", "-o", "x", "-i"], /leave out --include and --compressed/],
    [["--resume", "-o", "x", "-H", "Range: bytes=0-1"], /--resume sets Range and If-Range itself/],
    [["--lines", "-o", "x"], /--lines prints the body and --output saves it: give one of them/],
    [["-o", ""], /--output wants a file name, or - for standard output/],
  ] as const) {
    test(args.join(" "), async () => {
      const { code, stderr } = await run(["request", ...args, "localhost"]);
      assert.match(stderr, complaint);
      assert.equal(code, 2);
    });
  }
});
