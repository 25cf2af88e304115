// A node:tls server for each case of the file process.argv[2], on a port of its own; it sends "hello" to each client.
import { readFileSync } from "node:fs";
import tls from "node:tls";

const ports = [];
for (const { cert, key, minVersion, maxVersion, ciphers } of JSON.parse(
  readFileSync(process.argv[2], "utf8"),
)) {
  // A server may show whatever it likes: nothing of its own certificate is to be refused here.
  const options = {
    cert,
    key,
    minVersion,
    maxVersion,
    ciphers: ciphers ?? `${tls.DEFAULT_CIPHERS}:@SECLEVEL=0`,
  };
  const server = tls.createServer(options, (socket) => socket.on("error", () => {}).end("hello"));
  server.on("tlsClientError", () => {});
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  ports.push(server.address().port);
}
console.log(JSON.stringify(ports));
