// On a kept connection; `resumed` as the last argument: on a new one each.
import { readFileSync } from "node:fs";
import { http } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const url = `https://127.0.0.1:${port}/small`;
const tls = { ca: readFileSync(process.argv[3], "utf8") };
const keep_alive = process.argv[4] !== "resumed";

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    const response = expect(http.request({ method: "GET", url, tls, keep_alive }));
    if (response.status !== 200 || response.body.id !== 42) throw new Error("a bad response");
  }
});
