import { failing, passing } from "./cases.mjs";

// `expect` and `test` are Jest's globals.
for (const [name, run] of Object.entries(passing)) test(name, () => run(expect));
for (const [name, { run }] of Object.entries(failing)) test(name, () => run(expect));
