// Compiles the tests to plain JavaScript: all of them, or those named by file or folder (`tcp udp tls` are test/net/tcp.test.ts,
// test/net/udp.test.ts and all of test/tls).
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const SUFFIX = ".test.ts";

/**
 * Gives the compiled files.
 *
 * @param {readonly string[]} named
 * @param {string} outdir
 */
export async function compileTests(named, outdir) {
  const all = readdirSync("test", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(SUFFIX))
    .map((file) => file.replaceAll("\\", "/"))
    .sort();
  const files = named.length > 0 ? named.flatMap((name) => filesNamed(all, name)) : all;
  await build({
    entryPoints: files.map((file) => join("test", file)),
    outdir,
    outbase: "test",
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
  return files.map((file) => `${outdir}/${file.replace(/\.ts$/, ".js")}`);
}

/**
 * The file of that name in whatever folder it lies; or, where no file has the name, all files of that folder.
 *
 * @param {readonly string[]} all
 * @param {string} name
 */
function filesNamed(all, name) {
  const wanted = name.replace(/^(\.\/)?test\//, "");
  const ends = [wanted, `${wanted}${SUFFIX}`];
  const files = all.filter((file) => ends.some((end) => file === end || file.endsWith(`/${end}`)));
  const found = files.length > 0 ? files : all.filter((file) => file.startsWith(wanted.replace(/\/?$/, "/")));
  if (found.length > 0) return found;
  console.error(`there is no test ${name}`);
  process.exit(2);
}
