// Bodies that are read piece by piece: plain, in chunks, as gzip; events; how late an event is; and the memory that it takes.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Comparison, compare, mebibytes } from "../measure.ts";
import { type Program, peer, startPeer, startServer } from "../programs.ts";
import { type Effort, measureAgainst, type Sides } from "../rounds.ts";

const MEBIBYTE = 2 ** 20;

/** A body of so many bytes under this path, read by each of these programs. */
function body(
  title: string,
  path: string,
  bytes: number,
  programs: Record<string, string>,
  targets: Sides["targets"],
): Sides {
  const peers = Object.fromEntries(
    Object.entries(programs).map(([name, file]) => [
      name,
      [file, path, String(bytes)] as [string, ...string[]],
    ]),
  );
  return { title, peers, targets, warmUp: 2, count: 4, bytes };
}

const CLIENTS = { "std-net": "body.std-net.js", undici: "body.undici.js", "node:http": "body.node-http.js" };

/** Text that gzip makes a fifth of, as it does of JSON. */
function someText(length: number): Buffer {
  const words = [
    "id",
    "name",
    "value",
    "created",
    "tags",
    "true",
    "false",
    "null",
    "user",
    "text",
    "count",
    "state",
  ];
  let state = 1;
  let text = "";
  while (text.length < length) {
    state = (state * 1103515245 + 12345) & 0x7fffffff;
    text += `${words[state % words.length]}: ${(state >> 8) & 255}, `;
  }
  return Buffer.from(text.slice(0, length));
}

/** The most memory that a program has while a gibibyte passes, against what it had before. */
async function memory(title: string, port: number, path: (mebibytes: number) => string): Promise<Comparison> {
  const program: Program = await startPeer(peer("body-memory.std-net.js", port));
  try {
    const read = async (size: number): Promise<void> => {
      program.child.stdin.write(`${path(size)} ${size * MEBIBYTE}\n`);
      await program.line();
    };
    await read(64);
    const before = program.resident();
    program.forgetPeak();
    await read(1024);
    return compare(
      { title, against: "before", measure: "more memory", target: { at_most: 8 } },
      [program.peak()],
      [before],
      mebibytes,
    );
  } finally {
    program.stop();
  }
}

export async function run(effort: Effort): Promise<Comparison[]> {
  const folder = mkdtempSync(join(tmpdir(), "std-net-bench-"));
  const file = join(folder, "text.gz");
  const text = someText(16 * MEBIBYTE);
  writeFileSync(file, gzipSync(text));
  const server = await startServer(peer("bodies", file));
  const { port } = server;
  const measured: Comparison[] = [];
  try {
    const plain = { ...CLIENTS, fetch: "body.fetch.js", "bare TcpStream": "body.bare.js" };
    const coded = { "std-net": "body.std-net.js", undici: "body.undici.js" };
    for (const sides of [
      body("256 MiB by http.open and read_into", `/plain/${256 * MEBIBYTE}`, 256 * MEBIBYTE, plain, {
        undici: { at_least: 3 },
        "node:http": { at_least: 3 },
        fetch: { at_least: 4 },
        "bare TcpStream": { at_least: 0.9 },
      }),
      body("128 MiB in chunks of 64 KiB", `/chunked/${128 * MEBIBYTE}/65536`, 128 * MEBIBYTE, CLIENTS, {
        undici: { at_least: 4 },
        "node:http": { at_least: 2 },
      }),
      body("128 MiB in chunks of 16 KiB", `/chunked/${128 * MEBIBYTE}/16384`, 128 * MEBIBYTE, CLIENTS, {}),
      body("64 MiB of text that come as gzip", "/gzip/4", 64 * MEBIBYTE, coded, {}),
    ]) {
      measured.push(...(await measureAgainst(port, sides, effort)));
    }
    measured.push(
      ...(await measureAgainst(
        port,
        {
          title: "64 MiB of text that come as gzip",
          peers: {
            "std-net": ["body.std-net.js", "/gzip/4", String(64 * MEBIBYTE)],
            "gunzipSync alone": ["gunzip-sync.js", "/gzip/4", String(64 * MEBIBYTE), file],
          },
          targets: { "gunzipSync alone": { at_least: 0.95 } },
          warmUp: 2,
          count: 4,
          bytes: 64 * MEBIBYTE,
        },
        effort,
      )),
      ...(await measureAgainst(
        port,
        {
          title: "20,000 events with JSON.parse",
          peers: {
            "std-net": ["events.std-net.js", "/events/20000", "20000"],
            "undici with eventsource-parser": ["events.undici.js", "/events/20000", "20000"],
            "Python http.client": ["events.py", "/events/20000", "20000"],
          },
          targets: {
            "undici with eventsource-parser": { at_most: 1 },
            "Python http.client": { at_most: 0.25 },
          },
          warmUp: 4,
          count: 4,
        },
        effort,
      )),
      ...(await measureAgainst(
        port,
        {
          title: "from the send of an event to the program, one each millisecond",
          peers: { "std-net": "ticks.std-net.js", "Python http.client": "ticks.py" },
          targets: { "Python http.client": { at_most: 1 } },
          warmUp: 1000,
          count: 400,
        },
        effort,
      )),
      await memory("peak memory while 1 GiB is read", port, (size) => `/plain/${size * MEBIBYTE}`),
      await memory("peak memory while 1 GiB of gzip is read", port, (size) => `/gzip/${size / 16}`),
    );
    return measured;
  } finally {
    server.program.stop();
    rmSync(folder, { recursive: true });
  }
}
