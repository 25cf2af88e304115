import { port, take_commands } from "./commands.js";

const url = `http://127.0.0.1:${port}/small`;

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const response = await fetch(url);
    const body = await response.json();
    if (response.status !== 200 || body.id !== 42) throw new Error("a bad response");
  }
});
