import { TcpStream } from "std-net";
import { expect, length_of, port, take_commands } from "./commands.js";

const stream = expect(TcpStream.connect(`127.0.0.1:${port}`));
const piece = Buffer.alloc(65536);

take_commands((count) => {
  expect(stream.write(length_of(count * piece.length)));
  for (let i = 0; i < count; i++) {
    let sent = expect(stream.write(piece));
    while (sent < piece.length) sent += expect(stream.write(piece.subarray(sent)));
  }
  expect(stream.read(1));
});
