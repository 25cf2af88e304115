import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "POST of 1 MB of JSON, answered with 1 MB",
      server: "http",
      peers: {
        "std-net": "http-post.std-net.js",
        "stringify and parse alone": "http-post.json-alone.js",
        "undici (warm)": "http-post.undici.js",
      },
      targets: { "stringify and parse alone": { at_most: 1.1 }, "undici (warm)": { at_most: 1 } },
      warmUp: 50,
      count: 20,
    },
    effort,
  );
}
