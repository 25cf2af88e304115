// The safety nets: what goes wrong around the calls is said, not suffered.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { node, python, root, startPeer } from "../support/peer.ts";
import { STREAM_PAIR } from "../support/sockets.ts";
import { isWindows, reason } from "../support/system-errors.ts";

/** A port that nobody uses at any address of this machine, or did not a moment ago. */
async function freePort(): Promise<string> {
  await using peer = python(`s = socket.socket(); s.bind(("", 0)); print(s.getsockname()[1])`);
  return await peer.line();
}

test("a request to a server on this thread's own event loop gives one warning that names the cause", async () => {
  await using child = node(
    `const http = await import("node:http");
    const server = http.createServer((request, response) => response.end()).listen(0, () => {
      const url = "http://localhost:" + server.address().port + "/";
      for (let times = 0; times < 2; times++) {
        console.log(net.http.request({ method: "GET", url, timeout_ms: 1300 }).error);
      }
      const stream = net.TcpStream.connect("127.0.0.1:" + server.address().port).value;
      stream.set_read_timeout(1300);
      console.log(stream.read(1).error);
      process.exit();
    });`,
  );
  const end = await child.exit();
  assert.equal(
    end.stdout,
    "http request failed: timed out\nhttp request failed: timed out\n" +
      `tcp read failed: ${reason("EAGAIN")}\n`,
  );
  assert.equal(end.stderr.split("BlockedEventLoopWarning").length - 1, 1, end.stderr);
  assert.match(end.stderr, /event loop.*worker thread/s);
});

test("so does a TLS handshake with one", async () => {
  await using child = node(
    `const { createServer } = await import("node:net");
    const server = createServer().listen(0, "127.0.0.1", () => {
      const url = "https://127.0.0.1:" + server.address().port + "/";
      console.log(net.http.request({ method: "GET", url, timeout_ms: 3000 }).error);
      process.exit();
    });`,
  );
  const end = await child.exit();
  assert.equal(end.stdout, "http request failed: timed out\n");
  assert.equal(end.stderr.split("BlockedEventLoopWarning").length - 1, 1, end.stderr);
});

test("so does a read from a clone of a connection to one", async () => {
  await using child = node(
    `const { createServer } = await import("node:net");
    const server = createServer().listen(0, "127.0.0.1", () => {
      const stream = net.TcpStream.connect("127.0.0.1:" + server.address().port).value;
      const clone = stream.try_clone().value;
      clone.set_read_timeout(1300);
      console.log(clone.read(1).error);
      process.exit();
    });`,
  );
  const end = await child.exit();
  assert.equal(end.stdout, `tcp read failed: ${reason("EAGAIN")}\n`);
  assert.equal(end.stderr.split("BlockedEventLoopWarning").length - 1, 1, end.stderr);
});

for (const [what, prepare, listener, call, result] of [
  [
    "a receive",
    "b.write('right'); p.write('WRONG');",
    "q.read(5); b.write('-done');",
    "a.read_exact(10).map(String).unwrapOr('')",
    "right-done",
  ],
  [
    "a large receive",
    "b.write(Buffer.alloc(70_000, 'r')); a.read(70_000); p.write(Buffer.alloc(70_000, 'W'));",
    "globalThis.other = q.read(70_000).value; b.write(Buffer.alloc(70_000, 'd'));",
    "String(a.read(70_000).map((bytes) => bytes.every((byte) => byte === 100)).unwrapOr(false)) + other.every((byte) => byte === 87)",
    "truetrue",
  ],
  [
    "a send",
    "a.set_nonblocking(true); while (a.write(Buffer.alloc(1e6, 'z')).isOk); while (a.write('z').isOk); a.set_nonblocking(false);",
    "p.write('WRONG'); b.set_nonblocking(true); while (b.read(1 << 20).isOk);",
    "(a.write('right'), a.close(), b.set_nonblocking(false), b.read_to_end().unwrapOr(Buffer.alloc(0)).subarray(-5).toString())",
    "right",
  ],
] as const) {
  test(`a listener for the warning makes calls of its own in the middle of ${what}`, async () => {
    await using child = node(
      `const { createServer } = await import("node:net");
      const server = createServer().listen(0, "127.0.0.1", () => {
        // What connects to the event loop's server is accepted here.
        const taken = net.TcpListener.from_fd(server._handle.fd).value;
        const listener = taken.try_clone().value;
        taken.into_fd();
        const a = net.TcpStream.connect(listener.local_addr().value).value;
        const b = listener.accept().value;
        const [p, q] = ${STREAM_PAIR};
        ${prepare}
        let warned = false;
        process.on("warning", () => { warned = true; ${listener} });
        const result = ${call};
        console.log(warned, result);
        process.exit();
      });`,
    );
    const { stdout, stderr } = await child.exit();
    assert.equal(stdout, `true ${result}\n`, stderr);
  });
}

/** Node's own knowledge of its servers, and without it (it is not documented). */
for (const [how, before] of [
  ["as Node tells", ""],
  ["without Node's help", "process._getActiveHandles = undefined;"],
] as const) {
  const real = `
      const stuck = net.TcpStream.connect("127.0.0.1:" + server.address().port).value;
      stuck.set_read_timeout(1200);
      console.log(stuck.read(1).error);
      process.exit();`;
  const stuck = `tcp read failed: ${reason("EAGAIN")}\n`;
  const warnings = (text: string): number => text.split("BlockedEventLoopWarning").length - 1;

  test(`a slow server in another process leaves the warning to a real deadlock (${how})`, async () => {
    const portUsed = await freePort();
    await using slow = python(
      `
held = []
for host, port in (("127.0.0.1", 0), ("127.0.0.2", int(sys.argv[1])), ("::1", int(sys.argv[1]))):
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    s.bind((host, port)); s.listen(); held.append(s)
print(held[0].getsockname()[1])
sys.stdin.read()`,
      portUsed,
    );
    const port = await slow.line();
    await using child = node(
      `${before}
      const { createServer } = await import("node:net");
      const server = createServer().listen(Number(process.argv[2]), "127.0.0.1", () => {
        const own = server.address().port;
        for (const address of ["127.0.0.1:" + process.argv[1], "127.0.0.2:" + own, "[::1]:" + own]) {
          const stream = net.TcpStream.connect(address).value;
          stream.set_read_timeout(1200);
          console.log(stream.read(1).error);
        }
        process.emitWarning("now");
        setImmediate(() => {${real}});
      });`,
      port,
      portUsed,
    );
    const end = await child.exit();
    assert.equal(end.stdout, stuck.repeat(4));
    assert.equal(warnings(end.stderr), 1, end.stderr);
    assert.match(end.stderr, /now[\s\S]*BlockedEventLoopWarning/);
  });

  test(`a server on every address is found whatever the way to it (${how})`, async () => {
    for (const [host, to, count] of [
      ["0.0.0.0", "127.0.0.1", 1],
      ["::", "127.0.0.1", 1],
      ["::", "[::1]", 1],
    ] as const) {
      await using child = node(
        `${before}
        const { createServer } = await import("node:net");
        const server = createServer().listen(0, "${host}", () => {
          const stream = net.TcpStream.connect("${to}:" + server.address().port).value;
          stream.set_read_timeout(1200);
          console.log(stream.read(1).error);
          process.exit();
        });`,
      );
      const end = await child.exit();
      assert.equal(end.stdout, stuck);
      assert.equal(warnings(end.stderr), count, `${host} ${to} ${end.stderr}`);
    }
  });

  test(`nor does a slow server of this library in a worker, while this event loop listens too (${how})`, async () => {
    await using child = node(
      `${before}
      const { Worker } = await import("node:worker_threads");
      const { createServer } = await import("node:net");
      const slow = new Worker(\`
        const { parentPort } = require("node:worker_threads");
        const listener = require("std-net").TcpListener.bind("127.0.0.1:0").value;
        parentPort.postMessage(listener.local_addr().value);
        const stream = listener.accept().value;
        setTimeout(() => stream.write("late"), 1300);
      \`, { eval: true, execArgv: [] });
      const address = await new Promise((resolve) => slow.once("message", resolve));
      const server = createServer().listen(0, "127.0.0.1", () => {
        console.log(net.TcpStream.connect(address).value.read(10).value.toString());
        process.emitWarning("now");
        setImmediate(() => {${real}});
      });`,
    );
    const end = await child.exit();
    assert.equal(end.stdout, `late\n${stuck}`);
    assert.equal(warnings(end.stderr), 1, end.stderr);
    assert.match(end.stderr, /now[\s\S]*BlockedEventLoopWarning/);
  });
}

test("nor does a slow server on a worker's event loop, while this one listens too", async () => {
  await using child = node(
    `const { Worker } = await import("node:worker_threads");
    const { createServer } = await import("node:net");
    const slow = new Worker(\`
      const { createServer } = require("node:net");
      const { parentPort } = require("node:worker_threads");
      const server = createServer((socket) => setTimeout(() => socket.end("late"), 1300));
      server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
    \`, { eval: true, execArgv: [] });
    const port = await new Promise((resolve) => slow.once("message", resolve));
    createServer().listen(0, "127.0.0.1", () => {
      console.log(net.TcpStream.connect("127.0.0.1:" + port).value.read(10).value.toString());
      process.exit();
    });`,
  );
  const end = await child.exit();
  assert.equal(end.stdout, "late\n");
  assert.equal(end.stderr, "");
});

test("where the permission model denies the network, connect and bind are errors that say so", async () => {
  const calls = `for (const result of [
      net.TcpStream.connect("127.0.0.1:1"),
      net.TcpListener.bind("127.0.0.1:0"),
      net.UdpSocket.bind("127.0.0.1:0"),
      net.http.request({ method: "GET", url: "http://127.0.0.1:1/" }),
      net.TlsStream.connect("127.0.0.1:1"),
      net.UnixStream.connect("/nowhere"),
      net.UnixListener.bind("\\0std-net denied"),
      net.UnixDatagram.bind("\\0std-net denied"),
    ]) console.log(result.error);
    process.exit();`;
  const program = `import * as net from "std-net"; ${calls}`;
  const knowsScope = process.allowedNodeEnvironmentFlags.has("--allow-net");
  // A Node that does not know the scope yet is told so: what is tested is what we make of the answer.
  const pretence = `process.permission = { has: (scope) => scope !== "net" };
    process.allowedNodeEnvironmentFlags = new Set(["--allow-net"]);`;
  await using child = knowsScope
    ? startPeer(process.execPath, [
        "--permission",
        "--allow-fs-read=*",
        "--allow-addons",
        "--input-type=module",
        "-e",
        program,
      ])
    : node(`${pretence} ${calls}`);
  const denied = "network access is denied by Node's permission model (--allow-net)";
  for (const prefix of [
    "failed to connect: ",
    "tcp listener bind failed: ",
    "udp bind failed: ",
    "http request failed: ",
    "failed to connect: ",
    "unix connect failed: ",
    "unix listener bind failed: ",
    "unix bind failed: ",
  ]) {
    assert.equal(await child.line(), prefix + denied);
  }
});

test("without koffi the import works, and the first call is an error that says what to do", async () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  try {
    cpSync(join(root, "dist"), join(folder, "node_modules/std-net/dist"), { recursive: true });
    cpSync(join(root, "package.json"), join(folder, "node_modules/std-net/package.json"));
    const program = `process.chdir(${JSON.stringify(folder)});
      const net = await import(${JSON.stringify(pathToFileURL(join(folder, "node_modules/std-net/dist/index.js")))});
      console.log(net.TcpStream.connect("127.0.0.1:1").error);
      console.log(net.UdpSocket.bind("127.0.0.1:0").error);
      console.log(net.http.request({ method: "GET", url: "http://127.0.0.1:1/" }).error);
      console.log(net.http.request({ method: "GET", url: "https://127.0.0.1:1/" }).error);`;
    // (Where koffi lies elsewhere too, as in the bed for Wine, it is not to be found.)
    const start = () =>
      startPeer(process.execPath, ["--input-type=module", "-e", program], { NODE_PATH: undefined });
    await using child = start();
    for (const prefix of [
      "failed to connect: ",
      "udp bind failed: ",
      "http request failed: ",
      "http request failed: tls handshake failed: ",
    ]) {
      const line = await child.line();
      assert.ok(
        line.startsWith(`${prefix}std-net's native part (the npm package koffi) could not be loaded`),
        line,
      );
      assert.match(line, /install it again/);
    }

    mkdirSync(join(folder, "node_modules/koffi"));
    writeFileSync(join(folder, "node_modules/koffi/index.js"), 'exports.version = "2.9.0";');
    await using second = start();
    assert.match(await second.line(), /: the koffi that was found is too old$/);

    // A function that is missing, and a library: koffi is there, so nothing is said of it.
    const lacks = "failed to connect: this system lacks what std-net needs: ";
    const [library, prefix] = isWindows ? ["ws2_32.dll", "ws2_32.dll: "] : ["null", ""];
    for (const [load, reason] of [
      [
        "({ func() { throw new Error(\"Cannot find function 'a' in shared library\"); } })",
        "Cannot find function 'a' in shared library",
      ],
      ['{ throw new Error("Failed to load " + name); }', `Failed to load ${library}`],
    ] as const) {
      writeFileSync(
        join(folder, "node_modules/koffi/index.js"),
        `exports.version = "3.3.4"; exports.alloc = exports.errno = exports.address = exports.struct = () => 0;
        exports.load = (name) => ${load};`,
      );
      await using child = start();
      assert.equal(await child.line(), `${lacks}${prefix}${reason}`);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a system that is not supported is an error that says so", async () => {
  for (const [platform, arch, reason] of [
    ["freebsd", "x64", "this system is not supported"],
    ["win32", "ia32", "a 32-bit Node is not supported on Windows"],
  ]) {
    // Before the library is loaded: it asks when the first call is made, and some of it earlier.
    await using pretending = startPeer(process.execPath, [
      "--input-type=module",
      "-e",
      `Object.defineProperty(process, "platform", { value: "${platform}" });
      Object.defineProperty(process, "arch", { value: "${arch}" });
      const net = await import("std-net");
      console.log(net.TcpStream.connect("127.0.0.1:1").error);
      console.log(net.http.request({ method: "GET", url: "https://127.0.0.1:1/" }).error);`,
    ]);
    assert.equal(await pretending.line(), `failed to connect: ${reason}`);
    assert.match(await pretending.line(), new RegExp(`^http request failed: .*${reason}$`));
  }
});

test("where native addons are disabled, the first call is an error that names the flag", async () => {
  const program = `import * as net from "std-net";
    console.log(net.TcpStream.connect("127.0.0.1:1").error);
    console.log(net.http.request({ method: "GET", url: "https://127.0.0.1:1/" }).error);`;
  await using child = startPeer(process.execPath, ["--no-addons", "--input-type=module", "-e", program]);
  for (const prefix of ["failed to connect: ", "http request failed: tls handshake failed: "]) {
    const line = await child.line();
    assert.ok(
      line.startsWith(`${prefix}std-net's native part (the npm package koffi) may not be loaded`),
      line,
    );
    assert.match(line, /--allow-addons/);
  }
});

test("where no descriptor was free for the native part, a later call loads it, and OpenSSL needs none", async () => {
  const program = `const { closeSync, openSync } = await import("node:fs");
    const net = await import("std-net");
    const open = [];
    const fill = () => {
      try {
        for (;;) open.push(openSync("/dev/null"));
      } catch {}
    };
    const empty = () => {
      for (const each of open.splice(0)) closeSync(each);
    };
    const lines = [];
    fill();
    lines.push(net.TcpStream.connect("127.0.0.1:1").error);
    empty();
    lines.push(net.TcpStream.connect("127.0.0.1:1").error);
    fill();
    lines.push(net.http.request({ method: "GET", url: "https://127.0.0.1:1/" }).error);
    empty();
    lines.push(net.http.request({ method: "GET", url: "https://127.0.0.1:1/" }).error);
    for (const line of lines) console.log(line);`;
  await using child = startPeer("sh", [
    "-c",
    // (Whatever Node warns of where it cannot read a file of certificates is not of interest here.)
    'unset NODE_EXTRA_CA_CERTS; ulimit -n 64 && exec "$0" --input-type=module -e "$1"',
    process.execPath,
    program,
  ]);
  const { stdout, stderr } = await child.exit();
  assert.equal(stderr, "");
  const [first, ...others] = stdout.split("\n");
  // (Since 24 Node finds no descriptor for some package.json before it comes to koffi itself.)
  assert.match(
    first!,
    /^failed to connect: std-net's native part \(the npm package koffi\) could not be loaded: .*too many open files.* \(os error 24\)$/,
  );
  assert.deepEqual(others, [
    `failed to connect: ${reason("ECONNREFUSED")}`,
    `http request failed: ${reason("EMFILE")}`,
    `http request failed: ${reason("ECONNREFUSED")}`,
    "",
  ]);
});

test("waits end and nothing throws where a program has put other timers in place of Node's", async () => {
  // A window's (jsdom, Electron) gives a number; fake timers stand still.
  const program = `const { setTimeout } = globalThis;
    globalThis.setTimeout = (...args) => Number(setTimeout(...args));
    delete globalThis.setImmediate;
    const net = await import("std-net");
    performance.now = () => 0;
    process.hrtime = () => [0, 0];
    const [near, far] = ${STREAM_PAIR};
    near.set_read_timeout(50);
    console.log(net.error_code(near.read(1).error));
    const listener = net.TcpListener.bind("127.0.0.1:0").value;
    listener.set_accept_timeout(50);
    console.log(net.error_code(listener.accept().error));
    const poller = net.Poller.create().value;
    console.log(poller.wait(50).value.length);
    const url = "http://" + listener.local_addr().value + "/";
    console.log(net.http.request({ method: "GET", url, timeout_ms: 50 }).error);
    listener.accept().value.close();
    console.log(net.http.request({ method: "GET", url: process.argv[1] }).unwrapOr({}).status);`;
  await using server = python(`
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *rest): pass
s = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print("http://127.0.0.1:%d/" % s.server_address[1])
s.serve_forever()
`);
  await using child = startPeer(process.execPath, [
    "--input-type=module",
    "-e",
    program,
    await server.line(),
  ]);
  for (const line of ["EAGAIN", "EAGAIN", "0", "http request failed: timed out", "200"]) {
    assert.equal(await child.line(), line);
  }
});

test("a bundle in CommonJS finds koffi beside itself, wherever it is started", async () => {
  const folder = mkdtempSync(join(tmpdir(), "std-net-"));
  try {
    const outfile = join(folder, "program.cjs");
    const contents =
      'import { lookup_host } from "std-net"; console.log(String(lookup_host("127.0.0.1:1")));';
    buildSync({
      stdin: { contents, resolveDir: root },
      outfile,
      bundle: true,
      platform: "node",
      format: "cjs",
      external: ["koffi"],
      tsconfigRaw: {},
      // import.meta: a package in node_modules is not warned of, and this one lies beside its own sources.
      logLevel: "error",
    });
    mkdirSync(join(folder, "node_modules"));
    for (const name of ["koffi", "@koromix"]) {
      cpSync(join(root, "node_modules", name), join(folder, "node_modules", name), { recursive: true });
    }
    await using child = startPeer("sh", ["-c", 'cd / && exec "$0" "$1"', process.execPath, outfile]);
    assert.equal(await child.line(), "Ok([ '127.0.0.1:1' ])");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an exception that comes out of the library, as of a torn-off method, prints no more of it than a line's worth", async () => {
  const program = `import { TcpStream } from "std-net";
    const { read } = TcpStream.prototype;
    read.call({}, 1);`;
  await using child = startPeer(process.execPath, ["--input-type=module", "-e", program]);
  const { stderr } = await child.exit();
  assert.match(stderr, /TypeError/);
  assert.ok(stderr.length < 10_000, `${stderr.length} characters`);
});

test("many copies in one process, as a test runner loads them, warn of nothing and all work", async () => {
  const program = `
    const { Worker } = await import("node:worker_threads");
    const copies = [];
    for (let number = 0; number < 12; number++) copies.push(await import(import.meta.resolve("std-net") + "?" + number));
    for (const net of copies) ${STREAM_PAIR}.forEach((end) => end.close());
    process.on("SIGUSR2", () => {}); // each copy hears of it
    const listener = copies[5].TcpListener.bind("127.0.0.1:0").value;
    // What a worker leaves open is closed, whichever copy it has.
    const code = 'import("std-net").then(({ TcpStream }) => { globalThis.left = TcpStream.connect(process.argv[2]).value; require("node:worker_threads").parentPort.postMessage(0) })';
    const worker = new Worker(code, { eval: true, execArgv: [], argv: [listener.local_addr().value] });
    await new Promise((resolve) => worker.once("message", resolve));
    const accepted = listener.accept().value;
    await worker.terminate();
    accepted.set_read_timeout(5000);
    console.log(accepted.read(1).value.length, process.listenerCount("exit") < 5, process.listenerCount("worker") < 5);`;
  await using child = startPeer(process.execPath, ["--input-type=module", "-e", program]);
  assert.equal(await child.line(), "0 true true");
  assert.equal((await child.exit()).stderr, "");
});
