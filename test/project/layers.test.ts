// The shape of src/: folders in an order, imports that point down it, no import cycle, and who may know what.
// docs/inside.md describes what is checked here, and nothing else.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { test } from "node:test";
import { root } from "../support/peer.ts";

/** From the top to the bottom. A file imports from its own folder or from a lower line; `import type` counts. */
const layers = [
  ["cli/"],
  ["index.ts"],
  ["http/index.ts"],
  ["http/client/", "http/server/"],
  ["http/message/"],
  ["net/"],
  ["tls/"],
  ["engine/"],
  ["http/wire/", "json.ts", "json/", "address.ts", "arguments.ts", "error.ts", "trace.ts", "wrap-calls.ts"],
  ["result.ts", "net-error.ts", "error-code.ts"],
  ["sys/"],
  ["runtime/"],
];

const isIn = (file: string) => (place: string) =>
  place.endsWith("/") ? file.startsWith(place) : file === place;
const layerOf = (file: string) => layers.findIndex((places) => places.some(isIn(file)));
const placeOf = (file: string) => layers.flat().find(isIn(file));

const source = join(root, "src");
const texts = new Map(
  readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => [file.replaceAll("\\", "/"), readFileSync(join(source, file), "utf8")]),
);

const importLine = /^(?:import|export)\s+[^;]*?from\s+"([^"]+)"/gm;

function importsOf(file: string): string[] {
  return [...texts.get(file)!.matchAll(importLine)]
    .map(([, target]) => target!)
    .filter((target) => target.startsWith("."))
    .map((target) => posix.normalize(posix.join(posix.dirname(file), target)));
}

/** The text without comments. What a comment names binds nothing. */
function codeOf(file: string): string {
  return texts
    .get(file)!
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .replace(/(?<![:"])\/\/.*$/gm, "");
}

function assertNowhere(pattern: RegExp, isAllowed: (file: string) => boolean, what: string): void {
  for (const file of texts.keys()) {
    if (!isAllowed(file)) assert.doesNotMatch(codeOf(file), pattern, `src/${file} knows ${what}`);
  }
}

test("every file has a place, and imports point down", () => {
  assert.ok(texts.size > 80, "the source files were found");
  for (const file of texts.keys()) {
    assert.notEqual(layerOf(file), -1, `src/${file} has a place in the layers`);
    for (const imported of importsOf(file)) {
      const isNeighbour = placeOf(imported) === placeOf(file);
      // The single files of one line have no folder that would say which stands above which; the test for cycles does.
      const isBesideFile =
        layerOf(imported) === layerOf(file) && [imported, file].some((name) => !name.includes("/"));
      assert.ok(
        isNeighbour || isBesideFile || layerOf(imported) > layerOf(file),
        `src/${file} imports ${imported}, which is not below it`,
      );
    }
  }
});

test("there is no import cycle", () => {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(
      !path.includes(file),
      `an import cycle: ${[...path.slice(path.indexOf(file)), file].join(" > ")}`,
    );
    if (done.has(file)) return;
    for (const imported of importsOf(file)) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of texts.keys()) visit(file, []);
});

test("only sys loads koffi", () => {
  assertNowhere(/(?:from |require\(|import\()"koffi"/, (file) => file.startsWith("sys/"), "koffi");
});

test("only the TLS folder names OpenSSL's functions", () => {
  assertNowhere(/\b(?:SSL|BIO|X509|EVP|ERR|PEM)_[a-z]\w+/, (file) => file.startsWith("tls/"), "OpenSSL");
});

test("net and http import nothing from sys", () => {
  for (const file of texts.keys()) {
    if (!/^(net|http)\//.test(file)) continue;
    for (const imported of importsOf(file)) {
      assert.ok(!imported.startsWith("sys/"), `src/${file} imports ${imported}`);
    }
  }
});

test("http/wire, json and address are pure", () => {
  for (const file of texts.keys()) {
    if (!/^(http\/wire\/|json\.ts|address\.ts)/.test(file)) continue;
    for (const imported of importsOf(file)) {
      assert.doesNotMatch(imported, /^(engine|sys|runtime)\//, `src/${file} imports ${imported}`);
    }
  }
});

/** Texts are no code either: an error may name what a constant is called. */
function withoutTexts(code: string): string {
  return code.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');
}

/** Whose code knows a constant or the platform all the same, and which. */
const known: Record<string, RegExp> = {
  // What the system is, is what it tells.
  "cli/doctor.ts": /process\.platform/g,
  // How the system's shells quote.
  "cli/quoting.ts": /process\.platform/g,
  // Which library OpenSSL is, where the runtime has none.
  "tls/openssl.ts": /process\.platform/g,
  // At a session's end what is left is taken off the socket itself, without TLS.
  "tls/closing.ts": /\b(?:POLLIN|MSG_DONTWAIT)\b/g,
};

test("system constants are known in sys and engine alone", () => {
  const constant =
    /\b(?:AF|SO|IPPROTO|MSG|F|SOL|SHUT|SOCK|IP|IPV6|EAI)_[A-Z0-9_]+\b|\bTCP_NODELAY\b|\bPOLL(?:IN|OUT|ERR|HUP|NVAL|RDHUP)\b|\bO_NONBLOCK\b/;
  for (const file of texts.keys()) {
    if (/^(sys|engine)\//.test(file)) continue;
    const code = codeOf(file).replace(known[file] ?? /(?!)/g, "");
    assert.doesNotMatch(withoutTexts(code), constant, `src/${file} knows a constant of the system`);
    assert.doesNotMatch(code, /process\.platform/, `src/${file} asks for the system`);
  }
});

test("each row of the constants is used", () => {
  // (Error numbers are there for whoever needs one.)
  const rows = [...codeOf("sys/constants.ts").matchAll(/^ {2}(\w+): \[[^\]]*\],$/gm)]
    .map(([, name]) => name!)
    .filter((name) => !/^E[A-Z]+$/.test(name));
  assert.ok(rows.length > 60, "the rows were found");
  const users = [...texts.keys()].filter((file) => file !== "sys/constants.ts").map(codeOf);
  for (const row of rows) {
    assert.ok(
      users.some((code) => new RegExp(`\\b${row}\\b`).test(code)),
      `nothing uses ${row}`,
    );
  }
});

/** Lines that are neither empty nor comment. */
function linesOf(code: string): string[] {
  return code.split("\n").filter((line) => line.trim() !== "");
}

/** Larger than a file may be, for as long as they are being split. */
const LARGE_FILES: string[] = [];

/** Longer than a function may be: tables, which decide nothing. */
const LONG_FUNCTIONS = ["tls/openssl.ts: declare"];

test("no file is above 350 lines of code, no function above 60", () => {
  let seen = 0;
  for (const file of texts.keys()) {
    const lines = linesOf(codeOf(file));
    if (!LARGE_FILES.includes(file))
      assert.ok(lines.length <= 350, `src/${file}: ${lines.length} lines of code`);
    for (const { name, length } of functionsOf(lines)) {
      seen++;
      if (LONG_FUNCTIONS.includes(`${file}: ${name}`)) continue;
      assert.ok(length <= 60, `src/${file}: ${name} has ${length} lines of code`);
    }
  }
  assert.ok(seen > 800, `the functions were found: ${seen}`);
});

/** The functions and methods, by the places to which the formatter puts their beginnings and ends. */
function* functionsOf(lines: readonly string[]) {
  const begin =
    /^( *)(?:(?:export|default|static|async|private|protected|get|set|override) )*(?:function\*? )?([*#\w]+)(?:<.*>)?\(/;
  for (const [index, line] of lines.entries()) {
    const [, indent, name] = begin.exec(line) ?? [];
    if (indent === undefined || name === undefined || /^(?:if|for|while|switch|catch|super|test)$/.test(name))
      continue;
    // Where the parameters have lines of their own, the body begins behind them.
    const opening = line.endsWith("(")
      ? lines.findIndex((end, at) => at > index && end.startsWith(`${indent})`))
      : index;
    if (!lines[opening]?.endsWith("{") || lines[opening].endsWith("({")) continue;
    const end = lines.findIndex((text, at) => at > opening && text.startsWith(`${indent}}`));
    yield { name, length: end - index + 1 };
  }
}
