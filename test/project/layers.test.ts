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
