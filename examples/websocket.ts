// A WebSocket client (RFC 6455): it sends texts and prints what comes back.
//   npm run example websocket URL TEXT ...
//   npm run example websocket ws://127.0.0.1:8080/ hello
import { createHash, randomBytes } from "node:crypto";
import { type ByteStream, http } from "std-net";

const TEXT = 1;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const LONGEST = 16 * 1024 * 1024;

class WebSocketClient {
  readonly #stream: ByteStream;

  constructor(url: string) {
    const key = randomBytes(16).toString("base64");
    const { status, headers, body } = http
      .open({
        method: "GET",
        url: url.replace(/^ws/, "http"),
        headers: {
          connection: "Upgrade",
          upgrade: "websocket",
          "sec-websocket-version": "13",
          "sec-websocket-key": key,
        },
      })
      .unwrap();
    // RFC 6455, 4.2.2: it shows that the server has understood, and is no cache.
    const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    if (status !== 101 || headers["sec-websocket-accept"] !== accept) {
      body.close();
      throw new Error(`no WebSocket: the server responds with ${status}`);
    }
    this.#stream = body.into_stream().unwrap();
  }

  send(text: string): void {
    this.#sendFrame(TEXT, Buffer.from(text));
  }

  /** The next message; null when the server has closed. */
  receive(): string | null {
    const fragments: Buffer[] = [];
    for (let size = 0; ; ) {
      const { opcode, isLast, payload } = this.#receiveFrame();
      if (opcode === PING) this.#sendFrame(PONG, payload);
      if (opcode === CLOSE) return null;
      if (opcode >= CLOSE) continue; // Control frames come between the fragments of a message.
      size += payload.length;
      if (size > LONGEST) throw new Error("the message is too long");
      fragments.push(payload);
      if (isLast) return Buffer.concat(fragments).toString();
    }
  }

  close(): void {
    this.#sendFrame(CLOSE, Buffer.from([0x03, 0xe8])); // 1000: a normal end
    while (this.receive() !== null);
    this.#stream.close();
  }

  /** RFC 6455, 5.2: a byte with FIN and the opcode, the length in one, three or nine bytes, the mask, the payload. */
  #sendFrame(opcode: number, payload: Buffer): void {
    const { length } = payload;
    const head = Buffer.alloc(length < 126 ? 2 : length < 65536 ? 4 : 10);
    head[0] = 0x80 | opcode;
    head[1] = 0x80 | (length < 126 ? length : length < 65536 ? 126 : 127);
    if (head.length === 4) head.writeUInt16BE(length, 2);
    if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
    const mask = randomBytes(4);
    const masked = payload.map((byte, index) => byte ^ mask[index & 3]!);
    this.#stream.write_all(Buffer.concat([head, mask, masked])).unwrap();
  }

  #receiveFrame(): { opcode: number; isLast: boolean; payload: Buffer } {
    const [first, second] = this.#stream.read_exact(2).unwrap() as unknown as [number, number];
    let length = second & 0x7f;
    if (length === 126) length = this.#stream.read_exact(2).unwrap().readUInt16BE();
    else if (length === 127) length = Number(this.#stream.read_exact(8).unwrap().readBigUInt64BE());
    if (second > 0x7f || length > LONGEST) throw new Error("not a frame of a server");
    const payload = length === 0 ? Buffer.alloc(0) : this.#stream.read_exact(length).unwrap();
    return { opcode: first & 0x0f, isLast: (first & 0x80) !== 0, payload };
  }
}

const [url = "ws://127.0.0.1:8080/", ...texts] = process.argv.slice(2);
try {
  const socket = new WebSocketClient(url);
  for (const text of texts) {
    socket.send(text);
    console.log(socket.receive());
  }
  socket.close();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
