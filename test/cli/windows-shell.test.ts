// The command as cmd starts it: what its help says of quotes and pipes holds there.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer } from "node:net";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { helpFor } from "../../src/cli/quoting.ts";
import { CLI } from "../support/command.ts";
import { root } from "../support/peer.ts";
import { isWindows } from "../support/system-errors.ts";

const skip = isWindows ? false : "of Windows alone";

/** Runs a line in cmd, in which `std-net` is the command. */
async function runInCmd(line: string): Promise<{ code: number; stdout: string; stderr: string }> {
  const command = `"${process.execPath}" "${resolve(root, CLI)}"`;
  const child = spawn("cmd.exe", ["/d", "/s", "/c", `"${line.replaceAll("std-net", () => command)}"`], {
    cwd: root,
    windowsVerbatimArguments: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number]>,
  ]);
  return { code, stdout, stderr };
}

test("JSON with its quotes as the help has them arrives as it is", { skip }, async () => {
  const server = createHttpServer(async (request, response) => response.end(await text(request)));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  for (const line of [
    `std-net request POST ${url} -d '{"id": 9007199254740993, "text": "two words"}'`,
    `std-net request '{"method": "POST", "url": "${url}", "body": {"id": 9007199254740993, "text": "two words"}}'`,
  ]) {
    const { code, stdout, stderr } = await runInCmd(helpFor(line));
    assert.deepEqual([code, stderr], [0, ""], line);
    assert.match(stdout, /\{\\?"id\\?":9007199254740993,\\?"text\\?":\\?"two words\\?"\}/);
  }
  const wrong = await runInCmd(`std-net request POST ${url} -d '{"id":1}'`);
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /cmd takes single quotes as they are/);
  server.close();
});

test("lines of a pipe end with CR LF, as the help's examples want them", { skip }, async () => {
  let received = "";
  const server = createServer((socket) => {
    socket.on("data", (data) => {
      received += data;
    });
    socket.on("end", () => socket.end());
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const line = helpFor(`printf 'PING\\r\\n\\r\\nQUIT\\r\\n' | std-net tcp 127.0.0.1:${port}`);
  const { code, stderr } = await runInCmd(line);
  server.close();
  assert.deepEqual([code, stderr], [0, ""], line);
  assert.match(received, /^PING ?\r\n\r\nQUIT ?\r\n$/);
});
