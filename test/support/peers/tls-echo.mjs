// A node:tls server that sends back what it gets. Arguments: the files of certificate and key.
import { readFileSync } from "node:fs";
import tls from "node:tls";

const [cert, key] = process.argv.slice(2).map((path) => readFileSync(path));
const server = tls.createServer({ cert, key }, (socket) => {
  // Else the data waits behind the tickets until the client's delayed acknowledgement.
  socket
    .setNoDelay(true)
    .on("error", () => {})
    .pipe(socket);
});
server.on("tlsClientError", () => {});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
