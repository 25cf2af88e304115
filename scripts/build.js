// Builds what the package ships: one JavaScript file (a file less to find and read is time less at
// start-up) and one declaration file for each source file.
import { execFileSync } from "node:child_process";
import { chmodSync, copyFileSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const declarations = !process.argv.includes("--no-types");
const require = createRequire(import.meta.url);

rmSync("dist", { recursive: true, force: true });

const common = {
  bundle: true,
  // lossless-json is a dozen small files that would cost milliseconds to find and read, so it is bundled. true-myth must
  // be the same module that the program sees, and koffi finds its binary beside its own files.
  external: ["true-myth", "koffi", "std-net"],
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning",
};

await build({
  ...common,
  entryPoints: { index: "src/index.ts" },
  outdir: "dist",
  // Comments and indentation are a third of it, and the engine reads every byte before the first line runs. Names stay,
  // for those who read a stack trace.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: true,
  sourcesContent: false,
});
keepClassNames("dist/index.js");

// The command finds the library by the package's own name, as every other program does.
await build({ ...common, entryPoints: { cli: "src/cli/index.ts" }, outdir: "dist", tsconfigRaw: {} });
chmodSync("dist/cli.js", 0o755);

copyFileSync("node_modules/lossless-json/LICENSE.md", "dist/lossless-json.LICENSE.md");

if (declarations) {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" });
  for (const file of readdirSync("dist/types", { recursive: true, encoding: "utf8" })) {
    if (file.endsWith(".d.ts")) nameJavaScript(join("dist/types", file));
  }
}

/** The compiler leaves `./x.ts` in declarations, where not every resolver finds `./x.d.ts`; `./x.js` is found by all. */
function nameJavaScript(file) {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"'));
}

/**
 * A class that mentions itself comes out as `var Name = class _Name`, and would introduce itself by the second name
 * wherever it is printed.
 */
function keepClassNames(file) {
  let code = readFileSync(file, "utf8");
  for (const [, name] of code.matchAll(/\b(\w+)\s*=\s*class _\1\b/g)) {
    code = code.replaceAll(new RegExp(`\\b_${name}\\b`, "g"), name);
  }
  writeFileSync(file, code);
}
