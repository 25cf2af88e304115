// Which ports of a host are open: a connection to each, given up after a time.
//   npm run example probe HOST PORT|FIRST-LAST [...] [--timeout=MS]
//   npm run example probe localhost 22 80 8000-8010 --timeout=500
import { parseArgs } from "node:util";
import { error_code, is_timeout, TcpStream } from "std-net";

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { timeout: { type: "string", default: "1000" } },
});
const [host, ...ranges] = positionals;
if (host === undefined || ranges.length === 0) {
  console.error("usage: npm run example probe HOST PORT|FIRST-LAST [...] [--timeout=MS]");
  process.exit(2);
}

let open = 0;
for (const range of ranges) {
  const [first, last = first] = range.split("-").map(Number);
  for (let port = first ?? 0; port <= (last ?? 0); port++) {
    const begun = performance.now();
    const verdict = probe(`${host}:${port}`);
    console.log(`${host}:${port}  ${verdict}  (${(performance.now() - begun).toFixed(1)} ms)`);
    if (verdict === "open") open++;
  }
}
process.exitCode = open > 0 ? 0 : 1;

function probe(address: string): string {
  return TcpStream.connect_timeout(address, Number(values.timeout)).match({
    Ok: (stream) => {
      stream.close();
      return "open";
    },
    Err: (error) => {
      if (error_code(error) === "ECONNREFUSED") return "closed";
      return is_timeout(error) ? "no response" : error;
    },
  });
}
