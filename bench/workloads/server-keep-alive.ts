import { measureServers } from "../load.ts";
import { peer } from "../programs.ts";
import type { Effort } from "../rounds.ts";

export function run(effort: Effort) {
  return measureServers(
    {
      title: "server loop, one keep-alive connection",
      commands: {
        "std-net": peer("server-loop.std-net.js"),
        C: peer("server", "http-once"),
        "node:http": peer("server-loop.node-http.js"),
      },
      targets: { C: { at_least: 0.85 }, "node:http": { at_least: 1.2 } },
      connections: 1,
    },
    effort,
  );
}
