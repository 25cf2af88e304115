// As many loops as there are to be requests at once, over an agent with a connection for each.
import http from "node:http";
import { port, take_commands } from "./commands.js";

const connections = Number(process.argv[3]);
const agent = new http.Agent({ keepAlive: true, maxSockets: connections });
const options = { host: "127.0.0.1", port, path: "/small", agent };

const once = () =>
  new Promise((resolve, reject) => {
    http
      .get(options, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part) => {
          text += part;
        });
        response.on("end", () => {
          if (response.statusCode !== 200 || JSON.parse(text).id !== 42) reject(new Error("a bad response"));
          else resolve();
        });
      })
      .on("error", reject);
  });

take_commands(async (count) => {
  let left = count;
  const loop = async () => {
    while (left-- > 0) await once();
  };
  await Promise.all(Array.from({ length: connections }, loop));
});
