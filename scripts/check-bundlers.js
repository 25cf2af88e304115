// npm run check:bundlers
// Tries the recipes of docs/platforms.md: bundles a program that uses the packed package, and runs each bundle in a folder
// that holds nothing but the bundle and koffi.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";

const TOOLS = ["vite@8", "postject@1.0.0-alpha.6"];
const FUSE = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

const PROGRAM = `
import { error_code, http, TcpListener, TcpStream } from "std-net";

const listener = TcpListener.bind("127.0.0.1:0");
if (listener.isErr) throw new Error(listener.error);
const client = TcpStream.connect(listener.value.local_addr().unwrapOr(""));
const server = listener.value.accept();
if (client.isErr || server.isErr) throw new Error("no connection");
client.value.write("POST / HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 16\\r\\n\\r\\n9007199254740993");
const request = http.read_request(server.value);
const refused = http.request({ method: "GET", url: "http://127.0.0.1:1/" });
console.log(request.isOk && request.value.body, refused.isErr && error_code(refused.error));
`;
const EXPECTED = "9007199254740993n ECONNREFUSED\n";

const project = resolve("build/bundlers");
const tools = resolve("build/bundler-tools");
const esbuild = resolve("node_modules/.bin/esbuild");
const npmOptions = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/** @param {string} command @param {readonly string[]} args */
function run(command, args, cwd = project) {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}

rmSync(project, { recursive: true, force: true });
mkdirSync(project, { recursive: true });
run("npm", ["pack", "--loglevel=error", "--pack-destination", project], resolve("."));
writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
// Without one of its own, this repository's counts, which has the sources in the place of the package.
writeFileSync(join(project, "tsconfig.json"), "{}\n");
writeFileSync(join(project, "program.ts"), PROGRAM);
run("sh", ["-c", `npm install ${npmOptions.join(" ")} ./std-net-*.tgz`]);
if (!existsSync(join(tools, "node_modules/.bin/postject"))) {
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, "package.json"), '{ "private": true }\n');
  run("npm", ["install", ...npmOptions, ...TOOLS], tools);
}

/**
 * Runs what was built where nothing else is.
 *
 * @param {string} recipe
 * @param {string} file
 */
function check(recipe, file, command = process.execPath) {
  // Far from the project: modules are looked for in the folders above, too.
  const place = mkdtempSync(join(tmpdir(), "std-net-"));
  cpSync(join(project, file), join(place, basename(file)));
  for (const name of ["koffi", "@koromix"]) {
    cpSync(join(project, "node_modules", name), join(place, "node_modules", name), { recursive: true });
  }
  const args = command === process.execPath ? [basename(file)] : [];
  const output = run(command === process.execPath ? command : join(place, command), args, place);
  rmSync(place, { recursive: true });
  if (output !== EXPECTED) throw new Error(`${recipe} printed ${JSON.stringify(output)}`);
  console.log(`${recipe}: ok`);
}

for (const [format, name, outfile] of [
  ["esm", "ES module", "esm/program.mjs"],
  ["cjs", "CommonJS", "program.cjs"],
]) {
  const options = ["--bundle", "--platform=node", `--format=${format}`, "--external:koffi"];
  run(esbuild, ["program.ts", ...options, `--outfile=${outfile}`, "--log-level=warning"]);
  check(`esbuild, ${name}`, outfile);
}

writeFileSync(
  join(project, "vite.config.js"),
  `export default {
  build: { ssr: "program.ts", outDir: "vite", rollupOptions: { output: { entryFileNames: "program.mjs" } } },
  ssr: { noExternal: true, external: ["koffi"] },
  logLevel: "warn",
};
`,
);
run(process.execPath, [join(tools, "node_modules/vite/bin/vite.js"), "build"]);
check("Vite", "vite/program.mjs");

const blob = { main: "program.cjs", output: "program.blob", disableExperimentalSEAWarning: true };
writeFileSync(join(project, "sea.json"), JSON.stringify(blob));
run(process.execPath, ["--experimental-sea-config", "sea.json"]);
cpSync(process.execPath, join(project, "program"));
const inject = ["program", "NODE_SEA_BLOB", "program.blob", "--sentinel-fuse", FUSE];
run(process.execPath, [join(tools, "node_modules/postject/dist/cli.js"), ...inject]);
check("single executable", "program", "program");
