// The core of the library as plain programs, for runtimes that cannot run the tests themselves:
//   RUNTIME test/runtimes/core.mjs            the names of the checks
//   RUNTIME test/runtimes/core.mjs NAME       one check; exit status 0 when it passes
import { checks as http } from "./http.mjs";
import { checks as processes } from "./processes.mjs";
import { checks as sockets } from "./sockets.mjs";

const checks = { ...sockets, ...http, ...processes };

const name = process.argv[2];
if (name === undefined) {
  console.log(Object.keys(checks).join("\n"));
} else {
  await checks[name]();
  process.exit(0);
}
