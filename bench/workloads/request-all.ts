// Many requests at once: http.request_all against the event loop's clients. Client and server have a core each, because with many
// connections there is always something to do for both.
import { type Comparison, compare, microseconds, milliseconds, type Target } from "../measure.ts";
import { makeCertificate, startNginx } from "../nginx.ts";
import { cpuTime, otherCore, type Program, peer, Skip, startPeer, startServer } from "../programs.ts";
import { type Effort, interleave } from "../rounds.ts";

type Command = readonly [file: string, ...args: (string | number)[]];

interface Plan {
  readonly title: string;
  readonly port: number;
  readonly peers: Readonly<Record<string, Command>>;
  readonly targets: Readonly<Record<string, Target>>;
  readonly count: number;
  readonly warmUp: number;
}

/** How many requests in a second, against every other side, and the processor time of one request against undici. */
async function measure(plan: Plan, cpuTargets: Plan["targets"], effort: Effort): Promise<Comparison[]> {
  const running: Program[] = [];
  try {
    const count = Math.max(1, Math.round(plan.count * effort.share));
    const cpu = new Map<string, number[]>();
    const sides = new Map<string, () => Promise<number>>();
    for (const [name, [file, ...args]] of Object.entries(plan.peers)) {
      const side = await startPeer(peer(file, plan.port, ...args));
      running.push(side);
      await side.run(plan.warmUp);
      cpu.set(name, []);
      sides.set(name, async () => {
        const before = cpuTime(side);
        const nanoseconds = await side.run(count);
        cpu.get(name)!.push((cpuTime(side) - before) / count / 1000);
        return nanoseconds / count / 1000;
      });
    }
    const results = await interleave(sides, effort.rounds);
    const rates = [...results.keys()]
      .filter((name) => name !== "std-net")
      .map((against) => {
        const what = {
          against,
          measure: "requests per second",
          target: plan.targets[against] ?? null,
        } as const;
        const rate = (times: readonly number[]): number[] => times.map((time) => 1e6 / time);
        const [ours, theirs] = ["std-net", against].map((name) => rate(results.get(name)!)) as [
          number[],
          number[],
        ];
        return compare({ title: plan.title, ...what }, ours, theirs, (value) => `${Math.round(value)}/s`);
      });
    const times = Object.entries(cpuTargets).map(([against, target]) => {
      const what = { title: `${plan.title}, processor time`, against, measure: "time", target } as const;
      return compare(what, cpu.get("std-net")!, cpu.get(against)!, microseconds);
    });
    return [...rates, ...times];
  } finally {
    for (const program of running) program.stop();
  }
}

/** So many at once on a server that has its responses ready. */
function atOnce(
  port: number,
  concurrency: number,
  timesUndici: number,
  effort: Effort,
): Promise<Comparison[]> {
  const plan = {
    title: `${concurrency} GETs at once`,
    port,
    peers: {
      "std-net": ["request-all.std-net.js", concurrency],
      undici: ["request-all.undici.js", concurrency],
      "undici's dispatch": ["request-all.undici-dispatch.js", concurrency],
      "node:http": ["request-all.node-http.js", concurrency],
      fetch: ["request-all.fetch.js", concurrency],
    },
    targets: {
      undici: { at_least: timesUndici },
      "undici's dispatch": { at_least: timesUndici },
      "node:http": { at_least: 1.4 },
      fetch: { at_least: 4 },
    },
    count: 8000,
    warmUp: 30_000,
  } as const;
  return measure(plan, { undici: { at_most: 0.65 }, "undici's dispatch": { at_most: 0.65 } }, effort);
}

async function overTls(effort: Effort): Promise<Comparison[]> {
  const certificate = makeCertificate();
  try {
    const server = await startNginx(certificate, otherCore);
    try {
      const { cert } = certificate;
      const plan = {
        title: "64 https GETs at once",
        port: server.port,
        peers: {
          "std-net": ["request-all.std-net.js", 64, cert],
          undici: ["request-all.undici.js", 64, cert],
          "undici's dispatch": ["request-all.undici-dispatch.js", 64, cert],
        },
        targets: { undici: { at_least: 1.4 }, "undici's dispatch": { at_least: 1.4 } },
        count: 5000,
        warmUp: 20_000,
      } as const;
      return await measure(plan, {}, effort);
    } finally {
      server.program.stop();
    }
  } finally {
    certificate.remove();
  }
}

/** What `request_all` costs where there is nothing to be done at once. */
async function oneAtATime(port: number, effort: Effort): Promise<Comparison[]> {
  const compareWith = async (title: string, how: string): Promise<Comparison[]> => {
    const sides = new Map<string, () => Promise<number>>();
    const running: Program[] = [];
    try {
      const count = Math.round(3000 * effort.share);
      for (const [name, way] of [
        ["std-net", how],
        ["http.request", "request"],
      ] as const) {
        const side = await startPeer(peer("request-one.std-net.js", port, way));
        running.push(side);
        await side.run(20_000);
        sides.set(name, async () => (await side.run(count)) / count / 1000);
      }
      const results = await interleave(sides, effort.rounds);
      const what = { title, against: "http.request", measure: "time", target: { at_most: 1.2 } } as const;
      return [compare(what, results.get("std-net")!, results.get("http.request")!, microseconds)];
    } finally {
      for (const program of running) program.stop();
    }
  };
  return [
    ...(await compareWith("request_all of one GET", "alone")),
    ...(await compareWith("request_all of many GETs, concurrency 1", "all")),
  ];
}

/** The server takes 100 ms for each response: ten times a hundred at once take a second at the least. */
async function slowServer(effort: Effort): Promise<Comparison[]> {
  const server = await startServer(peer("many-server", 100), otherCore);
  try {
    const side = await startPeer(peer("request-all.std-net.js", server.port, 100));
    try {
      await side.run(1000);
      const sides = new Map([["std-net", async () => (await side.run(1000)) / 1e6]]);
      const times = (await interleave(sides, Math.min(effort.rounds, 5))).get("std-net")!;
      const what = {
        title: "1,000 GETs of 100 ms each, 100 at once",
        against: "1 s",
        measure: "time",
        target: { at_most: 1.3 },
      } as const;
      return [
        compare(
          what,
          times,
          times.map(() => 1000),
          milliseconds,
        ),
      ];
    } finally {
      side.stop();
    }
  } finally {
    server.program.stop();
  }
}

export async function run(effort: Effort): Promise<Comparison[]> {
  const results: Comparison[] = [];
  const server = await startServer(peer("many-server"), otherCore);
  try {
    for (const [concurrency, timesUndici] of [
      [16, 1.4],
      [64, 1.5],
      [256, 1.6],
    ] as const) {
      results.push(...(await atOnce(server.port, concurrency, timesUndici, effort)));
    }
  } finally {
    server.program.stop();
  }
  // Where one waits for the other, both are on one core.
  const shared = await startServer(peer("many-server"));
  try {
    results.push(...(await oneAtATime(shared.port, effort)));
  } finally {
    shared.program.stop();
  }
  results.push(...(await slowServer(effort)));
  try {
    results.push(...(await overTls(effort)));
  } catch (problem) {
    if (!(problem instanceof Skip)) throw problem;
  }
  return results;
}
