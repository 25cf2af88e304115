// The command std-net, as the shell sees it: output, error line, exit status.
import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as net from "std-net";
import { oneLine } from "../../src/cli/command.ts";
import { Certificates } from "../support/certificates.ts";
import { type Exit, node, ok, type Peer, python, startPeer } from "../support/peer.ts";

const CLI = "dist/cli.js";

function start(...args: string[]) {
  return startPeer("node", [CLI, ...args]);
}

async function run(args: string[], input: string | Buffer = ""): Promise<Exit> {
  await using command = start(...args);
  command.process.stdin?.on("error", () => {}); // a command that ends early does not read it
  command.process.stdin?.end(input);
  return await command.exit();
}

/** The command's own picture of a terminal: Python runs it in one and prints what came out of it. */
function startInTerminal(...args: string[]) {
  const program = "import pty, sys, os; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";
  // Node takes a terminal in CI for one without colours.
  const environment = { TERM: "xterm-256color", CI: undefined, NO_COLOR: undefined, FORCE_COLOR: undefined };
  return startPeer("python3", ["-c", program, process.execPath, CLI, ...args], environment);
}

describe("usage", () => {
  for (const [args, complaint] of [
    [["nosuch"], /^std-net: there is no command 'nosuch'/],
    [["request"], /^std-net: request: missing request \(std-net help request\)$/m],
    [["request", "GET"], /^std-net: request: missing URL after 'GET'/],
    [["request", "{"], /^std-net: request: the request is not valid JSON/],
    [["request", "[]"], /^std-net: request: the request must be a JSON object/],
    [["request", "GET", "http://a/", "extra"], /^std-net: request: unexpected argument 'extra'/],
    [["request", "GET", "http://a/", "--nosuch"], /^std-net: request: Unknown option '--nosuch'/],
    [["request", "GET", "http://a/", "-d", "{a}"], /^std-net: request: --data wants JSON/],
    [["request", "GET", "http://a/", "-H", "no colon"], /^std-net: request: --header wants 'name: value'/],
    [
      ["request", "GET", "http://a/", "-d", "1", "--text", "x"],
      /^std-net: request: --data and --text cannot both be given/,
    ],
    [["request", "GET", "http://a/", "--timeout=-1"], /^std-net: request: --timeout/],
    [["request", "GET", "http://a/", "--data", "-1"], /: to specify an .* dash use '--data=-XYZ'/],
    [["request", "GET", "http://a/", "--timeout", "soon"], /^std-net: request: --timeout wants a positive/],
    [
      ["request", "GET", "http://a/", "--decode", "xml"],
      /^std-net: request: --decode wants json, text or base64/,
    ],
    [["serve"], /^std-net: serve: missing address/],
    [["serve", "127.0.0.1:0", "--status", "100"], /^std-net: serve: --status wants/],
    [["tcp"], /^std-net: tcp: missing address/],
    [["tcp", "a:1", "b:1"], /^std-net: tcp: unexpected argument 'b:1'/],
    [["udp", "a:1", "--wait", "0"], /^std-net: udp: --wait wants a positive number of seconds/],
    [["repl", "now"], /^std-net: repl: unexpected argument 'now'/],
  ] as const) {
    test(`std-net ${args.join(" ")}: one line, status 2`, async () => {
      const { code, stdout, stderr } = await run([...args]);
      assert.match(stderr, complaint);
      assert.match(stderr, /^[^\n]*\n$/);
      assert.equal(stdout, "");
      assert.equal(code, 2);
    });
  }

  for (const [args, complaint] of [
    [
      ["request", "GET", "http://127.0.0.1:1/"],
      /^std-net: http request failed: Connection refused \(os error 111\)$/m,
    ],
    [["request", '{"method":"GET"}'], /^std-net: missing required field 'url'$/m],
    [["request", '{"method":"GET","url":"ftp://a/"}'], /^std-net: 'url' is not a valid http or https URL$/m],
    [["tcp", "127.0.0.1:1"], /^std-net: failed to connect: Connection refused \(os error 111\)$/m],
    [["tcp", "nothing"], /^std-net: failed to connect: invalid socket address$/m],
    [["udp", "127.0.0.1:99999"], /^std-net: udp connect failed: invalid port value$/m],
    [["tcp", "a\u001b[2J:99999\u009b"], /^std-net: [ -~]*$/m],
    [["serve", "nothing"], /^std-net: tcp listener bind failed: invalid socket address$/m],
  ] as const) {
    test(`std-net ${args.join(" ")}: the error result on standard error, status 1`, async () => {
      const { code, stdout, stderr } = await run([...args]);
      assert.match(stderr, complaint);
      assert.match(stderr, /^[^\n]*\n$/);
      assert.equal(stdout, "");
      assert.equal(code, 1);
    });
  }

  test("an error becomes one line, however many blanks a server had put into it", () => {
    assert.equal(oneLine("\n one \r\n\t two\n \nthree  four"), "one two three  four");
    const quoted = `unknown content coding 'a${" ".repeat(65_000)}x'`;
    const begun = performance.now();
    assert.equal(oneLine(quoted), quoted);
    assert.ok(performance.now() - begun < 1500); // a thousandth of it; it was four seconds
  });

  test("the status is the same when nobody reads standard error", async () => {
    const program = `import os, subprocess, sys
reader, writer = os.pipe()
os.close(reader)
print(subprocess.run(sys.argv[1:], stderr=writer).returncode)`;
    for (const [args, status] of [
      [["nosuch"], "2\n"],
      [["request", "GET", "http://127.0.0.1:1/"], "1\n"],
    ] as const) {
      await using command = startPeer("python3", ["-c", program, process.execPath, CLI, ...args]);
      assert.equal((await command.exit()).stdout, status);
    }
  });

  test("help is there for everything", async () => {
    const help = await run(["help"]);
    assert.equal(help.code, 0);
    for (const name of ["request", "serve", "tcp", "udp", "repl"]) {
      assert.match(help.stdout, new RegExp(`^ {2}${name} +\\w`, "m"));
      const about = await run(["help", name]);
      assert.match(about.stdout, new RegExp(`^Usage: std-net ${name}`));
      assert.match(about.stdout, /^Examples:$/m);
      const itself = await run([name, "--help"]);
      assert.deepEqual([itself.stdout, itself.code, about.code], [about.stdout, 0, 0]);
    }
    const nothing = await run([]);
    assert.equal(nothing.code, 2);
    assert.equal(nothing.stderr, help.stdout);
    for (const name of ["--version", "-v"]) {
      const version = await run([name]);
      assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
      assert.equal(version.code, 0);
    }
  });
});

describe("request", () => {
  // Answers with what it was asked, digit for digit.
  const server = createHttpServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.setHeader("content-type", "application/json");
    const { method, url } = request;
    const key = request.headers["x-key"] ?? null;
    response.end(
      `{"method":"${method}","url":"${url}","key":${JSON.stringify(key)},"body":${body || "null"}}`,
    );
  });
  let url = "";
  before(async () => {
    await once(server.listen(0, "127.0.0.1"), "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => server.close());

  test("METHOD URL with a header and a body", async () => {
    const { code, stdout, stderr } = await run([
      "request",
      "POST",
      `${url}/a?b`,
      "-H",
      "X-Key: some: value",
      "-d",
      '{"id":9007199254740993}',
    ]);
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.match(stdout, /^\{"status":200,"headers":\{.*\},"body":\{.*\}\}\n$/, "one line, no colours");
    assert.ok(
      stdout.includes(
        '"body":{"method":"POST","url":"/a?b","key":"some: value","body":{"id":9007199254740993}}',
      ),
    );
  });

  test("--timeout ends the call, and --insecure takes any certificate", async () => {
    const certificates = new Certificates();
    certificates.authority("root");
    certificates.make("server", "root");
    await using server = node(
      `import { createServer } from "node:https";
      import { readFileSync } from "node:fs";
      const options = { cert: readFileSync(process.argv[1]), key: readFileSync(process.argv[2]) };
      const server = createServer(options, (request, response) => {
        if (request.url !== "/silent") response.end('"' + request.method + '"');
      });
      server.listen(0, "127.0.0.1", () => console.log(server.address().port));`,
      certificates.path("server.pem"),
      certificates.path("server.key"),
    );
    const secure = `https://127.0.0.1:${await server.line()}`;
    certificates.remove();
    const refused = await run(["request", "GET", `${secure}/`]);
    assert.match(
      refused.stderr,
      /^std-net: http request failed: tls handshake failed: certificate verify failed/,
    );
    assert.equal(refused.code, 1);
    const taken = await run(["request", "GET", `${secure}/`, "--insecure"]);
    assert.match(taken.stdout, /^\{"status":200,.*"body":"GET"\}\n$/);
    assert.equal(taken.code, 0);
    const silent = await run(["request", "GET", `${secure}/silent`, "--insecure", "--timeout", "0.3"]);
    assert.equal(silent.stderr, "std-net: http request failed: timed out\n");
    assert.equal(silent.code, 1);
  });

  test("the request as JSON, as an argument and on standard input", async () => {
    const text = JSON.stringify({ method: "PUT", url: `${url}/c`, body: [1] });
    const expected = '"body":{"method":"PUT","url":"/c","key":null,"body":[1]}';
    const argument = await run(["request", text]);
    assert.ok(argument.stdout.includes(expected), argument.stderr);
    const input = await run(["request"], text);
    assert.ok(input.stdout.includes(expected), input.stderr);
  });

  test("a byte order mark before the JSON does not matter", async () => {
    const { code, stderr } = await run(["request"], `\ufeff${JSON.stringify({ method: "GET", url })}`);
    assert.deepEqual([code, stderr], [0, ""]);
  });

  test("JSON on standard input that is not UTF-8 is refused, not sent as something else", async () => {
    const input = Buffer.from(`{"method":"POST","url":"http://127.0.0.1:1/","body_text":"\xe9"}`, "latin1");
    const { code, stdout, stderr } = await run(["request"], input);
    assert.equal(stdout, "");
    assert.equal(stderr, "std-net: request: the request is not UTF-8 (std-net help request)\n");
    assert.equal(code, 2);
  });

  test("headers: several of one name, names that every object has, and beside those of the JSON", async () => {
    const echo = createHttpServer((request, response) => response.end(JSON.stringify(request.rawHeaders)));
    await once(echo.listen(0, "127.0.0.1"), "listening");
    const target = `http://127.0.0.1:${(echo.address() as AddressInfo).port}/`;
    const json = JSON.stringify({ method: "GET", url: target, headers: { "X-A": "old", "x-b": "kept" } });
    const headers = ["x-a: 1", "X-A: 2", "cookie: c=1", "cookie: d=2", "__proto__: own"];
    const { stdout, stderr } = await run(["request", json, ...headers.flatMap((text) => ["-H", text])]);
    echo.close();
    assert.equal(stderr, "");
    const sent: string[] = JSON.parse(stdout).body;
    const at = sent.indexOf("x-b");
    const expected = ["x-b", "kept", "x-a", "1, 2", "cookie", "c=1; d=2", "__proto__", "own"];
    assert.deepEqual(sent.slice(at), expected);
  });

  test("on a terminal, no control character of a stranger is obeyed", async () => {
    const stranger = createHttpServer((_, response) => response.end("\u001b[2J \u009b2J \u007f"));
    await once(stranger.listen(0, "127.0.0.1"), "listening");
    const { port } = stranger.address() as AddressInfo;
    await using terminal = startInTerminal("request", "GET", `http://127.0.0.1:${port}/`);
    const { stdout } = await terminal.exit();
    stranger.close();
    assert.ok(stdout.includes('"\\u001b[2J \\u009b2J \\u007f"'), stdout);
  });

  test("--text is sent as it is, and --decode says what the answer becomes", async () => {
    const { stdout } = await run(["request", "POST", `${url}/`, "--text", "[1,  2]", "--decode", "text"]);
    assert.ok(stdout.includes('\\"body\\":[1,  2]}"'), stdout);
  });

  test("an answer with an error status is an answer: status 0", async () => {
    const failing = createHttpServer((_request, response) => response.writeHead(500).end("broken"));
    await once(failing.listen(0, "127.0.0.1"), "listening");
    const { port } = failing.address() as AddressInfo;
    const { code, stdout } = await run(["request", "GET", `http://127.0.0.1:${port}/`]);
    failing.close();
    assert.equal(code, 0);
    assert.match(stdout, /"status":500.*"body":"broken"/);
  });

  test("on a terminal: indented and coloured", async () => {
    await using terminal = startInTerminal("request", "GET", `${url}/t`);
    const { code, stdout } = await terminal.exit();
    assert.equal(code, 0);
    assert.ok(stdout.includes('\u001b[36m"status"\u001b[39m: \u001b[33m200\u001b[39m,\r\n'), stdout);
  });

  test("a reader that goes away is no failure", async () => {
    await using shell = startPeer("bash", [
      "-c",
      `set -o pipefail; node ${CLI} request GET '${url}/' | true`,
    ]);
    const { stderr, code } = await shell.exit();
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });
});

describe("tcp", () => {
  test("standard input goes out, what comes back is printed, and both ends are passed on", async () => {
    const received: Buffer[] = [];
    const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
      socket.write(Buffer.from([0, 255, 10]));
      socket.on("data", (bytes) => received.push(bytes));
      socket.on("end", () => socket.end("bye\n"));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const input = Buffer.alloc(300_000, "0123456789");
    await using command = start("tcp", `127.0.0.1:${port}`);
    command.process.stdin?.end(input);
    const { code, stderr, stdout } = await command.exit();
    server.close();
    assert.equal(stderr, "");
    assert.equal(code, 0);
    assert.ok(Buffer.concat(received).equals(input));
    assert.ok(stdout.endsWith("\nbye\n"));
  });

  test("a conversation: each side waits for the other", async () => {
    const server = createTcpServer((socket) => {
      socket.on("data", (bytes) => socket.write(`you said ${bytes}`));
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await using command = start("tcp", `127.0.0.1:${port}`);
    for (const word of ["one", "two"]) {
      command.process.stdin?.write(`${word}\n`);
      assert.equal(await command.line(), `you said ${word}`);
    }
    command.kill("SIGINT");
    assert.equal((await command.exit()).signal, "SIGINT");
    server.close();
  });

  test("a peer that closes ends it, though standard input is open", async () => {
    const server = createTcpServer((socket) => socket.end("enough\n"));
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await using command = start("tcp", `127.0.0.1:${port}`);
    const { code, stdout } = await command.exit();
    server.close();
    assert.equal(stdout, "enough\n");
    assert.equal(code, 0);
  });

  test("a peer that does not answer is a failure when the time is over", async () => {
    const full = ok(net.TcpListener.bind("127.0.0.1:0", { backlog: 0 }));
    const address = ok(full.local_addr());
    const waiting: net.TcpStream[] = [];
    for (let one = net.TcpStream.connect_timeout(address, 100); one.isOk; ) {
      waiting.push(one.value);
      one = net.TcpStream.connect_timeout(address, 100);
    }
    const { code, stderr } = await run(["tcp", address, "--timeout", "0.3"]);
    assert.equal(stderr, "std-net: failed to connect: connection timed out\n");
    assert.equal(code, 1);
    for (const open of [...waiting, full]) open.close();
  });

  test("a connection that breaks is a failure", async () => {
    const server = createTcpServer((socket) => {
      socket.once("data", () => socket.resetAndDestroy());
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    await using command = start("tcp", `127.0.0.1:${port}`);
    command.process.stdin?.write("x");
    const { code, stderr } = await command.exit();
    server.close();
    assert.match(stderr, /^std-net: tcp read failed: Connection reset by peer \(os error 104\)\n$/);
    assert.equal(code, 1);
  });
});

describe("tcp: a peer that ends its direction first and goes on reading", () => {
  /** Ends its direction at once, and prints how many bytes came after that; or closes when `count` have come. */
  const peer = (count = Number.MAX_SAFE_INTEGER) =>
    python(`
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(); print(s.getsockname()[1])
c, _ = s.accept(); c.sendall(b"ready\\n"); c.shutdown(socket.SHUT_WR)
time.sleep(0.3)
n = 0
while n < ${count} and (data := c.recv(65536)): n += len(data)
c.close()
print(n)`);

  test("is sent all of a file", async () => {
    const size = 12_000_000; // more than the buffers of both ends hold
    const file = join(mkdtempSync(join(tmpdir(), "std-net-")), "file");
    writeFileSync(file, Buffer.alloc(size, "x"));
    await using listener = peer();
    const port = await listener.line();
    await using shell = startPeer("bash", ["-c", `node ${CLI} tcp 127.0.0.1:${port} < ${file}`]);
    const { code, stdout, stderr } = await shell.exit();
    rmSync(dirname(file), { recursive: true });
    assert.deepEqual([code, stdout, stderr], [0, "ready\n", ""]);
    assert.equal(await listener.line(), String(size));
  });

  test("is sent what a slow pipe gives, up to its end", async () => {
    await using listener = peer();
    await using command = start("tcp", `127.0.0.1:${await listener.line()}`);
    assert.equal(await command.line(), "ready");
    for (const word of ["one", "two"]) {
      await sleep(700);
      command.process.stdin?.write(word);
    }
    command.process.stdin?.end();
    const { code, stderr } = await command.exit();
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(await listener.line(), "6");
  });

  test("a pipe that falls silent before its end is a failure", async () => {
    await using listener = peer();
    await using command = start("tcp", `127.0.0.1:${await listener.line()}`, "--wait", "0.4");
    command.process.stdin?.write("a part");
    const { code, stderr } = await command.exit();
    assert.equal(stderr, "std-net: the peer ended the connection before standard input was at its end\n");
    assert.equal(code, 1);
    assert.equal(await listener.line(), "6");
  });

  test("a pipe that never gave anything is none, and at a terminal somebody sees it end", async () => {
    await using listener = peer();
    await using command = start("tcp", `127.0.0.1:${await listener.line()}`, "--wait", "0.4");
    const { code, stderr } = await command.exit();
    assert.deepEqual([code, stderr], [0, ""]);
    await using second = peer();
    await using terminal = startInTerminal("tcp", `127.0.0.1:${await second.line()}`, "--wait", "1");
    terminal.process.stdin?.write("hello\r");
    assert.equal((await terminal.exit()).code, 0);
    assert.equal(await second.line(), "6");
  });

  test("what it does not take any more is a failure", async () => {
    await using listener = peer(1);
    const pipeline = `yes | node ${CLI} tcp 127.0.0.1:${await listener.line()}; echo "\${PIPESTATUS[1]}"`;
    await using shell = startPeer("bash", ["-c", pipeline]);
    const { stdout, stderr } = await shell.exit();
    assert.equal(stdout, "ready\n1\n");
    assert.match(stderr, /^std-net: tcp write failed: [^\n]*\n$/);
  });
});

test("standard input that cannot be read is one line and status 1, for each command that reads it", async () => {
  // Each command gets a new descriptor of each kind; the tcp peer and the udp peer say nothing.
  const program = `
import json, os, struct, subprocess
peer = socket.socket(); peer.bind(("127.0.0.1", 0)); peer.listen(64); tcp = "127.0.0.1:%d" % peer.getsockname()[1]
mute = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); mute.bind(("127.0.0.1", 0)); udp = "127.0.0.1:%d" % mute.getsockname()[1]
def reset():
    l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
    a = socket.create_connection(l.getsockname()); b, _ = l.accept()
    b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); b.close()
    return a.detach()
kinds = {
  "EBADF: bad file descriptor, read": lambda: os.open("/dev/null", os.O_WRONLY),
  "read ENOTCONN": lambda: os.pipe()[1],
  "read ECONNRESET": reset,
  "EIO: i/o error, read": lambda: os.open("/proc/self/mem", os.O_RDONLY),
  "EISDIR: illegal operation on a directory, read": lambda: os.open("/", os.O_RDONLY),
  "it is neither a file, a pipe, a terminal nor a stream socket": lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].detach(),
}
running = [
  (reason, args[0], subprocess.Popen([*sys.argv[1:], *args], stdin=make(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
  for reason, make in kinds.items()
  for args in (["tcp", tcp], ["udp", udp], ["request"], ["repl"])
]
print(json.dumps([[reason, name, [p.returncode, out, err]] for reason, name, p in running for out, err in [p.communicate(timeout=18)]]))`;
  await using command = python(program, process.execPath, CLI);
  const outcomes = JSON.parse(await command.line()) as [string, string, unknown][];
  assert.equal(outcomes.length, 24);
  for (const [reason, name, outcome] of outcomes) {
    assert.deepEqual(outcome, [1, "", `std-net: standard input cannot be read: ${reason}\n`], name);
  }
});

test("tcp: what cannot be printed is a failure, and not lost without a word", async () => {
  const server = createTcpServer((socket) => socket.end("enough\n"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await using shell = startPeer("bash", ["-c", `node ${CLI} tcp 127.0.0.1:${port} < /dev/null > /dev/full`]);
  const { code, stderr } = await shell.exit();
  server.close();
  assert.match(stderr, /^std-net: ENOSPC: no space left on device, write\n$/);
  assert.equal(code, 1);
});

test("tcp: a reader that goes away ends it, also when the peer takes nothing more", async () => {
  // Long before the second line, which nobody reads, everything between the two is full.
  const server = createTcpServer({ pauseOnConnect: true }, (socket) => {
    const lines = setInterval(() => socket.write("line\n"), 250);
    socket.on("error", () => {}).on("close", () => clearInterval(lines));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const pipeline = `yes | node ${CLI} tcp 127.0.0.1:${port} | head -1; echo "\${PIPESTATUS[1]}"`;
  await using shell = startPeer("bash", ["-c", pipeline]);
  const { stdout, stderr } = await shell.exit();
  server.close();
  assert.equal(stderr, "");
  assert.equal(stdout, "line\n0\n");
});

describe("udp", () => {
  test("datagrams go out and answers are printed", async () => {
    const socket = createSocket("udp4");
    socket.on("message", (bytes, from) => socket.send(`got ${bytes}`, from.port, from.address));
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { code, stdout, stderr } = await run(["udp", `127.0.0.1:${socket.address().port}`], "hello\n");
    socket.close();
    assert.equal(stderr, "");
    assert.equal(stdout, "got hello\n");
    assert.equal(code, 0);
  });

  test("a reader that goes away ends it, though standard input is open", async () => {
    const socket = createSocket("udp4");
    let answers: NodeJS.Timeout | undefined;
    socket.on("message", (bytes, from) => {
      answers = setInterval(() => socket.send(bytes, from.port, from.address), 50);
    });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address();
    await using command = startPeer("bash", ["-c", `node ${CLI} udp 127.0.0.1:${port} > >(head -1)`]);
    command.process.stdin?.write("hello\n");
    const { code, stderr } = await command.exit();
    clearInterval(answers);
    socket.close();
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });

  test("where nobody listens, it says so", async () => {
    const { code, stderr } = await run(["udp", "127.0.0.1:1"], "hello\n");
    assert.match(stderr, /^std-net: udp (recv|send) failed: Connection refused \(os error 111\)\n$/);
    assert.equal(code, 1);
  });
});

describe("serve", () => {
  async function startServer(...args: string[]) {
    return await listening(start("serve", "127.0.0.1:0", ...args));
  }

  async function listening(server: Peer) {
    const stderr = server.process.stderr!;
    const notice = String((await once(stderr, "data"))[0]);
    const port = Number(/^listening on http:\/\/127\.0\.0\.1:(\d+) /.exec(notice)?.[1]);
    return { server, port, url: `http://127.0.0.1:${port}` };
  }

  test("each request is answered with itself and printed on a line; Ctrl-C ends it, status 0", async () => {
    const { server, url } = await startServer();
    await using _ = server;
    await using curl = startPeer("curl", [
      ...["-sS", "--max-time", "10", "-X", "PUT", "-H", "Content-Type: application/json"],
      ...["-d", '{"id":9007199254740993}', `${url}/hook/a?b=1`],
    ]);
    const { stdout, stderr } = await curl.exit();
    assert.equal(stderr, "");
    assert.match(
      stdout,
      /^\{"method":"PUT","path":"\/hook\/a","query":"b=1","version":"HTTP\/1\.1","headers":\{.*\},"body":\{"id":9007199254740993\}\}$/,
    );
    assert.match(
      await server.line(),
      /^\d\d:\d\d:\d\d PUT \/hook\/a\?b=1 \(23 bytes of application\/json\) from 127\.0\.0\.1:\d+$/,
    );
    server.kill("SIGINT");
    const end = await server.exit();
    assert.match(end.stderr, /^stopped after 1 request$/m);
    assert.equal(end.code, 0);
    assert.equal(end.signal, null);
  });

  test("a client that sends nothing, or half a request, keeps nobody waiting; the status can be chosen", async () => {
    const { server, port, url } = await startServer("--status", "503");
    await using _ = server;
    const silent = connect(port, "127.0.0.1");
    const slow = connect(port, "127.0.0.1");
    await once(slow, "connect");
    slow.write("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
    for (const path of ["/one", "/two"]) {
      const response = await fetch(url + path);
      assert.equal(response.status, 503);
      assert.equal(((await response.json()) as { path: string }).path, path);
    }
    slow.write("cd");
    const [answer] = (await once(slow, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 503 .*"body":"abcd"\}$/s);
    silent.destroy();
    slow.destroy();
    server.kill("SIGTERM");
    assert.equal((await server.exit()).code, 0);
  });

  test("bytes that are no text come as base64, and what is no HTTP is refused", async () => {
    const { server, port, url } = await startServer("--verbose");
    await using _ = server;
    const response = await fetch(url, { method: "POST", body: Buffer.from([0xff, 0xfe, 0x00]) });
    assert.deepEqual(((await response.json()) as { body: unknown }).body, { base64: "//4A" });
    const stranger = connect(port, "127.0.0.1");
    stranger.end("no HTTP\r\n\r\n");
    const [answer] = (await once(stranger, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1\.1 400 .*"error":"invalid http request: /s);
    server.kill("SIGINT");
    const { code, stdout } = await server.exit();
    assert.equal(code, 0);
    assert.match(stdout, /^ {2}"body": \{$/m, "--verbose prints the JSON");
    assert.match(stdout, / refused invalid http request: .* from 127/);
  });

  test("a client that sends all of a request that is refused reads why", async () => {
    const { server, port, url } = await startServer();
    await using _ = server;
    // Python sends everything before it reads; a connection that is reset loses what it had not read.
    await using client = python(`
for start, length in ((b"POST / HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 70000000\\r\\n\\r\\n", 70000000),
                      (b"GET / HTTP/1.1\\r\\nX: " + b"y" * 70000, 5000000),
                      (b"GET / HTTP/1.1\\r\\n\\r\\n", 5000000),
                      (b"GET / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n\\r\\n", 0)):
    c = socket.create_connection(("127.0.0.1", ${port})); c.settimeout(15)
    c.sendall(start); c.sendall(b"x" * length)
    answer = b""
    while data := c.recv(65536): answer += data
    print(answer.split()[1].decode(), b'"error"' in answer); c.close()`);
    for (const expected of ["413 True", "431 True", "400 True", "200 False"]) {
      assert.equal(await client.line(), expected);
    }
    await using curl = startPeer("bash", [
      "-c",
      `head -c 70000000 /dev/zero | curl -sS -m 20 -H Expect: -T - -w ' %{http_code}' ${url}/`,
    ]);
    const { code, stdout } = await curl.exit();
    assert.deepEqual([code, stdout], [0, '{"error":"request body too large"} 413']);
  });

  test("no client goes on for ever after it was refused, and none keeps the others waiting", async () => {
    const { server, port, url } = await startServer();
    await using _ = server;
    const hostile = (what: string) =>
      python(`
c = socket.create_connection(("127.0.0.1", ${port})); c.sendall(b"no HTTP\\r\\n\\r\\n"); print(c.recv(12).decode())
begun = time.monotonic()
try:
    while time.monotonic() - begun < 15: ${what}
    print("still open")
except OSError: print("reset")`);
    await using trickling = hostile('c.sendall(b"x"); time.sleep(0.05)');
    await using flooding = hostile('c.sendall(b"x" * 1000000)');
    await using endless = python(`
c = socket.create_connection(("127.0.0.1", ${port})); c.settimeout(0.05)
while True:
    try: c.sendall(b"HEAD / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" * 100)
    except TimeoutError: pass
    try: c.recv(1000000)
    except TimeoutError: pass`);
    // This one does not read its response, which is more than the buffers hold.
    const size = 20_000_000;
    await using lazy = python(`
c = socket.create_connection(("127.0.0.1", ${port}))
c.sendall(b"POST / HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nContent-Length: ${size}\\r\\n\\r\\n" + b"x" * ${size})
print("sent"); sys.stdin.readline(); n = 0
while data := c.recv(65536): n += len(data)
print(n > ${size})`);
    assert.equal(await lazy.line(), "sent");
    for (const one of [trickling, flooding]) assert.equal(await one.line(), "HTTP/1.1 400");
    for (let i = 0; i < 3; i++) {
      const begun = performance.now();
      assert.equal((await fetch(url)).status, 200);
      assert.ok(performance.now() - begun < 3000, "no timeout of another connection was waited for");
    }
    for (const one of [trickling, flooding]) assert.equal(await one.line(), "reset");
    lazy.process.stdin?.write("\n");
    assert.equal(await lazy.line(), "True");
    assert.ok(endless.process.exitCode === null, "it was served all the time");
  });

  test("with descriptors used up it rests, and goes on when there are some", async () => {
    const program = `ulimit -n 40; exec "$0" ${CLI} serve 127.0.0.1:0`;
    const { server, port, url } = await listening(startPeer("sh", ["-c", program, process.execPath]));
    await using _ = server;
    const crowd = Array.from({ length: 40 }, () => connect(port, "127.0.0.1"));
    await Promise.all(crowd.map((client) => once(client, "connect")));
    const descriptors = () => readdirSync(`/proc/${server.process.pid}/fd`).length;
    while (descriptors() < 40) await sleep(10);
    // proc(5): utime and stime, in hundredths of a second.
    const used = () => {
      const [, utime, stime] = /(?:\S+ ){11}(\d+) (\d+) /.exec(
        readFileSync(`/proc/${server.process.pid}/stat`, "utf8").split(") ")[1]!,
      )!;
      return Number(utime) + Number(stime);
    };
    const before = used();
    await sleep(1000);
    assert.ok(used() - before < 15, `${used() - before} % of a second`);
    for (const client of crowd) client.destroy();
    assert.equal((await fetch(url)).status, 200);
  });

  test("an address that is taken is an error", async () => {
    const { server, port } = await startServer();
    await using _ = server;
    const { code, stderr } = await run(["serve", `127.0.0.1:${port}`]);
    assert.match(stderr, /^std-net: tcp listener bind failed: Address already in use \(os error 98\)\n$/);
    assert.equal(code, 1);
  });
});

describe("repl", () => {
  test("calls give their value, errors their text, and everything of the library is there", async () => {
    const { code, stdout, stderr } = await run(
      ["repl"],
      [
        'listener = TcpListener.bind("127.0.0.1:0")',
        "const stream = TcpStream.connect(listener.local_addr())",
        "const accepted = listener.accept()",
        'accepted.write_all("hello")',
        "stream.read(100)",
        "stream.close()",
        "stream",
        "stream.read(1)",
        'TcpStream.connect("127.0.0.1:1")',
        'http.request({ method: "GET", url: "http://127.0.0.1:1/" })',
        "error_code('Interrupted system call (os error 4)')",
        "UdpSocket === net.UdpSocket",
        "net.http.request(1)",
        "1 +* 1",
      ].join("\n"),
    );
    assert.equal(code, 0);
    assert.equal(stderr, "");
    const shown = [
      "TcpListener 127\\.0\\.0\\.1:\\d+",
      "<Buffer 68 65 6c 6c 6f> 'hello'",
      "TcpStream \\(closed\\)",
      "Uncaught invalid tcp stream",
      "Uncaught failed to connect: Connection refused \\(os error 111\\)",
      "Uncaught http request failed: Connection refused \\(os error 111\\)",
      "'EINTR'",
      "true",
      "Uncaught request must be a JSON object",
    ];
    assert.match(stdout, new RegExp(`^${shown.join("\n")}\n`));
  });

  test("Ctrl-C ends a call that waits, not the prompt", async () => {
    await using terminal = startInTerminal("repl");
    const { stdin } = terminal.process;
    const until = async (pattern: RegExp): Promise<void> => {
      while (!pattern.test(await terminal.line()));
    };
    await until(/calls give their value/);
    stdin?.write('"a" + "b"; const l = TcpListener.bind("127.0.0.1:0"); l\r');
    await until(/TcpListener 127/);
    stdin?.write('console.log("going" + " to wait"); l.accept()\r');
    await until(/going to wait/);
    // Pressed a moment before the call has begun to wait, it would be too early: press until it is seen.
    const press = setInterval(() => stdin?.write("\u0003"), 500);
    await until(/interrupted by `SIGINT`/);
    clearInterval(press);
    stdin?.write('"still" + " here"\r');
    await until(/still here/);
    stdin?.write(".exit\r");
    assert.equal((await terminal.exit()).code, 0);
  });
});
