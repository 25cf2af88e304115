// A server without manners: it does with each request what the request's path says. raw-server.ts tells the steps.
import { createServer } from "node:net";

let connections = 0;
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const connection = ++connections;
  let exchange = 0,
    buffer = Buffer.alloc(0),
    busy = false;
  socket.on("error", () => {});
  socket.on("end", () => {
    if (!busy) socket.end();
  });
  socket.on("data", (data) => {
    buffer = Buffer.concat([buffer, data]);
    next();
  });
  async function next() {
    if (busy) return;
    const end = buffer.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = buffer.toString("latin1", 0, end);
    const steps = JSON.parse(
      Buffer.from(/^\S+ \S*?\/script\/([\w-]*)/.exec(head)[1], "base64url").toString(),
    );
    const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
    const early = steps[0] === "<early>";
    if (!early && buffer.length < end + 4 + length) return;
    const request = buffer.subarray(0, early ? buffer.length : end + 4 + length);
    buffer = buffer.subarray(request.length);
    busy = true;
    exchange++;
    const filled = (text) =>
      Buffer.from(
        text
          .replaceAll("{connection}", connection)
          .replaceAll("{exchange}", exchange)
          .replaceAll("{request}", request.toString("base64")),
        "latin1",
      );
    const send = (bytes) => new Promise((done) => (socket.destroyed ? done() : socket.write(bytes, done)));
    const todo = [...steps];
    while (todo.length > 0) {
      const step = todo.shift();
      if (typeof step === "number") await new Promise((done) => setTimeout(done, step));
      else if (step === "<early>") continue;
      else if (step === "<end>") socket.end();
      else if (step === "<reset>") socket.resetAndDestroy();
      else if (step === "<deaf>") socket.pause();
      else if (typeof step === "string") await send(filled(step));
      else if (step.first !== undefined) todo.unshift(...(exchange === 1 ? step.first : step.later));
      else if (step.slowly !== undefined)
        for (const byte of filled(step.slowly)) {
          await send(Buffer.of(byte));
          await new Promise((done) => setImmediate(done));
        }
      else while (!socket.destroyed) await send(Buffer.alloc(65536, step.flood));
    }
    busy = false;
    next();
  }
});
server.listen(0, "0.0.0.0", () => console.log(server.address().port));
