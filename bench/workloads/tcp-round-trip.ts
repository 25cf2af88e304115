import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "64-byte TCP round trip",
      server: "echo",
      peers: {
        "std-net": "tcp-round-trip.std-net.js",
        C: "tcp-round-trip",
        "Python socket": "tcp-round-trip.py",
        "node:net": "tcp-round-trip.node-net.js",
      },
      targets: { C: { at_most: 1.1 }, "Python socket": { at_most: 1 } },
      warmUp: 20_000,
      count: 10_000,
    },
    effort,
  );
}
