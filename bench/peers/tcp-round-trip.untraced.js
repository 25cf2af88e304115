import { TcpStream } from "../../build/untraced/index.js";
import { expect, port, take_commands } from "./commands.js";

const stream = expect(TcpStream.connect(`127.0.0.1:${port}`));
const message = Buffer.alloc(64, 1);

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    expect(stream.write(message));
    for (let have = 0; have < 64; ) have += expect(stream.read(64 - have)).length;
  }
});
