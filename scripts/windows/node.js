// npm run windows -- [ARGUMENT ...]
// Node for Windows under Wine, used like `node`. STD_NET_WINE_NODE is 22 (the default) or 20; after STD_NET_WINE_TIMEOUT seconds
// (300) it is ended, with status 124. Its output comes when it has ended.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { prepare, spawnNode } from "./bed.js";

const major = process.env.STD_NET_WINE_NODE ?? "22";
const seconds = Number(process.env.STD_NET_WINE_TIMEOUT ?? 300);
prepare(major);
const output = mkdtempSync(join(tmpdir(), "std-net-wine-"));
const [stdout, stderr] = [join(output, "stdout"), join(output, "stderr")];
const child = spawnNode(major, process.argv.slice(2), { stdout, stderr });
let isLate = false;
const limit = setTimeout(() => {
  isLate = true;
  child.kill("SIGKILL");
}, seconds * 1000);
child.on("exit", (code) => {
  clearTimeout(limit);
  process.stdout.write(readFileSync(stdout));
  process.stderr.write(readFileSync(stderr));
  rmSync(output, { recursive: true });
  process.exitCode = isLate ? 124 : (code ?? 1);
});
