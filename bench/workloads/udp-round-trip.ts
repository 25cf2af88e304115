import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "64-byte UDP round trip",
      server: "udp-echo",
      peers: {
        "std-net": "udp-round-trip.std-net.js",
        C: "udp-round-trip",
        "Python socket": "udp-round-trip.py",
      },
      targets: { C: { at_most: 1.12 } },
      warmUp: 20_000,
      count: 10_000,
    },
    effort,
  );
}
