// std-net doctor: what a bug report begins with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { proxyFindings } from "../../src/cli/doctor-proxies.ts";
import { CLI, run } from "../support/command.ts";
import { startPeer } from "../support/peer.ts";

test("each part of the system has a line, and all is well here", async () => {
  const { code, stdout, stderr } = await run(["doctor"]);
  assert.deepEqual([code, stderr], [0, ""]);
  for (const line of [
    /^std-net +\d+\.\d+\.\d+$/m,
    new RegExp(`^runtime +Node ${process.versions.node}$`, "m"),
    /^system +\w+ \S+ (x64|arm64)/m,
    /^options +\S/m,
    /^native part +ok koffi 3\.\d+\.\d+$/m,
    /^waiting +in (the call|poll), /m,
    /^IPv4 +ok connects, accepts, sends and receives$/m,
    /^IPv6 +(ok|no) /m,
    /^UDP +ok sends and receives$/m,
    /^Unix sockets +(ok|no) /m,
    /^poller +ok waits for sockets$/m,
    /^lookup +ok localhost is .*; with(out)? time limits/m,
    /^TLS +ok OpenSSL 3\.\S+ .*, (that the runtime exports|of the system \(.+\))$/m,
    /^trust +\S/m,
    /^proxy +\S/m,
    /^descriptors +(at most \d+ open at a time|the runtime tells of no limit)/m,
  ]) {
    assert.match(stdout, line);
  }
});

async function doctor(flags: readonly string[], environment: NodeJS.ProcessEnv) {
  await using command = startPeer(process.execPath, [...flags, CLI, "doctor"], environment);
  return await command.exit();
}

test("without the native part it fails, says what to do, and tells of the rest", async () => {
  const { code, stdout, stderr } = await doctor(["--no-addons"], {});
  assert.deepEqual([code, stderr], [1, ""]);
  assert.match(
    stdout,
    /^native part +FAILED std-net's native part \(the npm package koffi\) may not be loaded/m,
  );
  assert.match(stdout, /^options +--no-addons$/m);
  assert.match(stdout, /^IPv4 +FAILED /m);
  assert.match(stdout, /^descriptors /m);
});

test("no secret of the environment is printed", async () => {
  const { stdout } = await doctor(["--title=s3cret"], {
    HTTPS_PROXY: "http://me:s3cret@proxy.test:3128",
    http_proxy: "socks5://s3cret@h",
    NO_PROXY: "a.test",
    NODE_EXTRA_CA_CERTS: "/home/s3cret",
  });
  assert.doesNotMatch(stdout, /s3cret/);
  // (Windows knows a variable by either case.)
  assert.match(stdout, /^proxy +HTTPS_PROXY: proxy\.test:3128 with a user$/im);
  assert.match(stdout, /^proxy +none for: a\.test$/m);
  assert.match(stdout, /^trust +no .*; the file of NODE_EXTRA_CA_CERTS cannot be read \(ENOENT\)$/m);
  assert.match(stdout, /^options +--title$/m);
});

test("proxies: which count, and what is wrong with them", () => {
  const lines = (env: NodeJS.ProcessEnv) =>
    [...proxyFindings(env)].map(({ state, text }) => `${state} ${text}`);
  assert.deepEqual(lines({}), ["fact none"]);
  assert.deepEqual(lines({ HTTP_PROXY: "http://a:1" }), [
    "fact HTTP_PROXY: a:1",
    "no not used: NODE_USE_ENV_PROXY=1 makes these variables count",
  ]);
  const used = { NODE_USE_ENV_PROXY: "1", http_proxy: "http://a", HTTP_PROXY: "http://b", https_proxy: "b" };
  assert.deepEqual(lines(used), [
    "fact http_proxy: a:80",
    "bad https_proxy is no http proxy's URL: http://[user:password@]host:port",
  ]);
});
