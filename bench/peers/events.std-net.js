import { http } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const [path, events] = process.argv.slice(3);
const request = {
  method: "GET",
  url: `http://127.0.0.1:${port}${path}`,
  headers: { accept: "text/event-stream" },
};

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    let seen = 0;
    for (const event of expect(http.open(request)).body.events()) {
      if (JSON.parse(expect(event).data).created === 1700000000) seen++;
    }
    if (seen !== Number(events)) throw new Error(`${seen} events`);
  }
});
