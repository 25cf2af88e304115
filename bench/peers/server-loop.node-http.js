import { createServer } from "node:http";

const server = createServer((_request, response) => {
  const text = JSON.stringify({ id: 42, name: "std-net", ok: true, tags: ["tcp", "udp", "http"] });
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
  });
  response.end(text);
});
server.listen(0, "127.0.0.1", () => console.log(`listening ${server.address().port}`));
