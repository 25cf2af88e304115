import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "receiving 1 GiB by read_into",
      server: "source",
      peers: { "std-net": "receive-into.std-net.js", C: "receive" },
      targets: { C: { at_least: 0.95 } },
      warmUp: 20_000,
      count: 2 ** 14,
      bytes: 2 ** 16,
    },
    effort,
  );
}
