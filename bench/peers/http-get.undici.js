// Awaited one by one, each body read as JSON: what a program does that needs an answer before it goes on.
import { Client } from "undici";
import { port, take_commands } from "./commands.js";

const client = new Client(`http://127.0.0.1:${port}`);

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const answer = await client.request({ method: "GET", path: "/small" });
    const body = await answer.body.json();
    if (answer.statusCode !== 200 || body.id !== 42) throw new Error("a bad answer");
  }
});
