import { Agent, get } from "node:http";
import { port, take_commands } from "./commands.js";

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

function exchange() {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: "/small", agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece) => {
        text += piece;
      });
      response.on("end", () => resolve([response.statusCode, JSON.parse(text)]));
    }).on("error", reject);
  });
}

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const [status, body] = await exchange();
    if (status !== 200 || body.id !== 42) throw new Error("a bad response");
  }
});
