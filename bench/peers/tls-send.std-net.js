import { readFileSync } from "node:fs";
import { TlsStream } from "std-net";
import { expect, length_of, port, take_commands } from "./commands.js";

const stream = expect(TlsStream.connect(`127.0.0.1:${port}`, { ca: readFileSync(process.argv[3], "utf8") }));
const piece = Buffer.alloc(65536);

take_commands((count) => {
  expect(stream.write(length_of(count * piece.length)));
  for (let i = 0; i < count; i++) {
    let sent = 0;
    while (sent < piece.length) sent += expect(stream.write(sent === 0 ? piece : piece.subarray(sent)));
  }
  expect(stream.read(1));
});
