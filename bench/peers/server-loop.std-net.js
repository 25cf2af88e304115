// One thread, one connection at a time, for as long as the client keeps it.
import { http, TcpListener } from "std-net";
import { announce, expect } from "./commands.js";

const listener = expect(TcpListener.bind("127.0.0.1:0"));
announce(expect(listener.local_addr()));

for (;;) {
  const stream = expect(listener.accept());
  for (;;) {
    const request = http.read_request(stream);
    if (request.isErr) break;
    const connection = request.value.headers.connection === "close" ? "close" : "keep-alive";
    const written = http.write_response(stream, {
      status: 200,
      headers: { connection },
      body: { id: 42, name: "std-net", ok: true, tags: ["tcp", "udp", "http"] },
    });
    if (written.isErr || connection === "close") break;
  }
  stream.close();
}
