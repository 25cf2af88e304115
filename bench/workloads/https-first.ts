// A whole process that makes one https request with the default trust: what it takes to load some 150 root
// certificates, and OpenSSL's names, is in it.
import { spawnSync } from "node:child_process";
import { type Comparison, compare, milliseconds } from "../measure.ts";
import { makeCertificate, startNginx } from "../nginx.ts";
import { peer, pinned } from "../programs.ts";
import { type Effort, interleave } from "../rounds.ts";

export async function run(effort: Effort): Promise<Comparison[]> {
  const certificate = makeCertificate();
  try {
    const { program, port } = await startNginx(certificate);
    try {
      // The default trust, and the server's own certificate among it.
      const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificate.cert };
      const whole = (file: string) => async () => {
        const [command, ...args] = pinned(peer(file, port));
        const start = performance.now();
        const { status } = spawnSync(command!, args, { stdio: "inherit", env });
        if (status !== 0) throw new Error(`${file} ended with status ${status}`);
        return performance.now() - start;
      };
      const results = await interleave(
        new Map([
          ["std-net", whole("https-first.std-net.js")],
          ["fetch", whole("https-first.fetch.js")],
        ]),
        effort.rounds * 2,
      );
      const what = {
        title: "the first https request, whole process, default trust",
        against: "fetch",
        measure: "time",
        target: { at_most: 1 },
      } as const;
      return [compare(what, results.get("std-net")!, results.get("fetch")!, milliseconds)];
    } finally {
      program.stop();
    }
  } finally {
    certificate.remove();
  }
}
