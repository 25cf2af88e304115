// A Python program, unmodified, on std-net's sockets: CPython in WebAssembly (Pyodide) with a network.
//   npm run example python FILE.py [ARGUMENT ...]
// Pyodide alone has no sockets: WebAssembly cannot wait for them, and Node's cannot be waited for. std-net's calls block and return, so
// Python's own http.client, smtplib and socketserver work.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { loadPyodide } from "pyodide";
import * as std_net from "std-net";

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  console.error("usage: npm run example python FILE.py [ARGUMENT ...]");
  process.exit(2);
}
const program = readFileSync(file, "utf8");
const python = await loadPyodide({
  args: [file, ...args],
  env: { HOME: "/home/pyodide", PYTHONUNBUFFERED: "1" },
  // (By itself Pyodide looks for its files where a stack trace says that it is, which source maps change.)
  indexURL: dirname(createRequire(import.meta.url).resolve("pyodide")),
});
// The 200 lines that make std-net's classes the sockets of Python.
python.registerJsModule("std_net", { ...std_net, plain_bytes: plainBytes });
python.runPython(readFileSync("examples/guests/sockets.py", "utf8"), { filename: "sockets.py" });
python.globals.get("sys").argv = python.toPy([file, ...args]);
try {
  python.runPython(program, {
    filename: file,
    globals: python.toPy({ __name__: "__main__", __file__: file }),
  });
} catch (error) {
  console.error(error instanceof Error ? error.message.trimEnd() : error);
  process.exitCode = 1;
}

/** Pyodide takes a Uint8Array, but no Buffer. Of `recv_from` the sender comes with it. */
function plainBytes(result: std_net.Result<Buffer | [Buffer, string], string>): unknown {
  const plain = ({ buffer, byteOffset, length }: Buffer) => new Uint8Array(buffer, byteOffset, length);
  return result.map((value) => (Array.isArray(value) ? [plain(value[0]), value[1]] : plain(value)));
}
