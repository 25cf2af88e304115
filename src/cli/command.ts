import { type ParseArgsConfig, parseArgs } from "node:util";

/** How a command ends: what the shell sees as its status. */
export const SUCCESS = 0;
/** The network, the peer or the system said no. */
export const FAILURE = 1;
/** The command was written wrongly. */
export const WRONG_USAGE = 2;

/** One of the things that `std-net` does. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `std-net help NAME` prints. */
  readonly help: string;
  /** Gives the exit status, once the command has ended. */
  run(args: string[]): number | Promise<number>;
}

/** What was typed cannot be understood; the text says how to write it. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig["options"]>;

/** The arguments by node:util's parseArgs, whose complaints become usage errors of one line. */
export function parse<const O extends Options>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // The first sentence says what is wrong, and the others explain the "--" convention; but of a value that begins with a
    // dash only the last one says how to write it.
    const sentences = text.split(/\.? *\n|\. /);
    const wanted = text.includes("ambiguous") ? sentences.at(-1)! : sentences[0]!;
    throw new UsageError(wanted.replace(/\.$/, "").replace(/^To/, "to"));
  }
}

/** The one positional argument that a command wants. */
export function onlyArgument(positionals: readonly string[], name: string): string {
  const [argument, extra] = positionals;
  if (argument === undefined) throw new UsageError(`missing ${name}`);
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`);
  return argument;
}

/** A number of milliseconds, typed as seconds. */
export function seconds(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !(value > 0 && Number.isFinite(value))) {
    throw new UsageError(`--${option} wants a positive number of seconds, not '${text}'`);
  }
  return value * 1000;
}

/** One line on standard error. */
export function complain(text: string): void {
  process.stderr.write(`std-net: ${printable(oneLine(text))}\n`);
}

/**
 * The lines of a text behind each other. A stranger can have put a long run of blanks into it (an error quotes what is
 * wrong), hence no regular expression that looks for the line's end behind each of them.
 */
export function oneLine(text: string): string {
  const lines = text.split(/[\r\n]/).map((line) => line.trim());
  return lines.filter((line) => line !== "").join(" ");
}

/** Without the control characters that a stranger could steer the terminal with. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
