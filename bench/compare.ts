// npm run bench:compare -- CHECKOUT [workload ...] [--rounds=N] [--wait=poll] [--cpu]
// Compares this checkout with another one of the same project, both built: for a change that must not cost anything. Both run the
// same workload at the same time, in turns and on one core, and each ratio is that of two neighbours in one round. With
// --wait=poll, this checkout's side waits as on macOS and Windows; the other one may be this very checkout then.
// --cpu counts the processor time of both sides' processes: for a machine that has other work as well.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { compare, microseconds } from "./measure.ts";
import { makeCertificate, startNginx } from "./nginx.ts";
import {
  compilePeers,
  cpuTime,
  type Program,
  peer,
  pinning,
  Skip,
  startPeer,
  startServer,
} from "./programs.ts";
import { interleave } from "./rounds.ts";

interface Workload {
  /** The peer that is measured, and what it is given behind the port. */
  readonly file: string;
  readonly args?: readonly string[];
  /** The mode of the neutral C server; none where the peer needs no server, null for nginx with TLS. */
  readonly server?: string | null;
  /** Operations in a round, and before the first one. */
  readonly count: number;
  readonly warmUp: number;
  /** The most that one operation may take, in that of the other side. */
  readonly most: number;
}

const workloads: Record<string, Workload> = {
  "tcp-round-trip": client("tcp-round-trip", "echo", 5000, 1.02),
  "udp-round-trip": client("udp-round-trip", "udp-echo", 5000, 1.02),
  connect: client("connect", "echo-once", 2000, 1.02),
  send: client("send", "sink", 2 ** 14, 1.02),
  receive: client("receive", "source", 2 ** 14, 1.02),
  "receive-into": client("receive-into", "source", 2 ** 14, 1.02),
  "http-get": client("http-get", "http", 3000, 1.03),
  "http-get-close": client("http-get-close", "http-once", 1000, 1.03),
  "https-get": { file: "https-get.std-net.js", server: null, count: 2000, warmUp: 20_000, most: 1.02 },
  "poller-wait": { file: "poller-wait.std-net.js", args: ["100"], count: 5000, warmUp: 20_000, most: 1.02 },
};

/** Servers of ours under a C client. */
const servers: Record<string, { file: string; client: string; count: number; most: number }> = {
  "server-loop": { file: "server-loop.std-net.js", client: "http-get", count: 3000, most: 1.02 },
  "server-poller": { file: "server-poller.std-net.js", client: "http-get", count: 3000, most: 1.02 },
};

function client(name: string, server: string, count: number, most: number): Workload {
  return { file: `${name}.std-net.js`, server, count, warmUp: 20_000, most };
}

const values = process.argv.slice(2);
const options = new Map(
  values
    .filter((value) => value.startsWith("--"))
    .map((value) => value.slice(2).split("=") as [string, string]),
);
const [other, ...named] = values.filter((value) => !value.startsWith("--"));
if (other === undefined || !existsSync(join(other, "dist", "index.js"))) {
  console.error("usage: npm run bench:compare -- CHECKOUT [workload ...] [--rounds=N] [--wait=poll] [--cpu]");
  console.error("(CHECKOUT is a folder of this project that was built: npm run build)");
  process.exit(2);
}
const rounds = Number(options.get("rounds") ?? 31);
const wait = options.get("wait");
const countsCpu = options.has("cpu");

/** The commands of both sides. A peer finds the library of the checkout that it lies in. */
function sidesOf(file: string, ...args: (string | number)[]): Record<"new" | "old", string[]> {
  const [node, script, ...rest] = peer(file, ...args) as [string, string, ...string[]];
  return {
    new: [...(wait === undefined ? [] : ["env", `STD_NET_WAIT=${wait}`]), node, script, ...rest],
    old: [node, join(resolve(other!), script), ...rest],
  };
}

/** A program that is told to run, and the one that is measured: the same, or a server of which it is the client. */
interface Side {
  readonly side: Program;
  readonly measured: Program;
}

/** Warms both sides up and lets them take turns. */
async function measure(
  title: string,
  sides: Map<string, Side>,
  workload: Omit<Workload, "file">,
): Promise<void> {
  for (const { side } of sides.values()) await side.run(workload.warmUp);
  const perOperation = async ({ side, measured }: Side): Promise<number> => {
    const before = countsCpu ? cpuTime(measured) : 0;
    const elapsed = await side.run(workload.count);
    return (countsCpu ? cpuTime(measured) - before : elapsed) / workload.count / 1000;
  };
  const results = await interleave(
    new Map([...sides].map(([name, side]) => [name, () => perOperation(side)])),
    rounds,
  );
  const { median, ours, theirs } = compare(
    { title, against: "old", measure: "time", target: { at_most: workload.most } },
    results.get("new")!,
    results.get("old")!,
    microseconds,
  );
  const verdict = median <= workload.most ? "ok" : `more than ${workload.most}`;
  console.log(
    `${title.padEnd(16)} ${median.toFixed(3)}  ${ours.padStart(8)} to ${theirs.padStart(8)}  ${verdict}`,
  );
  if (median > workload.most) process.exitCode = 1;
}

async function compareClients(title: string, workload: Workload): Promise<void> {
  const running: Program[] = [];
  const certificate = workload.server === null ? makeCertificate() : null;
  try {
    let args: (string | number)[] = [0];
    if (certificate !== null) {
      const nginx = await startNginx(certificate);
      running.push(nginx.program);
      args = [nginx.port, certificate.cert];
    } else if (workload.server !== undefined) {
      const server = await startServer(peer("server", workload.server!));
      running.push(server.program);
      args = [server.port];
    }
    const sides = new Map<string, Side>();
    for (const [name, command] of Object.entries(sidesOf(workload.file, ...args, ...(workload.args ?? [])))) {
      const side = await startPeer(command);
      running.push(side);
      sides.set(name, { side, measured: side });
    }
    await measure(title, sides, workload);
  } finally {
    for (const program of running) program.stop();
    certificate?.remove();
  }
}

async function compareServers(title: string, file: string, clientFile: string, count: number, most: number) {
  const running: Program[] = [];
  try {
    const sides = new Map<string, Side>();
    for (const [name, command] of Object.entries(sidesOf(file))) {
      const { program, port } = await startServer(command);
      running.push(program);
      const side = await startPeer(peer(clientFile, port));
      running.push(side);
      sides.set(name, { side, measured: program });
    }
    await measure(title, sides, { count, warmUp: 20_000, most });
  } finally {
    for (const program of running) program.stop();
  }
}

compilePeers();
console.log(`${rounds} rounds, ${pinning}; the median of new / old`);
for (const [name, workload] of Object.entries(workloads)) {
  if (named.length > 0 && !named.includes(name)) continue;
  try {
    await compareClients(name, workload);
  } catch (problem) {
    if (!(problem instanceof Skip)) throw problem;
    console.log(`${name}: ${problem.message}`);
  }
}
for (const [name, { file, client, count, most }] of Object.entries(servers)) {
  if (named.length === 0 || named.includes(name)) await compareServers(name, file, client, count, most);
}
