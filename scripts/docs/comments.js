// How the reference site shows what a docstring says in one paragraph: `@returns the bytes. Errors: ...; ... Source: recv(2).`
// becomes three: what comes out, a list of errors, and the source. Pure.

/** @typedef {{ kind: string, text: string }} Part a piece of a comment, as TypeDoc has it: text, code in backticks, or a link */

// Code and links stand as one character each while the text is taken apart, so that nothing inside them counts.
const FIRST = 0xe000;

/**
 * @param {readonly Part[]} parts
 * @returns {{ text: Part[], heading: string, errors: Part[][], source: Part[] }}
 */
export function takeApart(parts) {
  const whole = parts
    .map(({ kind, text }, index) => (kind === "text" ? text : String.fromCharCode(FIRST + index)))
    .join("");
  const isPrefix = (/** @type {string} */ letter) =>
    parts[letter.charCodeAt(0) - FIRST]?.text.endsWith(": `");
  const back = (/** @type {string} */ text) => restored(text, parts);
  const [, before, heading, rest] = /^([\s\S]*?)\bErrors\b([^:]*):([\s\S]*)$/.exec(whole) ?? [
    whole,
    whole,
    "",
    "",
  ];
  // Where nothing can fail, the source stands behind what comes out.
  const [described, ownSource] = rest === "" ? cut(before) : [before, ""];
  const [errors, source] = cut(rest);
  return {
    text: back(described.trim()),
    heading: heading.replace(/^,\s*/, "").trim(),
    errors: items(errors, isPrefix).map(back),
    source: back((source || ownSource).trim()),
  };
}

/**
 * The text before `Source:` and the one behind it.
 *
 * @param {string} text
 * @returns {[string, string]}
 */
function cut(text) {
  const [before, after = ""] = text.split(/\bSource:\s/);
  return [before ?? "", after];
}

/**
 * The single errors of a list in prose. A semicolon or a new sentence begins another one; so does a comma before code, unless
 * the item has a prefix, whose reasons follow it with commas.
 *
 * @param {string} text
 * @param {(letter: string) => boolean} isPrefix whether this piece of code is a prefix, such as `tcp read failed: `
 */
function items(text, isPrefix) {
  /** @type {string[]} */
  const found = [];
  let item = "";
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const letter = text.charAt(index);
    const next = /^\s+(\S)/.exec(text.slice(index + 1))?.[1] ?? "";
    if (letter === "(") depth++;
    if (letter === ")") depth--;
    const ends =
      depth === 0 &&
      (letter === ";" ||
        (letter === "." && (next === "" || /\p{Lu}/u.test(next))) ||
        (letter === "," && next.charCodeAt(0) >= FIRST && ![...item].some(isPrefix)));
    if (ends) {
      found.push(item);
      item = "";
    } else {
      item += letter;
    }
  }
  found.push(item);
  return found.map((each) => each.trim().replace(/^and\s+/, "")).filter((each) => each !== "");
}

/**
 * @param {string} text
 * @param {readonly Part[]} parts
 * @returns {Part[]}
 */
function restored(text, parts) {
  return text
    .split(/([\ue000-\uf8ff])/)
    .filter((piece) => piece !== "")
    .map((piece) => parts[piece.charCodeAt(0) - FIRST] ?? { kind: "text", text: piece });
}
