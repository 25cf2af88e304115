import { type Effort, measureClients } from "../rounds.ts";

export function run(effort: Effort) {
  return measureClients(
    {
      title: "GET of a small JSON, kept connection",
      server: "http",
      peers: {
        "std-net": "http-get.std-net.js",
        C: "http-get",
        "undici (warm)": "http-get.undici.js",
        "node:http": "http-get.node-http.js",
        fetch: "http-get.fetch.js",
        "Python http.client": "http-get.py",
      },
      targets: {
        C: { at_most: 1.2 },
        "undici (warm)": { at_most: 0.55 },
        "Python http.client": { at_most: 0.4 },
      },
      warmUp: 20_000,
      count: 3000,
    },
    effort,
  );
}
