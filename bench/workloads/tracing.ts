// What tracing costs when it is off: the library against the same library built without the tracing module.
import { build } from "esbuild";
import { type Effort, measureClients } from "../rounds.ts";

const WITHOUT = `
export function traceClasses() {}
export function traced(_name, call) { return call; }
`;

export async function run(effort: Effort) {
  await build({
    entryPoints: ["src/index.ts"],
    outfile: "build/untraced/index.js",
    bundle: true,
    external: ["koffi"],
    platform: "node",
    format: "esm",
    target: "node20",
    logLevel: "warning",
    plugins: [
      {
        name: "without tracing",
        setup({ onLoad }) {
          onLoad({ filter: /src[/\\]trace\.ts$/ }, () => ({ contents: WITHOUT }));
        },
      },
    ],
  });
  return [
    ...(await measureClients(
      {
        title: "64-byte TCP round trip, tracing off",
        server: "echo",
        peers: {
          "std-net": "tcp-round-trip.std-net.js",
          "built without tracing": "tcp-round-trip.untraced.js",
        },
        targets: { "built without tracing": { at_most: 1.03 } },
        warmUp: 20_000,
        count: 10_000,
      },
      effort,
    )),
    ...(await measureClients(
      {
        title: "GET of a small JSON, kept connection, tracing off",
        server: "http",
        peers: { "std-net": "http-get.std-net.js", "built without tracing": "http-get.untraced.js" },
        targets: { "built without tracing": { at_most: 1.03 } },
        warmUp: 20_000,
        count: 3000,
      },
      effort,
    )),
  ];
}
