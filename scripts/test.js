// npm test [-- NAME ...]
// Compiles the tests to plain JavaScript and gives them to node's own test runner: all of them, or those named by file or
// folder (`npm test -- tcp udp tls` runs test/net/tcp.test.ts, test/net/udp.test.ts and all of test/tls). No loader sits
// in the tests' processes, so that every descriptor, thread and signal that a test counts is the library's or its own.
import { spawn } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const OUT = "build/test";
const SUFFIX = ".test.ts";
const named = process.argv.slice(2);
const all = readdirSync("test", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(SUFFIX))
  .map((file) => file.replaceAll("\\", "/"))
  .sort();
const files = named.length > 0 ? named.flatMap(filesNamed) : all;

/** The file of that name in whatever folder it lies; or, where no file has the name, all files of that folder. */
function filesNamed(name) {
  const wanted = name.replace(/^(\.\/)?test\//, "");
  const ends = [wanted, `${wanted}${SUFFIX}`];
  const named = all.filter((file) => ends.some((end) => file === end || file.endsWith(`/${end}`)));
  const found = named.length > 0 ? named : all.filter((file) => file.startsWith(wanted.replace(/\/?$/, "/")));
  if (found.length > 0) return found;
  console.error(`there is no test ${name}`);
  process.exit(2);
}

rmSync(OUT, { recursive: true, force: true });
await build({
  entryPoints: files.map((file) => join("test", file)),
  outdir: OUT,
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

const compiled = files.map((file) => join(OUT, file.replace(/\.ts$/, ".js")));
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
