// What the core checks share. Plain JavaScript, for every runtime.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import * as net from "std-net";

export const ok = (result) => {
  assert.ok(result.isOk, `error result: ${result.isErr ? result.error : ""}`);
  return result.value;
};

export const err = (result) => {
  assert.ok(result.isErr, "an error result was expected");
  return result.error;
};

/** A Python program; gives what it prints first. */
export async function python(program, ...args) {
  const child = spawn("python3", ["-u", "-c", `import socket, sys, time\n${program}`, ...args]);
  child.stderr.on("data", (text) => process.stderr.write(text));
  let line = "";
  while (!line.endsWith("\n")) line += (await once(child.stdout, "data"))[0];
  return { child, line: line.trim() };
}

export function worker(code, workerData) {
  return new Worker(`const { parentPort, workerData } = require("node:worker_threads");\n${code}`, {
    eval: true,
    workerData,
  });
}

/** A process of the same runtime that runs this program. */
export function runtime(program, environment = {}) {
  const flags =
    process.versions.deno !== undefined
      ? ["eval"]
      : process.versions.bun !== undefined
        ? ["-e"]
        : ["--input-type=module", "-e"];
  const child = spawn(process.execPath, [...flags, program], { env: { ...process.env, ...environment } });
  if (environment.NODE_DEBUG === undefined) child.stderr.pipe(process.stderr);
  return child;
}

export const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

export const listening = () => ok(net.TcpListener.bind("127.0.0.1:0"));

export function tcpPair() {
  const listener = listening();
  const client = ok(net.TcpStream.connect(ok(listener.local_addr())));
  const server = ok(listener.accept());
  listener.close();
  return [client, server];
}

export async function terminate(thread) {
  const begin = performance.now();
  await thread.terminate();
  assert.ok(performance.now() - begin < 1000, `terminate took ${performance.now() - begin} ms`);
}

/** An HTTPS server in Python, with a certificate of its own; prints its port and the certificate's file. */
export function secureServer() {
  return python(
    "import ssl, subprocess, tempfile, os, threading\n" +
      "d = tempfile.mkdtemp(); k = d + '/key.pem'; c = d + '/cert.pem'\n" +
      "subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', k,\n" +
      "  '-out', c, '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], check=True, stderr=subprocess.DEVNULL)\n" +
      "x = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); x.load_cert_chain(c, k)\n" +
      "s = socket.create_server(('', 0), family=socket.AF_INET6, dualstack_ipv6=True); print(s.getsockname()[1], c)\n" +
      "def serve(p):\n" +
      "  try:\n" +
      "    t = x.wrap_socket(p, server_side=True); t.recv(4096)\n" +
      "    t.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\nConnection: close\\r\\n\\r\\nsecure'); t.unwrap()\n" +
      "  except OSError: pass\n" +
      "while True:\n" +
      "  p, _ = s.accept(); threading.Thread(target=serve, args=(p,), daemon=True).start()",
  );
}
