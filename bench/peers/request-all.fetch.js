// As many loops as there are to be requests at once.
import { port, take_commands } from "./commands.js";

const concurrency = Number(process.argv[3]);
const url = `http://127.0.0.1:${port}/small`;

take_commands(async (count) => {
  let left = count;
  const loop = async () => {
    while (left-- > 0) {
      const response = await fetch(url);
      const body = await response.json();
      if (response.status !== 200 || body.id !== 42) throw new Error("a bad response");
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
});
