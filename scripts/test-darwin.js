// npm run test:darwin [-- NAME ...]
// Runs tests on Linux as if the kernel were macOS's: a library that is loaded before libc has the kernel's behaviour
// (test/support/xnu/xnu.c), and STD_NET_WAIT=bsd makes the library take macOS's paths. Without names: sockets, workers, signals,
// streams, HTTP, and the Poller over kqueue's rules. Needs a C compiler (cc).
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const NAMES = [
  ...["tcp", "tcp-options", "udp", "udp-options", "unix", "handover", "linger", "descriptors"],
  ...["stream", "buf-reader", "timeouts", "workers", "poller-kqueue"],
  ...["engine/wait", "engine/signals", "engine/connect-race"],
  ...["http/client", "http/client-connections", "http/client-on-stream", "http/read-request"],
  ...["http/write-response"],
];

if (process.platform !== "linux") {
  console.error("test:darwin imitates macOS's kernel on Linux; on macOS run npm test");
  process.exit(2);
}
const names = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "std-net-xnu-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const library = join(folder, "xnu.so");
execFileSync("cc", ["-shared", "-fPIC", "-O1", "-o", library, "test/support/xnu/xnu.c", "-ldl"], {
  stdio: "inherit",
});

const child = spawn(process.execPath, ["scripts/test.js", ...(names.length > 0 ? names : NAMES)], {
  stdio: "inherit",
  env: { ...process.env, LD_PRELOAD: library, STD_NET_WAIT: "bsd" },
});
// Ctrl-C reaches the whole foreground process group; the runner ends its tests and itself.
process.on("SIGINT", () => {});
child.on("exit", (code) => {
  process.exitCode = code ?? 1;
});
