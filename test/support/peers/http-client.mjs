// Requests of node:http on one connection, some with a body in pieces, and then one of fetch.
import http from "node:http";

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const send = (path, method, pieces) =>
  new Promise((resolve, reject) => {
    const request = http
      .request(process.argv[2] + path, { agent, method }, (response) => {
        let text = "";
        response
          .setEncoding("utf8")
          .on("data", (piece) => {
            text += piece;
          })
          .on("end", () => resolve([response.statusCode, text]));
      })
      .on("error", reject);
    for (const piece of pieces) request.write(piece);
    request.end();
  });
const out = [];
out.push(await send("/a", "GET", []));
out.push(await send("/b", "POST", ['{"x":', "[1,", "2]}"]));
out.push(await send("/c", "HEAD", []));
out.push(await send("/d", "PATCH", ["plain"]));
agent.destroy();
const response = await fetch(`${process.argv[2]}/e`, {
  method: "PUT",
  body: "[5]",
  headers: { connection: "close" },
});
out.push([response.status, await response.text()]);
console.log(JSON.stringify(out));
process.exit(0);
