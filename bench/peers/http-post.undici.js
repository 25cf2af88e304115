import { Client } from "undici";
import { port, take_commands } from "./commands.js";
import { megabyte } from "./megabyte.js";

const client = new Client(`http://127.0.0.1:${port}`);
const headers = { "content-type": "application/json" };

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const body = JSON.stringify(megabyte);
    const response = await client.request({ method: "POST", path: "/echo", headers, body });
    const echo = await response.body.json();
    if (echo.length !== megabyte.length) throw new Error("not the echo");
  }
});
