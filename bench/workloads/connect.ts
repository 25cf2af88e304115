import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "connect, one byte, close",
      server: "echo-once",
      peers: { "std-net": "connect.std-net.js", C: "connect", "Python socket": "connect.py" },
      targets: { C: { at_most: 1.12 } },
      warmUp: 20_000,
      count: 2000,
    },
    effort,
  );
}
