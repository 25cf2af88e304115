// Programs give the same results where the kernel behaves as macOS's does: a library copies its behaviour (test/support/xnu/xnu.c),
// and STD_NET_WAIT=bsd makes Linux take macOS's paths.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../support/peer.ts";

const folder = mkdtempSync(join(tmpdir(), "std-net-xnu-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const library = join(folder, "xnu.so");
const source = join(root, "test", "support", "xnu", "xnu.c");
const built =
  process.platform === "linux" &&
  spawnSync("cc", ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, source, "-ldl"], {
    stdio: ["ignore", "ignore", "inherit"],
  }).status === 0;
const skip = built ? false : "needs Linux and a C compiler (cc)";

const programs = join(root, "test", "support", "xnu", "programs.mjs");

/** What the program prints last, or that it hangs. */
function result(name: string, environment: NodeJS.ProcessEnv, limit = 30_000): string {
  const { stdout, stderr, error } = spawnSync(process.execPath, [programs, name], {
    env: { ...process.env, STD_NET_WAIT: undefined, ...environment },
    encoding: "utf8",
    timeout: limit,
    killSignal: "SIGKILL",
  });
  if (error !== undefined) return "hangs";
  return stdout.trim() || stderr.trim();
}

/** What Linux's own paths would do there; "hangs" for what does not come to an end. */
const WITHOUT: Record<string, string> = {
  "a stream and a listener are taken by descriptor": "ok tcp listener from_fd failed: not a tcp listener",
  "connect ends with its timeout": "hangs",
  "small writes that nobody reads end with their timeout": "hangs",
  "read_until tells of the end when both directions are at theirs":
    "tcp read failed: Invalid argument (os error 22)",
  'shutdown("both") after the peer\'s end sends an end too': "ENOTCONN EAGAIN",
  "a second shutdown is no error": "ok ENOTCONN ok ok",
  "send_to from a connected UdpSocket": "EISCONN",
  "a worker in connect is terminated": "hangs",
  "a worker in small writes is terminated": "hangs",
};

const { stdout } = spawnSync(process.execPath, [programs], { encoding: "utf8" });
const names = stdout.trim().split("\n");

test("the programs are there", { skip }, () => {
  assert.ok(names.length > 10);
  for (const name of Object.keys(WITHOUT)) assert.ok(names.includes(name), name);
});

for (const name of names) {
  test(name, { skip }, () => {
    const plain = result(name, {});
    assert.notEqual(plain, "hangs");
    assert.equal(result(name, { LD_PRELOAD: library, STD_NET_WAIT: "bsd" }), plain);
    const without = WITHOUT[name];
    // Shows that the library has the kernel's behaviour, and so that macOS's paths are needed.
    const limit = without === "hangs" ? 2000 : 30_000;
    if (without !== undefined) assert.equal(result(name, { LD_PRELOAD: library }, limit), without);
  });
}
