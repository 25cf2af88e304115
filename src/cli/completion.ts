import { type Command, onlyArgument, parse, SUCCESS, UsageError } from "./command.ts";
import { bashScript, fishScript, type Offer, zshScript } from "./completion-scripts.ts";

const SHELLS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** `std-net completion`: the shells learn the commands and their options from what the commands themselves say. */
export function completionOf(others: readonly Command[]): Command {
  const completion: Command = {
    name: "completion",
    summary: "print the completion of a shell: bash, zsh or fish",
    help: `Usage: std-net completion bash|zsh|fish

Prints a script with which the shell completes commands, options and their values.

Examples:
  source <(std-net completion bash)                                        # in ~/.bashrc
  source <(std-net completion zsh)                                         # in ~/.zshrc, after compinit
  std-net completion fish > ~/.config/fish/completions/std-net.fish

Exit status: 0, 2 for wrong usage.
`,
    options: {},
    run(args) {
      const shell = onlyArgument(parse(args, {}).positionals, "shell: bash, zsh or fish");
      if (!isShell(shell)) throw new UsageError(`there is no completion for '${shell}': bash, zsh or fish`);
      process.stdout.write(SHELLS[shell](offersOf([...others, completion])));
      return SUCCESS;
    },
  };
  return completion;
}

function isShell(name: string): name is keyof typeof SHELLS {
  return Object.hasOwn(SHELLS, name);
}

/** What there is to complete. */
export function offersOf(commands: readonly Command[]): Offer[] {
  const names = commands.map(({ name }) => name);
  const offers = commands.map((command) => ({
    name: command.name,
    summary: command.summary,
    words: command.name === "completion" ? Object.keys(SHELLS) : [],
    options: Object.entries(command.options).map(([long, { short, type, multiple, values }]) => ({
      long,
      short,
      takesValue: type === "string",
      mayRepeat: multiple === true,
      values,
      about: aboutOf(command.help, long),
    })),
  }));
  return [...offers, { name: "help", summary: "say how to use a command", words: names, options: [] }];
}

/** What a command's help says about an option: the first words beside it. */
function aboutOf(help: string, long: string): string {
  const line = help.split("\n").find((text) => new RegExp(`^ +(?:-\\w, +)?--${long}\\b`).test(text));
  return /^ +(?:-\w, +)?--\S+(?: \S+)*? {2,}([^\s;][^;]*)/.exec(line ?? "")?.[1] ?? "";
}
