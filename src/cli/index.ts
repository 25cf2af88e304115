#!/usr/bin/env node
// The command std-net: a thin layer over the library, with one file for each command.
import { readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { isClosedOutput } from "./closed-output.ts";
import { type Command, complain, FAILURE, SUCCESS, UsageError, WRONG_USAGE } from "./command.ts";
import { completionOf } from "./completion.ts";
import { doctor } from "./doctor.ts";
import { helpFor, quotingHint } from "./quoting.ts";
import { receive } from "./receiver.ts";
import { repl } from "./repl.ts";
import { request } from "./request.ts";
import { serve } from "./serve.ts";
import { tcp } from "./tcp.ts";
import { udp } from "./udp.ts";

const described: readonly Command[] = [request, serve, tcp, udp, repl, doctor];
const commands: readonly Command[] = [...described, completionOf(described)];

const HELP = `std-net: blocking sockets and HTTP at the command line

Usage: std-net COMMAND [ARGUMENT]...

${commands.map(({ name, summary }) => `  ${name.padEnd(12)}${summary}`).join("\n")}
  help        print this, or how to use one command: std-net help request

Try, in two terminals:
  std-net serve 8080
  std-net request POST :8080/hello?name=you -d '{"numbers":[1,2,3]}'

Exit status: 0 success, 1 the network or the peer refused, 2 wrong usage.
NODE_DEBUG=std-net prints one line for each call of the library.
`;

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined) {
    process.stderr.write(helpFor(HELP));
    return WRONG_USAGE;
  }
  if (name === "--version" || name === "-v") {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    process.stdout.write(`${version}\n`);
    return SUCCESS;
  }
  if (name === "help" || name === "--help" || name === "-h") {
    const [about] = rest;
    process.stdout.write(about === undefined ? helpFor(HELP) : helpFor(find(about).help));
    return SUCCESS;
  }
  const command = find(name);
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(helpFor(command.help));
    return SUCCESS;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (error instanceof UsageError)
      throw new UsageError(`${name}: ${error.message}${quotingHint(rest)} (std-net help ${name})`);
    throw error;
  }
}

function find(name: string): Command {
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) throw new UsageError(`there is no command '${name}' (std-net help)`);
  return command;
}

if (isMainThread) run();
else receive();

function run(): void {
  // The reader of the output may stop reading: `std-net request ... | head -1`.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (!isClosedOutput(error)) complain(error.message);
    process.exit(isClosedOutput(error) ? SUCCESS : FAILURE);
  });
  // When nobody reads standard error, the exit status still tells of the error.
  process.stderr.on("error", () => {});
  main(process.argv.slice(2)).then(
    (status) => {
      process.exitCode = status;
    },
    (error: unknown) => {
      complain(error instanceof Error ? error.message : String(error));
      process.exitCode = error instanceof UsageError ? WRONG_USAGE : FAILURE;
    },
  );
}
