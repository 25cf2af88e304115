// On a kept connection; `resumed` as the last argument: on a new one each, by a client that keeps sessions.
import { readFileSync } from "node:fs";
import { Client } from "undici";
import { port, take_commands } from "./commands.js";

const connect = { ca: readFileSync(process.argv[3], "utf8") };
const client = new Client(`https://127.0.0.1:${port}`, { connect });
const reset = process.argv[4] === "resumed";

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const response = await client.request({ method: "GET", path: "/small", reset });
    const body = await response.body.json();
    if (response.statusCode !== 200 || body.id !== 42) throw new Error("a bad response");
  }
});
