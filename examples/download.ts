// Downloads a file of any size to disk, in constant memory and with a progress bar. A download that was interrupted, by Ctrl-C or by
// the network, goes on where it was (RFC 9110, 14.2: Range).
//   npm run example download URL [FILE]
import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { basename } from "node:path";
import { SingleBar } from "cli-progress";
import { http } from "std-net";

const [url, file = basename(new URL(url ?? "http://x/download").pathname)] = process.argv.slice(2);
if (url === undefined || file === "") {
  console.error("usage: npm run example download URL [FILE]");
  process.exit(2);
}
const part = `${file}.part`;
/** Which version of the file the part belongs to: of another one nothing may be put behind it. */
const versionFile = `${file}.version`;

function download(address: string): string {
  const version = existsSync(part) && existsSync(versionFile) ? readFileSync(versionFile, "utf8") : "";
  const have = version === "" ? 0 : statSync(part).size;
  // The bytes as they lie on the server: a range of compressed data would be a range of something else.
  const headers: { [name: string]: string } = { "accept-encoding": "identity" };
  if (have > 0) Object.assign(headers, { range: `bytes=${have}-`, "if-range": version });
  const response = http.open({ method: "GET", url: address, headers, read_timeout_ms: 30_000 }).unwrap();
  using body = response.body;

  const range = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers["content-range"] ?? "");
  // All of it was there already.
  if (response.status === 416 && Number(range?.[2]) === have) return finish(have);
  const resumes = response.status === 206 && Number(range?.[1]) === have;
  if (!resumes && response.status !== 200) throw new Error(`the server responds with ${response.status}`);
  // A weak validator (W/"...") does not tell that every byte is the same (RFC 9110, 13.1.5).
  const etag = response.headers.etag ?? "";
  if (!resumes) writeFileSync(versionFile, etag.startsWith('"') ? etag : "");

  let size = resumes ? have : 0;
  const total = size + Number(response.headers["content-length"] ?? 0);
  if (resumes) console.log(`goes on at byte ${have}`);
  const bar = new SingleBar({ format: "{bar} {percentage}% | {value} of {total} bytes | {eta_formatted}" });
  bar.start(total, size);
  const target = openSync(part, resumes ? "a" : "w");
  const buffer = Buffer.allocUnsafe(256 * 1024);
  try {
    for (;;) {
      const count = body.read_into(buffer).unwrap();
      if (count === 0) break;
      for (let written = 0; written < count; ) written += writeSync(target, buffer, written, count - written);
      size += count;
      bar.update(size);
    }
  } finally {
    bar.stop();
    closeSync(target);
  }
  return finish(size);
}

function finish(size: number): string {
  renameSync(part, file);
  rmSync(versionFile, { force: true });
  return `${file}: ${size} bytes`;
}

try {
  console.log(download(url));
} catch (error) {
  console.error(`${(error as Error).message}\nrun it again to go on`);
  process.exitCode = 1;
}
