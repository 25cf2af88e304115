// std-net repl.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { run, startInTerminal } from "../support/command.ts";
import { reason, reasonPattern } from "../support/system-errors.ts";

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
        `error_code('${reason("EINTR")}')`,
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
      `Uncaught failed to connect: ${reasonPattern("ECONNREFUSED")}`,
      `Uncaught http request failed: ${reasonPattern("ECONNREFUSED")}`,
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
