// A server without manners, in a child process: what it sends is what the request's own path asks for.
import { type Peer, startPeer } from "./peer.ts";

/**
 * What the server does with a request, step after step:
 * a string is sent as it is (one byte for each character; `{connection}`, `{exchange}` and `{request}` stand for the number
 * of the connection, the request's number on it, and the request as it came, in base64); a number is a wait in milliseconds;
 * `slowly` sends byte by byte, `flood` without end; `<end>` ends the stream, `<reset>` resets the connection, after `<deaf>` nothing
 * is read any more; `<early>` does not wait for the body. `first` is for a connection's first request, `later` for the others.
 */
export type Step =
  | "<early>"
  | "<end>"
  | "<reset>"
  | "<deaf>"
  | string
  | number
  | { slowly: string }
  | { flood: string }
  | { first: Step[]; later: Step[] };

const program = `
import { createServer } from "node:net";
let connections = 0;
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const connection = ++connections;
  let exchange = 0, buffer = Buffer.alloc(0), busy = false;
  socket.on("error", () => {});
  socket.on("end", () => { if (!busy) socket.end(); });
  socket.on("data", (data) => { buffer = Buffer.concat([buffer, data]); next(); });
  async function next() {
    if (busy) return;
    const end = buffer.indexOf("\\r\\n\\r\\n");
    if (end < 0) return;
    const head = buffer.toString("latin1", 0, end);
    const steps = JSON.parse(Buffer.from(/^\\S+ \\S*?\\/script\\/([\\w-]*)/.exec(head)[1], "base64url").toString());
    const length = Number(/^content-length: (\\d+)/im.exec(head)?.[1] ?? 0);
    const early = steps[0] === "<early>";
    if (!early && buffer.length < end + 4 + length) return;
    const request = buffer.subarray(0, early ? buffer.length : end + 4 + length);
    buffer = buffer.subarray(request.length);
    busy = true;
    exchange++;
    const filled = (text) => Buffer.from(text.replaceAll("{connection}", connection).replaceAll("{exchange}", exchange)
      .replaceAll("{request}", request.toString("base64")), "latin1");
    const send = (bytes) => new Promise((done) => socket.destroyed ? done() : socket.write(bytes, done));
    const todo = [...steps];
    for (let step; (step = todo.shift()) !== undefined; ) {
      if (typeof step === "number") await new Promise((done) => setTimeout(done, step));
      else if (step === "<early>") continue;
      else if (step === "<end>") socket.end();
      else if (step === "<reset>") socket.resetAndDestroy();
      else if (step === "<deaf>") socket.pause();
      else if (typeof step === "string") await send(filled(step));
      else if (step.first !== undefined) todo.unshift(...(exchange === 1 ? step.first : step.later));
      else if (step.slowly !== undefined) for (const byte of filled(step.slowly)) {
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
`;

export interface RawServer {
  readonly port: string;
  /** The URL under which the server does this. */
  url(...steps: Step[]): string;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function rawServer(): Promise<RawServer> {
  const peer: Peer = startPeer(process.execPath, ["--input-type=module", "-e", program]);
  const port = await peer.line();
  return {
    port,
    url: (...steps) =>
      `http://127.0.0.1:${port}/script/${Buffer.from(JSON.stringify(steps)).toString("base64url")}`,
    [Symbol.asyncDispose]: () => peer[Symbol.asyncDispose](),
  };
}
