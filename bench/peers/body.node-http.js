import { Agent, get } from "node:http";
import { port, take_commands } from "./commands.js";

const [path, length] = process.argv.slice(3);
const options = { host: "127.0.0.1", port, path, agent: new Agent({ keepAlive: true }) };

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    let total = 0;
    await new Promise((done, failed) => {
      get(options, (response) => {
        response
          .on("data", (part) => {
            total += part.length;
          })
          .on("end", done)
          .on("error", failed);
      }).on("error", failed);
    });
    if (total !== Number(length)) throw new Error(`${total} bytes`);
  }
});
