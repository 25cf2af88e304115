// Drops streams without close, and prints whether their descriptors came back. Runs with --expose-gc.

import { readdirSync, readFileSync } from "node:fs";
import * as net from "std-net";

const [addr, path] = process.argv.slice(2);
const ca = readFileSync(path);
const count = () => readdirSync("/dev/fd").length;
const drop = () => net.TlsStream.connect(addr, { ca, server_name: "server.test" }).isOk;
if (!drop()) throw new Error("no connection");
const before = count();
for (let round = 0; round < 50; round++) drop();
for (let time = 0; time < 50 && count() > before; time++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 10));
}
console.log(count() <= before);
