// npm run docs
// Makes the reference site from the docstrings and the guides, into build/docs. TypeDoc needs TypeScript 6, which
// stands beside the compiler that the project uses, in a folder of its own.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { GROUPS } from "./docs/groups.js";
import { PAGE_GROUPS, writePages } from "./docs/pages.js";

const tools = resolve("build/docs-tools");
const typedoc = join(tools, "node_modules/typedoc/bin/typedoc");

if (!existsSync(typedoc)) {
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, "package.json"), '{ "private": true }\n');
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", tools];
  execFileSync("npm", ["install", ...options, "typedoc@0.28.20", "typescript@6.0.3"], { stdio: "inherit" });
}
const pages = writePages("build/docs-pages").flatMap((file) => ["--projectDocuments", file]);
const order = ["Modules", "Namespaces", ...PAGE_GROUPS, ...GROUPS, "Classes", "Functions", "*"];
const groups = order.flatMap((group) => ["--groupOrder", group]);
// A warning is an error (typedoc.json), and TypeDoc has told it.
const { status } = spawnSync(process.execPath, [typedoc, ...groups, ...pages, ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exitCode = status ?? 1;
