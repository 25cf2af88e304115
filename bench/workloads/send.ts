import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "sending 1 GiB in 64 KiB pieces",
      server: "sink",
      peers: { "std-net": "send.std-net.js", C: "send" },
      targets: { C: { at_least: 0.95 } },
      warmUp: 20_000,
      count: 2 ** 14,
      bytes: 2 ** 16,
    },
    effort,
  );
}
