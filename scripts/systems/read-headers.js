// Reads the values of C expressions, and the names that functions have for the linker, out of a compiler's assembly: nothing
// has to run on the system that the headers are of.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const INCLUDES = {
  darwin: ["sys/event.h", "sys/ucred.h"],
  linux: ["sys/epoll.h", "linux/sock_diag.h"],
  everywhere: [
    ...["stddef.h", "errno.h", "fcntl.h", "net/if.h", "netdb.h", "netinet/in.h", "netinet/tcp.h", "poll.h"],
    ...[
      "pthread.h",
      "sched.h",
      "signal.h",
      "stdlib.h",
      "string.h",
      "sys/resource.h",
      "sys/socket.h",
      "sys/time.h",
    ],
    ...["sys/types.h", "sys/un.h", "unistd.h"],
  ],
};
/** What makes headers tell all that they have: IPV6_* by RFC 3542 on macOS, getaddrinfo_a and others on Linux. */
const DEFINES = ["#define _GNU_SOURCE 1", "#define __APPLE_USE_RFC_3542 1"];

/**
 * @typedef {object} Compiler
 * @property {readonly string[]} command
 * @property {"linux" | "darwin"} system
 * @property {string | null} uv the folder of uv.h
 * @property {NodeJS.ProcessEnv} [environment]
 */

/**
 * The value of each expression, and for each function the name that a program asks the linker for. What a header or the C
 * library does not have is null.
 *
 * @param {Compiler} compiler
 * @param {readonly string[]} expressions
 * @param {readonly string[]} functions
 */
export function readHeaders(compiler, expressions, functions) {
  const folder = mkdtempSync(join(tmpdir(), "std-net-headers-"));
  try {
    const wanted = expressions.filter((expression) => compiler.uv !== null || !isOfLibuv(expression));
    const values = readAssembly(compiler, folder, wanted, (text) => `(long long)(${text})`, "long long");
    const names = readAssembly(compiler, folder, functions, (name) => `(void *)${name}`, "void *");
    const missing = missingFromLibrary(compiler, folder, functions);
    return {
      values: new Map(
        [...values].map(([expression, text]) => [expression, text === null ? null : Number(text)]),
      ),
      functions: new Map(
        [...names].map(([name, text]) => [name, missing.has(name) ? null : linkerName(compiler, text)]),
      ),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} expression */
export function isOfLibuv(expression) {
  return /\b(?:uv_|UV_)/.test(expression);
}

/** On macOS each name of C has a "_" before it. @param {Compiler} compiler @param {string | null} text */
function linkerName({ system }, text) {
  return text === null || system === "linux" ? text : text.replace(/^_/, "");
}

/** @param {Compiler} compiler */
function head({ system, uv }) {
  const names = [...INCLUDES[system], ...INCLUDES.everywhere, ...(uv === null ? [] : ["uv.h"])];
  return [...DEFINES, ...names.map((name) => `#include <${name}>`)];
}

/**
 * What stands in the assembly for each text. Those that do not compile are taken out by the compiler's own list of errors.
 *
 * @param {Compiler} compiler
 * @param {string} folder
 * @param {readonly string[]} texts
 * @param {(text: string) => string} initializer
 * @param {string} type
 */
function readAssembly(compiler, folder, texts, initializer, type) {
  const before = head(compiler);
  /** @type {Map<string, string | null>} */
  const found = new Map(texts.map((text) => [text, null]));
  let left = texts.map((text, index) => ({ text, index }));
  for (let attempt = 0; attempt < 3; attempt++) {
    const lines = left.map(({ text, index }) => `${type} const std_net_${index} = ${initializer(text)};`);
    const output = join(folder, "program.s");
    const { status, stderr } = run(compiler, folder, [...before, ...lines], ["-S", "-o", output]);
    if (status === 0) {
      const assembly = readFileSync(output, "utf8");
      for (const { text, index } of left) found.set(text, initialized(assembly, `std_net_${index}`));
      return found;
    }
    const wrong = new Set(
      [...stderr.matchAll(/program\.c:(\d+):\d+: error/g)].map(([, line]) => Number(line) - 1),
    );
    const fewer = left.filter((_, at) => !wrong.has(before.length + at));
    if (fewer.length === left.length) throw new Error(`${compiler.command.join(" ")}: ${stderr}`);
    left = fewer;
  }
  throw new Error(`${compiler.command.join(" ")}: the program does not compile`);
}

/** What the variable of that name begins with. @param {string} assembly @param {string} name */
function initialized(assembly, name) {
  const found = new RegExp(`^_?${name}:[^\\n]*\\n\\s*\\.(\\w+)\\s+([^\\s#;]+)`, "m").exec(assembly);
  if (found === null) throw new Error(`the assembly has no ${name}`);
  return found[1] === "zero" || found[1] === "space" ? "0" : found[2];
}

/**
 * The functions that the C library does not have, by the linker's own list.
 *
 * @param {Compiler} compiler
 * @param {string} folder
 * @param {readonly string[]} functions
 */
function missingFromLibrary(compiler, folder, functions) {
  // By its plain name, as dlsym(3) is asked for it, whatever a header makes of it.
  const program = [
    ...functions.map((name) => `extern char ${name}[];`),
    `char *const all[] = { ${functions.join(", ")} };`,
    "int main(void) { return all[0] == 0; }",
  ];
  const options = ["-fPIC", "-fno-builtin", "-w", "-o", join(folder, "program")];
  const { status, stderr } = run(compiler, folder, program, options);
  if (status === 0) return new Set();
  const missing = new Set(
    [...stderr.matchAll(/undefined (?:symbol|reference)[^\w]+_?(\w+)/g)].map(([, name]) => name),
  );
  if (missing.size === 0) throw new Error(`${compiler.command.join(" ")}: ${stderr}`);
  return missing;
}

/** @param {Compiler} compiler @param {string} folder @param {readonly string[]} lines @param {readonly string[]} options */
function run({ command, uv, environment }, folder, lines, options) {
  const file = join(folder, "program.c");
  writeFileSync(file, `${lines.join("\n")}\n`);
  const [program, ...args] = command;
  const uvOptions = uv === null ? [] : ["-I", uv];
  const { status, stderr, error } = spawnSync(program, [...args, ...uvOptions, file, ...options], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C", ...environment },
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error !== undefined) throw error;
  return { status, stderr };
}
