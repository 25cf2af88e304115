// Connects with node:tls, and again with the session of the first connection. Arguments: port, the file of the CA.

import { readFileSync } from "node:fs";
import tls from "node:tls";

const connect = (session) =>
  new Promise((resolve) => {
    let ticket;
    const options = {
      host: "127.0.0.1",
      port: process.argv[2],
      ca: readFileSync(process.argv[3]),
      servername: "server.test",
      session,
    };
    const socket = tls.connect(options, () => console.log("reused", socket.isSessionReused()));
    socket.on("session", (session) => {
      ticket = session;
    });
    socket.on("data", (data) => console.log(String(data)));
    socket.on("close", () => resolve(ticket));
  });
await connect(await connect());
