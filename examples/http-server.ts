// An HTTP JSON server on all cores: worker threads that all serve one listener, each many clients at once. The kernel gives each
// connection to one of them. Ctrl-C lets every request that is under way finish.
//   npm run example http-server [ADDRESS] [WORKERS]
//   curl http://127.0.0.1:8080/hello
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { isMainThread, threadId, Worker, workerData } from "node:worker_threads";
import { http, TcpListener } from "std-net";

interface Job {
  readonly fd: number;
  /** Its first element is 1 once the workers are to stop. */
  readonly stop: Int32Array;
}

if (isMainThread) await main();
else serve(workerData as Job);

async function main(): Promise<void> {
  const [address = "127.0.0.1:8080", count = availableParallelism()] = process.argv.slice(2);
  const listener = TcpListener.bind(address).unwrap();
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const workers = Array.from({ length: Number(count) }, () => {
    // A descriptor is a number, and belongs to the process: each worker gets one of its own.
    const job: Job = { fd: listener.try_clone().unwrap().into_fd().unwrap(), stop };
    return new Worker(new URL(import.meta.url), { workerData: job });
  });
  await Promise.all(workers.map((worker) => once(worker, "online")));
  console.log(`${workers.length} workers listen on http://${listener.local_addr().unwrap()}`);
  listener.close();

  // This thread never blocks, so its event loop can wait for Ctrl-C.
  const exits = workers.map((worker) => once(worker, "exit"));
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  Atomics.store(stop, 0, 1);
  await Promise.all(exits);
  console.log("all workers have finished");
  process.exit();
}

function serve({ fd, stop }: Job): void {
  const listener = TcpListener.from_fd(fd).unwrap();
  http.serve(listener, respond, { stop }).unwrap();
}

function respond({ method, path, body }: http.ServerRequest): http.ServerResponse {
  return { status: 200, body: { method, path, body, worker: threadId } };
}
