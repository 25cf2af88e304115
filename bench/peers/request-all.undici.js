// As many loops as there are to be requests at once, over a pool with a connection for each.
import { readFileSync } from "node:fs";
import { Pool } from "undici";
import { port, take_commands } from "./commands.js";

const connections = Number(process.argv[3]);
const [, , , , certificate] = process.argv;
const connect = certificate ? { connect: { ca: readFileSync(certificate, "utf8") } } : {};
const pool = new Pool(`${certificate ? "https" : "http"}://127.0.0.1:${port}`, { connections, ...connect });

take_commands(async (count) => {
  let left = count;
  const loop = async () => {
    while (left-- > 0) {
      const response = await pool.request({ method: "GET", path: "/small" });
      const body = await response.body.json();
      if (response.statusCode !== 200 || body.id !== 42) throw new Error("a bad response");
    }
  };
  await Promise.all(Array.from({ length: connections }, loop));
});
