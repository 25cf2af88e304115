// A thousand URLs, fifty at a time: each response is shown as soon as it is there. Without a file of URLs it asks a server that it
// starts itself.
//   npm run example many-urls [FILE]
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { http } from "std-net";

if (isMainThread) await main(process.argv[2]);
else serve();

async function main(file: string | undefined): Promise<void> {
  const server = file === undefined ? new Worker(new URL(import.meta.url)) : null;
  const urls = server === null ? linesOf(file!) : await urlsOf(server);

  const begin = performance.now();
  const statuses = new Map<number, number>();
  let bytes = 0;
  let failed = 0;
  // The next request is made only when there is a place for it, so there can be any number of them.
  for (const [index, result] of http.request_each(requests(urls), { concurrency: 50 })) {
    if (result.isErr) {
      failed++;
      console.error(`${urls[index]}: ${result.error}`);
    } else {
      const { status, body } = result.value;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      bytes += Buffer.byteLength(String(body));
    }
    if (process.stdout.isTTY) process.stdout.write(`\r${index + 1} `);
  }
  const seconds = (performance.now() - begin) / 1000;

  for (const [status, count] of statuses) console.log(`${count} times ${status}`);
  console.log(`${failed} failed`);
  console.log(`${urls.length} URLs, ${bytes} bytes in ${seconds.toFixed(1)} s`);
  await server?.terminate();
}

function* requests(urls: readonly string[]): Generator<http.ClientRequest> {
  for (const url of urls) yield { method: "GET", url, decode_body: "text", timeout_ms: 10_000 };
}

function linesOf(file: string): string[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line !== "");
}

async function urlsOf(server: Worker): Promise<string[]> {
  const [port] = (await once(server, "message")) as [number];
  return Array.from({ length: 1000 }, (_, index) => `http://127.0.0.1:${port}/page/${index}`);
}

/** A server that takes 20 ms for each page, and has not every one. It needs an event loop of its own: this thread's. */
function serve(): void {
  const server = createServer((request, response) => {
    const isThere = Number(request.url?.slice("/page/".length)) % 100 !== 99;
    response.statusCode = isThere ? 200 : 404;
    setTimeout(() => response.end(isThere ? `This is ${request.url}.` : "no such page"), 20);
  });
  server.listen(0, "127.0.0.1", () => parentPort?.postMessage((server.address() as AddressInfo).port));
}
