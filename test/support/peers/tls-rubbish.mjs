import { randomBytes } from "node:crypto";
import rawNet from "node:net";

// Sends the head of a handshake or alert record and random bytes after it, or random bytes alone.
const server = rawNet.createServer((socket) => {
  socket.on("error", () => {});
  socket.once("data", () => {
    const size = Math.floor(Math.random() * 300);
    const head = Buffer.from([20 + Math.floor(Math.random() * 5), 3, 3, size >> 8, size & 255]);
    socket.end(Math.random() < 0.8 ? Buffer.concat([head, randomBytes(size)]) : randomBytes(size + 1));
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
