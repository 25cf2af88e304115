import { TcpStream } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const server = `127.0.0.1:${port}`;
const byte = Buffer.alloc(1, 1);

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    const stream = expect(TcpStream.connect(server));
    expect(stream.write(byte));
    expect(stream.read(1));
    stream.close();
  }
});
