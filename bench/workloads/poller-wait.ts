// What idle connections cost: nothing, if the kernel keeps the list of those that are ready.
import { type Comparison, compare, microseconds } from "../measure.ts";
import { peer, startPeer } from "../programs.ts";
import { type Effort, interleave } from "../rounds.ts";

export async function run(effort: Effort): Promise<Comparison[]> {
  const many = await startPeer(peer("poller-wait.std-net.js", 0, 5000));
  const few = await startPeer(peer("poller-wait.std-net.js", 0, 10));
  try {
    const count = Math.round(5000 * effort.share);
    await many.run(20_000);
    await few.run(20_000);
    const results = await interleave(
      new Map([
        ["many", async () => (await many.run(count)) / count / 1000],
        ["few", async () => (await few.run(count)) / count / 1000],
      ]),
      effort.rounds,
    );
    return [
      compare(
        {
          title: "Poller.wait, one busy of 5,000 connections",
          against: "one of 10",
          measure: "time",
          target: { at_most: 2 },
        },
        results.get("many")!,
        results.get("few")!,
        microseconds,
      ),
    ];
  } finally {
    many.stop();
    few.stop();
  }
}
