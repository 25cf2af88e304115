import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "GET of a small JSON, a new connection each",
      server: "http-once",
      peers: { "std-net": "http-get-close.std-net.js", C: ["http-get", "close"] },
      targets: { C: { at_most: 1.12 } },
      warmUp: 20_000,
      count: 2000,
    },
    effort,
  );
}
