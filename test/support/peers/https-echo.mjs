// An HTTPS server that answers with what it got: method, header fields, the client's name and port.
// /to/URL (base64url) redirects there. Arguments: the files of certificate, key, and the clients' CA.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const [cert, key, ca] = process.argv.slice(2).map((name) => readFileSync(name));
const server = createServer(
  { cert, key, ca, requestCert: true, rejectUnauthorized: false },
  (request, response) => {
    const to = /^\/to\/(.*)/.exec(request.url)?.[1];
    if (to !== undefined)
      return response.writeHead(307, { location: Buffer.from(to, "base64url").toString() }).end();
    const { method, headers, socket } = request;
    const client = socket.getPeerCertificate().subject?.CN ?? null;
    // Not before the body's end: who gets a response before that closes the connection.
    request.resume().on("end", () => {
      response.end(JSON.stringify({ method, headers, client, port: socket.remotePort }));
    });
  },
);
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
