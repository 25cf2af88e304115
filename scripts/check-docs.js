// npm run check:docs
// Opens pages of the reference site (npm run docs) in headless Chromium, looks for what must be there and for errors in
// the console, and leaves a picture of each in build/docs-pictures, to be looked at.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const site = resolve("build/docs");
const pictures = resolve("build/docs-pictures");
const chromium = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
);
if (chromium === undefined) {
  console.error("check:docs needs Chromium, as the command chromium, chromium-browser or google-chrome");
  process.exit(2);
}
execFileSync(process.execPath, ["scripts/docs.js"], { stdio: "inherit" });
rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });

/**
 * What a reader must find, by page.
 *
 * @type {Record<string, string[]>}
 */
const pages = {
  "index.html": ["Blocking sockets and blocking HTTP", "Is it for me?"],
  "classes/std-net.TcpStream.html": [
    "set_read_timeout",
    "Blocks while the name is resolved",
    "connect_timeout",
  ],
  "classes/std-net.UdpSocket.html": ["send_to", "recv_from"],
  "classes/std-net.Poller.html": ["wait"],
  "functions/std-net.http.request.html": ["http request failed"],
  "functions/std-net.error_code.html": ["ECONNREFUSED"],
  "interfaces/std-net.http.ClientRequest.html": ["timeout_ms", "max_redirects"],
};
for (const name of readdirSync(join(site, "documents"))) pages[`documents/${name}`] = [];

const profile = mkdtempSync(join(tmpdir(), "std-net-chromium-"));
let failed = false;
for (const [page, wanted] of Object.entries(pages)) {
  const problems = existsSync(join(site, page)) ? look(page, wanted) : ["there is no such page"];
  console.log(`${page}: ${problems.length === 0 ? "ok" : problems.join("; ")}`);
  if (problems.length > 0) failed = true;
}
rmSync(profile, { recursive: true, force: true });
const dead = deadLinks();
console.log(`links of all pages: ${dead.length === 0 ? "ok" : `dead: ${dead.join(", ")}`}`);
if (dead.length > 0) failed = true;
process.exitCode = failed ? 1 : 0;

/** The links within the site that lead to no file, or to no place in it. */
function deadLinks() {
  /** @type {Map<string, string>} */
  const texts = new Map();
  const textOf = (/** @type {string} */ file) => {
    const text = texts.get(file) ?? readFileSync(file, "utf8");
    texts.set(file, text);
    return text;
  };
  /** @type {Set<string>} */
  const found = new Set();
  const pages = readdirSync(site, { recursive: true, encoding: "utf8" });
  for (const page of pages.filter((name) => name.endsWith(".html"))) {
    for (const [, link] of textOf(join(site, page)).matchAll(/<a[^>]* href="(?!\w+:|#")([^"]+)"/g)) {
      const [path, anchor] = link.split("#");
      const file = path === "" ? join(site, page) : resolve(site, page, "..", decodeURI(path));
      const leads =
        existsSync(file) &&
        (anchor === undefined || !file.endsWith(".html") || textOf(file).includes(`id="${anchor}"`));
      if (!leads) found.add(`${page} -> ${link}`);
    }
  }
  return [...found];
}

/**
 * What is wrong with a page.
 *
 * @param {string} page
 * @param {readonly string[]} wanted
 */
function look(page, wanted) {
  if (chromium === undefined) return ["there is no Chromium"];
  const flags = [
    ...[
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--hide-scrollbars",
    ],
    ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
    ...[
      "--allow-file-access-from-files",
      "--enable-logging=stderr",
      "--window-size=1280,1600",
      `--user-data-dir=${profile}`,
    ],
  ];
  const url = pathToFileURL(join(site, page)).href;
  const picture = join(pictures, `${basename(page, ".html")}.png`);
  const options = { encoding: /** @type {const} */ ("utf8"), timeout: 60_000, maxBuffer: 64 * 1024 * 1024 };
  const dump = spawnSync(chromium, [...flags, "--dump-dom", url], options);
  spawnSync(chromium, [...flags, `--screenshot=${picture}`, url], options);
  const problems = wanted
    .filter((text) => !dump.stdout.includes(text))
    .map((text) => `"${text}" is not on it`);
  for (const [, text] of dump.stderr.matchAll(/:ERROR:CONSOLE[^"]*"(.*)"/g))
    problems.push(`console: ${text}`);
  for (const [, source] of dump.stdout.matchAll(/<img[^>]* src="([^"]+)"/g)) {
    const file = resolve(site, page, "..", decodeURI(source));
    if (!source.startsWith("http") && !existsSync(file)) problems.push(`the picture ${source} is missing`);
  }
  if (!existsSync(picture)) problems.push("no picture could be made");
  return problems;
}
