// A proxy as Node's own http makes one: it forwards, makes tunnels, and refuses the name "refused.test".
// It prints each request that it gets.
import { request as ask, createServer } from "node:http";
import { connect } from "node:net";

const log = (request) =>
  console.log(JSON.stringify([request.method, request.url, request.headers, request.socket.remotePort]));
const server = createServer((request, response) => {
  log(request);
  const { method, headers } = request;
  request.pipe(
    ask(request.url, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    }),
  );
});
server.on("connect", (request, socket) => {
  log(request);
  if (request.url.startsWith("refused.test:"))
    return socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\nno");
  const [host, port] = request.url.split(":");
  const server = connect(port, host, () => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    server.pipe(socket);
    socket.pipe(server);
  });
  for (const end of [socket, server]) end.on("error", () => {});
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
