// An HTTP JSON server on all cores: worker threads that all block in `accept` on one listener. The kernel gives each
// connection to one of them. Ctrl-C lets every request that is under way finish.
//   npm run example http-server [ADDRESS] [WORKERS]
//   curl http://127.0.0.1:8080/hello
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { isMainThread, threadId, Worker, workerData } from "node:worker_threads";
import { http, is_timeout, TcpListener, type TcpStream } from "std-net";

interface Job {
  readonly fd: number;
  /** 1 once the workers are to stop. */
  readonly stopping: Int32Array;
}

if (isMainThread) await main();
else serve(workerData as Job);

async function main(): Promise<void> {
  const [address = "127.0.0.1:8080", count = availableParallelism()] = process.argv.slice(2);
  const listener = TcpListener.bind(address).unwrap();
  const stopping = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: Number(count) }, () => {
    // A descriptor is a number, and belongs to the process: each worker gets one of its own.
    const job: Job = { fd: listener.try_clone().unwrap().into_fd().unwrap(), stopping };
    return new Worker(new URL(import.meta.url), { workerData: job });
  });
  await Promise.all(workers.map((worker) => once(worker, "online")));
  console.log(`${workers.length} workers listen on http://${listener.local_addr().unwrap()}`);
  listener.close();

  // This thread never blocks, so its event loop can wait for Ctrl-C.
  const exits = workers.map((worker) => once(worker, "exit"));
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  Atomics.store(stopping, 0, 1);
  await Promise.all(exits);
  console.log("all workers have finished");
  process.exit();
}

function serve({ fd, stopping }: Job): void {
  const listener = TcpListener.from_fd(fd).unwrap();
  // Now and then `accept` comes back without a connection, to see whether it is time to go.
  listener.set_accept_timeout(200);
  while (Atomics.load(stopping, 0) === 0) {
    const accepted = listener.accept();
    if (accepted.isOk) respond(accepted.value);
    else if (!is_timeout(accepted.error)) console.error(accepted.error);
  }
  listener.close();
}

function respond(stream: TcpStream): void {
  // A client that is slow must not keep the worker from the others.
  const request = http.read_request(stream, { timeout_ms: 2000 });
  stream.set_write_timeout(2000);
  if (request.isErr) {
    refuse(stream, request.error);
  } else {
    const { method, path, body } = request.value;
    http.write_response(stream, { status: 200, body: { method, path, body, worker: threadId } });
  }
  stream.close();
}

/**
 * Tells the client why, and hears it out: to close with bytes unread resets the connection, and the response is lost.
 * But for two seconds and 16 MiB at most, since the other clients wait.
 */
function refuse(stream: TcpStream, error: string): void {
  const status = error === "request body too large" ? 413 : error === "http headers too large" ? 431 : 400;
  if (http.write_response(stream, { status, body: { error } }).isErr) return;
  stream.shutdown("write");
  const end = performance.now() + 2000;
  for (let left = 16 * 1024 * 1024; left > 0; ) {
    const time = end - performance.now();
    if (time <= 0) break;
    stream.set_read_timeout(time);
    const bytes = stream.read(64 * 1024);
    if (bytes.isErr || bytes.value.length === 0) break;
    left -= bytes.value.length;
  }
}
