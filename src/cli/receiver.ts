import { parentPort, Worker, workerData } from "node:worker_threads";
import { TcpStream, UdpSocket } from "std-net";
import { writeOut } from "./output.ts";
import { type DownloadsTask, downloadInWorker } from "./parallel-downloads.ts";
import { type Report, relay, type TlsTask } from "./tls-relay.ts";

/*
 * Two directions at once. The event loop of the main thread reads standard input and sends it. A worker thread blocks in
 * `read` and prints what the peer sends. The two share the socket: the worker has a second descriptor of it.
 */

/** What the worker thread has to do. */
export type Task = { readonly kind: "tcp" | "udp"; readonly descriptor: number } | TlsTask;

export function startReceiver(task: Task): Worker {
  return new Worker(new URL(import.meta.url), { workerData: task });
}

/** What the worker thread runs. */
export function receive(): void {
  const task = workerData as Task | DownloadsTask;
  if (task.kind === "downloads") downloadInWorker();
  else parentPort!.postMessage(reportOf(task));
}

function reportOf(task: Task): Report {
  if (task.kind === "tls") return relay(task);
  return task.kind === "tcp" ? receiveStream(task.descriptor) : receiveDatagrams(task.descriptor);
}

function receiveStream(descriptor: number): Report {
  const stream = TcpStream.from_fd(descriptor);
  if (stream.isErr) return { error: stream.error };
  for (;;) {
    const bytes = stream.value.read(64 * 1024);
    if (bytes.isErr) return { error: bytes.error };
    if (bytes.value.length === 0) return { error: null };
    const end = print(bytes.value);
    if (end === undefined) continue;
    // The main thread may be blocked in a write, because the peer waits until somebody reads what it sends.
    stream.value.shutdown("both");
    return end;
  }
}

function receiveDatagrams(descriptor: number): Report {
  const socket = UdpSocket.from_fd(descriptor);
  if (socket.isErr) return { error: socket.error };
  for (;;) {
    const bytes = socket.value.recv(64 * 1024);
    if (bytes.isErr) return { error: bytes.error };
    const end = print(bytes.value);
    if (end !== undefined) return end;
    parentPort!.postMessage({ error: null } satisfies Report);
  }
}

/** Writes to standard output from this thread. Returns a report when nothing more can be written. */
function print(bytes: Buffer): Report | undefined {
  const end = writeOut(bytes);
  if (end === null) return undefined;
  return end === "closed" ? { error: null, nobodyReads: true } : { error: end.error };
}
