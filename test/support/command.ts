// The command std-net, as the shell starts it.
import { Readable } from "node:stream";
import { type Exit, type Peer, startPeer } from "./peer.ts";

export const CLI = "dist/cli.js";

export function start(...args: string[]) {
  return startPeer(process.execPath, [CLI, ...args]);
}

/** Gives the command more on standard input than it can ever send. */
export function feedEndlessly(command: Peer): void {
  const { stdin } = command.process;
  function* lines() {
    for (;;) yield "y\n".repeat(8192);
  }
  stdin?.on("error", () => {});
  Readable.from(lines()).pipe(stdin!);
}

export async function run(args: string[], input: string | Buffer = ""): Promise<Exit> {
  await using command = start(...args);
  command.process.stdin?.on("error", () => {}); // a command that ends early does not read it
  command.process.stdin?.end(input);
  return await command.exit();
}

/** The command in a terminal of its own: Python makes the terminal and prints what comes out of it. */
export function startInTerminal(...args: string[]) {
  const program = "import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
  // Node takes a terminal in CI for one without colours.
  const environment = { TERM: "xterm-256color", CI: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined };
  return startPeer("python3", ["-c", program, process.execPath, CLI, ...args], environment);
}
