// npm run check:package
// Packs the package as it would be published, looks at the tarball with publint and attw, and installs it with install
// scripts off into an empty project, where the README's examples run as ES modules, CommonJS and TypeScript.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { dirname, join, resolve } from "node:path";

// Kept out of package.json: they bring a hundred packages that nothing else needs.
const TOOLS = { publint: "0.3.25", "@arethetypeswrong/cli": "0.18.5", typescript: "5.9.3" };

const tools = resolve("build/tools");
const project = resolve("build/package");
const npmOptions = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/**
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd?: string }} [options]
 */
function run(command, args, options = {}) {
  execFileSync(command, args, { stdio: "inherit", ...options });
}

/** @param {string} text */
function step(text) {
  console.log(`\n== ${text}`);
}

step("pack");
rmSync(project, { recursive: true, force: true });
mkdirSync(project, { recursive: true });
const packed = execFileSync("npm", ["pack", "--json", "--loglevel=error", "--pack-destination", project], {
  encoding: "utf8",
});
// What the build prints stands before the JSON.
const pack = JSON.parse(packed.slice(packed.search(/^[[{]$/m)));
const [{ filename, size, entryCount }] = Object.values(pack);
const tarball = join(project, filename);
console.log(`${filename}: ${entryCount} files, ${(size / 1024).toFixed(0)} KiB`);

step("publint and attw");
const installed = Object.entries(TOOLS).every(([name, version]) => {
  const manifest = join(tools, "node_modules", name, "package.json");
  return existsSync(manifest) && JSON.parse(readFileSync(manifest, "utf8")).version === version;
});
if (!installed) {
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, "package.json"), '{ "private": true }\n');
  const specifiers = Object.entries(TOOLS).map(([name, version]) => `${name}@${version}`);
  run("npm", ["install", ...npmOptions, "--prefix", tools, ...specifiers]);
}
run(join(tools, "node_modules/.bin/publint"), ["run", tarball, "--strict"]);
// (Resolution by node10 rules, which know no "exports", works here because "main" and "types" say the same.)
run(join(tools, "node_modules/.bin/attw"), [tarball]);

step("install with scripts off");
writeFileSync(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
run("npm", ["install", ...npmOptions, tarball], { cwd: project });

// Whoever has the package has these pages with it, whether or not the registry's site finds the repository.
step("the links of its pages");
const home = join(project, "node_modules/std-net");
for (const page of readdirSync(home, { recursive: true, encoding: "utf8" })) {
  if (!page.endsWith(".md")) continue;
  for (const [, link] of readFileSync(join(home, page), "utf8").matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)) {
    if (!existsSync(join(home, dirname(page), link))) throw new Error(`${page} names ${link}: not packed`);
  }
}
console.log("each leads to a file of the package");

step("the README's examples");
// Port 8080 may be somebody else's here.
const port = await freePort();
/** @type {Map<string, string>} */
const examples = new Map();
for (const [, name, code] of readFileSync("README.md", "utf8").matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)) {
  examples.set(name, code.replaceAll("127.0.0.1:8080", `127.0.0.1:${port}`));
}
const write = (/** @type {string} */ name, /** @type {string} */ code) =>
  writeFileSync(join(project, name), code);
for (const [name, code] of examples) {
  write(name, code);
  // They are JavaScript as they stand; as CommonJS only the import line differs.
  write(name.replace(/\.ts$/, ".mjs"), code);
  write(
    name.replace(/\.ts$/, ".cjs"),
    code.replace(/^import (\{.*\}) from ("std-net");$/m, "const $1 = require($2);"),
  );
}
const newest = resolve("node_modules/typescript");
for (const [resolution, module, typescript] of [
  ["node16", "node16", newest],
  ["nodenext", "nodenext", newest],
  ["bundler", "esnext", newest],
  // What `"module": "commonjs"` means by itself up to TypeScript 5; later ones do not know it any more.
  ["node10", "commonjs", join(tools, "node_modules/typescript")],
]) {
  // exactOptionalPropertyTypes and skipLibCheck off: the declarations must stand on their own, in the strictest setting.
  const options = [
    "--strict",
    "--exactOptionalPropertyTypes",
    "--skipLibCheck",
    "false",
    "--noEmit",
    ...(typescript === newest ? ["--ignoreConfig"] : []),
  ];
  run(
    process.execPath,
    [
      join(typescript, "bin/tsc"),
      ...options,
      ...[
        "--target",
        "es2022",
        "--lib",
        "es2022,esnext.disposable",
        // And no types are asked for, as in a tsconfig.json of `tsc --init`.
        "--typeRoots",
        resolve("node_modules/@types"),
        // (An older TypeScript takes all that lie there, those of this repository's tools too.)
        ...(typescript === newest ? [] : ["--types", "node"]),
      ],
      ...["--module", module, "--moduleResolution", resolution],
      // There is no import.meta in CommonJS.
      ...[...examples]
        .filter(([, code]) => module !== "commonjs" || !code.includes("import.meta"))
        .map(([name]) => name),
    ],
    { cwd: project },
  );
  console.log(`TypeScript, moduleResolution ${resolution}: ok`);
}
for (const ending of ["mjs", "cjs"]) {
  const server = spawn(process.execPath, [`server.${ending}`], {
    cwd: project,
    stdio: ["ignore", "inherit", "inherit"],
  });
  try {
    await waitForPort(port);
    expect(`client.${ending}`, "200 { got: { id: 7, tags: [ 'new' ] } }\n");
  } finally {
    server.kill();
    await once(server, "exit");
  }
  expect(`errors.${ending}`, "failed to connect: Connection refused (os error 111)\nECONNREFUSED\n");
}

step("the command");
const version = execFileSync(join(project, "node_modules/.bin/std-net"), ["--version"], { encoding: "utf8" });
if (version.trim() !== JSON.parse(readFileSync("package.json", "utf8")).version) throw new Error(version);
console.log(`std-net --version: ${version.trim()}`);

/** @param {string} program @param {string} wanted */
function expect(program, wanted) {
  const output = execFileSync(process.execPath, [program], { cwd: project, encoding: "utf8" });
  if (output !== wanted) throw new Error(`${program} printed ${JSON.stringify(output)}`);
  console.log(`${program}: ok`);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was bound");
  server.close();
  await once(server, "close");
  return address.port;
}

/** @param {number} port */
async function waitForPort(port) {
  for (let tries = 0; tries < 200; tries++) {
    const socket = connect(port, "127.0.0.1");
    // once() rejects when an error comes first.
    const listens = await once(socket, "connect").then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (listens) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`nobody listens on port ${port}`);
}
