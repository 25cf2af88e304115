import { http } from "std-net";
import { PartialFile, strongEtag } from "./partial-file.ts";
import { type Progress, sizeText } from "./progress.ts";
import { type ContentRange, contentRangeOf, headOf } from "./response-head.ts";
import { withRemedy } from "./tls-files.ts";

export interface Download {
  readonly request: http.OpenRequest;
  readonly file: string;
  /** Whether what an earlier download has left is continued. */
  readonly resume: boolean;
  /** Whether the response's head is saved before the body. */
  readonly include: boolean;
  /** Whether a status of 400 or more is a failure. */
  readonly fail: boolean;
}

/** How a download ended: what to say on standard error, if anything. */
export interface Outcome {
  readonly isComplete: boolean;
  readonly message: string | null;
}

const complete = (message: string | null = null): Outcome => ({ isComplete: true, message });
const failed = (message: string): Outcome => ({ isComplete: false, message });

/** Set by who wants a download to stop. */
export interface Stop {
  isWanted: boolean;
}

/**
 * Saves the body of a response in a file: piece by piece, in constant memory. What has come of a body that breaks off stays, and the
 * message says how to go on.
 */
export async function save(download: Download, progress: Progress, stop: Stop): Promise<Outcome> {
  const file = new PartialFile(download.file);
  const left = download.resume ? file.existing() : { size: 0, etag: null };
  if (typeof left === "string") return failed(left);
  let { size, etag } = left;
  for (;;) {
    const request = size === 0 ? download.request : withRange(download.request, size, etag);
    const opened = http.open(request);
    if (opened.isErr) {
      await turn();
      if (stop.isWanted) return failed(`interrupted${size > 0 ? `; ${download.file} is as it was` : ""}`);
      return failed(withRemedy(opened.error));
    }
    using body = opened.value.body;
    const plan = planFor(download, opened.value, size);
    if (!("start" in plan)) {
      if (plan.isComplete) file.forgetEtag();
      return plan;
    }
    const problem = file.open(plan.start, strongEtag(opened.value.headers["etag"]));
    if (problem !== null) return failed(problem);
    const error = await copy(body, file, plan, progress, stop);
    const isWhole = error === null && (plan.total === null || file.size >= plan.total);
    file.close(isWhole);
    if (error !== null) return failed(interrupted(error, file, plan.total));
    if (isWhole) return complete(plan.note);
    // A server may send a part of what was asked for (RFC 9110, 15.3.7): the next request is for the rest.
    if (file.size === size) return failed(interrupted("the server sends no more", file, plan.total));
    ({ size } = file);
    etag ??= strongEtag(opened.value.headers["etag"]);
  }
}

/** Where the body goes, and what is known of it. */
interface Plan {
  /** The place of its first byte in the file. */
  readonly start: number;
  /** How many bytes this body has; null where it is not known. */
  readonly length: number | null;
  /** How many bytes the whole file will have; null where it is not known. */
  readonly total: number | null;
  /** What is written before the body; null for nothing. */
  readonly head: Buffer | null;
  /** What to say in the end. */
  readonly note: string | null;
}

function planFor(download: Download, response: http.OpenResponse, size: number): Plan | Outcome {
  const { status, headers } = response;
  const { file, resume, fail } = download;
  if (fail && status >= 400) return failed(`the response's status is ${status}`);
  if (size > 0 && status === 206) return continuation(file, response, size);
  if (size > 0 && status === 416) return alreadyThere(file, contentRangeOf(headers["content-range"]), size);
  if (resume && status !== 200) {
    const unchanged = size > 0 ? `, and ${file} is as it was` : "";
    return failed(`the response's status is ${status}${unchanged}${redirectRemedy(status)}`);
  }
  const head = download.include ? headOf(response) : null;
  // (A response to HEAD has the Content-Length of a body that does not come.)
  const isBodiless = download.request.method === "HEAD";
  const length = isBodiless ? 0 : lengthOf(headers["content-length"]);
  const total = length === null ? null : length + (head?.length ?? 0);
  const note = status < 300 ? null : `the response's status is ${status}${redirectRemedy(status)}`;
  return { start: 0, length, total, head, note };
}

/** Content-Length. The library has checked what it needs of it; where it does not count, it can be anything. */
function lengthOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

function redirectRemedy(status: number): string {
  return status >= 300 && status < 400 && status !== 304 ? ": -L follows redirects" : "";
}

function continuation(file: string, response: http.OpenResponse, size: number): Plan | Outcome {
  const range = contentRangeOf(response.headers["content-range"]);
  if (range?.first !== size) {
    const sent = response.headers["content-range"] ?? "none that it names";
    return failed(
      `the server was asked for the bytes from ${size} on, and sent others (${sent}): without --resume the download begins anew`,
    );
  }
  const isCoded = response.raw_headers?.some(
    ([name, value]) => name.toLowerCase() === "content-encoding" && value.toLowerCase() !== "identity",
  );
  if (isCoded) {
    return failed(`the server compresses what is left of ${file}: without --resume the download begins anew`);
  }
  return { start: size, length: range.last! - size + 1, total: range.total, head: null, note: null };
}

/** 416: there is nothing behind the bytes that are there. */
function alreadyThere(file: string, range: ContentRange | null, size: number): Outcome {
  const total = range?.total ?? null;
  if (total === size) return complete(`${file} is complete (${sizeText(size)})`);
  if (total === null) return complete(`${file} is complete, because the server has no bytes behind ${size}`);
  return failed(
    `${file} has ${size} bytes and the server's file ${total}: without --resume the download begins anew`,
  );
}

function withRange(request: http.OpenRequest, size: number, etag: string | null): http.OpenRequest {
  const headers: { [name: string]: string } = { ...request.headers, range: `bytes=${size}-` };
  // Where the server's file is another one by now, it sends all of that with 200.
  if (etag !== null) headers["if-range"] = etag;
  return { ...request, headers };
}

/** Copies the body into the file. Returns the text of an error, or null. */
async function copy(
  body: http.BodyReader,
  file: PartialFile,
  plan: Plan,
  progress: Progress,
  stop: Stop,
): Promise<string | null> {
  progress.begin(plan.total, plan.start);
  try {
    const problem = plan.head === null ? null : file.write(plan.head);
    return problem ?? (await copyPieces(body, file, plan.length, progress, stop));
  } finally {
    progress.update(file.size);
    progress.end();
  }
}

async function copyPieces(
  body: http.BodyReader,
  file: PartialFile,
  length: number | null,
  progress: Progress,
  stop: Stop,
): Promise<string | null> {
  let room = length ?? Number.POSITIVE_INFINITY;
  let turnAt = performance.now() + TURN;
  for (;;) {
    const count = body.read_into(piece);
    if (count.isErr) {
      await turn();
      return stop.isWanted ? "interrupted" : count.error;
    }
    if (count.value === 0) return null;
    // (Without Content-Length, in chunks, a part of a file can be longer than Content-Range says.)
    room -= count.value;
    if (room < 0) return "the server sent more bytes than it had announced";
    const problem = file.write(piece.subarray(0, count.value));
    if (problem !== null) return problem;
    const now = performance.now();
    if (now < turnAt) continue;
    progress.update(file.size);
    await turn();
    if (stop.isWanted) return "interrupted";
    turnAt = now + TURN;
  }
}

const piece = Buffer.alloc(256 * 1024);
/** After so many milliseconds the event loop gets its turn, and with it the listeners of signals. */
const TURN = 100;

/** A turn of the event loop in which it has looked for signals. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function interrupted(error: string, file: PartialFile, total: number | null): string {
  const size = total === null ? `${file.size} bytes` : `${file.size} of ${total} bytes`;
  return `${error}; ${file.path} has ${size}: the same command with --resume goes on`;
}
