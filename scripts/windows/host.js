// Lets tests under Wine use programs of Linux (python3, openssl, curl) as peers: Wine's sockets are Linux' own, so they can talk to
// each other, but Wine cannot start them. The test starts guest.mjs in their place, and that asks here, over one TCP
// connection for each program.
//
// The first line is JSON: { command, args, cwd, env }. After it come frames in both directions: type 1, length 4 (big-endian), bytes.
// Types: 0 standard input (empty: its end), 1 standard output, 2 standard error, 3 the end (JSON: { code, signal, error }).
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Starts the server on loopback; gives its port and what closes it. The key keeps other users' programs out.
 *
 * @param {string} key
 */
export async function startHost(key) {
  const server = createServer({ noDelay: true }, (socket) => serve(socket, key));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { port, close: () => server.close() };
}

/**
 * @param {import("node:net").Socket} socket
 * @param {string} key
 */
function serve(socket, key) {
  /** @type {import("node:child_process").ChildProcessWithoutNullStreams | undefined} */
  let child;
  let bytes = Buffer.alloc(0);
  /**
   * @param {number} type
   * @param {Buffer} content
   */
  const send = (type, content) => {
    const head = Buffer.alloc(5);
    head[0] = type;
    head.writeUInt32BE(content.length, 1);
    if (!socket.destroyed) socket.write(Buffer.concat([head, content]));
  };
  /** @param {{ command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv }} request */
  const start = (request) => {
    const started = spawn(request.command, request.args, {
      cwd: request.cwd,
      env: { ...process.env, ...request.env },
      stdio: "pipe",
    });
    child = started;
    started.stdin.on("error", () => {});
    started.stdout.on("data", (content) => send(1, content));
    started.stderr.on("data", (content) => send(2, content));
    /** @param {{ code: number | null, signal: string | null, error?: string }} result */
    const end = (result) => {
      send(3, Buffer.from(JSON.stringify(result)));
      socket.end();
    };
    started.on("error", (error) => end({ code: 127, signal: null, error: error.message }));
    started.on("close", (code, signal) => end({ code, signal }));
  };
  const next = () => {
    if (child === undefined) {
      const end = bytes.indexOf(10);
      if (end < 0) return;
      const request = JSON.parse(bytes.toString("utf8", 0, end));
      bytes = bytes.subarray(end + 1);
      if (request.key !== key) return void socket.destroy();
      start(request);
    }
    while (bytes.length >= 5 && bytes.length >= 5 + bytes.readUInt32BE(1)) {
      const content = bytes.subarray(5, 5 + bytes.readUInt32BE(1));
      bytes = bytes.subarray(5 + content.length);
      if (content.length === 0) child?.stdin.end();
      else child?.stdin.write(content);
    }
  };
  socket.on("data", (/** @type {Buffer} */ content) => {
    bytes = Buffer.concat([bytes, content]);
    next();
  });
  // The test has ended its peer, or itself.
  socket.on("error", () => {});
  socket.on("close", () => child?.kill("SIGKILL"));
}
