// What people read is true: each example of the guides and of the docstrings compiles and runs, each public member has a
// docstring, and each link to a file leads to one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createTcpServer, type Server } from "node:net";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";
import { root } from "./support/peer.ts";

const run = promisify(execFile);

interface Example {
  readonly title: string;
  readonly code: string;
}

const guides = [
  "README.md",
  ...readdirSync(join(root, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

function read(file: string): string {
  return readFileSync(join(root, file), "utf8");
}

/** The ts blocks of a guide; the README's have names. */
function examplesOfGuide(file: string): Example[] {
  return [...read(file).matchAll(/^```ts(?: (\S+))?\n([\s\S]*?)^```$/gm)].map(([, name, code], index) => ({
    title: `${file}, ${name ?? `example ${index + 1}`}`,
    code: code!,
  }));
}

/** The ts blocks of a source file's docstrings. */
function examplesOfSource(file: string): Example[] {
  const examples: Example[] = [];
  for (const [comment] of read(file).matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const text = comment.replaceAll(/^ *\* ?/gm, "");
    for (const [, code] of text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
      examples.push({ title: `${file}, docstring example ${examples.length + 1}`, code: code! });
    }
  }
  return examples;
}

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `src/${name}`);

// README's server never ends, and its client wants that one: the packed package is tried with them (check:package).
const examples = [...guides.flatMap(examplesOfGuide), ...sources.flatMap(examplesOfSource)].filter(
  ({ title }) => !/README\.md, (?:server|client)\.ts/.test(title),
);

const folder = join(root, "build", "examples-of-docs");

describe("examples", () => {
  const http = createHttpServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method: request.method, path: request.url }));
  });
  const redis = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write("+PONG\r\n"));
  });
  const listen = async (server: Server | typeof http): Promise<string> => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? `127.0.0.1:${address.port}` : "";
  };

  before(async () => {
    const servers = { "127.0.0.1:8080": await listen(http), "127.0.0.1:6379": await listen(redis) };
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const must = examples.find(({ code }) => /^export function must/m.test(code));
    writeFileSync(join(folder, "must.ts"), must?.code ?? "");
    examples.forEach(({ code }, index) => {
      let text = code;
      for (const [documented, real] of Object.entries(servers)) text = text.replaceAll(documented, real);
      writeFileSync(join(folder, `${index}.ts`), text);
    });
  });
  after(() => {
    http.closeAllConnections();
    http.close();
    redis.close();
  });

  test("all compile, in strict TypeScript", async () => {
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        extends: "../../tsconfig.json",
        compilerOptions: { noUnusedLocals: false, paths: { "std-net": ["../../src/index.ts"] } },
        include: ["*.ts"],
      }),
    );
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    await run(process.execPath, [tsc, "-p", join(folder, "tsconfig.json")]).catch(
      (error: { stdout?: string }) => {
        const text = String(error.stdout).replaceAll(
          /\b(\d+)\.ts/g,
          (_, index: string) => examples[Number(index)]?.title ?? index,
        );
        assert.fail(text);
      },
    );
  });

  examples.forEach(({ title }, index) => {
    test(`${title} runs`, async () => {
      await build({
        entryPoints: [join(folder, `${index}.ts`)],
        outfile: join(folder, `${index}.mjs`),
        bundle: true,
        packages: "external",
        platform: "node",
        format: "esm",
        target: "node20",
        tsconfigRaw: {},
        logLevel: "silent",
      });
      const { stderr } = await run(process.execPath, [join(folder, `${index}.mjs`)], {
        cwd: folder,
        timeout: 20_000,
      });
      assert.equal(stderr, "");
    });
  });
});

describe("docstrings", () => {
  const types = join(root, "dist", "types");
  const declarations = readdirSync(types, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".d.ts"))
    .map((name) => readFileSync(join(types, name), "utf8"));

  /** What a program can name: all that index.ts and http/index.ts export. */
  const names = new Set<string>();
  for (const index of ["index.d.ts", "http/index.d.ts"]) {
    const text = readFileSync(join(types, index), "utf8");
    for (const [, list] of text.matchAll(/export (?:type )?\{([^}]*)\}/g)) {
      for (const name of list!.split(","))
        if (name.trim() !== "") names.add(name.replace("type ", "").trim());
    }
  }
  // And the classes that those extend, whose members they have.
  const bodyOf = (name: string) =>
    declarations
      .map((text) =>
        new RegExp(
          `(^[^\\n]*\\n)?^export (?:declare )?(?:abstract )?(?:class|interface|function) ${name}\\b[^;{]*(?:;|\\{[\\s\\S]*?^\\})`,
          "m",
        ).exec(text),
      )
      .find((found) => found !== null)?.[0];
  for (const name of names) {
    const base = /^export .*class \w+(?:<.*>)? extends (\w+)/m.exec(bodyOf(name) ?? "")?.[1];
    if (base !== undefined) names.add(base);
  }

  test("are looked for in the right places", () => {
    for (const name of [
      "TcpStream",
      "ByteStream",
      "UdpSocket",
      "Poller",
      "request",
      "ClientRequest",
      "TlsClientOptions",
    ]) {
      assert.ok(names.has(name) && bodyOf(name) !== undefined, name);
    }
  });

  for (const name of names) {
    const body = bodyOf(name);
    if (body === undefined) continue; // a type alias: its name says it
    test(`${name} and each of its members say what they do`, () => {
      const lines = body.split("\n");
      const bare = lines.filter((line, at) => {
        const isMember =
          /^ {4}(?:static |abstract |readonly |get |override )*(?:"?\w+"?|\[Symbol\.\w+\])\??[(:<]/.test(
            line,
          ) || /^export /.test(line);
        if (!isMember || /^ {4}(?:private|protected|constructor)\b/.test(line)) return false;
        return !lines[at - 1]?.trimEnd().endsWith("*/");
      });
      assert.deepEqual(bare, []);
    });
  }
});

test("links between the pages lead somewhere", () => {
  const pages = [...guides, "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"];
  for (const page of pages) {
    for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path, anchor] = target!.split("#");
      const file = path === "" ? page : join(dirname(page), path!);
      assert.ok(existsSync(join(root, file)), `${page} links to ${target}`);
      if (anchor === undefined) continue;
      const headings = [...read(file).matchAll(/^#+ (.*)$/gm)].map(([, title]) =>
        title!
          .toLowerCase()
          .replaceAll(/[^\w\- ]/g, "")
          .replaceAll(" ", "-"),
      );
      assert.ok(headings.includes(anchor), `${page} links to ${target}`);
    }
  }
});
