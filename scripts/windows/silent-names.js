// A name server that never answers, and a name with two addresses, for one program: in a mount namespace of its own other files are the
// system's resolv.conf and hosts. Wine asks Linux' resolver, so they count for its programs too.
import { spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Starts the name server. Gives the command that runs another one with it, and what stops it; null where this user may not. An
 * address of this process alone: another run has its own.
 *
 * @param {string} folder
 * @returns {Promise<{ command: string[], close(): void } | null>}
 */
export async function silentNames(folder) {
  if (spawnSync("unshare", ["--mount", "true"]).status !== 0) return null;
  const address = `127.53.${(process.pid >> 8) & 0xff}.${process.pid & 0xff}`;
  const server = createSocket("udp4");
  const isBound = await new Promise((done) => {
    server.once("error", () => done(false));
    server.bind(53, address, () => done(true));
  });
  if (!isBound) return null;
  const configuration = join(folder, "resolv.conf");
  writeFileSync(configuration, `nameserver ${address}\noptions timeout:5 attempts:2\n`);
  const hosts = join(folder, "hosts");
  writeFileSync(hosts, "127.0.0.1 localhost\n127.0.0.3 two.example\n127.0.0.2 two.example\n");
  const script = 'mount --bind "$0" /etc/resolv.conf && mount --bind "$1" /etc/hosts && shift && exec "$@"';
  return {
    command: ["unshare", "--mount", "sh", "-c", script, configuration, hosts],
    close: () => server.close(),
  };
}
