/**
 * The parts of field lines: names, values, and how several lines of one name become one value. Pure.
 */
import { isUtf8 } from "node:buffer";

/** A field line as it came or is to go: name and value. */
export type Field = readonly [name: string, value: string];

/** Field lines by name in lower case, those of one name joined. */
export type Headers = { [name: string]: string };

/** tchar of RFC 9110, 5.6.2: 1 for each character that a token may hold. */
const TOKEN_CHARACTERS = new Uint8Array(256);
for (const character of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") {
  TOKEN_CHARACTERS[character.charCodeAt(0)] = 1;
}

export function isTokenCode(code: number): boolean {
  return TOKEN_CHARACTERS[code] === 1;
}

/** token = 1*tchar (RFC 9110, 5.6.2): what a method and a field name must be. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (!isTokenCode(text.charCodeAt(i))) return false;
  }
  return text.length > 0;
}

/** Whether a value can be sent: with a CR, LF or NUL in it, it could end the line and begin another message. */
export function isSendableValue(value: string): boolean {
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code <= 0x0d && (code === 0x0d || code === 0x0a || code === 0)) return false;
  }
  return true;
}

/**
 * Adds a field line to `headers`. Lines of one name are a list (RFC 9110, 5.3), joined with ", "; those of cookie
 * with "; ", the delimiter of its own grammar (RFC 6265, 4.2.1; RFC 9113, 8.2.3 joins them so too).
 */
export function addField(headers: Headers, name: string, value: string): void {
  const previous = headers[name];
  if (previous === undefined) {
    headers[name] = value;
  } else if (Object.hasOwn(headers, name)) {
    setOwn(headers, name, previous + (name === "cookie" ? "; " : ", ") + value);
  } else {
    setOwn(headers, name, value);
  }
}

/** As an assignment, also for `__proto__` and `constructor`, which every object inherits. */
function setOwn(headers: Headers, name: string, value: string): void {
  Object.defineProperty(headers, name, { value, writable: true, enumerable: true, configurable: true });
}

/**
 * The text of a field value (or request target) from its bytes, one character each: UTF-8 where they are that,
 * else ISO-8859-1, which they then already are.
 */
export function decodeText(latin1: string): string {
  const bytes = Buffer.from(latin1, "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : latin1;
}

const SPACE = 0x20;
const TAB = 0x09;

/** Whether it is one of the two characters of OWS (RFC 9110, 5.6.3). */
export function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}

/** The text between two positions without OWS at its ends. */
export function trimmed(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

/**
 * The members of a comma-separated list (RFC 9110, 5.6.1), in lower case, empty ones left out. Only ASCII letters have
 * another case and only OWS is trimmed: `toLowerCase` makes a "k" of U+212A, and `trim` removes U+00A0.
 */
export function listMembers(value: string): string[] {
  return value
    .replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
    .split(",")
    .map((member) => trimmed(member, 0, member.length))
    .filter((member) => member !== "");
}

/**
 * Whether an Expect field has the member `100-continue` (RFC 9110, 10.1.1: Expect is a list, also over several lines).
 * Parameters behind it do not matter. Other expectations are ignored, as the RFC allows.
 */
export function expectsContinue(expect: string | undefined): boolean {
  if (expect === undefined) return false;
  return listMembers(expect).some((member) => /^100-continue[ \t]*(?:;|$)/.test(member));
}

/** Whether a Connection field names an option: "close" or "keep-alive" (RFC 9110, 7.6.1). */
export function hasOption(connection: string | undefined, option: string): boolean {
  if (connection === undefined) return false;
  return connection === option || listMembers(connection).includes(option);
}
