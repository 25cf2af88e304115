import { type ParseArgsConfig, parseArgs } from "node:util";

/** How a command ends: what the shell sees as its status. */
export const SUCCESS = 0;
/** The network, the peer or the system refused. */
export const FAILURE = 1;
/** The arguments are wrong. */
export const WRONG_USAGE = 2;

/** One command of `std-net`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `std-net help NAME` prints. */
  readonly help: string;
  /** What parseArgs of node:util takes, and what the shells complete. */
  readonly options: Options;
  /** Runs the command to its end and returns the exit status. */
  run(args: string[]): number | Promise<number>;
}

/** The arguments cannot be understood. The text says how to write them. */
export class UsageError extends Error {}

/** The options of a command by their long names. */
export type Options = {
  readonly [name: string]: NonNullable<ParseArgsConfig["options"]>[string] & {
    /** For completion: whether the value is a file, or the words that it can be. */
    readonly values?: "file" | readonly string[];
  };
};

/** The arguments, parsed by parseArgs of node:util. Its errors become usage errors of one line. */
export function parse<const O extends Options>(args: string[], options: O) {
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // The first sentence says what is wrong, and the others explain the "--" convention. For a value that begins with a dash,
    // only the last sentence says how to write it.
    const sentences = text.split(/\.? *\n|\. /);
    const wanted = text.includes("ambiguous") ? sentences.at(-1)! : sentences[0]!;
    throw new UsageError(wanted.replace(/\.$/, "").replace(/^To/, "to"));
  }
}

/** The only positional argument of a command. */
export function onlyArgument(positionals: readonly string[], name: string): string {
  const [argument, extra] = positionals;
  if (argument === undefined) throw new UsageError(`missing ${name}`);
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`);
  return argument;
}

/** The milliseconds of an option that is given in seconds. */
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

/** The same as the end of a command. */
export function failure(text: string): number {
  complain(text);
  return FAILURE;
}

/**
 * Joins the lines of a text. The text can hold a long run of blanks from a stranger, because an error quotes what is wrong. So
 * this uses no regular expression that would search for the end of the line from each blank.
 */
export function oneLine(text: string): string {
  const lines = text.split(/[\r\n]/).map((line) => line.trim());
  return lines.filter((line) => line !== "").join(" ");
}

/** Escapes control characters, with which a stranger could control the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
}
