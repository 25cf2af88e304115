// docs/options.md says what the code does: each option that a caller can give stands in its table, with the default that its
// docstring and limits.ts have.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import * as limits from "../../src/http/wire/limits.ts";
import { root } from "../support/peer.ts";

/** The interfaces whose fields a caller gives. */
const GIVEN =
  /(?:Options|^ClientRequest|^OpenRequest|^ServerResponse|^StartedResponse|^OutgoingEvent|^Interest)$/;

interface Option {
  readonly name: string;
  /** What the docstring gives as the default, where it does. */
  readonly value: string | undefined;
}

/** The fields of the interfaces that a program can give, by the interface's name. */
function optionsOfCode(): Map<string, Option[]> {
  const found = new Map<string, Option[]>();
  for (const file of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts") || file.startsWith("cli")) continue;
    const text = readFileSync(join(root, "src", file), "utf8");
    for (const [, name, body] of text.matchAll(/^export interface (\w+).*\{\n([\s\S]*?)^\}/gm)) {
      if (!GIVEN.test(name!) || !/^ {2}(?:readonly )?\w+\?:/m.test(body!)) continue;
      const fields = body!.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\n {2}(?:readonly )?(\w+)\??:/g);
      found.set(
        name!,
        [...fields].map(([, comment, field]) => ({ name: field!, value: defaultOf(comment!) })),
      );
    }
  }
  return found;
}

/** `(default 300000)`, `null (the default)`, `4096 when left out`; undefined where a docstring has no plain value. */
function defaultOf(comment: string): string | undefined {
  const text = comment.replaceAll(/\s*\*?\s+/g, " ");
  return (
    /\(default ([^),;]+)/.exec(text)?.[1] ??
    /\b(null|"\w+") \(the default\)/.exec(text)?.[1] ??
    /`("[\w.]+")` \(the default/.exec(text)?.[1] ??
    /\b(\d+|True|False) when left out/.exec(text)?.[1]?.toLowerCase() ??
    /\bDefault (\w+)\./.exec(text)?.[1]
  );
}

const page = readFileSync(join(root, "docs/options.md"), "utf8");

/** The default of each row, by field, in the section with this heading. */
function optionsOfPage(name: string): Map<string, string> | null {
  const section = new RegExp(`^#+ \`${name}\`\\n([\\s\\S]*?)(?=^#)`, "m").exec(page)?.[1];
  if (section === undefined) return null;
  return new Map(
    [...section.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(([, field, cell]) => [field!, cell!]),
  );
}

const all = optionsOfCode();

test("the options are found in the code", () => {
  assert.ok(all.size >= 12, [...all.keys()].join());
  assert.deepEqual(
    all
      .get("ClientRequest")
      ?.filter(({ name }) => /^(?:url|max_body_bytes|decode_body|socket_path)$/.test(name)),
    [
      { name: "url", value: undefined },
      { name: "max_body_bytes", value: "67108864" },
      { name: "decode_body", value: '"json"' },
      { name: "socket_path", value: "null" },
    ],
  );
});

describe("docs/options.md has each option, with its default", () => {
  for (const [name, options] of all) {
    test(name, () => {
      const rows = optionsOfPage(name);
      assert.ok(rows !== null, `a section of its own: ### \`${name}\``);
      for (const option of options) {
        const cell = rows.get(option.name);
        assert.ok(cell !== undefined, `a row for ${option.name}`);
        if (option.value !== undefined) assert.equal(cell, `\`${option.value}\``, option.name);
      }
      // An interface that extends another one may say again what differs.
      const known = new Set([...all.values()].flat().map((option) => option.name));
      assert.deepEqual(
        [...rows.keys()].filter((field) => !known.has(field)),
        [],
        "there is no such option",
      );
    });
  }
});

test("docs/options.md has each number of limits.ts", () => {
  const numbers = new Map<string, number>();
  for (const [name, value] of Object.entries(limits)) {
    if (typeof value === "number") numbers.set(name, value);
    else if (typeof value === "object") {
      for (const [part, number] of Object.entries(value)) numbers.set(`${name}.${part}`, number as number);
    }
  }
  assert.ok(numbers.size >= 15);
  assert.deepEqual(
    [...numbers].filter(([, value]) => !page.includes(`\`${value}\``)),
    [],
  );
});

test("the defaults of requests and responses are those of limits.ts", () => {
  const { bytes, fields } = limits.DEFAULT_SECTION_LIMITS;
  const expected: Record<string, Record<string, number>> = {
    ClientRequest: {
      timeout_ms: limits.DEFAULT_TIMEOUT,
      connect_timeout_ms: limits.DEFAULT_CONNECT_TIMEOUT,
      max_redirects: limits.DEFAULT_REDIRECTS,
      max_body_bytes: limits.DEFAULT_RESPONSE_BODY_BYTES,
    },
    OpenRequest: { timeout_ms: limits.DEFAULT_TIMEOUT, read_timeout_ms: limits.DEFAULT_READ_TIMEOUT },
    ReadOptions: { max_header_bytes: bytes, max_headers: fields },
    ManyOptions: { concurrency: limits.DEFAULT_CONCURRENCY },
    ServeOptions: {
      idle_timeout_ms: limits.LONGEST_IDLE,
      request_timeout_ms: limits.DEFAULT_HEAD_TIMEOUT,
      max_connections: limits.MOST_CONNECTIONS,
      max_body_bytes: limits.DEFAULT_REQUEST_BODY_BYTES,
    },
    ReadRequestOptions: { max_body_bytes: limits.DEFAULT_REQUEST_BODY_BYTES },
    ReadResponseOptions: { max_body_bytes: limits.DEFAULT_RESPONSE_BODY_BYTES },
    OpenResponseOptions: { read_timeout_ms: limits.DEFAULT_READ_TIMEOUT },
    OpenRequestOptions: { read_timeout_ms: limits.DEFAULT_READ_TIMEOUT },
  };
  for (const [name, values] of Object.entries(expected)) {
    const rows = optionsOfPage(name);
    for (const [field, value] of Object.entries(values))
      assert.equal(rows?.get(field), `\`${value}\``, `${name}.${field}`);
  }
});

test("docs/options.md has each variable of the environment that the code reads", () => {
  const names = new Set<string>();
  for (const file of readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts")) continue;
    const text = readFileSync(join(root, "src", file), "utf8");
    for (const [, name] of text.matchAll(/\benv(?:\.|\[")([A-Z_]{3,})\b/g)) names.add(name!);
    for (const [, name] of text.matchAll(/processVariable\(\w+, "(\w+)"\)/g)) names.add(name!);
  }
  // How many threads libuv has: read, and not changed by us.
  names.delete("UV_THREADPOOL_SIZE");
  assert.ok(
    names.has("STD_NET_WAIT") && names.has("NODE_EXTRA_CA_CERTS") && names.has("NO_PROXY"),
    [...names].join(),
  );
  const table = /^## Environment\n([\s\S]*?)^## /m.exec(page)![1]!;
  assert.deepEqual(
    [...names].filter((name) => !table.includes(`\`${name}\``)),
    [],
  );
});
