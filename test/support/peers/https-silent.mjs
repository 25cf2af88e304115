// An HTTPS server that answers with the request's method, and never for /silent. Arguments: the files of certificate and key.

import { readFileSync } from "node:fs";
import { createServer } from "node:https";

const [cert, key] = process.argv.slice(2).map((path) => readFileSync(path));
const server = createServer({ cert, key }, (request, response) => {
  if (request.url !== "/silent") response.end(`"${request.method}"`);
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
