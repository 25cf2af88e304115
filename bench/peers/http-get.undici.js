// Awaited one by one, each body read as JSON: what a program does that needs a response before it goes on.
import { Client } from "undici";
import { port, take_commands } from "./commands.js";

const client = new Client(`http://127.0.0.1:${port}`);

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const response = await client.request({ method: "GET", path: "/small" });
    const body = await response.body.json();
    if (response.statusCode !== 200 || body.id !== 42) throw new Error("a bad response");
  }
});
