// The handshake of a client and of a server with a peer that is silent. Arguments: the files of certificate and key.

import { readFileSync } from "node:fs";
import * as net from "std-net";

const listener = net.TcpListener.bind("127.0.0.1:0").value;
for (const handshake of [
  (stream) => net.TlsStream.client(stream, "server.test", { insecure: true }),
  (stream) =>
    net.TlsStream.server(stream, { cert: readFileSync(process.argv[2]), key: readFileSync(process.argv[3]) }),
]) {
  const stream = net.TcpStream.connect(listener.local_addr().value).value;
  stream.set_read_timeout(200);
  const begun = performance.now();
  const { error } = handshake(stream);
  const took = performance.now() - begun;
  console.log(error, took >= 190 && took < 3000, stream.read(1).error);
}
