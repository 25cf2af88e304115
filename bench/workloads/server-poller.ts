import { measureServers } from "../load.ts";
import { peer } from "../programs.ts";
import type { Effort } from "../rounds.ts";

export function run(effort: Effort) {
  return measureServers(
    {
      title: "event loop of Poller, 64 keep-alive connections",
      commands: {
        "std-net": peer("server-poller.std-net.js"),
        "node:http": peer("server-loop.node-http.js"),
      },
      targets: { "node:http": { at_least: 1.3 } },
      connections: 64,
    },
    effort,
  );
}
