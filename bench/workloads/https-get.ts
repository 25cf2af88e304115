import type { Comparison } from "../measure.ts";
import { makeCertificate, startNginx } from "../nginx.ts";
import { type Effort, measureAgainst } from "../rounds.ts";

export async function run(effort: Effort): Promise<Comparison[]> {
  const certificate = makeCertificate();
  try {
    const server = await startNginx(certificate);
    const { cert } = certificate;
    try {
      const kept = await measureAgainst(
        server.port,
        {
          title: "https GET of a small JSON, kept connection",
          peers: {
            "std-net": ["https-get.std-net.js", cert],
            C: ["https-get", cert],
            "undici (warm)": ["https-get.undici.js", cert],
          },
          targets: { C: { at_most: 1.25 }, "undici (warm)": { at_most: 0.6 } },
          warmUp: 20_000,
          count: 3000,
        },
        effort,
      );
      const resumed = await measureAgainst(
        server.port,
        {
          title: "https GET of a small JSON, a new connection each, resumed",
          peers: {
            "std-net": ["https-get.std-net.js", cert, "resumed"],
            C: ["https-get", cert, "resumed"],
            undici: ["https-get.undici.js", cert, "resumed"],
          },
          targets: { C: { at_most: 1.15 }, undici: { at_most: 0.25 } },
          warmUp: 3000,
          count: 500,
        },
        effort,
      );
      return [...kept, ...resumed];
    } finally {
      server.program.stop();
    }
  } finally {
    certificate.remove();
  }
}
