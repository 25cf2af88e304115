// Runs a TypeScript program of this repository: bundled to one plain JavaScript file first, because Node 20 loads no
// TypeScript.
//   node scripts/run.js examples/tour.ts [argument ...]
//   node scripts/run.js tour [argument ...]
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { build } from "esbuild";

const [name, ...programArguments] = process.argv.slice(2);
if (name === undefined) {
  console.error("usage: node scripts/run.js PROGRAM.ts|EXAMPLE [argument ...]");
  process.exit(2);
}
const entry = name.endsWith(".ts") ? name : join("examples", `${name}.ts`);
if (!existsSync(entry)) {
  console.error(`there is no ${entry}`);
  process.exit(2);
}
// A folder for each run: nobody replaces a program that another run is about to load.
const folder = `build/run-${process.pid}`;
mkdirSync(folder, { recursive: true });
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const outfile = join(folder, `${basename(entry, ".ts")}.js`);
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  packages: "external",
  alias: { "std-net": "./src/index.ts" },
  platform: "node",
  format: "esm",
  target: "node20",
  keepNames: true,
  sourcemap: "inline",
  logLevel: "warning",
});
const child = spawn(process.execPath, ["--enable-source-maps", outfile, ...programArguments], {
  stdio: "inherit",
});
// Ctrl-C reaches the whole foreground process group; the program decides what it means.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => child.kill("SIGTERM"));
child.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal === null ? 1 : 128 + 2);
});
