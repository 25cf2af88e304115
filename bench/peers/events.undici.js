import { createParser } from "eventsource-parser";
import { Client } from "undici";
import { port, take_commands } from "./commands.js";

const [path, events] = process.argv.slice(3);
const client = new Client(`http://127.0.0.1:${port}`);

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    let seen = 0;
    const parser = createParser({
      onEvent({ data }) {
        if (JSON.parse(data).created === 1700000000) seen++;
      },
    });
    const { body } = await client.request({ method: "GET", path, headers: { accept: "text/event-stream" } });
    const decoder = new TextDecoder();
    await new Promise((done, failed) => {
      body
        .on("data", (bytes) => parser.feed(decoder.decode(bytes, { stream: true })))
        .on("end", done)
        .on("error", failed);
    });
    if (seen !== Number(events)) throw new Error(`${seen} events`);
  }
});
