// Imports point down only, and nothing but sys knows the FFI library.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { test } from "node:test";
import { root } from "./support/peer.ts";

// From the top to the bottom; what stands on one line may import each other only from left to right.
const layers = [
  ["cli/"],
  ["index.ts"],
  ["http/index.ts"],
  ["http/client.ts", "http/server.ts", "http/halves.ts"],
  ["http/connection.ts", "http/route.ts"],
  ["poller.ts"],
  ["tls.ts", "tcp.ts", "udp.ts", "unix.ts", "lookup.ts"],
  ["datagram.ts", "handle.ts", "socket-stream.ts", "members.ts"],
  ["bind-options.ts"],
  ["tls/"],
  ["endpoint.ts"],
  ["resolve.ts"],
  ["socket.ts"],
  ["stream.ts"],
  ["waiting.ts"],
  ["signals.ts"],
  ["http/"],
  ["json.ts"],
  ["address.ts"],
  ["held.ts", "timeout.ts", "owners.ts", "deadlock.ts"],
  ["bytes.ts"],
  ["error.ts"],
  ["trace.ts"],
  ["calls.ts"],
  ["sys/"],
];

function layerOf(file: string): number {
  const exact = layers.findIndex((names) => names.includes(file));
  return exact >= 0
    ? exact
    : layers.findIndex((names) => names.some((name) => name.endsWith("/") && file.startsWith(name)));
}

const source = join(root, "src");
const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((file) =>
  file.endsWith(".ts"),
);

// Types vanish when the program is built: what a file says about another's shape binds no layer.
const importLine = /^(?:import|export)\s+(?!type\b)[^;]*?from\s+"([^"]+)"/gm;

test("imports point down the layers only", () => {
  for (const file of files) {
    const own = layerOf(file);
    assert.notEqual(own, -1, `src/${file} has a place in the layers`);
    for (const [, target] of readFileSync(join(source, file), "utf8").matchAll(importLine)) {
      if (!target!.startsWith(".")) continue;
      const imported = posix.normalize(posix.join(posix.dirname(file), target!));
      assert.ok(layerOf(imported) >= own, `src/${file} imports ${imported}, which is above it`);
    }
  }
});

test("nothing but sys and tls knows koffi", () => {
  for (const file of files) {
    if (file.startsWith("sys/") || file.startsWith("tls/")) continue;
    const text = readFileSync(join(source, file), "utf8");
    assert.doesNotMatch(text, /(?:from |require\(|import\()"koffi"/, `src/${file}`);
  }
});

test("http knows nothing of descriptors, sys nothing of http", () => {
  for (const file of files) {
    const text = readFileSync(join(source, file), "utf8");
    if (file.startsWith("http/")) assert.doesNotMatch(text, /\.descriptor\b|sys\/posix/, `src/${file}`);
    if (file.startsWith("sys/")) assert.doesNotMatch(text, /http\//i, `src/${file}`);
  }
});
