// npm run test:wait [-- poll|bsd] [NAME ...]
// Runs the tests in which calls wait with another way of waiting than Linux's own, under STD_NET_WAIT: `poll` as on macOS and
// Windows, `bsd` with all that macOS's kernel does differently. Without names: sockets, workers, signals, TLS and HTTP.
import { spawn } from "node:child_process";

const WAYS = ["poll", "bsd"];
const NAMES = [
  "engine/",
  "net/",
  "tls/",
  "http/client",
  "http/client-connections",
  "http/client-on-stream",
  "http/read-request",
];

const named = process.argv.slice(2);
const way = WAYS.includes(named[0]) ? named.shift() : WAYS[0];
const names = named.length > 0 ? named : NAMES;

console.log(`STD_NET_WAIT=${way}`);
const child = spawn(process.execPath, ["scripts/test.js", ...names], {
  stdio: "inherit",
  env: { ...process.env, STD_NET_WAIT: way },
});
// Ctrl-C reaches the whole foreground process group; the runner ends its tests and itself.
process.on("SIGINT", () => {});
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
