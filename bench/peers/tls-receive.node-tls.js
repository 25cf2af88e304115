import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { length_of, port, take_commands } from "./commands.js";

const socket = connect({ port, host: "127.0.0.1", ca: readFileSync(process.argv[3], "utf8") });
await once(socket, "secureConnect");
socket.setNoDelay(true);

take_commands(
  (count) =>
    new Promise((resolve) => {
      let left = count * 65536;
      socket.on("data", function receive(bytes) {
        left -= bytes.length;
        if (left > 0) return;
        socket.off("data", receive);
        resolve();
      });
      socket.write(length_of(left));
    }),
);
