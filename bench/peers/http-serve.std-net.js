// node http-serve.std-net.js [WORKERS]: http.serve in the main thread, or in that many worker threads on one listener. An answer is a
// small object; of workers, a list of 400 records, made anew for each request, so that the server works more than the load generator.
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { http, TcpListener } from "std-net";
import { announce, expect } from "./commands.js";

const small = () => ({
  status: 200,
  body: { id: 42, name: "std-net", ok: true, tags: ["tcp", "udp", "http"] },
});
const large = () => ({
  status: 200,
  body: Array.from({ length: 400 }, (_, id) => ({ id, name: `record ${id}`, ok: true, share: id / 400 })),
});
const count = Number(process.argv[2] ?? 0);

if (!isMainThread) {
  http.serve(expect(TcpListener.from_fd(workerData)), large);
} else {
  const listener = expect(TcpListener.bind("127.0.0.1:0"));
  const workers = Array.from(
    { length: count },
    () =>
      new Worker(new URL(import.meta.url), { workerData: expect(expect(listener.try_clone()).into_fd()) }),
  );
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("online", resolve))));
  announce(expect(listener.local_addr()));
  if (count === 0) http.serve(listener, small);
}
