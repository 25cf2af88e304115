// The links of a site in a folder.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/**
 * Each link of a page to a place within the site, with the page's name.
 *
 * @param {string} site
 * @returns {{ page: string, link: string }[]}
 */
function linksOf(site) {
  const pages = readdirSync(site, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".html"),
  );
  return pages.flatMap((page) =>
    [...readFileSync(join(site, page), "utf8").matchAll(/<a[^>]* href="(?!\w+:)([^"]+)"/g)].map(
      ([, link = ""]) => ({
        page,
        link,
      }),
    ),
  );
}

/**
 * The links that lead to no file, or to no place in it.
 *
 * @param {string} site
 */
export function deadLinks(site) {
  /** @type {Map<string, string>} */
  const texts = new Map();
  const textOf = (/** @type {string} */ file) => {
    const text = texts.get(file) ?? readFileSync(file, "utf8");
    texts.set(file, text);
    return text;
  };
  /** @type {Set<string>} */
  const found = new Set();
  for (const { page, link } of linksOf(site)) {
    if (link === "#") continue;
    const [path = "", anchor] = link.split("#");
    const file = path === "" ? join(site, page) : resolve(site, page, "..", decodeURI(path));
    const leads =
      existsSync(file) &&
      (anchor === undefined || !file.endsWith(".html") || textOf(file).includes(`id="${decodeURI(anchor)}"`));
    if (!leads) found.add(`dead link: ${page} -> ${link}`);
  }
  return [...found];
}

/**
 * The links to a file that a browser shows raw, and Markdown that was not made into a link.
 *
 * @param {string} site
 */
export function rawLinks(site) {
  /** @type {Set<string>} */
  const found = new Set();
  for (const { page, link } of linksOf(site)) {
    if (/\.(?:md|ts|js|json)(?:#|$)/.test(link)) found.add(`raw file: ${page} -> ${link}`);
  }
  for (const page of readdirSync(site, { recursive: true, encoding: "utf8" })) {
    if (!page.endsWith(".html")) continue;
    const prose = readFileSync(join(site, page), "utf8").replaceAll(
      /<(code|script|pre)\b[\s\S]*?<\/\1>/g,
      "",
    );
    for (const [raw] of prose.matchAll(/\[[^\][<>]+\]\([^)<>\s]+\)|\{@link [^}]*\}/g)) {
      found.add(`raw Markdown: ${page}: ${raw}`);
    }
  }
  return [...found];
}
