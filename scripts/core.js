// npm run test:core [-- RUNTIME [SECONDS [TRIES]]]
// Runs the core checks on the runtime that is named: "bun", "deno", "node" or a path; this process's Node when none is. Each may take so
// many seconds, 30 by default, and has so many tries, 1 by default.
import { basename } from "node:path";
import { runCore, runtimeFlags } from "./core-checks.js";

const runtime = process.argv[2] ?? process.execPath;
const kind = /bun/.test(basename(runtime)) ? "bun" : /deno/.test(basename(runtime)) ? "deno" : "node";

const { passed, failed } = await runCore(
  runtime,
  runtimeFlags[kind],
  (name, failure) => console.log(failure === null ? `ok      ${name}` : `FAILED  ${name}: ${failure}`),
  Number(process.argv[3] ?? 30) * 1000,
  Number(process.argv[4] ?? 1),
);
console.log(`${passed} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
