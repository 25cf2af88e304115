// Starts and ends workers that use TLS, and prints how many KiB of memory each one leaves behind.
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
// A worker leaves its objects behind when its parent has not loaded the library (src/tls/owned.ts).
import "std-net";

const [addr, path] = process.argv.slice(2);
const code = `
  const { parentPort, workerData: { addr, ca, blocks } } = require("node:worker_threads");
  import("std-net").then((net) => {
    // With the certificates that Node trusts; and with others, a session to resume, and a connection left open.
    net.TlsStream.connect(addr);
    const connect = () => net.TlsStream.connect(addr, { ca, server_name: "server.test" }).value;
    const first = connect();
    first.write("x");
    first.read(1);
    first.close();
    const second = connect();
    parentPort.postMessage("ready");
    if (blocks) second.read(1);
  });`;
const ca = readFileSync(path, "utf8");
const run = async (count) => {
  for (let number = 0; number < count; number++) {
    const blocks = number % 2 === 0;
    const worker = new Worker(code, { eval: true, execArgv: [], workerData: { addr, ca, blocks } });
    const ended = new Promise((resolve) => worker.once("exit", resolve));
    await new Promise((resolve, reject) => worker.once("message", resolve).once("error", reject));
    if (blocks) worker.terminate();
    await ended;
    // Each line has its own time limit, and on a busy machine all the workers together take longer than one.
    if (number % 10 === 9) console.log("ten more");
  }
};
await run(20);
const before = process.memoryUsage().rss;
await run(30);
console.log((process.memoryUsage().rss - before) / 30 / 1024);
