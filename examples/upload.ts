// Uploads a file of any size, in constant memory.
//   npm run example upload FILE URL
//   npm run example upload - URL        from standard input, whose length nobody knows: in chunks
import { fstatSync, openSync, readSync } from "node:fs";
import { http } from "std-net";

const [path, url] = process.argv.slice(2);
if (path === undefined || url === undefined) {
  console.error("usage: npm run example upload FILE URL");
  process.exit(2);
}

/** Piece after piece of a file. Each is sent before the next one is read, so one buffer is enough. */
function* pieces(file: number): Generator<Uint8Array> {
  const buffer = Buffer.allocUnsafe(256 * 1024);
  for (let count = readSync(file, buffer); count > 0; count = readSync(file, buffer)) {
    yield buffer.subarray(0, count);
  }
}

const file = path === "-" ? 0 : openSync(path, "r");
const about = fstatSync(file);
const response = http.request({
  method: "PUT",
  url,
  headers: { "content-type": "application/octet-stream" },
  body_parts: pieces(file),
  // With the length that is known the server sees at once whether it is too large, and whether all of it has come.
  ...(about.isFile() && { body_length: about.size }),
  timeout_ms: null,
  decode_body: "text",
});
if (response.isErr) {
  console.error(response.error);
  process.exitCode = 1;
} else {
  const { status, body } = response.value;
  console.log(`${status} ${body ?? ""}`.trim());
  if (status >= 300) process.exitCode = 1;
}
