// Whether memory grows with the number of requests: resident size after 100,000, of that after 10,000.
import { type Comparison, compare, mebibytes } from "../measure.ts";
import { type Program, peer, startPeer, startServer } from "../programs.ts";
import type { Effort } from "../rounds.ts";

async function grow(title: string, measured: Program, client: Program): Promise<Comparison> {
  await client.run(10_000);
  const early = measured.resident();
  await client.run(90_000);
  return compare(
    { title, against: "after 10,000", measure: "memory", target: { at_most: 1.1 } },
    [measured.resident()],
    [early],
    mebibytes,
  );
}

export async function run(_effort: Effort): Promise<Comparison[]> {
  const running: Program[] = [];
  try {
    const neutral = await startServer(peer("server", "http"));
    const client = await startPeer(peer("http-get.std-net.js", neutral.port));
    const server = await startServer(peer("server-loop.std-net.js"));
    const visitor = await startPeer(peer("http-get", server.port));
    running.push(neutral.program, client, server.program, visitor);
    return [
      await grow("client's memory after 100,000 requests", client, client),
      await grow("server's memory after 100,000 requests", server.program, visitor),
    ];
  } finally {
    for (const program of running) program.stop();
  }
}
