// node server-workers.std-net.js WORKERS: that many worker threads, all blocked in accept on one listener. A response
// is a list of 400 records, made anew for each request, so that the server works more than the load generator.
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { http, TcpListener } from "std-net";
import { announce, expect } from "./commands.js";

if (isMainThread) {
  const listener = expect(TcpListener.bind("127.0.0.1:0"));
  const workers = Array.from(
    { length: Number(process.argv[2]) },
    () =>
      new Worker(new URL(import.meta.url), { workerData: expect(expect(listener.try_clone()).into_fd()) }),
  );
  await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("online", resolve))));
  announce(expect(listener.local_addr()));
} else {
  const listener = expect(TcpListener.from_fd(workerData));
  for (const accepted of listener.incoming()) {
    const stream = expect(accepted);
    while (
      http.read_request(stream).andThen(() =>
        http.write_response(stream, {
          status: 200,
          headers: { connection: "keep-alive" },
          body: Array.from({ length: 400 }, (_, id) => ({
            id,
            name: `record ${id}`,
            ok: true,
            share: id / 400,
          })),
        }),
      ).isOk
    );
    stream.close();
  }
}
