import { createGunzip } from "node:zlib";
import { Client } from "undici";
import { port, take_commands } from "./commands.js";

const [path, length] = process.argv.slice(3);
const client = new Client(`http://127.0.0.1:${port}`);

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const { headers, body } = await client.request({ method: "GET", path });
    let total = 0;
    await new Promise((done, failed) => {
      const bytes = headers["content-encoding"] === "gzip" ? body.pipe(createGunzip()) : body;
      bytes
        .on("data", (part) => {
          total += part.length;
        })
        .on("end", done)
        .on("error", failed);
    });
    if (total !== Number(length)) throw new Error(`${total} bytes`);
  }
});
