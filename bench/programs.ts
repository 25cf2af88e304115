// The programs that are measured: each a child process that stays alive, and warm, from round to round.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PEERS = join("bench", "peers");

/** A workload throws this when the machine lacks what it needs; its message says what that is. */
export class Skip extends Error {}

function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: "ignore" }).status === 0;
}

const cores = availableParallelism();
const canPin = works("taskset", "-c", String(cores - 1), "true");

/** The core that client and server share, so that a round trip is a switch between them and never a wake-up. */
export const sharedCore = cores - 1;
/** Where the load generator runs, out of the way of what it measures. */
export const otherCore = 0;

export const pinning = canPin
  ? `client and server pinned to core ${sharedCore}`
  : "not pinned: no taskset here";

/** `command`, kept on one core where the system has taskset; on null, left to the scheduler. */
export function pinned(command: readonly string[], core: number | null = sharedCore): string[] {
  return canPin && core !== null ? ["taskset", "-c", String(core), ...command] : [...command];
}

/** Compiles every bench/peers/*.c into build/. False when there is no C compiler. */
export function compilePeers(): boolean {
  if (!works("cc", "--version")) return false;
  mkdirSync("build", { recursive: true });
  for (const file of readdirSync(PEERS).filter((name) => name.endsWith(".c"))) {
    const flags = ["-O2", "-Wall", "-Wextra", "-o", compiled(file.slice(0, -2)), join(PEERS, file)];
    const libraries = file.startsWith("https") ? ["-lssl", "-lcrypto"] : [];
    const made = spawnSync("cc", [...flags, ...libraries], { stdio: ["ignore", "inherit", "pipe"] });
    if (made.status !== 0) console.log(`cc could not compile ${file}:\n${made.stderr}`);
  }
  return true;
}

function compiled(name: string): string {
  return join("build", `bench-${name}`);
}

/** The command that runs a peer: the language is told by the ending, and without one it is a compiled C program. */
export function peer(name: string, ...args: (string | number)[]): string[] {
  const rest = args.map(String);
  if (name.endsWith(".js")) return [process.execPath, join(PEERS, name), ...rest];
  if (name.endsWith(".py")) return ["python3", join(PEERS, name), ...rest];
  return [compiled(name), ...rest];
}

/** Whether a command can be had on this machine. */
export function available(command: string): boolean {
  return works(command, "--version") || works("which", command);
}

const living = new Set<Program>();

// A server would outlive a benchmark that was ended from outside, and take its share of every later one.
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    for (const program of living) program.stop();
    process.exit(1);
  });
}

/** A child process that is talked to in lines. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly #command: string;
  readonly #lines: string[] = [];
  #waiting: { resolve: (line: string) => void; reject: (error: Error) => void } | null = null;
  #complaint = "";
  #ended: string | null = null;

  constructor(command: readonly string[], core: number | null = sharedCore) {
    const [file, ...args] = pinned(command, core);
    this.#command = command.slice(-3).join(" ");
    this.child = spawn(file!, args, { stdio: "pipe" });
    living.add(this);
    this.child.stderr.on("data", (bytes: Buffer) => {
      this.#complaint += bytes.toString();
    });
    // A program that is gone cannot take a command; the next line asked for says so.
    this.child.stdin.on("error", () => {});
    this.child.on("error", (error) => this.#end(error.message));
    this.child.on("close", (code, signal) => this.#end(`ended with ${signal ?? `status ${code}`}`));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      if (this.#waiting === null) {
        this.#lines.push(line);
      } else {
        this.#waiting.resolve(line);
        this.#waiting = null;
      }
    });
  }

  #end(how: string): void {
    living.delete(this);
    this.#ended ??= `${this.#command} ${how}${this.#complaint === "" ? "" : `: ${this.#complaint.trim()}`}`;
    this.#waiting?.reject(new Error(this.#ended));
    this.#waiting = null;
  }

  /** The next line that the program prints. */
  line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#ended !== null) return Promise.reject(new Error(this.#ended));
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  /** Has a peer do its work `count` times; the nanoseconds that it took. */
  async run(count: number): Promise<number> {
    this.child.stdin.write(`run ${count}\n`);
    return Number(await this.line());
  }

  /** Resident memory, in MiB. Linux tells it in /proc (proc(5)). */
  resident(): number {
    return this.#memory("VmRSS");
  }

  /** The most that it had since `forgetPeak`, in MiB. */
  peak(): number {
    return this.#memory("VmHWM");
  }

  forgetPeak(): void {
    writeFileSync(`/proc/${this.child.pid}/clear_refs`, "5");
  }

  #memory(field: string): number {
    const status = readFileSync(`/proc/${this.child.pid}/status`, "utf8");
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) / 1024;
  }

  stop(): void {
    this.child.kill("SIGKILL");
  }
}

/** The nanoseconds that a process has spent on a processor (proc(5), schedstat). */
export function cpuTime(program: Program): number {
  return Number(readFileSync(`/proc/${program.child.pid}/schedstat`, "utf8").split(" ")[0]);
}

/** Starts a peer that takes commands. */
export async function startPeer(command: readonly string[]): Promise<Program> {
  const program = new Program(command);
  if ((await program.line()) !== "ready") throw new Error(`${command.join(" ")} did not get ready`);
  return program;
}

/** Starts a server, which prints "listening PORT" first of all. */
export async function startServer(
  command: readonly string[],
  core: number | null = sharedCore,
): Promise<{ program: Program; port: number }> {
  const program = new Program(command, core);
  const port = Number((await program.line()).replace("listening ", ""));
  return { program, port };
}
