// What people read is true: each example of the guides and of the docstrings compiles and runs, each public member has a
// docstring, and each link to a file leads to one.
import assert from "node:assert/strict";
import { type ChildProcess, execFile, fork, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { build } from "esbuild";
import { Certificates } from "../support/certificates.ts";
import { acceptWebSocket, smtpServer } from "../support/docs-servers.ts";
import { root } from "../support/peer.ts";

const run = promisify(execFile);

interface Example {
  readonly title: string;
  readonly code: string;
  /** Part of a docstring; else of a guide, and a program of its own. */
  readonly isShort: boolean;
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
    isShort: false,
  }));
}

/** The ts blocks of a source file's docstrings. */
function examplesOfSource(file: string): Example[] {
  const examples: Example[] = [];
  const text = read(file);
  for (const { 0: comment, index } of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const line = text.slice(index + comment.length).split("\n", 2)[1]!;
    const about =
      /(\w+|\[[\w.]+\])[(<]/.exec(line)?.[1] ?? /(?:class|interface) (\w+)/.exec(line)?.[1] ?? line;
    for (const [, code] of comment.replaceAll(/^ *\* ?/gm, "").matchAll(/^```ts\n([\s\S]*?)^```$/gm)) {
      examples.push({ title: `${file}, ${about}`, code: code!, isShort: true });
    }
  }
  return examples;
}

/** What the comments behind `console.log(...)` say that it prints. */
function promised(code: string): string[] {
  return [...code.matchAll(/console\.log\(.*\);? \/\/ (?!such as )(.*)$/gm)].map(([, text]) => text!);
}

/** True if this line is what a comment promises; a comment may go on after it, and ports are what they are. */
function keeps(line: string, promise: string): boolean {
  const [is, wanted] = [line, promise].map((text) =>
    text.replaceAll(/(127\.0\.0\.1|\[::1?\]):\d+/g, "$1:port"),
  );
  return wanted! === is || (wanted!.startsWith(is!) && /^(?:[,;:] | \()/.test(wanted!.slice(is!.length)));
}

/** Checks that the output has, in their order, the lines that the example promises. */
function assertPromises(code: string, stdout: string): void {
  const lines = stdout.split("\n");
  for (const promise of promised(code)) {
    const at = lines.findIndex((line) => keeps(line, promise));
    assert.ok(at >= 0, `does not print "${promise}", but ${JSON.stringify(stdout)}`);
    lines.splice(0, at + 1);
  }
}

const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `src/${name}`);

// README's server never ends, and its client wants that one: the packed package is tried with them (check:package). The server on all
// cores has a test of its own.
const examples = [...guides.flatMap(examplesOfGuide), ...sources.flatMap(examplesOfSource)].filter(
  ({ title }) => !/README\.md, (?:server|client)\.ts/.test(title),
);

const folder = join(root, "build", `examples-of-docs-${process.pid}`);

interface Outcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly problem?: string;
}

/** Runs short examples one after another in one process, which is replaced when an example takes it down. */
class ExampleHost {
  #child: ChildProcess | undefined;

  async run(file: string, limit = 10_000): Promise<Outcome> {
    const options = { cwd: folder, silent: true, execArgv: [] };
    this.#child ??= fork(join(root, "test/support/example-host.mjs"), options);
    const child = this.#child;
    const signal = AbortSignal.timeout(limit);
    const failed = (problem: string): Outcome => ({ stdout: "", stderr: "", problem });
    const answer = once(child, "message", { signal }).then(([outcome]) => outcome as Outcome);
    const end = once(child, "exit", { signal }).then(([status]) => failed(`ends the process: ${status}`));
    child.send(file);
    const outcome = await Promise.race([answer, end]).catch(() => failed("does not end"));
    Promise.allSettled([answer, end]);
    if (outcome.problem !== undefined) await this.end();
    return outcome;
  }

  async end(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

describe("examples", () => {
  const http = createHttpServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method: request.method, path: request.url }));
  });
  const redis = createTcpServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", () => socket.write("+PONG\r\n"));
  });
  const certificates = new Certificates();
  certificates.authority("ca");
  const identity = certificates.make("server", "ca", {
    extensions: "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n",
  });
  const client = certificates.make("client", "ca", {
    subject: "/CN=client",
    extensions: "extendedKeyUsage=clientAuth\n",
  });
  const https = createHttpsServer(
    {
      ...identity,
      ...{ ALPNProtocols: ["http/1.1"], requestCert: true, rejectUnauthorized: false },
      ca: certificates.read("ca.pem"),
    },
    (_, response) => response.end("hello"),
  );
  https.on("tlsClientError", () => {});
  http.on("upgrade", (request, socket) => acceptWebSocket(request.headers["sec-websocket-key"], socket));
  const mails: string[] = [];
  const smtp = smtpServer(identity, mails);
  const servers = [http, https, redis, smtp];
  const host = new ExampleHost();
  const listen = async (server: Server | typeof http): Promise<string> => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    return typeof address === "object" && address !== null ? `127.0.0.1:${address.port}` : "";
  };
  const built = (index: number) => join(folder, `${index}.mjs`);

  before(async () => {
    const addresses = {
      "127.0.0.1:8080": await listen(http),
      "127.0.0.1:8443": await listen(https),
      "127.0.0.1:6379": await listen(redis),
      "127.0.0.1:2525": await listen(smtp),
    };
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "ca.pem"), certificates.read("ca.pem"));
    writeFileSync(join(folder, "cert.pem"), identity.cert);
    writeFileSync(join(folder, "key.pem"), identity.key);
    writeFileSync(join(folder, "client.pem"), client.cert);
    writeFileSync(join(folder, "client-key.pem"), client.key);
    examples.forEach(({ code }, index) => {
      let text = code;
      for (const [documented, real] of Object.entries(addresses)) text = text.replaceAll(documented, real);
      writeFileSync(join(folder, `${index}.ts`), text);
    });
    await build({
      entryPoints: examples.map((_, index) => join(folder, `${index}.ts`)),
      outdir: folder,
      outExtension: { ".js": ".mjs" },
      bundle: true,
      packages: "external",
      platform: "node",
      format: "esm",
      target: "node20",
      tsconfigRaw: {},
      logLevel: "silent",
    });
  });
  after(async () => {
    await host.end();
    http.closeAllConnections();
    https.closeAllConnections();
    for (const server of servers) server.close();
    certificates.remove();
    rmSync(folder, { recursive: true, force: true });
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

  test("none has a helper of its own for what unwrap does", () => {
    const helper = /function (?:fail|must)\b|throw new Error\((?:\w+\.)?error\)/;
    assert.deepEqual(
      examples.filter(({ code }) => helper.test(code)).map(({ title }) => title),
      [],
    );
  });

  examples.forEach(({ title, code, isShort }, index) => {
    if (title.endsWith("all-cores.ts")) return;
    test(`${title} runs`, async () => {
      const outcome: Outcome = isShort
        ? await host.run(built(index))
        : await run(process.execPath, [built(index)], { cwd: folder, timeout: 20_000 });
      assert.equal(outcome.problem, undefined);
      assert.equal(outcome.stderr, "");
      if (isShort) assert.notEqual(outcome.stdout, "", "prints nothing");
      assertPromises(code, outcome.stdout);
    });
  });

  test("the mail of the SMTP recipe has come, over TLS and with a dot at a line's beginning", () => {
    assert.equal(mails.length, 1);
    assert.match(mails[0]!, /^ada over TLSv1\.[23]: From: ada@example\.com\r\n/);
    assert.match(mails[0]!, /\r\n\r\nThe engine works\.\r\n\.\r\n$/);
  });

  test("one that throws, speaks on standard error or does not end is named, and harms no other", async () => {
    let count = 0;
    const outcomeOf = async (code: string, limit?: number): Promise<string> => {
      const file = join(folder, `bad${count++}.mjs`);
      writeFileSync(file, code);
      const { stdout, stderr, problem } = await host.run(file, limit);
      return (problem ?? (stderr === "" ? stdout : stderr)).split("\n")[0]!;
    };
    assert.equal(await outcomeOf('throw new Error("thrown")'), "Error: thrown");
    assert.equal(await outcomeOf('setTimeout(() => { throw new Error("late"); })'), "Error: late");
    assert.equal(await outcomeOf('console.error("hm")'), "hm");
    assert.equal(await outcomeOf("await new Promise(() => {})"), "a top-level await that never ends");
    assert.equal(await outcomeOf("process.on('SIGUSR2', () => {})"), "a listener for SIGUSR2 is left behind");
    assert.equal(await outcomeOf("process.exit(3)"), "ends the process: 3");
    assert.equal(await outcomeOf("setInterval(() => {}, 1000)", 1000), "does not end");
    assert.equal(await outcomeOf("for (;;);", 1000), "does not end");
    assert.equal(await outcomeOf('console.log("good")'), "good");
  });
});

test("README's server on all cores responds in each of its workers", async () => {
  const { code } = examplesOfGuide("README.md").find(({ title }) => title.endsWith("all-cores.ts"))!;
  const place = join(root, "build", `all-cores-${process.pid}`);
  mkdirSync(place, { recursive: true });
  const probe = createTcpServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  writeFileSync(join(place, "server.ts"), code.replace("127.0.0.1:8080", `127.0.0.1:${port}`));
  await build({
    ...{ entryPoints: [join(place, "server.ts")], outfile: join(place, "server.mjs"), bundle: true },
    ...{ packages: "external", platform: "node", format: "esm", target: "node20", tsconfigRaw: {} },
  });
  const server = spawn(process.execPath, [join(place, "server.mjs")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  try {
    const bodies = new Set<number>();
    const end = Date.now() + 20_000;
    while (bodies.size < Math.min(2, availableParallelism()) && Date.now() < end) {
      const responses = Array.from({ length: 8 }, () =>
        // (A connection that is kept stays with its worker.)
        fetch(`http://127.0.0.1:${port}/hello`, { headers: { connection: "close" } }).then(
          (response) => response.json() as Promise<{ path: string; worker: number }>,
          () => null,
        ),
      );
      for (const body of await Promise.all(responses)) {
        if (body === null) continue; // it does not listen yet
        assert.equal(body.path, "/hello");
        bodies.add(body.worker);
      }
    }
    assert.ok(bodies.size >= Math.min(2, availableParallelism()), `${bodies.size} workers have responded`);
  } finally {
    server.kill();
    await once(server, "exit");
    rmSync(place, { recursive: true, force: true });
  }
});

test("README has a table of contents with each of its sections", () => {
  const text = read("README.md");
  const contents = /^\*\*Contents:\*\*[\s\S]*?\n\n/m.exec(text)![0];
  for (const [, title] of text.matchAll(/^## (.*)$/gm)) {
    const anchor = title!
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, "")
      .replaceAll(" ", "-");
    assert.ok(contents.includes(`](#${anchor})`), title);
  }
});

test("README's client compiles in a project as docs/typescript.md sets it up, and what it says of TS1295 is true", async () => {
  const place = mkdtempSync(join(tmpdir(), "std-net-docs-"));
  const tsc = (...args: string[]) =>
    run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), ...args], { cwd: place }).then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout,
    );
  try {
    mkdirSync(join(place, "node_modules"));
    for (const [name, from] of [
      ["std-net", root],
      ["@types", join(root, "node_modules/@types")],
    ] as const) {
      symlinkSync(from, join(place, "node_modules", name), "junction");
    }
    await tsc("--init");
    const { code } = examplesOfGuide("README.md").find(({ title }) => title.endsWith("client.ts"))!;
    writeFileSync(join(place, "client.ts"), code);
    writeFileSync(join(place, "package.json"), '{ "type": "commonjs" }');
    assert.match(await tsc("--noEmit"), /error TS1295: ECMAScript imports and exports cannot be written/);
    writeFileSync(join(place, "package.json"), '{ "type": "module" }');
    assert.equal(await tsc("--noEmit"), "");
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

test("the commands of docs/tls.md make a certificate that its authority has issued", async () => {
  const place = mkdtempSync(join(tmpdir(), "std-net-docs-"));
  try {
    const commands = /^## Certificates for tests[\s\S]*?^```sh\n([\s\S]*?)^```$/m.exec(
      read("docs/tls.md"),
    )![1]!;
    await run("sh", ["-e", "-c", commands], { cwd: place });
    const { stdout } = await run(
      "openssl",
      ["verify", "-CAfile", "ca.pem", "-verify_ip", "127.0.0.1", "cert.pem"],
      {
        cwd: place,
      },
    );
    assert.equal(stdout, "cert.pem: OK\n");
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
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
          `(?:^/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\n)?^export (?:declare )?(?:abstract )?(?:class|interface|function) ${name}\\b[^;{]*(?:;|\\{[\\s\\S]*?^\\})`,
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

  /** Each member of a class or interface (or the function itself), with the docstring before it. */
  function membersOf(body: string): { member: string; signature: string; docstring: string }[] {
    const parts = body.matchAll(
      /(?:^ *(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\n)?^(?: {4}(?!private|protected|constructor|#)((?:static |abstract |readonly |get |override )*)("?\w+"?|\[Symbol\.\w+\])\??|export (?:declare )?function (\w+))([(:<][\s\S]*?;)$/gm,
    );
    return [...parts].map(([, docstring = "", , member, itself, rest]) => ({
      member: (member ?? itself)!,
      signature: rest!,
      docstring: docstring.replaceAll(/^ *\* ?/gm, ""),
    }));
  }

  /** What is missing in a docstring of something that can be called. */
  function missing(signature: string, docstring: string): string[] {
    const says = (pattern: RegExp) => pattern.test(docstring);
    const parameters = /^(?:<.*>)?\(([\s\S]*)\): /.exec(signature)?.[1] ?? "";
    const names = [...parameters.matchAll(/(?:^|, )\s*(\w+)\??:/g)].map(([, name]) => name!);
    return [
      ...names.filter((name) => !says(new RegExp(`^@param ${name} `, "m"))).map((name) => `@param ${name}`),
      ...(says(/^@example\n```ts\n/m) ? [] : ["an example"]),
      ...(says(/\b(?:Blocks|Does\s+not\s+block)\b/) ? [] : ["what it blocks on"]),
      ...(says(/\bSource:\s/) ? [] : ["its source"]),
      ...(says(/\bErrors\b/) || !/\): Result</.test(signature) ? [] : ["its errors"]),
    ];
  }

  for (const name of names) {
    const body = bodyOf(name);
    if (body === undefined) continue; // a type alias
    test(`${name} and each of its members say all that is to be known`, () => {
      const head = body.slice(0, body.search(/^export /m));
      const declaration = /^export (?:declare )?(?:abstract )?(class|interface|function)/m.exec(body)![1];
      const isHelper = /^export declare abstract /m.test(body); // what several classes have in common
      assert.match(head, /\*\/\n$/, "a docstring of its own");
      if (!isHelper) assert.match(head, /@example\n *\* ```ts\n/, "an example");
      const members = membersOf(body);
      assert.ok(members.length > 0 || declaration === "class", "members are found");
      const bare: Record<string, string[]> = {};
      for (const { member, signature, docstring } of members) {
        const isCall = declaration !== "interface";
        const lacks =
          docstring === ""
            ? ["a docstring"]
            : isCall
              ? missing(signature, docstring)
              : isOption(name, body, member) && !/default|left out|needed/i.test(docstring)
                ? ["what holds where it is left out"]
                : /_ms$/.test(member) && !/millisecond/i.test(docstring)
                  ? ["its unit"]
                  : [];
        if (lacks.length > 0) bare[member] = lacks;
      }
      assert.deepEqual(bare, {});
    });
  }

  /** True for a field that a caller may leave out. */
  function isOption(name: string, body: string, member: string): boolean {
    return /Options$|^ClientRequest$|^ServerResponse$|^Interest$/.test(name) && body.includes(` ${member}?:`);
  }

  test("each type that can be imported says what it is", () => {
    for (const name of names) {
      const alias = new RegExp(`(^.*\\n)?^export (?:declare )?type ${name}\\b`, "m");
      const found = declarations.map((text) => alias.exec(text)).find((each) => each !== null);
      if (found) assert.match(found[1] ?? "", /\*\/\n$/, name);
    }
  });
});

test("every error text of the code stands in docs/errors.md", () => {
  const page = read("docs/errors.md");
  const missing = new Map<string, string>();
  for (const file of sources) {
    // What the command and the trace say are no errors of the library.
    if (/^src\/(?:cli\/|trace)/.test(file)) continue;
    const code = read(file).replaceAll(/\/\*[\s\S]*?\*\/|(?:^| )\/\/ .*$/gm, "");
    for (const [, double, template] of code.matchAll(/"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)) {
      const text = double ?? template!;
      if (!looksLikeError(text)) continue;
      // What failed and why may stand in two tables.
      const parts = text.split(": ").filter((part) => looksLikeError(part));
      if (!parts.every((part) => patternOf(part).test(page))) missing.set(text, file);
    }
  }
  assert.deepEqual(Object.fromEntries(missing), {});
});

/** A text with whatever can stand in place of its variables. */
function patternOf(text: string): RegExp {
  const words = text
    .split(VARIABLE)
    .map((part) => part.replaceAll("\\", "").replaceAll(/[.*+?^$()|[\]{}]/g, "\\$&"));
  return new RegExp(words.join("[^`]{0,40}"));
}

const VARIABLE = /\$\{[^}]*\}?\}?/g;

/** Two words at least, in small letters; and not the prototype of a C function. */
function looksLikeError(text: string): boolean {
  const words = text.replaceAll(VARIABLE, "").trim();
  return (
    /^['a-z][\w'-]*,? [\w'"]/.test(words) &&
    !/^(?:unsigned|int|void|long|const|u?int\w+) /.test(words) &&
    !NO_ERRORS.some((each) => text.startsWith(each))
  );
}

/** Text that never is one; or how one goes on whose beginning is on the page. */
const NO_ERRORS = [
  ...["size LF", "data CR", "data LF", "if idempotent", "std-net descriptors", "unknown error"],
  ...["unexpected eof while reading", "unexpected end of file"],
  ...["none, and the system's was not found", "install it again on this very platform"],
  ...[
    "a blocking std-net call has waited",
    "listens for connections (TCPServerWrap)",
    "may never end. Put the server",
  ],
];

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

test("the files and folders that CONTRIBUTING.md names are there", () => {
  const named = [
    ...read("CONTRIBUTING.md").matchAll(/`((?:src|test|docs|bench|examples|scripts)\/[\w./-]*)`/g),
  ];
  assert.ok(named.length > 20);
  assert.deepEqual(
    named.map(([, path]) => path!).filter((path) => !existsSync(join(root, path))),
    [],
  );
});
