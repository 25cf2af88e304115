// Servers that the guides' examples talk to.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import type { Server } from "node:net";
import type { Duplex, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Identity } from "./certificates.ts";

/** Agrees to a WebSocket, and sends the client's frame back, which has less than 126 bytes. Without a key there is none. */
export function acceptWebSocket(key: string | undefined, socket: Duplex): void {
  if (key === undefined) {
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return;
  }
  const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      `Sec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  socket.on("error", () => {});
  let received = Buffer.alloc(0);
  socket.on("data", (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    const length = (received[1] ?? 0) & 0x7f;
    if (received.length < 6 + length) return;
    const mask = received.subarray(2, 6);
    const payload = received.subarray(6, 6 + length).map((byte, index) => byte ^ mask[index % 4]!);
    socket.end(Buffer.concat([Buffer.from([received[0]!, length]), payload]));
  });
}

/** The npm package smtp-server, which has no types. */
interface SmtpServer {
  readonly server: Server;
}

/** A mail server that wants STARTTLS before the password, and writes each mail to `mails` with who sent it and how. */
export function smtpServer({ cert, key }: Identity, mails: string[]): Server {
  interface Session {
    readonly user: string;
    readonly tlsOptions: false | { readonly version: string };
  }
  type Done = (error: Error | null, response?: { user: string }) => void;
  const { SMTPServer } = createRequire(import.meta.url)("smtp-server") as {
    SMTPServer: new (options: object) => SmtpServer;
  };
  return new SMTPServer({
    ...{ cert, key, allowInsecureAuth: false, disableReverseLookup: true },
    onAuth({ username, password }: { username: string; password: string }, _: Session, done: Done) {
      if (password === "s3cret") done(null, { user: username });
      else done(new Error("wrong password"));
    },
    onData(mail: Readable, { user, tlsOptions }: Session, done: Done) {
      text(mail).then((all) => {
        mails.push(`${user} over ${tlsOptions === false ? "nothing" : tlsOptions.version}: ${all}`);
        done(null);
      }, done);
    },
  }).server;
}
