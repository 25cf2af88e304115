// Builds what the package ships: one JavaScript file (a file less to find and read is time less at
// start-up) and one declaration file for each source file.
import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { build } from "esbuild";
import { minify } from "terser";

const declarations = !process.argv.includes("--no-types");
const require = createRequire(import.meta.url);

rmSync("dist", { recursive: true, force: true });

const common = {
  bundle: true,
  // koffi finds its binary beside its own files.
  external: ["koffi", "std-net"],
  platform: "node",
  format: "esm",
  target: "node20",
  logLevel: "warning",
};

await build({
  ...common,
  entryPoints: { index: "src/index.ts" },
  outdir: "dist",
  minifySyntax: true,
  sourcemap: true,
  sourcesContent: false,
});
keepClassNames("dist/index.js");
await shorten("dist/index.js");

// The command finds the library by the package's own name, as every other program does.
await build({ ...common, entryPoints: { cli: "src/cli/index.ts" }, outdir: "dist", tsconfigRaw: {} });
chmodSync("dist/cli.js", 0o755);

if (declarations) {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { stdio: "inherit" });
  for (const file of readdirSync("dist/types", { recursive: true, encoding: "utf8" })) {
    if (file.endsWith(".d.ts")) nameWhatAllFind(join("dist/types", file));
  }
}

/** The compiler leaves `./x.ts` in declarations, where not every resolver finds `./x.d.ts`; `./x.js` is found by all. */
function nameWhatAllFind(file) {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"'));
}

/**
 * The engine reads every byte before the first line runs, and comments, indentation and the names of variables are half of
 * them: 3 ms of a program's start. The names of functions and classes stay, for those who read a stack trace.
 */
async function shorten(file) {
  const { code, map } = await minify(readFileSync(file, "utf8"), {
    module: true,
    compress: false,
    mangle: { keep_fnames: true, keep_classnames: true },
    // Node prints the whole line that an exception comes out of, as that of a method torn off its object does.
    format: { max_line_len: 500 },
    sourceMap: { content: readFileSync(`${file}.map`, "utf8"), url: basename(`${file}.map`) },
  });
  writeFileSync(file, code);
  writeFileSync(`${file}.map`, map);
}

/**
 * esbuild makes `class Name` into `var Name = class`, or into `var Name = class _Name` where it mentions itself: the first
 * would be named by whatever shortening makes of the variable, and the second is printed by a name that is not its own.
 */
function keepClassNames(file) {
  let code = readFileSync(file, "utf8");
  for (const [, name] of code.matchAll(/\b(\w+) = class _\1\b/g)) {
    code = code.replaceAll(new RegExp(`\\b_${name}\\b`, "g"), name);
  }
  writeFileSync(file, code.replace(/\b(\w+) = class(?= \{| extends )/g, "$1 = class $1"));
}
