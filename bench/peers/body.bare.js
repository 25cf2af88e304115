// The same bytes off a bare TcpStream: nothing of HTTP but a request and the end of the response's head.
import { TcpStream } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const [path, length, size] = process.argv.slice(3);
const buffer = Buffer.alloc(Number(size ?? 65536));
const stream = expect(TcpStream.connect(`127.0.0.1:${port}`));

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    expect(stream.write_all(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
    expect(stream.read_until("\r\n\r\n"));
    let left = Number(length);
    while (left > 0) left -= expect(stream.read_into(buffer));
  }
});
