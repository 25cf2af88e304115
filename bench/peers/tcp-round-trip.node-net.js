import { once } from "node:events";
import { connect } from "node:net";
import { port, take_commands } from "./commands.js";

const socket = connect({ port, host: "127.0.0.1", noDelay: true });
await once(socket, "connect");
const message = Buffer.alloc(64, 1);

take_commands(
  (count) =>
    new Promise((resolve) => {
      let have = 0;
      socket.on("data", function reply(bytes) {
        have += bytes.length;
        if (have < 64) return;
        have = 0;
        count -= 1;
        if (count > 0) {
          socket.write(message);
        } else {
          socket.off("data", reply);
          resolve();
        }
      });
      socket.write(message);
    }),
);
