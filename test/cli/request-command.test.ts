// std-net request, as the shell sees it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { Certificates } from "../support/certificates.ts";
import { run, start, startInTerminal } from "../support/command.ts";
import { nodeFile } from "../support/peer.ts";

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
    await using server = nodeFile(
      "https-silent.mjs",
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

  test("on a terminal, no control character of a response takes effect", async () => {
    const stranger = createHttpServer((_, response) => response.end("\u001b[2J \u009b2J \u007f"));
    await once(stranger.listen(0, "127.0.0.1"), "listening");
    const { port } = stranger.address() as AddressInfo;
    await using terminal = startInTerminal("request", "GET", `http://127.0.0.1:${port}/`);
    const { stdout } = await terminal.exit();
    stranger.close();
    assert.ok(stdout.includes('"\\u001b[2J \\u009b2J \\u007f"'), stdout);
  });

  test("--text is sent as it is, and --decode says what the response's body becomes", async () => {
    const { stdout } = await run(["request", "POST", `${url}/`, "--text", "[1,  2]", "--decode", "text"]);
    assert.ok(stdout.includes('\\"body\\":[1,  2]}"'), stdout);
  });

  test("a response with an error status is no failure: exit status 0", async () => {
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

  test("a closed output is no failure", async () => {
    await using command = start("request", "GET", `${url}/`);
    command.process.stdout?.destroy();
    const { stderr, code } = await command.exit();
    assert.equal(stderr, "");
    assert.equal(code, 0);
  });
});
