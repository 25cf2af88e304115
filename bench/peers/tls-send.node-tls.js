import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { length_of, port, take_commands } from "./commands.js";

const socket = connect({ port, host: "127.0.0.1", ca: readFileSync(process.argv[3], "utf8") });
await once(socket, "secureConnect");
socket.setNoDelay(true);
const piece = Buffer.alloc(65536);

take_commands(async (count) => {
  const response = once(socket, "data");
  socket.write(length_of(count * piece.length));
  for (let i = 0; i < count; i++) {
    if (!socket.write(piece)) await once(socket, "drain");
  }
  await response;
});
