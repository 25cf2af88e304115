// One thread, many connections: each that has sent a request gets its response.
import { http, Poller, TcpListener } from "std-net";
import { announce, expect } from "./commands.js";

const listener = expect(TcpListener.bind("127.0.0.1:0"));
const poller = expect(Poller.create());
expect(poller.add(listener, { readable: true }));
announce(expect(listener.local_addr()));

for (;;) {
  for (const { socket } of expect(poller.wait(null))) {
    if (socket === listener) {
      expect(poller.add(expect(listener.accept()), { readable: true }));
      continue;
    }
    const request = http.read_request(socket);
    const response = request.andThen(() =>
      http.write_response(socket, {
        status: 200,
        headers: { connection: "keep-alive" },
        body: { id: 42, name: "std-net", ok: true, tags: ["tcp", "udp", "http"] },
      }),
    );
    if (response.isErr) {
      poller.remove(socket);
      socket.close();
    }
  }
}
