/**
 * `Result`, what every call gives: a value, or the reason why there is none.
 *
 * `isOk` and `value` (or `error`) are a result's own fields, so that it compares field by field, and reaches another
 * thread as `{ isOk, value }` or `{ isOk, error }`. All else stands on the prototypes, where no comparison looks.
 */
import { type InspectOptionsStylized, inspect } from "node:util";
import { netErrorOf } from "./net-error.ts";

/**
 * The value of a result that has nothing to give: that of `write_all` or `set_nodelay`, say.
 *
 * @example
 * ```ts
 * import { Result, Unit } from "std-net";
 *
 * console.log(Result.ok(), Result.ok().unwrap() === Unit); // Ok() true
 * ```
 */
export type Unit = UnitClass;

class UnitClass {
  static readonly name = "Unit";
  // Without a private field, every object would be a Unit to TypeScript.
  declare private readonly brand: true;
}

export const Unit: Unit = new UnitClass();
Object.freeze(Unit);

/**
 * A value of type `T`, or an error of type `E`, which is a text wherever this library gives it. `isOk` and `isErr` tell
 * which it is, and TypeScript lets a program have `value` or `error` once it has looked.
 *
 * @example
 * ```ts
 * import { TcpStream } from "std-net";
 *
 * const stream = TcpStream.connect("127.0.0.1:1");
 * if (stream.isErr) console.log(stream.error); // failed to connect: Connection refused (os error 111)
 * else console.log(stream.value.read(1024).unwrap());
 * ```
 */
export type Result<T, E> = Ok<T, E> | Err<T, E>;

abstract class Methods<T, E> {
  /** The value. An error is thrown, as a `NetError` whose message is the error's text. */
  unwrap(this: Result<T, E>): T {
    if (this.isOk) return this.value;
    throw netErrorOf(this.error, "", this.unwrap);
  }

  /** As `unwrap`, with `what: ` before the text of what is thrown. */
  expect(this: Result<T, E>, what: string): T {
    if (this.isOk) return this.value;
    throw netErrorOf(this.error, `${what}: `, this.expect);
  }

  /** The value, or `fallback` in place of an error. */
  unwrapOr<U = T>(this: Result<T, E>, fallback: U): T | U {
    return this.isOk ? this.value : fallback;
  }

  /** The value, or what `fallback` makes of the error. */
  unwrapOrElse<U>(this: Result<T, E>, fallback: (error: E) => U): T | U {
    return this.isOk ? this.value : fallback(this.error);
  }

  /** What `Ok` makes of the value, or `Err` of the error. */
  match<A, B = A>(this: Result<T, E>, cases: { Ok: (value: T) => A; Err: (error: E) => B }): A | B {
    return this.isOk ? cases.Ok(this.value) : cases.Err(this.error);
  }

  /** A result with what `change` makes of the value. An error stays as it is. */
  map<U>(this: Result<T, E>, change: (value: T) => U): Result<U, E> {
    return this.isOk ? new Ok(change(this.value)) : new Err(this.error);
  }

  /** A result with what `change` makes of the error. A value stays as it is. */
  mapErr<F>(this: Result<T, E>, change: (error: E) => F): Result<T, F> {
    return this.isOk ? new Ok(this.value) : new Err(change(this.error));
  }

  /** The result that `next` gives for the value. An error stays as it is. */
  andThen<U, F = E>(this: Result<T, E>, next: (value: T) => Result<U, F>): Result<U, E | F> {
    return this.isOk ? next(this.value) : new Err(this.error);
  }

  /** The result that `next` gives for the error. A value stays as it is. */
  orElse<U = T, F = E>(this: Result<T, E>, next: (error: E) => Result<U, F>): Result<T | U, F> {
    return this.isOk ? new Ok(this.value) : next(this.error);
  }

  /** Whether both are Ok or both are Err, and hold the same thing (`===`). */
  equals(this: Result<T, E>, other: Result<T, E>): boolean {
    return this.isOk ? other.isOk && other.value === this.value : other.isErr && other.error === this.error;
  }

  /** What JSON.stringify writes: `{ variant: "Ok", value }` or `{ variant: "Err", error }`. */
  toJSON(this: Result<T, E>): unknown {
    return this.isOk
      ? { variant: "Ok", value: plain(this.value) }
      : { variant: "Err", error: plain(this.error) };
  }

  /** As console.log prints it: `Ok(2)`, `Err("failed to connect: ...")`. */
  toString(this: Result<T, E>): string {
    return print(this, {});
  }

  /** @internal */
  [inspect.custom](this: Result<T, E>, depth: number, options: InspectOptionsStylized): string {
    return print(this, { ...options, depth });
  }

  /**
   * Jest and Vitest let an object print itself only if it has this mark of their matchers (the plugin AsymmetricMatcher of
   * pretty-format). They compare by it only if it also has a method `asymmetricMatch`.
   *
   * @internal
   */
  get $$typeof(): symbol {
    return Symbol.for("jest.asymmetricMatcher");
  }

  /**
   * For Jest and Vitest.
   *
   * @internal
   */
  toAsymmetricMatcher(this: Result<T, E>): string {
    return print(this, FOR_DIFFS);
  }
}

/** A result with a value. */
export class Ok<T, E> extends Methods<T, E> {
  // A bundler may rename the class. It keeps its name in the diffs of node:assert, which print the fields.
  static override readonly name = "Ok";
  readonly isOk = true;
  readonly value: T;

  constructor(value: T) {
    super();
    this.value = value;
  }

  get isErr(): false {
    return false;
  }
}

/** A result with an error. */
export class Err<T, E> extends Methods<T, E> {
  static override readonly name = "Err";
  readonly isOk = false;
  readonly error: E;

  constructor(error: E) {
    super();
    this.error = error;
  }

  get isErr(): true {
    return true;
  }
}

/** All there is, and each field on a line of its own, so that two that differ print differently and a diff shows where. */
const FOR_DIFFS = {
  depth: null,
  maxArrayLength: null,
  maxStringLength: null,
  compact: false,
  sorted: true,
  customInspect: false, // that of Buffer leaves bytes out
};

function isResult(held: unknown): held is Result<unknown, unknown> {
  return held instanceof Methods;
}

function plain(held: unknown): unknown {
  return isResult(held) ? held.toJSON() : held;
}

/** Those that are being printed, so that one which holds itself comes to an end. */
const printing = new Set<unknown>();

function print(result: Result<unknown, unknown>, options: Partial<InspectOptionsStylized>): string {
  const name = result.isOk ? "Ok" : "Err";
  const held = result.isOk ? result.value : result.error;
  // Not by identity: Jest prints copies.
  if (held instanceof UnitClass) return `${name}()`;
  if (typeof held === "string") {
    const text = quoted(held);
    return `${name}(${options.stylize?.(text, "string") ?? text})`;
  }
  if (printing.has(result)) return `${name}([Circular])`;
  printing.add(result);
  try {
    return `${name}(${isResult(held) ? print(held, options) : inspect(held, options)})`;
  } finally {
    printing.delete(result);
  }
}

/** JSON leaves the control characters of C1 as they are, and a terminal may obey them. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f]/g,
    (character) => `\\u00${character.charCodeAt(0).toString(16)}`,
  );
}

export function ok(): Result<Unit, never>;
export function ok<T, E = never>(value: T): Result<T, E>;
export function ok(...values: readonly unknown[]): Result<unknown, unknown> {
  // By the number of arguments, because `ok(undefined)` holds undefined.
  return new Ok(values.length === 0 ? Unit : values[0]);
}

export function err<T = never>(): Result<T, Unit>;
export function err<T = never, E = unknown>(error: E): Result<T, E>;
export function err(...errors: readonly unknown[]): Result<unknown, unknown> {
  return new Err(errors.length === 0 ? Unit : errors[0]);
}

/** Any result. Said with its types unknown, TypeScript would take the error of `Result.ok(1)` in a list for unknown. */
type AnyResult = { readonly isOk: boolean; readonly isErr: boolean };
type ValueOf<R> = R extends { readonly isOk: true; readonly value: infer T } ? T : never;
type ErrorOf<R> = R extends { readonly isOk: false; readonly error: infer E } ? E : never;

function all<const R extends readonly AnyResult[]>(
  results: R,
): Result<{ -readonly [K in keyof R]: ValueOf<R[K]> }, ErrorOf<R[number]>>;
function all(results: readonly Result<unknown, unknown>[]): Result<unknown[], unknown> {
  const values: unknown[] = [];
  for (const result of results) {
    if (result.isErr) return new Err(result.error);
    values.push(result.value);
  }
  return new Ok(values);
}

/** `Result.ok(value)`, `Result.ok()` with Unit, `Result.err(error)`, and `Result.all(results)`: all values, or the first error. */
export const Result = {
  /** A result with a value; without an argument, with Unit. */
  ok,
  /** A result with an error. */
  err,
  /** The values of all these results, in their order; or the first error. */
  all,
} as const;

/** A result, or what is left of one that was copied to another thread. */
type PlainResult<T> =
  | { readonly isOk: true; readonly value: T }
  | { readonly isOk: false; readonly error: unknown };

/**
 * The value of a result: the method `unwrap` (or, with `what`, `expect`) as a function. It also takes a result that came
 * from another thread and is plain data. Does not block.
 *
 * @param result a result
 * @param what if given, stands before the text of what is thrown, with a colon
 * @returns the value. An error result throws a `NetError`. Source: `Result::unwrap` of Rust.
 *
 * @example
 * ```ts
 * import { lookup_host, unwrap } from "std-net";
 *
 * console.log(unwrap(lookup_host("127.0.0.1:80"))); // [ '127.0.0.1:80' ]
 * ```
 */
export function unwrap<T>(result: PlainResult<T>, what?: string): T {
  if (result.isOk) return result.value;
  throw netErrorOf(result.error, what === undefined ? "" : `${what}: `, unwrap);
}
