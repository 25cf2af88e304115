// NODE_DEBUG=std-net: a line for each call, and nothing secret in any of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { buildSync } from "esbuild";
import { root, startPeer } from "./support/peer.ts";

/** A conversation over TCP, UDP and HTTP in which every secret is the word "hush". */
const program = `
import { Worker } from "node:worker_threads";
import { once } from "node:events";
import { error_code, http, TcpListener, TcpStream, UdpSocket, UnixStream } from "std-net";

const listener = TcpListener.bind("127.0.0.1:0").value;
const client = TcpStream.connect(listener.local_addr().value).value;
const server = listener.accept().value;
client.write("hush");
client.write([104, 117, 115, 104]);
server.read(100);
client.write("POST /form?hush HTTP/1.1\\r\\nHost: a\\r\\nX-Key: hush\\r\\nContent-Length: 6\\r\\n\\r\\n\\"hush\\"");
http.read_request(server);
http.write_request(server, { method: "GET", url: "http://hush:hush@a/b?hush", headers: { hush: "hush" } });
http.read_response(client, { timeout_ms: 1 });
http.write_response(server, { status: 201, headers: { "set-cookie": "hush" }, body: "hush" });
const socket = UdpSocket.bind("127.0.0.1:0").value;
socket.send_to("hush", socket.local_addr().value);
socket.recv_from(2);
socket.close();
socket.recv_from(2);
http.request({
  method: "PUT",
  url: "http://hush:hush@127.0.0.1:1/path?hush#hush",
  headers: { authorization: "hush" },
  body: { hush: "hush" },
});
http.request({ method: "GET", url: "hush" });
const [near, far] = UnixStream.pair().value;
far.write("HTTP/1.1 200 OK\\r\\nContent-Encoding: hush\\r\\nContent-Length: 1\\r\\n\\r\\nx");
http.read_response(near);
`;

function run(debug: string) {
  return startPeer("node", ["--input-type=module", "-e", program], { NODE_DEBUG: debug });
}

test("each call prints its operation, addresses, sizes, result and microseconds", async () => {
  await using peer = run("std-net");
  const { code, stdout, stderr } = await peer.exit();
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "");
  const address = "127\\.0\\.0\\.1:\\d+";
  const lines = stderr.trimEnd().split("\n");
  const expected = [
    `TcpListener\\.bind\\("127\\.0\\.0\\.1:0"\\): TcpListener ${address}`,
    `TcpListener\\.local_addr\\(\\) on ${address}: ${address}`,
    `TcpStream\\.connect\\("${address}"\\): TcpStream ${address} -> ${address}`,
    `TcpListener\\.accept\\(\\) on ${address}: TcpStream ${address} -> ${address}`,
    `TcpStream\\.write\\(4 bytes\\) on ${address} -> ${address}: 4`,
    `TcpStream\\.write\\(4 bytes\\) on ${address} -> ${address}: 4`,
    `TcpStream\\.read\\(100\\) on ${address} -> ${address}: 8 bytes`,
    `TcpStream\\.write\\(\\d+ bytes\\) on ${address} -> ${address}: \\d+`,
    `http\\.read_request\\(TcpStream ${address} -> ${address}\\): POST /form`,
    `http\\.write_request\\(TcpStream ${address} -> ${address}, GET http://a/b\\): ok`,
    `http\\.read_response\\(TcpStream ${address} -> ${address}, options\\): error: invalid http response: .*`,
    `http\\.write_response\\(TcpStream ${address} -> ${address}, status 201\\): ok`,
    `UdpSocket\\.bind\\("127\\.0\\.0\\.1:0"\\): UdpSocket ${address}`,
    `UdpSocket\\.local_addr\\(\\) on ${address}: ${address}`,
    `UdpSocket\\.send_to\\(4 bytes, "${address}"\\) on ${address}: 4`,
    `UdpSocket\\.recv_from\\(2\\) on ${address}: 2 bytes from ${address}`,
    `UdpSocket\\.close\\(\\) on ${address}: done`,
    "UdpSocket\\.recv_from\\(2\\): error: invalid udp socket",
    "http\\.request\\(PUT http://127\\.0\\.0\\.1:1/path\\): error: http request failed: .* \\(os error \\d+\\)",
    "http\\.request\\(GET an invalid URL\\): error: 'url' is not a valid http or https URL",
    "UnixStream\\.pair\\(\\): 2 elements",
    "UnixStream\\.write\\(\\d+ bytes\\): \\d+",
    "http\\.read_response\\(UnixStream\\): error: unknown content coding",
  ];
  expected.forEach((pattern, index) => {
    assert.match(lines[index] ?? "", new RegExp(`^STD-NET \\d+: ${pattern}, \\d+ us$`));
  });
  assert.equal(lines.length, expected.length);
});

test("no line has data that was sent or received, a path, or a secret", async () => {
  await using peer = run("std-net");
  const { stderr } = await peer.exit();
  assert.doesNotMatch(stderr, /hush/i);
});

test("whatever a path, a name or a peer holds, a call is one line of printable characters", async () => {
  const script = `
    import { http, Poller, TcpListener, UnixListener, UnixStream } from "std-net";
    UnixListener.bind("\\0std-net-\\n\\x1b[2J\\u009b" + process.pid).value.incoming();
    const [near, far] = UnixStream.pair().value;
    near.write("GET http://hush:hush@a/b?c HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n");
    http.read_request(far);
    Poller.create().value.wait(0);
    http.request({ method: "G\\nT", url: "http://a/" });
  `;
  await using peer = startPeer("node", ["--input-type=module", "-e", script], { NODE_DEBUG: "std-net" });
  const { code, stderr } = await peer.exit();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^[ -~\n]*$/);
  assert.doesNotMatch(stderr, /hush/);
  const outcomes = [
    /^STD-NET \d+: UnixListener\.bind\(.*\): UnixListener \\x00std-net-\\x0a\\x1b\[2J\\x9b\d+, \d+ us$/,
    /UnixListener\.incoming\(\) on .*: an iterator, \d+ us$/,
    /UnixStream\.pair\(\): 2 elements, \d+ us$/,
    /UnixStream\.write\(\d+ bytes\): \d+, \d+ us$/,
    /http\.read_request\(UnixStream\): GET http:\/\/a\/b, \d+ us$/,
    /Poller\.create\(\): Poller, \d+ us$/,
    /Poller\.wait\(0\): 0 elements, \d+ us$/,
    /http\.request\(G\\x0aT http:\/\/a\/\): error: 'method' is not a valid method, \d+ us$/,
  ];
  const lines = stderr.trimEnd().split("\n");
  outcomes.forEach((pattern, index) => {
    assert.match(lines[index] ?? "", pattern);
  });
  assert.equal(lines.length, outcomes.length);
});

test("an argument that throws when it is looked at is an error result as without tracing", async () => {
  const hostile = `
import { http, Poller, TcpListener, TcpStream } from "std-net";
const listener = TcpListener.bind("127.0.0.1:0").value;
const client = TcpStream.connect(listener.local_addr().value).value;
const revoked = Proxy.revocable([], {});
revoked.revoke();
console.log(client.write(revoked.proxy).error);
console.log(client.read_into(new Proxy(new Uint8Array(4), {})).error);
console.log(Poller.create().value.add(client, { get constructor() { throw 1; }, readable: 1 }).error);
console.log(http.request({ get method() { throw 1; } }).error);`;
  await using peer = startPeer(process.execPath, ["--input-type=module", "-e", hostile], {
    NODE_DEBUG: "std-net",
  });
  const { stdout, stderr } = await peer.exit();
  assert.match(
    stdout,
    /^expected list of ints\nexpected Uint8Array\nexpected bool\nrequest cannot be read: 1\n$/,
  );
  assert.match(stderr, /TcpStream\.write\(what cannot be looked at\) on/);
});

test("in a bundle whose names were made short, the classes keep theirs", async () => {
  const contents = `
    import { TcpListener } from "std-net";
    const listener = TcpListener.bind("127.0.0.1:0").value;
    listener.close();
    console.log(listener);`;
  const [bundle] = buildSync({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    write: false,
    platform: "node",
    format: "esm",
    external: ["koffi"],
    tsconfigRaw: {},
  }).outputFiles;
  await using peer = startPeer("node", ["--input-type=module", "-"], { NODE_DEBUG: "std-net" });
  peer.process.stdin?.end(bundle!.text);
  const { stdout, stderr } = await peer.exit();
  assert.equal(stdout, "TcpListener (closed)\n");
  assert.match(
    stderr,
    /^STD-NET \d+: TcpListener\.bind\(.*: TcpListener 127.*\nSTD-NET \d+: TcpListener\.close\(\)/,
  );
});

test("without NODE_DEBUG=std-net nothing is printed", async () => {
  await using peer = run("http,net");
  const { stderr } = await peer.exit();
  assert.doesNotMatch(stderr, /STD-NET/);
});
