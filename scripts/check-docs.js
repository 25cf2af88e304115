// npm run check:docs
// Opens pages of the reference site (npm run docs) in headless Chromium: light, dark, and as narrow as a telephone. It looks for what must be
// there, for errors in the console, for text with too little contrast (axe-core, WCAG 2 AA), for pages that are wider than the
// window, and for dead links; and leaves pictures in build/docs-pictures, to be looked at.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Chromium, findChromium } from "./docs/chromium.js";
import { deadLinks, rawLinks } from "./docs/links.js";

const site = resolve("build/docs");
const pictures = resolve("build/docs-pictures");
const command = findChromium();
if (command === undefined) {
  console.error("check:docs needs Chromium, as the command chromium, chromium-browser or google-chrome");
  process.exit(2);
}
const made = spawnSync(process.execPath, ["scripts/docs.js"], { stdio: "inherit" });
if (made.status !== 0) process.exit(made.status ?? 1);
rmSync(pictures, { recursive: true, force: true });
mkdirSync(pictures, { recursive: true });

/**
 * What a reader must find, by page.
 *
 * @type {Record<string, string[]>}
 */
const pages = {
  "index.html": ["Blocking sockets and blocking HTTP", "What to look up where", "How to read a member"],
  "modules/std-net.html": ["TcpStream", "lookup_host"],
  "modules/std-net.http.html": ["request", "read_request"],
  "classes/std-net.TcpStream.html": [
    ...["set_read_timeout", "Blocks while the name is resolved", "connect_timeout"],
    ...["Connect", "Read", "Write", "Options", "Descriptors", "Errors", "Source"],
  ],
  "classes/std-net.UdpSocket.html": ["send_to", "recv_from"],
  "classes/std-net.Poller.html": ["wait"],
  "functions/std-net.http.request.html": ["http request failed", "Errors", "Source"],
  "functions/std-net.error_code.html": ["ECONNREFUSED"],
  "interfaces/std-net.http.ClientRequest.html": ["timeout_ms", "max_redirects"],
};
for (const name of readdirSync(join(site, "documents"))) pages[`documents/${name}`] = [];

/** `npm run check:docs -- TLS Options` looks at the pages with such a name only. */
const named = process.argv.slice(2);
const chosen = Object.entries(pages).filter(
  ([page]) => named.length === 0 || named.some((name) => page.includes(name)),
);

const views = [
  { view: "light", width: 1280, height: 1600, scheme: "light" },
  { view: "dark", width: 1280, height: 1600, scheme: "dark" },
  // The colours are those of the first view.
  { view: "narrow", width: 390, height: 844, scheme: "light", skipsContrast: true },
];

const chromium = new Chromium(command);
let failed = false;
try {
  await chromium.start();
  for (const [page, wanted] of chosen) {
    const problems = existsSync(join(site, page)) ? await lookAt(page, wanted) : ["there is no such page"];
    report(page, problems);
  }
} finally {
  await chromium.end();
}
report("links of all pages", [...deadLinks(site), ...rawLinks(site)]);
process.exitCode = failed ? 1 : 0;

/**
 * @param {string} what
 * @param {readonly string[]} problems
 */
function report(what, problems) {
  console.log(`${what}: ${problems.length === 0 ? "ok" : `\n  ${problems.join("\n  ")}`}`);
  if (problems.length > 0) failed = true;
}

/**
 * What is wrong with a page, in all views.
 *
 * @param {string} page
 * @param {readonly string[]} wanted
 */
async function lookAt(page, wanted) {
  /** @type {string[]} */
  const problems = [];
  for (const { view, width, height, scheme, skipsContrast = false } of views) {
    await chromium.send("Emulation.setDeviceMetricsOverride", {
      ...{ width, height, deviceScaleFactor: 1, mobile: false },
    });
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await chromium.send("Emulation.setEmulatedMedia", { features });
    await chromium.open(pathToFileURL(join(site, page)).href);
    const text = await chromium.evaluate(
      "new Promise((done) => setTimeout(() => done(document.body.innerText), 100))",
    );
    for (const words of wanted) if (!text.includes(words)) problems.push(`${view}: "${words}" is not on it`);
    for (const problem of chromium.problems) problems.push(`${view}: console: ${problem}`);
    for (const problem of await pageProblems(scheme, skipsContrast)) problems.push(`${view}: ${problem}`);
    const { data } = await chromium.send("Page.captureScreenshot", { format: "png" });
    writeFileSync(join(pictures, `${basename(page, ".html")}-${view}.png`), Buffer.from(data, "base64"));
  }
  return problems;
}

/**
 * What the page itself knows to be wrong.
 *
 * @param {string} scheme
 * @param {boolean} skipsContrast
 * @returns {Promise<string[]>}
 */
async function pageProblems(scheme, skipsContrast) {
  if (!skipsContrast) await chromium.evaluate(readFileSync("node_modules/axe-core/axe.min.js", "utf8"));
  return chromium.evaluate(`(async () => {
    const problems = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) problems.push("wider than the window: " + scrollWidth + " of " + clientWidth);
    const titles = document.querySelectorAll("h1").length;
    if (titles !== 1) problems.push(titles + " titles");
    for (const image of document.images) {
      if (image.complete && image.naturalWidth === 0) problems.push("no picture at " + image.getAttribute("src"));
    }
    const [red, green, blue] = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
    if ((red + green + blue < 384) !== ${scheme === "dark"}) problems.push("the background is not ${scheme}");
    if (${skipsContrast}) return problems;
    const { violations } = await axe.run(document, { runOnly: ["color-contrast"], resultTypes: ["violations"] });
    for (const { nodes } of violations) {
      for (const { target, any } of nodes.slice(0, 5)) {
        const { fgColor, bgColor, contrastRatio } = any[0].data;
        problems.push("contrast " + contrastRatio + " (" + fgColor + " on " + bgColor + "): " + target.join(" "));
      }
      if (nodes.length > 5) problems.push("contrast: " + (nodes.length - 5) + " more");
    }
    return problems;
  })()`);
}
