// Builds what the package ships:
// - index.cjs, the library as one file (a file less to find and read is time less at start-up), which `require("std-net")` gives;
// - index.js, which gives the same to `import`: a program that uses both has one copy of each class;
// - bundle.js, the library as one ES module, for bundlers, which find it by the condition "module";
// - cli.js, the command;
// - declarations for each source file, as those of ES modules and of CommonJS.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { minify } from "terser";

const declarations = !process.argv.includes("--no-types");
const require = createRequire(import.meta.url);

// Everything is made in a folder beside dist/, and then each file takes its place in dist/ by a rename. So a program that runs
// meanwhile always finds complete files. (The source maps' paths hold for either folder.)
const OUT = `dist-${process.pid}`;
process.on("exit", () => rmSync(OUT, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** @satisfies {import("esbuild").BuildOptions} */
const common = {
  bundle: true,
  // koffi finds its binary beside its own files.
  external: ["koffi", "std-net"],
  platform: /** @type {const} */ ("node"),
  format: /** @type {const} */ ("esm"),
  target: "node20",
  logLevel: /** @type {const} */ ("warning"),
};

for (const format of /** @type {const} */ (["cjs", "esm"])) {
  const outfile = `${OUT}/${format === "cjs" ? "index.cjs" : "bundle.js"}`;
  await build({
    ...common,
    entryPoints: ["src/index.ts"],
    outfile,
    format,
    // CommonJS has none, and sys/koffi.ts knows that.
    define: format === "cjs" ? { "import.meta.url": "undefined" } : {},
    minifySyntax: true,
    sourcemap: true,
    sourcesContent: false,
  });
  keepClassNames(outfile);
  letMembersBeReplaced(outfile);
  await shorten(outfile);
}
const names = Object.keys(await import(pathToFileURL(resolve(OUT, "bundle.js")).href));
writeFileSync(
  `${OUT}/index.js`,
  `import { createRequire } from "node:module";
const library = createRequire(import.meta.url)("./index.cjs");
export const { ${names.join(", ")} } = library;
`,
);

// The command finds the library by the package's own name, as every other program does.
const command = await build({
  ...common,
  entryPoints: { cli: "src/cli/index.ts" },
  outdir: OUT,
  tsconfigRaw: {},
  metafile: true,
  // What it has inside of others is CommonJS, and asks for node's modules by `require`.
  banner: {
    js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
  },
});
chmodSync(`${OUT}/cli.js`, 0o755);
writeFileSync(`${OUT}/cli.licenses.txt`, licensesOf(Object.keys(command.metafile.inputs)));

if (declarations) {
  const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json", "--outDir", `${OUT}/types`], {
    stdio: "inherit",
  });
  for (const file of readdirSync(`${OUT}/types`, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".d.ts")) continue;
    nameWhatAllFind(join(OUT, "types", file));
    writeForCommonJs(join(OUT, "types", file));
  }
}

putInPlace();

/**
 * The licenses of the packages that these files are from: they ask to be passed on with every copy.
 *
 * @param {readonly string[]} files
 */
function licensesOf(files) {
  const names = files.map((file) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? "");
  const packages = [...new Set(names.filter((name) => name !== ""))].sort();
  return packages
    .map((name) => {
      const license = readdirSync(join("node_modules", name)).find((file) => /^licen[cs]e/i.test(file));
      if (license === undefined) throw new Error(`${name} has no license to pass on`);
      return `${name}\n\n${readFileSync(join("node_modules", name, license), "utf8").trim()}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

/** Moves what was built into dist/, and removes from dist/ what is older. --no-types leaves the declarations as they are. */
function putInPlace() {
  const filesOf = (/** @type {string} */ folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)));
  const built = filesOf(OUT);
  mkdirSync("dist", { recursive: true });
  for (const file of built) {
    mkdirSync(join("dist", dirname(file)), { recursive: true });
    renameSync(join(OUT, file), join("dist", file));
  }
  for (const file of filesOf("dist")) {
    const isOld = declarations || !file.startsWith("types");
    if (isOld && !built.includes(file)) rmSync(join("dist", file), { force: true });
  }
}

/**
 * The compiler leaves `./x.ts` in declarations, where not every resolver finds `./x.d.ts`; `./x.js` is found by all.
 *
 * @param {string} file
 */
function nameWhatAllFind(file) {
  const text = readFileSync(file, "utf8");
  writeFileSync(file, text.replace(/((?:from |import\()"\.[^"]*)\.ts"/g, '$1.js"'));
}

/**
 * A program in CommonJS needs declarations that say so: the same ones under the name that TypeScript gives those.
 *
 * @param {string} file
 */
function writeForCommonJs(file) {
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file.replace(/\.d\.ts$/, ".d.cts"),
    text.replace(/((?:from |import\()"\.[^"]*)\.js"/g, '$1.cjs"'),
  );
}

/**
 * The engine reads every byte before the first line runs, and comments, indentation and the names of variables are half of
 * them: 3 ms of a program's start. The names of functions and classes stay, for those who read a stack trace.
 *
 * @param {string} file
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
  if (code === undefined || typeof map !== "string") throw new Error(`terser made nothing of ${file}`);
  writeFileSync(file, code);
  writeFileSync(`${file}.map`, map);
}

/**
 * esbuild makes the exports of `http` getters that stay as they are. Jest's and Vitest's spies put something else in their place.
 *
 * @param {string} file
 */
function letMembersBeReplaced(file) {
  const code = readFileSync(file, "utf8");
  const getter = /(\{ get: all\w*\[name\], enumerable: !0) \}/;
  if (!getter.test(code)) throw new Error(`esbuild has changed how it exports in ${file}`);
  writeFileSync(file, code.replace(getter, "$1, configurable: !0 }"));
}

/**
 * esbuild makes `class Name` into `var Name = class`, or into `var Name = class _Name` where it mentions itself: the first
 * would be named by whatever shortening makes of the variable, and the second is printed by a name that is not its own.
 *
 * @param {string} file
 */
function keepClassNames(file) {
  let code = readFileSync(file, "utf8");
  for (const [, name] of code.matchAll(/\b(\w+) = class _\1\b/g)) {
    code = code.replaceAll(new RegExp(`\\b_${name}\\b`, "g"), name);
  }
  writeFileSync(file, code.replace(/\b(\w+) = class(?= \{| extends )/g, "$1 = class $1"));
}
