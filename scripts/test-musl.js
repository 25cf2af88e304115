// npm run test:musl
// Runs the core checks (test/runtimes/core.mjs) on musl: with Bun's build for musl (npm has no Node for it), Debian's musl, and its
// libstdc++, libgcc_s and OpenSSL, which are glibc's and get what musl does not have from systems/musl-shim.c. Prints what it has
// proved. Status 3: this machine cannot do it, and the last line says why.
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  bedFolder,
  inNamespace,
  installFromNpm,
  NO_BED,
  needsNamespaces,
  unpackDebian,
} from "./systems/bed.js";

/** Bun says what it runs on: what of koffi and of libc lies in its memory once a call was made. */
const PROBE = `
import { readFileSync } from "node:fs";
import { TcpListener } from "std-net";
const bound = TcpListener.bind("127.0.0.1:0");
if (bound.isErr) throw new Error(bound.error);
const maps = readFileSync("/proc/self/maps", "utf8");
for (const needed of ["/ld-musl-x86_64.so.1", "/musl_x64/koffi.node"]) {
  if (!maps.includes(needed)) throw new Error(needed + " is not in use");
}
if (/libc\\.so\\.6/.test(maps)) throw new Error("glibc is in use");
console.log("Bun " + Bun.version + ", koffi's binary for musl");
`;

needsNamespaces();
const bed = bedFolder("musl");
let bun = "";
try {
  bun = prepare();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(NO_BED);
}
const loader = join(bed, "usr", "lib", "ld-musl-x86_64.so.1");
const version = /Version (\S+)/.exec(spawnSync(loader, { encoding: "utf8" }).stderr)?.[1];
console.log(`musl ${version}, x64`);

// The loader's name stands in Bun, and so does the place of its list of folders in the loader.
const mounts = ["usr/lib", "etc"]
  .map((path) => `mount -t overlay overlay -o lowerdir=${join(bed, path)}:/${path} /${path}`)
  .join("\n");
const probe = join("build", "systems", "musl-probe.mjs");
writeFileSync(probe, PROBE);
process.exitCode =
  (await inNamespace(mounts, [bun, probe])) ||
  (await inNamespace(mounts, [process.execPath, "scripts/core.js", bun]));

function prepare() {
  const bunPackage = installFromNpm(bed, "@oven/bun-linux-x64-musl", "^1.4", ["--libc=musl"]);
  const unpacked = join(bed, "debian");
  mkdirSync(unpacked, { recursive: true });
  unpackDebian(unpacked, ["musl", "libstdc++6", "libgcc-s1", "libssl3"]);
  for (const path of ["usr/lib", "etc", "lib"]) mkdirSync(join(bed, path), { recursive: true });
  copyFileSync(join(unpacked, "lib/x86_64-linux-musl/libc.so"), join(bed, "usr/lib/ld-musl-x86_64.so.1"));
  writeFileSync(join(bed, "etc/ld-musl-x86_64.path"), `${join(bed, "lib")}\n`);
  const lent = "x86_64-linux-gnu";
  for (const [folder, names] of Object.entries({
    [`usr/lib/${lent}`]: ["libstdc++.so.6", "libssl.so.3", "libcrypto.so.3"],
    [`lib/${lent}`]: ["libgcc_s.so.1"],
  })) {
    for (const name of names) copyFileSync(join(unpacked, folder, name), join(bed, "lib", name));
  }
  try {
    symlinkSync(join(bed, "usr/lib/ld-musl-x86_64.so.1"), join(bed, "lib/libc.musl-x86_64.so.1"));
  } catch {
    // It is there.
  }
  const shim = join(bed, "lib", "ld-linux-x86-64.so.2");
  const flags = ["-shared", "-nostdlib", "-fPIC", "-O1", "-fno-builtin", "-U_FORTIFY_SOURCE"];
  execFileSync("cc", [...flags, "-o", shim, "scripts/systems/musl-shim.c"], { stdio: "inherit" });
  return join(bunPackage, "bin", "bun");
}
