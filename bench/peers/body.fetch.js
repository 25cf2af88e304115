import { port, take_commands } from "./commands.js";

const [path, length] = process.argv.slice(3);

take_commands(async (count) => {
  for (let i = 0; i < count; i++) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    let total = 0;
    for await (const part of response.body) total += part.length;
    if (total !== Number(length)) throw new Error(`${total} bytes`);
  }
});
