// npm run docs
// Makes the reference site from the docstrings and the guides, into build/docs. TypeDoc needs TypeScript 6, which
// stands beside the compiler that the project uses, in a folder of its own.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const tools = resolve("build/docs-tools");
const typedoc = join(tools, "node_modules/typedoc/bin/typedoc");

if (!existsSync(typedoc)) {
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, "package.json"), '{ "private": true }\n');
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", tools];
  execFileSync("npm", ["install", ...options, "typedoc@0.28.20", "typescript@6.0.3"], { stdio: "inherit" });
}
execFileSync(process.execPath, [typedoc, ...process.argv.slice(2)], { stdio: "inherit" });
