import { TcpStream } from "std-net";
import { expect, length_of, port, take_commands } from "./commands.js";

const stream = expect(TcpStream.connect(`127.0.0.1:${port}`));

take_commands((count) => {
  let left = count * 65536;
  expect(stream.write(length_of(left)));
  while (left > 0) left -= expect(stream.read(65536)).length;
});
