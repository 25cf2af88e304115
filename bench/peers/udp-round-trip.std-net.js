import { UdpSocket } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const socket = expect(UdpSocket.bind("127.0.0.1:0"));
const server = `127.0.0.1:${port}`;
const message = Buffer.alloc(64, 1);

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    expect(socket.send_to(message, server));
    const [bytes, from] = expect(socket.recv_from(64));
    if (bytes.length !== 64 || from !== server) throw new Error("not the echo");
  }
});
