import { availableParallelism } from "node:os";
import { measureServers } from "../load.ts";
import { peer, Skip } from "../programs.ts";
import type { Effort } from "../rounds.ts";

export async function run(effort: Effort) {
  if (availableParallelism() < 2) throw new Skip("one core only");
  return measureServers(
    {
      title: "server of two worker threads",
      commands: {
        "std-net": peer("server-workers.std-net.js", 2),
        "one worker": peer("server-workers.std-net.js", 1),
      },
      targets: { "one worker": { at_least: 1.7 } },
      connections: 2,
      everyCore: true,
    },
    effort,
  );
}
