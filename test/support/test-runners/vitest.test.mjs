import { expect, test } from "vitest";
import { failing, passing } from "./cases.mjs";

for (const [name, run] of Object.entries(passing)) test(name, () => run(expect));
for (const [name, { run }] of Object.entries(failing)) test(name, () => run(expect));
