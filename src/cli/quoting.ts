/*
 * The quotes of Windows' shells. cmd knows double quotes alone, and within them `\"`; PowerShell knows single quotes too, but before 7.3 it
 * takes the double quotes within an argument away (about_Parsing, "Passing arguments that contain quote characters").
 */

/**
 * A command's help with its examples for cmd: `"{\"id\": 1}"` in place of `'{"id": 1}'`, and `(echo a& echo b)` in place of
 * `printf 'a\r\nb\r\n'`. (cmd's echo ends its lines with CR LF.)
 */
export function helpFor(help: string, platform: NodeJS.Platform = process.platform): string {
  if (platform !== "win32") return help;
  const withEcho = help.replaceAll(/printf '((?:[^'\n]*?\\r\\n)+)'/g, (_whole, text: string) => {
    const lines = text.split("\\r\\n").slice(0, -1);
    return `(${lines.map((line) => (line === "" ? "echo." : `echo ${line}`)).join("& ")})`;
  });
  return withEcho.replaceAll(/'([^'\n]+)'/g, (_whole, text: string) => `"${text.replaceAll('"', '\\"')}"`);
}

/** What to say beside a usage error whose cause may be a quote that the shell has treated otherwise; "" when it is not that. */
export function quotingHint(args: readonly string[], platform: NodeJS.Platform = process.platform): string {
  if (platform !== "win32") return "";
  if (args.some((text) => text.startsWith("'"))) {
    return `; cmd takes single quotes as they are: write "{\\"id\\": 1}"`;
  }
  // {id:1} was {"id":1}.
  if (args.some((text) => /^\{\s*[A-Za-z_]\w*\s*:/.test(text))) {
    return `; the shell has taken the double quotes away: write '{\\"id\\": 1}' in PowerShell, or send the JSON on standard input`;
  }
  return "";
}
