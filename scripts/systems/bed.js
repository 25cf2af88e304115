// Where other systems' programs run on this machine: folders in build/systems with files from Debian's and npm's packages, and mount
// namespaces of their own (user_namespaces(7)), in which those lie where programs look for them. Nothing of the machine is changed.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The status of a script whose bed cannot be had here. */
export const NO_BED = 3;

/** @param {string} name */
export function bedFolder(name) {
  const folder = resolve("build/systems", name);
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Unpacks Debian packages into the folder, without installing them.
 *
 * @param {string} folder
 * @param {readonly string[]} names
 */
export function unpackDebian(folder, names) {
  const missing = names.filter((name) => !existsSync(join(folder, `${name}.unpacked`)));
  if (missing.length === 0) return;
  const downloads = join(folder, "packages");
  mkdirSync(downloads, { recursive: true });
  const download = () =>
    spawnSync("apt-get", ["download", "-qq", ...missing], { cwd: downloads, stdio: "ignore" }).status === 0;
  // (Without lists of packages there is nothing to download.)
  if (!download()) {
    spawnSync("apt-get", ["update", "-qq"], { stdio: "ignore" });
    if (!download()) throw new Error(`Debian's packages could not be had: ${missing.join(", ")}`);
  }
  for (const name of missing) {
    const file = readdirSync(downloads).find((each) => each.startsWith(`${name}_`));
    if (file === undefined) throw new Error(`there is no package ${name}`);
    execFileSync("dpkg-deb", ["-x", join(downloads, file), folder]);
    writeFileSync(join(folder, `${name}.unpacked`), "");
  }
}

/**
 * Installs a package of npm's for another system, and gives its folder.
 *
 * @param {string} folder
 * @param {string} name
 * @param {string} version
 * @param {readonly string[]} flags what npm is told of that system
 */
export function installFromNpm(folder, name, version, flags) {
  const manifest = join(folder, "package.json");
  const installed = join(folder, "node_modules", name);
  if (existsSync(join(installed, "package.json"))) return installed;
  writeFileSync(manifest, '{ "private": true }\n');
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--force", "--prefix", folder, ...flags];
  execFileSync("npm", ["install", ...options, `${name}@${version}`], { stdio: "ignore" });
  return installed;
}

/**
 * Runs a command in a user and mount namespace of its own, after a script of the shell that mounts.
 *
 * @param {string} script
 * @param {readonly string[]} command
 * @param {NodeJS.ProcessEnv} [environment]
 * @returns {Promise<number>} its status
 */
export function inNamespace(script, command, environment = {}) {
  const args = [
    "--user",
    "--map-root-user",
    "--mount",
    "sh",
    "-ec",
    `${script}\nexec "$@"`,
    "sh",
    ...command,
  ];
  const child = spawn("unshare", args, { stdio: "inherit", env: { ...process.env, ...environment } });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("exit", (code) => done(code ?? 1));
  });
}

/** Ends the script when there can be no namespace. */
export function needsNamespaces() {
  const { status } = spawnSync("unshare", ["--user", "--map-root-user", "--mount", "true"]);
  if (process.platform === "linux" && process.arch === "x64" && status === 0) return;
  console.error("this needs Linux on x64, and the right to make user and mount namespaces (unshare)");
  process.exit(NO_BED);
}
