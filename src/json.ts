/**
 * JSON with exact integers, and without silent losses.
 *
 * `JSON.parse` and `JSON.stringify` do the ordinary case at full speed. What they would lose is found by checks
 * that cost a few per cent of them, and only then does a slower, exact way take over (json/exact.ts, and below).
 */
import { parseExactly } from "./json/exact.ts";
import { type Clock, clockOf, Late, toDecimal } from "./json/integers.ts";
import { unfitForJson } from "./json/unfit.ts";
import type { Json } from "./json/value.ts";
import { err, ok, type Result } from "./result.ts";

type Fields = { readonly [key: string]: unknown };

export type { Json } from "./json/value.ts";

/**
 * `T`, where a caller wrote it, and the default where it did not. TypeScript would otherwise take it from what the call's
 * result is passed to, and the body would be `unknown` in `unwrap(http.request(...))`.
 */
export type Claimed<T> = [T][T extends unknown ? 0 : never];

/**
 * The value of a JSON text, or undefined where the text is not JSON (RFC 8259). As `JSON.parse`, save that an
 * integer beyond ±(2^53 − 1) becomes a `bigint`; a number with a fraction or an exponent stays a number.
 *
 * `bytes` are the same text in any encoding that agrees with ASCII, for a caller that has them at hand.
 */
export function parse(text: string, bytes: Uint8Array = Buffer.from(text, "latin1")): Json | undefined {
  return parseBefore(Number.POSITIVE_INFINITY, text, bytes) as Json | undefined;
}

/** In place of a value: the deadline was past before there was one. */
export const LATE = Symbol("late");

/** As `parse`, until a deadline on `monotonicTime()`'s clock: a long integer takes more than linear time. */
export function parseBefore(
  deadline: number,
  text: string,
  bytes: Uint8Array,
): Json | undefined | typeof LATE {
  try {
    // First the native parser, which is the judge of what is JSON; its value is right in all but the rarest text.
    const value: Json = JSON.parse(text);
    return mayHoldUnsafeInteger(bytes) ? parseExactly(text, clockOf(deadline)) : value;
  } catch (thrown) {
    // A SyntaxError; or an integer longer than a bigint can be: no value can be given that is not wrong.
    return thrown instanceof Late ? LATE : undefined;
  }
}

/** The longest integers that a number holds exactly have 16 digits: 2^53 − 1 is 9007199254740991. */
const LONGEST_SAFE = String(Number.MAX_SAFE_INTEGER);
const RUN = LONGEST_SAFE.length;

/** Of two bytes this far apart, with this many from one such pair to the next, 16 digits in a row cover one. */
const APART = 3;
const STRIDE = RUN - APART;
const LONG_RUN = 4 * RUN;

/**
 * Whether something stands there that looks like an unsafe integer (within a string it may be prose). Only a few
 * bytes are looked at, and their neighbours where both of a pair look like digits (0x30 to 0x3f).
 */
function mayHoldUnsafeInteger(bytes: Uint8Array): boolean {
  for (let probe = 0; probe + APART < bytes.length; probe += STRIDE) {
    if ((((bytes[probe] as number) ^ 0x30) | ((bytes[probe + APART] as number) ^ 0x30)) > 0x0f) continue;
    let start = probe;
    while (isDigit(bytes[start - 1])) start--;
    const before = bytes[start - 1] === MINUS ? bytes[start - 2] : bytes[start - 1];
    if (!isDelimiter(before)) {
      // Digits after a point, or within a string. Many of them are left behind at once: to walk back through them from
      // each probe would take the square of their number.
      if (probe - start > LONG_RUN) while (isDigit(bytes[probe + 1])) probe++;
      continue;
    }
    let end = probe;
    while (isDigit(bytes[end])) end++;
    if (isUnsafeInteger(bytes, start, end)) return true;
    probe = Math.max(probe, end - STRIDE); // the next pair is the first that these digits do not cover
  }
  return false;
}

const MINUS = 0x2d;

function isUnsafeInteger(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start < RUN || !isDelimiter(bytes[end])) return false;
  if (end - start > RUN) return true;
  for (let i = 0; i < RUN; i++) {
    const difference = (bytes[start + i] as number) - LONGEST_SAFE.charCodeAt(i);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= 0x30 && code <= 0x39;
}

/** What can stand before or after a number: nothing, white space, or one of `[`, `]`, `}`, `,`, `:`. */
function isDelimiter(code: number | undefined): boolean {
  return (
    code === undefined ||
    code <= 0x20 ||
    code === 0x2c ||
    code === 0x3a ||
    code === 0x5b ||
    code === 0x5d ||
    code === 0x7d
  );
}

/**
 * The JSON text of a value, compact, with its keys in their order, as `JSON.stringify` gives it; a `bigint` goes
 * out digit for digit. What JSON cannot hold is an error instead of a silent `null` or a missing field: NaN and
 * the infinities, functions, symbols, bytes, maps and sets, `undefined` anywhere but as a field's value, and a cycle. Where that may take
 * more than linear time, `deadlineOf` gives a deadline on `monotonicTime()`'s clock, and the error past it is `TIMED_OUT`.
 */
export function stringify(value: unknown, deadlineOf?: () => number): Result<string, string> {
  try {
    const text = JSON.stringify(value);
    if (text !== undefined && losesNothing(value) && !("toJSON" in Object.prototype)) return ok(text);
  } catch {
    // A bigint, a cycle, or a getter or toJSON that throws: below it shows which.
  }
  try {
    return ok(serialize(value, "", new Set(), clockOf(deadlineOf?.() ?? Number.POSITIVE_INFINITY)));
  } catch (thrown) {
    if (thrown instanceof Late) return err(TIMED_OUT);
    return err(thrown instanceof Refusal ? thrown.message : `cannot serialize to JSON: ${reasonOf(thrown)}`);
  }
}

/**
 * Whether `JSON.stringify` has surely told all of this value. A false only means that it has to be looked at
 * more closely. This runs over every value that is sent, hence its plainness: for-in and typeof, no allocation.
 */
function losesNothing(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i];
      if (typeof item === "string") continue;
      if (typeof item === "number" ? item - item !== 0 : !losesNothing(item)) return false; // Infinity - Infinity is NaN
    }
    return true;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && !isOrdinary(value)) return false;
  for (const key in value) {
    const item = (value as Fields)[key];
    if (typeof item === "string" || item === undefined) continue;
    if (typeof item === "number" ? item - item !== 0 : !losesNothing(item)) return false;
  }
  return true;
}

/** Whether JSON.stringify looks at an object of some class just as `losesNothing` does: by its fields. */
function isOrdinary(value: object): boolean {
  if (value instanceof Date) return true; // its toJSON gives a string, or null for an invalid one
  return !(
    "toJSON" in value ||
    unfitForJson(value) !== null ||
    value instanceof Number ||
    value instanceof String ||
    value instanceof Boolean
  );
}

/** The whole error of `stringify` when its time is over; no other one begins so. */
export const TIMED_OUT = "timed out";

class Refusal extends Error {}

/** SerializeJSONProperty of ECMA-262 (25.5.2.2), exact for bigints, refusing where that one drops or nulls. */
function serialize(given: unknown, key: string, ancestors: Set<object>, clock: Clock | undefined): string {
  let value = given;
  if (typeof value === "object" && value !== null) {
    const unfit = unfitForJson(value);
    if (unfit !== null)
      throw new Refusal(`cannot serialize ${/^[AI]/.test(unfit) ? "an" : "a"} ${unfit} to JSON`);
    if ("toJSON" in value && typeof value.toJSON === "function") value = value.toJSON(key);
  }
  if (
    value instanceof Number ||
    value instanceof String ||
    value instanceof Boolean ||
    value instanceof BigInt
  ) {
    value = value.valueOf();
  }
  switch (typeof value) {
    case "number":
      if (Number.isNaN(value)) throw new Refusal("cannot serialize NaN to JSON");
      if (!Number.isFinite(value)) throw new Refusal("cannot serialize infinity to JSON");
      return JSON.stringify(value);
    case "bigint":
      return toDecimal(value, clock);
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "object":
      return value === null ? "null" : serializeObject(value, ancestors, clock);
    case "undefined":
      throw new Refusal("cannot serialize undefined to JSON");
    default:
      throw new Refusal(`cannot serialize a ${typeof value} to JSON`);
  }
}

function serializeObject(value: object, ancestors: Set<object>, clock: Clock | undefined): string {
  if (ancestors.has(value)) throw new Refusal("cannot serialize a cycle to JSON");
  ancestors.add(value);
  const parts: string[] = [];
  const isArray = Array.isArray(value);
  if (isArray) {
    for (let i = 0; i < value.length; i++) parts.push(serialize(value[i], String(i), ancestors, clock));
  } else {
    for (const key of Object.keys(value)) {
      const field = (value as Fields)[key];
      if (field !== undefined)
        parts.push(`${JSON.stringify(key)}:${serialize(field, key, ancestors, clock)}`);
    }
  }
  ancestors.delete(value);
  return isArray ? `[${parts.join(",")}]` : `{${parts.join(",")}}`;
}

/** What was thrown, in words; the thrown thing itself may be anything, and throw again. */
function reasonOf(thrown: unknown): string {
  try {
    const reason = thrown instanceof Error ? String(thrown.message) : String(thrown);
    // So say V8 and JavaScriptCore. Another RangeError can be a text beyond the longest string, or a toJSON's own.
    return thrown instanceof RangeError && reason.startsWith("Maximum call stack")
      ? "nested too deeply"
      : reason;
  } catch {
    return "unknown error";
  }
}
