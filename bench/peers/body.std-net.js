import { http } from "std-net";
import { expect, port, take_commands } from "./commands.js";

// The path that is asked for, and the bytes that come of it.
const [path, length, size] = process.argv.slice(3);
const url = `http://127.0.0.1:${port}${path}`;
const buffer = Buffer.alloc(Number(size ?? 65536));

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    const { body } = expect(http.open({ method: "GET", url }));
    let total = 0;
    for (let got = expect(body.read_into(buffer)); got > 0; got = expect(body.read_into(buffer)))
      total += got;
    if (total !== Number(length)) throw new Error(`${total} bytes`);
  }
});
