// npm run check:systems: src/sys agrees with the systems' headers, and a wrong number, place or name is found.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { root } from "../support/peer.ts";

const copy = mkdtempSync(join(tmpdir(), "std-net-systems-"));
after(() => rmSync(copy, { recursive: true, force: true }));
cpSync(join(root, "src"), join(copy, "src"), { recursive: true });
symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));

function check(): { status: number | null; stdout: string; stderr: string } {
  const script = join(root, "scripts", "check-systems.js");
  return spawnSync(process.execPath, [script, "--root", copy], {
    cwd: root,
    encoding: "utf8",
    timeout: 60_000,
    // Without compilers: what is tested here is the comparison.
    env: { ...process.env, PATH: "" },
  });
}

test("all that the library takes for granted is so on each system", () => {
  const { status, stdout, stderr } = check();
  assert.equal(stderr, "");
  assert.equal(status, 0);
  for (const system of ["macOS x64", "macOS arm64", "Linux x64, glibc", "Linux arm64, musl"]) {
    assert.match(stdout, new RegExp(`^${system}: 2\\d\\d numbers and places, \\d\\d functions as in`, "m"));
  }
});

for (const [file, right, wrong, message] of [
  ["constants.ts", "AF_INET6: [10, 30, 23]", "AF_INET6: [10, 28, 23]", "macOS arm64: AF_INET6 is 30"],
  [
    "constants.ts",
    "SO_RCVLOWAT: [18, 0x1004, 0]",
    "SO_RCVLOWAT: [19, 0x1004, 0]",
    "Linux x64, musl: SO_RCVLOWAT is 18",
  ],
  [
    "constants.ts",
    "MSG_NOSIGNAL: [0x4000, 0x80000, 0]",
    "MSG_NOSIGNAL: [0x4000, 0, 0]",
    "MSG_NOSIGNAL is 524288",
  ],
  ["structs.ts", "const PORT_AT = 2", "const PORT_AT = 4", "offsetof(struct sockaddr_in, sin_port) is 2"],
  ["structs.ts", "fflags: 12", "fflags: 14", "macOS x64: offsetof(struct kevent, fflags) is 12"],
  ["structs.ts", '"x64" ? { words: 3', '"x64" ? { words: 4', "glibc: sizeof(struct epoll_event) is 12"],
  ["structs.ts", "size: 56, name: 0", "size: 64, name: 0", "glibc: sizeof(struct gaicb) is 56"],
  ["structs.ts", "retcode: 152", "retcode: 156", "offsetof(uv_getaddrinfo_t, retcode) is 152"],
  ["posix/kqueue.ts", "EV_EOF = 0x8000", "EV_EOF = 0x4000", "macOS x64: EV_EOF is 32768"],
  ["posix/epoll.ts", "EPOLLRDHUP = 0x2000", "EPOLLRDHUP = 0x1000", "Linux arm64, glibc: EPOLLRDHUP is 8192"],
  ["posix/descriptors.ts", '"int socketpair(', '"int socket_pair(', "the function socket_pair is not known"],
  ["posix/descriptors.ts", '"int accept(', '"int pipe2(', "macOS x64: the function pipe2 is missing"],
] as const) {
  test(`${wrong} is found`, () => {
    const path = join(copy, "src", "sys", file);
    const text = readFileSync(path, "utf8");
    assert.ok(text.includes(right), `${file} has ${right}`);
    try {
      writeFileSync(path, text.replace(right, wrong));
      const { status, stderr } = check();
      assert.ok(stderr.includes(message), stderr);
      assert.equal(status, 1);
    } finally {
      writeFileSync(path, text);
    }
  });
}
