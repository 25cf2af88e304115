import { styleText } from "node:util";
import type { Json } from "std-net";

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;

/** True on a terminal with colours, unless NO_COLOR turns them off. */
export function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY === true && stream.hasColors();
}

const plain: Paint = (_style, text) => text;
// (styleText need not check the terminal: `hasColours` has done it.)
const coloured: Paint = (style, text) => styleText(style, text);

export function paintFor(stream: NodeJS.WriteStream): Paint {
  return hasColours(stream) ? coloured : plain;
}

/** A string as JSON. It also escapes the control characters that JSON allows and that some terminals obey. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f]/g, (character) => {
    return `\\u00${character.charCodeAt(0).toString(16)}`;
  });
}

/** JSON text for people: indented, with exact integers, and coloured by `paint`. */
export function prettyJson(value: Json, paint: Paint, indent = ""): string {
  if (typeof value === "string") return paint("green", quoted(value));
  if (typeof value === "number" || typeof value === "bigint") return paint("yellow", String(value));
  if (typeof value !== "object" || value === null) return paint("magenta", String(value));
  const deeper = `${indent}  `;
  const members = Array.isArray(value)
    ? value.map((element) => prettyJson(element, paint, deeper))
    : Object.entries(value).map(
        ([name, member]) => `${paint("cyan", quoted(name))}: ${prettyJson(member, paint, deeper)}`,
      );
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (members.length === 0) return `${open}${close}`;
  return `${open}\n${deeper}${members.join(`,\n${deeper}`)}\n${indent}${close}`;
}

/** Waits until all output has left the process. */
export function flush(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => {
    stream.write("", () => resolve());
  });
}
