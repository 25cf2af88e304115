// A whole process, from spawn to exit: what a short script or a command line program pays.
import { spawnSync } from "node:child_process";
import { type Comparison, compare, milliseconds } from "../measure.ts";
import { peer, pinned, startServer } from "../programs.ts";
import { type Effort, interleave } from "../rounds.ts";

const TITLE = "cold start: import and one GET, whole process";

export async function run(effort: Effort): Promise<Comparison[]> {
  const { program: server, port } = await startServer(peer("server", "http"));
  try {
    const process = (file: string) => async () => {
      const [command, ...args] = pinned(peer(file, port));
      const start = performance.now();
      const { status } = spawnSync(command!, args, { stdio: "inherit" });
      if (status !== 0) throw new Error(`${file} ended with status ${status}`);
      return performance.now() - start;
    };
    const results = await interleave(
      new Map([
        ["std-net", process("cold.std-net.js")],
        ["empty", process("cold.empty.js")],
        ["fetch", process("cold.fetch.js")],
      ]),
      effort.rounds * 2,
    );
    const ours = results.get("std-net")!;
    return [
      compare(
        { title: TITLE, against: "an empty program", measure: "more milliseconds", target: { at_most: 20 } },
        ours,
        results.get("empty")!,
        milliseconds,
      ),
      compare(
        { title: TITLE, against: "fetch", measure: "time", target: { at_most: 0.6 } },
        ours,
        results.get("fetch")!,
        milliseconds,
      ),
    ];
  } finally {
    server.stop();
  }
}
