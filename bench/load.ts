// Servers under wrk, alive side by side and asked in turns. With one connection server and client take turns as well, and
// share a core like everything that is a conversation: on two, what is measured is how long a sleeping core takes to
// wake up. With many connections there is always something to do, and wrk has the other core for itself.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { availableParallelism } from "node:os";
import { promisify } from "node:util";
import { type Comparison, compare, median, microseconds, perSecond, type Target } from "./measure.ts";
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
  /** Measures how long 99% of the requests take at most, and not how many there are. */
  measure?: "time";
  /** By side: clients that have sent this text, and stay connected meanwhile. */
  others?: Record<string, Others>;
}

interface Others {
  readonly count: number;
  readonly text: string;
}

/** Rounds that are not counted: the compilers have done their work after them. */
const WARM_UP = 3;
/** How long wrk asks one server in each round. */
const SECONDS = 1;

/** What wrk saw, and what it took itself. */
interface Load {
  readonly requestsPerSecond: number;
  /** Microseconds that 99% of the requests took at most. */
  readonly time: number;
  /** Seconds of processor time. */
  readonly ownTime: number;
}

async function load(port: number, servers: Servers): Promise<Load> {
  const wrk = [
    "wrk",
    "--latency",
    "-t1",
    `-c${servers.connections}`,
    `-d${SECONDS}s`,
    `http://127.0.0.1:${port}/`,
  ];
  if (servers.close === true) wrk.push("-H", "Connection: close");
  const core = servers.everyCore === true ? null : servers.connections === 1 ? sharedCore : otherCore;
  // The shell's `times` tells what its children took (POSIX): the last line, user and system time.
  const [file, ...args] = pinned(["sh", "-c", '"$@"; times', "sh", ...wrk], core);
  const { stdout } = await promisify(execFile)(file!, args);
  const bad = /Non-2xx|Socket errors: (?!connect 0, read 0, write 0)/.exec(stdout);
  // With a connection for each request, the server's close can reach wrk as an error of the read that follows.
  if (bad !== null && servers.close !== true) throw new Error(`wrk met errors:\n${stdout}`);
  const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout);
  const times = /(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*$/.exec(stdout);
  const time = /^ +99% +([\d.]+)(us|ms|s)$/m.exec(stdout);
  if (rate === null || times === null || time === null) throw new Error(`wrk said:\n${stdout}`);
  const [userMinutes, user, systemMinutes, system] = times.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return {
    requestsPerSecond: Number(rate[1]),
    time: Number(time[1]) * { us: 1, ms: 1000, s: 1_000_000 }[time[2] as "us" | "ms" | "s"],
    ownTime: 60 * (userMinutes + systemMinutes) + user + system,
  };
}

/** Connects the others, some at a time, so that no backlog overflows. */
async function connectOthers(port: number, { count, text }: Others): Promise<Socket[]> {
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const next = Array.from({ length: Math.min(200, count - sockets.length) }, () =>
      connect(port, "127.0.0.1"),
    );
    await Promise.all(next.map((socket) => once(socket, "connect")));
    for (const socket of next)
      socket
        .on("error", () => {})
        .resume()
        .write(text);
    sockets.push(...next);
  }
  return sockets;
}

export async function measureServers(servers: Servers, effort: Effort): Promise<Comparison[]> {
  if (!available("wrk")) throw new Skip("the load generator wrk is not installed here");
  const running: Program[] = [];
  const others: Socket[] = [];
  try {
    const sides = new Map<string, () => Promise<number>>();
    const ownTimes: number[] = [];
    for (const [name, command] of Object.entries(servers.commands)) {
      const { program, port } = await startServer(command, servers.everyCore === true ? null : sharedCore);
      running.push(program);
      const wanted = servers.others?.[name];
      if (wanted !== undefined) others.push(...(await connectOthers(port, wanted)));
      for (let warm = 0; warm < WARM_UP; warm++) await load(port, servers);
      sides.set(name, async () => {
        const { requestsPerSecond, time, ownTime } = await load(port, servers);
        ownTimes.push(ownTime);
        return servers.measure === "time" ? time : requestsPerSecond;
      });
    }
    const results = await interleave(sides, effort.rounds);
    const ours = results.get("std-net")!;
    results.delete("std-net");
    const share = Math.round((100 * median(ownTimes)) / (SECONDS * availableParallelism()));
    const title =
      servers.everyCore === true
        ? `${servers.title} (load generator: ${share}% of the cores)`
        : servers.title;
    return [...results].map(([against, theirs]) =>
      compare(
        {
          title,
          against,
          measure: servers.measure ?? "requests per second",
          target: servers.targets[against] ?? null,
        },
        ours,
        theirs,
        servers.measure === "time" ? microseconds : perSecond,
      ),
    );
  } finally {
    for (const program of running) program.stop();
    for (const socket of others) socket.destroy();
  }
}
