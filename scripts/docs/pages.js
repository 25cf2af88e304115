// The pages of the reference site beside those that TypeDoc makes of the code: copies of the guides with a title each, and a page for
// each example. In the copies every link leads to a page, not to a file that a browser would show raw.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";

/** The groups of the navigation, in their order. */
export const PAGE_GROUPS = ["Guides", "Project", "Examples"];

const GUIDES = [
  ...[
    "blocking",
    "recipes",
    "errors",
    "options",
    "tls",
    "performance",
    "typescript",
    "platforms",
    "from",
    "guests",
    "mux",
  ],
  "inside",
];
const PROJECT = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "bench/results.md"];

/** How the name of a program ends that is shown as a page. */
const PROGRAM = /\.(?:ts|py)$/;

/**
 * Writes the pages into a folder.
 *
 * @param {string} folder
 * @returns {string[]} their files, in the order of the navigation
 */
export function writePages(folder) {
  rmSync(folder, { recursive: true, force: true });
  const guides = readdirSync("docs").filter((name) => name.endsWith(".md"));
  const known = GUIDES.map((name) => `${name}.md`);
  // A new guide that nobody has put in its place comes last.
  const ordered = [
    ...known.filter((name) => guides.includes(name)),
    ...guides.filter((name) => !known.includes(name)),
  ];
  const programs = readdirSync("examples", { recursive: true, encoding: "utf8" }).filter((name) =>
    PROGRAM.test(name),
  );
  const files = [
    ...ordered.map((name) =>
      page(folder, `docs/${name}`, "Guides", readFileSync(join("docs", name), "utf8")),
    ),
    ...PROJECT.map((name) => page(folder, name, "Project", readFileSync(name, "utf8"))),
    page(folder, "examples/README.md", "Examples", readFileSync("examples/README.md", "utf8")),
    ...programs.map((name) => {
      const code = readFileSync(join("examples", name), "utf8");
      const text = `# ${name}\n\n\`\`\`${extname(name) === ".py" ? "python" : "ts"}\n${code}\`\`\`\n`;
      return page(folder, `examples/${name.replace(PROGRAM, ".md")}`, "Examples", text);
    }),
  ];
  cpSync("docs/pictures", join(folder, "docs/pictures"), { recursive: true });
  cpSync("bench/results.svg", join(folder, "bench/results.svg"));
  return files;
}

/**
 * @param {string} folder
 * @param {string} name
 * @param {string} group
 * @param {string} text
 */
function page(folder, name, group, text) {
  const file = join(folder, name);
  mkdirSync(dirname(file), { recursive: true });
  const heading = /^# (.*)\n/m.exec(text)?.[1];
  const body = text.replaceAll(/(\]\([\w./-]*[\w-])\.(?:ts|py)\)/g, "$1.md)");
  const top = heading === undefined ? `# ${TITLES[name] ?? name}\n\n` : "";
  writeFileSync(
    file,
    `---\ntitle: ${JSON.stringify(TITLES[name] ?? heading ?? name)}\ngroup: ${group}\n---\n\n${top}${body}`,
  );
  return file;
}

/** @type {Record<string, string>} */
const TITLES = {
  "README.md": "About std-net",
  "bench/results.md": "Benchmark: results and targets",
  "CONTRIBUTING.md": "Contributing",
  "SECURITY.md": "Security",
};
