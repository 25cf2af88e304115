// npm test [-- NAME ...]
// Compiles the tests to plain JavaScript and gives them to node's own test runner: all of them, or those named
// (`npm test -- tcp udp` runs test/tcp.test.ts and test/udp.test.ts). No loader sits in the tests' processes, so that
// every descriptor, thread and signal that a test counts there is the library's or its own.
import { spawn } from "node:child_process";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const OUT = "build/test";
const SUFFIX = ".test.ts";
const named = process.argv.slice(2);
const files =
  named.length > 0
    ? named.map((name) => (name.endsWith(SUFFIX) ? name : join("test", name + SUFFIX)))
    : readdirSync("test")
        .filter((file) => file.endsWith(SUFFIX))
        .map((file) => join("test", file));
for (const file of files) {
  if (existsSync(file)) continue;
  console.error(`there is no ${file}`);
  process.exit(2);
}

rmSync(OUT, { recursive: true, force: true });
await build({
  entryPoints: files,
  outdir: OUT,
  bundle: true,
  splitting: true,
  // "std-net" too, whatever tsconfig.json's `paths` say: the tests use what the package ships.
  packages: "external",
  tsconfigRaw: {},
  platform: "node",
  format: "esm",
  target: "node20",
  keepNames: true,
  sourcemap: "inline",
  logLevel: "warning",
});

const compiled = files.map((file) => join(OUT, file.replace(/^.*\//, "").replace(/\.ts$/, ".js")));
const reporter = process.env.STD_NET_TEST_REPORTER ?? "spec";
const child = spawn(
  process.execPath,
  ["--enable-source-maps", "--test", `--test-reporter=${reporter}`, ...compiled],
  { stdio: "inherit" },
);
// Ctrl-C reaches the whole foreground process group; the runner ends its tests and itself.
process.on("SIGINT", () => {});
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
