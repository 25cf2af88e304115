// How it is measured. All sides are alive at once and take turns: A B C, B C A ... What the machine does meanwhile
// falls on all of them, and each ratio is that of two neighbours in one round.
import { type Comparison, compare, gibibytesPerSecond, microseconds, type Target } from "./measure.ts";
import { available, type Program, peer, startPeer, startServer } from "./programs.ts";

export interface Effort {
  rounds: number;
  /** Part of the full count of operations in each round. */
  share: number;
}

/** What each side's measurement gave, round by round; the sides take turns in going first. */
export async function interleave(
  sides: ReadonlyMap<string, () => Promise<number>>,
  rounds: number,
): Promise<Map<string, number[]>> {
  const names = [...sides.keys()];
  const results = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      const name = names[(turn + round) % names.length]!;
      results.get(name)!.push(await sides.get(name)!());
    }
  }
  return results;
}

export interface Sides {
  title: string;
  /** Each side's program (see `peer`), given the server's port; "std-net" is one of them. */
  peers: Record<string, string | readonly [string, ...string[]]>;
  /** What std-net is to reach against a side; a side that is not here is for information. */
  targets: Record<string, Target>;
  /** Operations in each round. */
  count: number;
  /** Operations before the first round: caches, and the compilers of those languages that have one, get warm. */
  warmUp: number;
  /** For a transfer: bytes of an operation. The ratio is then that of throughputs. */
  bytes?: number;
}

export interface Clients extends Sides {
  /** Mode of the neutral C server that every client talks to. */
  server: string;
}

/** Client programs against the neutral server: the usual workload. */
export async function measureClients(clients: Clients, effort: Effort): Promise<Comparison[]> {
  const server = await startServer(peer("server", clients.server));
  try {
    return await measureAgainst(server.port, clients, effort);
  } finally {
    server.program.stop();
  }
}

/** Client programs against a server that is there already. */
export async function measureAgainst(port: number, clients: Sides, effort: Effort): Promise<Comparison[]> {
  const running: Program[] = [];
  try {
    const count = Math.max(1, Math.round(clients.count * effort.share));
    const { bytes } = clients;
    const sides = new Map<string, () => Promise<number>>();
    for (const [name, program] of Object.entries(clients.peers)) {
      const [file, ...args] = typeof program === "string" ? [program] : program;
      if (file.endsWith(".py") && !available("python3")) continue;
      const side = await startPeer(peer(file, port, ...args));
      running.push(side);
      await side.run(clients.warmUp);
      sides.set(name, async () => {
        const nanoseconds = await side.run(count);
        return bytes === undefined
          ? nanoseconds / count / 1000
          : (count * bytes) / 2 ** 30 / (nanoseconds / 1e9);
      });
    }

    const results = await interleave(sides, effort.rounds);
    const ours = results.get("std-net")!;
    results.delete("std-net");
    return [...results].map(([against, theirs]) =>
      compare(
        {
          title: clients.title,
          against,
          measure: bytes === undefined ? "time" : "throughput",
          target: clients.targets[against] ?? null,
        },
        ours,
        theirs,
        bytes === undefined ? microseconds : gibibytesPerSecond,
      ),
    );
  } finally {
    for (const program of running) program.stop();
  }
}
