// The reference site's own parts: errors as a list, members in groups, links that lead somewhere.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { root } from "../support/peer.ts";

interface Part {
  readonly kind: string;
  readonly text: string;
}

interface Site {
  takeApart(parts: readonly Part[]): { text: Part[]; heading: string; errors: Part[][]; source: Part[] };
  readonly GROUPS: readonly string[];
  groupOf(name: string): string | undefined;
  deadLinks(site: string): string[];
  rawLinks(site: string): string[];
  writePages(folder: string): string[];
}

// They are JavaScript, with types in comments.
const files = ["comments", "groups", "links", "pages"];
const modules = await Promise.all(
  files.map((name) => import(pathToFileURL(join(root, `scripts/docs/${name}.js`)).href)),
);
const { takeApart, GROUPS, groupOf, deadLinks, rawLinks, writePages } = Object.assign({}, ...modules) as Site;

/** Text with code in backticks, as TypeDoc gives it. */
function parts(text: string): Part[] {
  return text
    .split(/(`[^`]*`)/)
    .filter((each) => each !== "")
    .map((each) => ({ kind: each.startsWith("`") ? "code" : "text", text: each }));
}

const joined = (list: readonly Part[]) => list.map(({ text }) => text).join("");

function apart(text: string): { text: string; heading: string; errors: string[]; source: string } {
  const { heading, ...found } = takeApart(parts(text));
  return {
    text: joined(found.text),
    heading,
    errors: found.errors.map(joined),
    source: joined(found.source),
  };
}

test("errors become a list: a semicolon, a sentence, or a comma before code begins another one", () => {
  assert.deepEqual(
    apart(
      "the bytes; empty is the end. Errors: `invalid tcp stream` after `close`, `invalid buffer size` for a size (x; y) of 0; " +
        "`tcp read failed: ` with `no delimiter`, `end of stream`, or the system's reason (`EAGAIN`, `EINTR`). Source: recv(2).",
    ),
    {
      text: "the bytes; empty is the end.",
      heading: "",
      errors: [
        "`invalid tcp stream` after `close`",
        "`invalid buffer size` for a size (x; y) of 0",
        "`tcp read failed: ` with `no delimiter`, `end of stream`, or the system's reason (`EAGAIN`, `EINTR`)",
      ],
      source: "recv(2).",
    },
  );
  assert.deepEqual(
    apart(
      "the response. Errors, nothing being sent: `a b`; and `c d`. In sending: `e f: `. Source: RFC 9112, 7.1.",
    ),
    {
      text: "the response.",
      heading: "nothing being sent",
      errors: ["`a b`", "`c d`", "In sending: `e f: `"],
      source: "RFC 9112, 7.1.",
    },
  );
});

test("what cannot fail has no list, and keeps its source", () => {
  assert.deepEqual(apart("the value. An error result throws. Source: `Result::unwrap` of Rust."), {
    text: "the value. An error result throws.",
    heading: "",
    errors: [],
    source: "`Result::unwrap` of Rust.",
  });
});

test("each member of a public class is in a group", () => {
  const types = join(root, "dist", "types");
  const members = new Set<string>();
  for (const file of readdirSync(types, { recursive: true, encoding: "utf8" })) {
    if (
      !/^(?:net[/\\](?!error-words|socket-members)|http[/\\](?:message[/\\]body-reader|server[/\\]start-response))\b.*\.d\.ts$/.test(
        file,
      )
    )
      continue;
    for (const [, body] of readFileSync(join(types, file), "utf8").matchAll(
      /^export declare (?:abstract )?class [^{]*\{\n([\s\S]*?)^\}/gm,
    )) {
      for (const [, name] of body!.matchAll(/^ {4}(?:static |abstract |override )*([a-z]\w*)[(<]/gm))
        members.add(name!);
    }
  }
  assert.ok(members.has("read_until") && members.has("bind") && members.has("set_nodelay"));
  assert.deepEqual(
    [...members].filter((name) => !GROUPS.includes(groupOf(name) ?? "")),
    [],
    "scripts/docs/groups.js",
  );
  assert.equal(groupOf("connect_timeout"), "Connect");
  assert.equal(groupOf("read_timeout"), "Options");
});

test("a site's dead links and raw files are found, and nothing else", () => {
  const site = mkdtempSync(join(tmpdir(), "std-net-site-"));
  try {
    mkdirSync(join(site, "pages"));
    writeFileSync(
      join(site, "index.html"),
      '<h2 id="here">x</h2><a href="pages/a.html#there">a</a><a href="#here">b</a>',
    );
    writeFileSync(
      join(site, "pages/a.html"),
      '<a id="there" href="../index.html">a</a><a href="../gone.html">b</a><a href="#nowhere">c</a><a href="../x.md">d</a>' +
        "[raw](link.md) <code>[code](stays)</code> {@link Nothing}",
    );
    writeFileSync(join(site, "x.md"), "");
    assert.deepEqual(deadLinks(site), [
      "dead link: pages/a.html -> ../gone.html",
      "dead link: pages/a.html -> #nowhere",
    ]);
    assert.deepEqual(rawLinks(site), [
      "raw file: pages/a.html -> ../x.md",
      "raw Markdown: pages/a.html: [raw](link.md)",
      "raw Markdown: pages/a.html: {@link Nothing}",
    ]);
  } finally {
    rmSync(site, { recursive: true, force: true });
  }
});

test("each guide and each example is a page of the site, and links between them lead to pages", () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-pages-"));
  try {
    const files = writePages(folder).map((file) => file.slice(folder.length + 1));
    for (const guide of readdirSync("docs").filter((name) => name.endsWith(".md"))) {
      assert.ok(files.includes(join("docs", guide)), guide);
    }
    assert.ok(files.includes(join("examples", "chat.md")));
    const text = files.map((file) => readFileSync(join(folder, file), "utf8")).join("\n");
    assert.doesNotMatch(text, /\]\([\w./-]*\.ts\)/);
    assert.match(text, /\]\(\.\.\/examples\/chat\.md\)/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
