/** A command as a shell completes it. */
export interface Offer {
  readonly name: string;
  readonly summary: string;
  /** What can stand behind it, options apart. */
  readonly words: readonly string[];
  readonly options: readonly OfferedOption[];
}

export interface OfferedOption {
  readonly long: string;
  readonly short: string | undefined;
  readonly takesValue: boolean;
  readonly mayRepeat: boolean;
  /** A file, one of these words, or anything. */
  readonly values: "file" | readonly string[] | undefined;
  readonly about: string;
}

/** Between single quotes, for bash and zsh. (Nothing within them is special but the quote.) */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function spellings({ long, short }: OfferedOption): string[] {
  return short === undefined ? [`--${long}`] : [`-${short}`, `--${long}`];
}

/** For bash 3.2 (macOS) and later, without the package bash-completion. */
export function bashScript(offers: readonly Offer[]): string {
  const values = offers.flatMap(({ name, options }) =>
    options
      .filter(({ takesValue }) => takesValue)
      .map((option) => {
        const keys = spellings(option).map((spelling) => quoted(`${name} ${spelling}`));
        const action =
          option.values === "file"
            ? "compopt -o default 2>/dev/null"
            : `words=${quoted(option.values?.join(" ") ?? "")}`;
        return `    ${keys.join("|")}) ${action} ;;\n`;
      }),
  );
  const others = offers.map(({ name, words, options }) => {
    const all = options.flatMap(spellings);
    return `        ${name}) words=${quoted([...words, ...all, "--help"].join(" "))} ;;\n`;
  });
  return `# bash completion for std-net
_std_net() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=''
  # bash makes three words of --option=value.
  if [ "$current" = '=' ]; then
    current=''
  elif [ "$previous" = '=' ]; then
    previous="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W ${quoted(offers.map(({ name }) => name).join(" "))} -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]} $previous" in
${values.join("")}    *)
      case "\${COMP_WORDS[1]}" in
${others.join("")}      esac
      ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _std_net std-net
`;
}

export function zshScript(offers: readonly Offer[]): string {
  const names = offers.map(
    ({ name, summary }) => `    ${quoted(`${name}:${summary.replaceAll(":", "\\:")}`)}\n`,
  );
  const cases = offers.map(({ name, words, options }) => {
    const specs = [
      ...options.flatMap(zshOption),
      "(- *)--help[say how to use the command]",
      // (With " " in place of the empty list, zsh would show a message beside the options, and complete none.)
      words.length > 0 ? `1:word:(${words.join(" ")})` : "*:argument:()",
    ];
    return `    ${name})\n      _arguments -s ${specs.map(quoted).join(" \\\n        ")}\n      ;;\n`;
  });
  return `#compdef std-net
# zsh completion for std-net
_std-net() {
  local -a commands
  commands=(
${names.join("")}  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local name=$words[2]
  shift words
  (( CURRENT-- ))
  case $name in
${cases.join("")}  esac
}
if [ "$funcstack[1]" = _std-net ]; then
  _std-net "$@"
else
  compdef _std-net std-net
fi
`;
}

/** The specifications of zshcompsys(1), "_arguments". */
function zshOption(option: OfferedOption): string[] {
  const { takesValue, mayRepeat, values } = option;
  const all = spellings(option);
  const about = option.about.replaceAll(/[[\]:\\]/g, "\\$&");
  const choices = values === "file" ? "_files" : values === undefined ? " " : `(${values.join(" ")})`;
  const value = takesValue ? `:value:${choices}` : "";
  return all.map((spelling) => {
    const prefix = mayRepeat ? "*" : `(${all.join(" ")})`;
    const joint = takesValue ? (spelling.startsWith("--") ? "=" : "+") : "";
    return `${prefix}${spelling}${joint}[${about}]${value}`;
  });
}

export function fishScript(offers: readonly Offer[]): string {
  const command = (condition: string, rest: string) =>
    `complete -c std-net -n ${fishQuoted(condition)} ${rest}\n`;
  const lines = offers.flatMap(({ name, summary, words, options }) => [
    command("test (count (commandline -opc)) -eq 1", `-a ${name} -d ${fishQuoted(summary)}`),
    ...(words.length > 0
      ? [command(`__fish_seen_subcommand_from ${name}`, `-a ${fishQuoted(words.join(" "))}`)]
      : []),
    ...options.map((option) => command(`__fish_seen_subcommand_from ${name}`, fishOption(option))),
  ]);
  return `# fish completion for std-net
complete -c std-net -f
complete -c std-net -l help -d 'say how to use the command'
${lines.join("")}`;
}

function fishOption({ long, short, takesValue, values, about }: OfferedOption): string {
  const shortPart = short === undefined ? "" : `-s ${short} `;
  const words = values === undefined || values === "file" ? "" : ` -a ${fishQuoted(values.join(" "))}`;
  const value = takesValue ? (values === "file" ? " -r -F" : ` -x${words}`) : "";
  return `${shortPart}-l ${long}${value} -d ${fishQuoted(about)}`;
}

/** In fish a backslash and a quote are special within single quotes. */
function fishQuoted(text: string): string {
  return `'${text.replaceAll(/[\\']/g, "\\$&")}'`;
}
