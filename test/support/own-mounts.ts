// Programs that see a file of the test's in the place of one of the system's: /etc/hosts, /etc/resolv.conf.
import { spawnSync } from "node:child_process";
import { type Peer, startPeer } from "./peer.ts";

const mayUnshare = spawnSync("unshare", ["--mount", "true"]).status === 0;

/** For tests that call `inOwnMounts`. */
export const skip = mayUnshare
  ? false
  : "needs the right to make a mount namespace (unshare --mount), for files of its own in /etc";

/** Runs `program` in a mount namespace of its own, where `script` puts `file` ($1) in the place of the system's. */
export function inOwnMounts(
  script: string,
  file: string,
  program: string,
  environment: NodeJS.ProcessEnv = {},
): Peer {
  const args = ["--mount", "sh", "-c", script, "sh", file, process.execPath, program];
  return startPeer("unshare", args, environment);
}
