// Servers under wrk, alive side by side and asked in turns. With one connection server and client take turns as well, and
// share a core like everything that is a conversation: on two, what is measured is how long a sleeping core takes to
// wake up. With many connections there is always something to do, and wrk has the other core for itself.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { type Comparison, compare, perSecond, type Target } from "./measure.ts";
import { available, otherCore, type Program, pinned, Skip, sharedCore, startServer } from "./programs.ts";
import { type Effort, interleave } from "./rounds.ts";

export interface Servers {
  title: string;
  /** Each side's server program, which prints "listening PORT"; "std-net" is one of them. */
  commands: Record<string, readonly string[]>;
  targets: Record<string, Target>;
  connections: number;
  /** Whether each request asks for a connection of its own. */
  close?: boolean;
  /** Leaves the servers on all cores; wrk too, then. */
  everyCore?: boolean;
}

/** Requests per second of one server, as wrk counts them. */
async function load(port: number, seconds: number, servers: Servers): Promise<number> {
  const command = [
    "wrk",
    "-t1",
    `-c${servers.connections}`,
    `-d${seconds}s`,
    ...(servers.close === true ? ["-H", "Connection: close"] : []),
    `http://127.0.0.1:${port}/`,
  ];
  const core = servers.everyCore === true ? null : servers.connections === 1 ? sharedCore : otherCore;
  const [file, ...args] = pinned(command, core);
  const { stdout } = await promisify(execFile)(file!, args);
  const bad = /Non-2xx|Socket errors: (?!connect 0, read 0, write 0)/.exec(stdout);
  // With a connection for each request, the server's close can reach wrk as an error of the read that follows.
  if (bad !== null && servers.close !== true) throw new Error(`wrk met errors:\n${stdout}`);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout);
  if (rate === null) throw new Error(`wrk said:\n${stdout}`);
  return Number(rate[1]);
}

export async function measureServers(servers: Servers, effort: Effort): Promise<Comparison[]> {
  if (!available("wrk")) throw new Skip("the load generator wrk is not installed here");
  const running: Program[] = [];
  try {
    const sides = new Map<string, () => Promise<number>>();
    const seconds = Math.max(1, Math.round(2 * effort.share));
    for (const [name, command] of Object.entries(servers.commands)) {
      const { program, port } = await startServer(command, servers.everyCore === true ? null : sharedCore);
      running.push(program);
      await load(port, 2, servers);
      sides.set(name, () => load(port, seconds, servers));
    }
    const results = await interleave(sides, effort.rounds);
    const ours = results.get("std-net")!;
    results.delete("std-net");
    return [...results].map(([against, theirs]) =>
      compare(
        {
          title: servers.title,
          against,
          measure: "requests per second",
          target: servers.targets[against] ?? null,
        },
        ours,
        theirs,
        perSecond,
      ),
    );
  } finally {
    for (const program of running) program.stop();
  }
}
