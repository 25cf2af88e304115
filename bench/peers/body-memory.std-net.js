// Reads each body that it is told on standard input ("PATH BYTES") in constant memory.
import { createInterface } from "node:readline";
import { http } from "std-net";
import { expect, port } from "./commands.js";

const buffer = Buffer.alloc(65536);

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [path, length] = line.split(" ");
  const { body } = expect(http.open({ method: "GET", url: `http://127.0.0.1:${port}${path}` }));
  let total = 0;
  for (let got = expect(body.read_into(buffer)); got > 0; got = expect(body.read_into(buffer))) total += got;
  if (total !== Number(length)) throw new Error(`${total} bytes`);
  console.log("read");
}
