import type { Comparison } from "../measure.ts";
import { makeCertificate } from "../nginx.ts";
import { peer, startServer } from "../programs.ts";
import { type Effort, measureAgainst } from "../rounds.ts";

export async function run(effort: Effort): Promise<Comparison[]> {
  const certificate = makeCertificate();
  const { cert, key } = certificate;
  const comparisons: Comparison[] = [];
  try {
    for (const [mode, verb, name] of [
      ["source", "receiving", "tls-receive"],
      ["sink", "sending", "tls-send"],
    ] as const) {
      const { program, port } = await startServer(peer("https-transfer", mode, cert, key));
      try {
        const measured = await measureAgainst(
          port,
          {
            title: `${verb} 1 GiB over TLS 1.3`,
            peers: { "std-net": [`${name}.std-net.js`, cert], "node:tls": [`${name}.node-tls.js`, cert] },
            targets: { "node:tls": { at_least: 0.9 } },
            warmUp: 2000,
            count: 2 ** 14,
            bytes: 2 ** 16,
          },
          effort,
        );
        comparisons.push(...measured);
      } finally {
        program.stop();
      }
    }
    return comparisons;
  } finally {
    certificate.remove();
  }
}
