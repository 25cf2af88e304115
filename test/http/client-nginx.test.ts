// http.request and nginx: what the web is made of.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as net from "std-net";
import { err, ok, type Peer, startPeer } from "../support/peer.ts";

const skip = spawnSync("nginx", ["-v"]).error !== undefined && "nginx is not installed";
const files = mkdtempSync(join(tmpdir(), "std-net-nginx-"));
const socketPath = join(files, "nginx.sock");
const url = "http://nginx.test";
let nginx: Peer | undefined;

before(async () => {
  if (skip !== false) return;
  mkdirSync(join(files, "site"));
  writeFileSync(
    join(files, "site", "data.json"),
    JSON.stringify(Array.from({ length: 1000 }, (_, id) => ({ id }))),
  );
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${join(files, name)};`,
  );
  // On a Unix socket, so that no port has to be found for it.
  writeFileSync(
    join(files, "nginx.conf"),
    `daemon off; master_process off; pid ${join(files, "pid")}; error_log stderr crit;
    events {}
    http {
      access_log off; ${paths.join(" ")}
      gzip on; gzip_types application/json; gzip_min_length 0; gzip_http_version 1.0;
      types { application/json json; }
      keepalive_timeout 2 2;
      server {
        listen unix:${socketPath};
        root ${join(files, "site")};
        client_max_body_size 1m;
        location /connection { default_type application/json; return 200 '{"connection":$connection,"request":$connection_requests}'; }
        location /moved { return 301 /data.json; }
        location /close { keepalive_timeout 0; return 204; }
        location /teapot { return 418 "short and stout"; }
      }
    }`,
  );
  nginx = startPeer("nginx", ["-p", files, "-c", join(files, "nginx.conf")]);
  for (let tries = 0; tries < 200; tries++) {
    if (request("/connection").isOk) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error("nginx does not answer");
});

after(async () => {
  await nginx?.[Symbol.asyncDispose]();
  rmSync(files, { recursive: true });
});

function request(path: string, more: object = {}) {
  return net.http.request({ method: "GET", url: url + path, socket_path: socketPath, ...more });
}

test("a kept connection", { skip }, () => {
  const seen = Array.from(
    { length: 20 },
    () => ok(request("/connection")).body as { connection: number; request: number },
  );
  assert.equal(new Set(seen.map(({ connection }) => connection)).size, 1);
  assert.equal(seen[19]!.request - seen[0]!.request, 19);
});

test("a compressed file in chunks", { skip }, () => {
  const answer = ok(request("/data.json", { raw_headers: true }));
  assert.ok(
    answer.raw_headers?.some(([name, value]) => /^content-encoding$/i.test(name) && value === "gzip"),
  );
  assert.equal((answer.body as object[]).length, 1000);
  const plain = ok(request("/data.json", { headers: { "Accept-Encoding": "identity" } }));
  assert.deepEqual(plain.body, answer.body);
});

test("HEAD, a redirect, 304, 404, 204 with close, any status", { skip }, () => {
  assert.equal(ok(request("/data.json", { method: "HEAD" })).body, null);
  assert.equal((ok(request("/moved")).body as object[]).length, 1000);
  const { etag } = ok(request("/data.json", { headers: { "Accept-Encoding": "identity" } })).headers;
  const unchanged = ok(request("/data.json", { headers: { "If-None-Match": etag! } }));
  assert.equal(unchanged.status, 304);
  assert.equal(unchanged.body, null);
  assert.equal(ok(request("/none")).status, 404);
  assert.equal(ok(request("/close")).status, 204);
  const teapot = ok(request("/teapot"));
  assert.deepEqual([teapot.status, teapot.body], [418, "short and stout"]);
});

test("a body that is too large for nginx gets a 413 response", { skip }, () => {
  const answer = ok(request("/data.json", { method: "POST", body_text: "x".repeat(20_000_000) }));
  assert.equal(answer.status, 413);
});

test("nginx closes the connection when its time is over: replaced unseen", { skip }, () => {
  const first = ok(request("/connection")).body as { connection: number };
  // Longer than keepalive_timeout, and than what the client allows itself of it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2300);
  const second = ok(request("/connection", { method: "POST" })).body as { connection: number };
  assert.notEqual(second.connection, first.connection);
});

test("what nginx does not read is an error of the client's making, not a hang", { skip }, () => {
  const answer = request("/", { headers: { "X-Large": "x".repeat(100_000) } });
  if (answer.isOk) assert.equal(answer.value.status, 400);
  else assert.match(err(answer), /^http request failed: /);
});
