/**
 * A JSON text that is known to be one (JSON.parse took it) to a value with exact integers. It takes linear time, save for very
 * long integers (integers.ts), does not recurse, and looks at the clock now and then. Pure, save for the clock.
 */
import { type Clock, fromDecimal } from "./integers.ts";
import type { Json } from "./value.ts";

/** Values between two looks at the clock. */
const VALUES = 4096;

/** An array or object that is being filled; an object with the key of the next value. */
interface Frame {
  readonly list: Json[] | undefined;
  readonly fields: { [key: string]: Json } | undefined;
  key: string | undefined;
}

/** Throws `Late` when the time is over, and a RangeError for an integer that is longer than a bigint can be. */
export function parseExactly(text: string, clock: Clock | undefined): Json {
  const outer: (Frame | undefined)[] = [];
  let frame: Frame | undefined;
  let at = 0;
  for (let count = 1; ; count++) {
    if (count % VALUES === 0) clock?.();
    // Commas and colons say nothing that is not known: in an object, keys and values come in turn.
    let code = text.charCodeAt(at);
    while (code <= SPACE || code === COMMA || code === COLON) code = text.charCodeAt(++at);
    let value: Json;
    if (code === QUOTE) {
      const end = stringEnd(text, at);
      value = stringOf(text, at, end);
      at = end;
      if (frame?.fields !== undefined && frame.key === undefined) {
        frame.key = value;
        continue;
      }
    } else if (code === BRACE || code === BRACKET) {
      at++;
      outer.push(frame);
      frame = code === BRACE ? newFrame(undefined, {}) : newFrame([], undefined);
      continue;
    } else if (code === BRACE_END || code === BRACKET_END) {
      at++;
      value = (frame!.list ?? frame!.fields)!;
      frame = outer.pop();
    } else {
      const end = plainEnd(text, at);
      const token = text.slice(at, end);
      at = end;
      value = code <= NINE ? numberOf(token, clock) : (WORDS[token] as boolean | null);
    }
    if (frame === undefined) return value;
    put(frame, value);
  }
}

const WORDS: { readonly [word: string]: boolean | null } = { true: true, false: false, null: null };

function newFrame(list: Frame["list"], fields: Frame["fields"]): Frame {
  return { list, fields, key: undefined };
}

/** Shorter ones are copied by `slice`; a longer one would keep the whole text in memory. */
const SHORT = 13;

/** The string between two positions, its quotation marks included. */
function stringOf(text: string, start: number, end: number): string {
  if (end - start - 2 < SHORT) {
    const content = text.slice(start + 1, end - 1);
    if (!content.includes("\\")) return content;
  }
  return JSON.parse(text.slice(start, end)) as string;
}

function put(parent: Frame, value: Json): void {
  if (parent.fields === undefined) {
    parent.list!.push(value);
    return;
  }
  const key = parent.key!;
  parent.key = undefined;
  // As an own key: an assignment would set the prototype.
  if (key === "__proto__") {
    Object.defineProperty(parent.fields, key, {
      value,
      writable: true,
      enumerable: true,
      configurable: true,
    });
  } else {
    parent.fields[key] = value;
  }
}

/** The longest integers that a number holds exactly have 16 digits. */
const LONGEST_SAFE = 16;

function numberOf(token: string, clock: Clock | undefined): number | bigint {
  if (token.length < LONGEST_SAFE || !isInteger(token)) return Number(token);
  const value = token.length > LONGEST_SAFE + 1 ? Number.NaN : Number(token);
  return Number.isSafeInteger(value) ? value : fromDecimal(token, clock);
}

/** Whether a number has neither a fraction nor an exponent. */
function isInteger(token: string): boolean {
  for (let at = 1; at < token.length; at++) {
    const code = token.charCodeAt(at);
    if (code < ZERO || code > NINE) return false;
  }
  return true;
}

/** Where the string that begins at `start` ends: behind a quotation mark with an even number of backslashes before it. */
function stringEnd(text: string, start: number): number {
  for (let end = text.indexOf(QUOTATION, start + 1); ; end = text.indexOf(QUOTATION, end + 1)) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
}

/** Where a number, true, false or null ends. */
function plainEnd(text: string, start: number): number {
  let end = start + 1;
  for (;;) {
    const code = text.charCodeAt(end);
    if (code <= SPACE || code === COMMA || code === BRACKET_END || code === BRACE_END || end >= text.length)
      return end;
    end++;
  }
}

const SPACE = 0x20;
const QUOTE = 0x22;
const QUOTATION = String.fromCharCode(QUOTE);
const COMMA = 0x2c;
const ZERO = 0x30;
const NINE = 0x39;
const COLON = 0x3a;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const BRACKET_END = 0x5d;
const BRACE = 0x7b;
const BRACE_END = 0x7d;
