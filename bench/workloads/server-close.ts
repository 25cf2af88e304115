import { measureServers } from "../load.ts";
import { peer } from "../programs.ts";
import type { Effort } from "../rounds.ts";

export function run(effort: Effort) {
  return measureServers(
    {
      title: "server loop, a connection for each request, 16 at once",
      commands: {
        "std-net": peer("server-loop.std-net.js"),
        C: peer("server", "http-once"),
        "node:http": peer("server-loop.node-http.js"),
      },
      targets: { "node:http": { at_least: 1.4 } },
      connections: 16,
      close: true,
    },
    effort,
  );
}
