// How node:tls judges each server of the file process.argv[2]: null for a connection, or its error.
import { readFileSync } from "node:fs";
import tls from "node:tls";

const { ca, clients } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const verdicts = [];
for (const { port, name } of clients) {
  verdicts.push(
    await new Promise((resolve) => {
      const isAddress = /^[0-9.]+$|:/.test(name);
      const options = {
        host: isAddress ? name : "127.0.0.1",
        ...(isAddress ? {} : { servername: name }),
        port,
        ca,
      };
      const lookup = {
        host: "127.0.0.1",
        checkServerIdentity: (_, cert) => tls.checkServerIdentity(name, cert),
      };
      const socket = tls.connect({ ...options, ...lookup }, () => {
        resolve(null);
        socket.destroy();
      });
      socket.on("error", (error) => resolve(String(error.code ?? error.message)));
    }),
  );
}
console.log(JSON.stringify(verdicts));
