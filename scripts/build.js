// Builds what the package ships: one JavaScript file (a file less to find and read is time less at
// start-up) and one declaration file for each source file.
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const declarations = !process.argv.includes("--no-types");
const require = createRequire(import.meta.url);

rmSync("dist", { recursive: true, force: true });

await build({
  entryPoints: { index: "src/index.ts" },
  outdir: "dist",
  bundle: true,
  packages: "external",
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: true,
  sourcesContent: false,
  logLevel: "warning",
});

if (declarations) {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" });
}
