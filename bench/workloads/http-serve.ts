// http.serve under load: against node:http, with thousands of idle clients, with silent ones, and with two workers.
import { availableParallelism } from "node:os";
import { measureServers } from "../load.ts";
import type { Comparison } from "../measure.ts";
import { peer } from "../programs.ts";
import type { Effort } from "../rounds.ts";

const CONNECTIONS = 64;
const IDLE = 5000;
const SILENT = 200;

export async function run(effort: Effort): Promise<Comparison[]> {
  const server = peer("http-serve.std-net.js");
  const alone = await measureServers(
    {
      title: `http.serve, ${CONNECTIONS} keep-alive connections`,
      commands: { "std-net": server, "node:http": peer("server-loop.node-http.js") },
      targets: { "node:http": { at_least: 1.7 } },
      connections: CONNECTIONS,
    },
    effort,
  );
  const crowded = await measureServers(
    {
      title: `http.serve, ${IDLE} idle connections beside ${CONNECTIONS} busy ones`,
      commands: { "std-net": server, "without them": server },
      targets: { "without them": { at_least: 0.9 } },
      connections: CONNECTIONS,
      others: { "std-net": { count: IDLE, text: "GET / HTTP/1.1\r\nHost: a\r\n\r\n" } },
    },
    effort,
  );
  const silent = await measureServers(
    {
      title: `http.serve, 99% of the requests beside ${SILENT} clients with half a request`,
      commands: { "std-net": server, "without them": server },
      targets: { "without them": { at_most: 1.2 } },
      connections: 16,
      measure: "time",
      others: { "std-net": { count: SILENT, text: "GET / HTTP/1.1\r\nHo" } },
    },
    effort,
  );
  return [...alone, ...crowded, ...silent, ...(availableParallelism() < 2 ? [] : await workers(effort))];
}

function workers(effort: Effort): Promise<Comparison[]> {
  return measureServers(
    {
      title: "http.serve in two worker threads",
      commands: {
        "std-net": peer("http-serve.std-net.js", 2),
        "one worker": peer("http-serve.std-net.js", 1),
      },
      targets: { "one worker": { at_least: 1.7 } },
      connections: 16,
      everyCore: true,
    },
    effort,
  );
}
