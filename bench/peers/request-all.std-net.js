// Many requests, so many of them at once (the second argument); over TLS with the file of a certificate as the third one.
import { readFileSync } from "node:fs";
import { http } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const concurrency = Number(process.argv[3]);
const [, , , , certificate] = process.argv;
const request = {
  method: "GET",
  url: `${certificate ? "https" : "http"}://127.0.0.1:${port}/small`,
  ...(certificate ? { tls: { ca: readFileSync(certificate, "utf8") } } : {}),
};

take_commands((count) => {
  for (const result of http.request_all(Array(count).fill(request), { concurrency })) {
    const { status, body } = expect(result);
    if (status !== 200 || body.id !== 42) throw new Error("a bad response");
  }
});
