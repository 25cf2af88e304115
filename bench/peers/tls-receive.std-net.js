import { readFileSync } from "node:fs";
import { TlsStream } from "std-net";
import { expect, length_of, port, take_commands } from "./commands.js";

const stream = expect(TlsStream.connect(`127.0.0.1:${port}`, { ca: readFileSync(process.argv[3], "utf8") }));

take_commands((count) => {
  let left = count * 65536;
  expect(stream.write(length_of(left)));
  while (left > 0) left -= expect(stream.read(65536)).length;
});
