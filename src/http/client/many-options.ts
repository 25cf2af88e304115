/**
 * The options of `request_all` and `request_each`, checked.
 */
import { INVALID_TIMEOUT, timeoutFrom } from "../../arguments.ts";
import { errorText, Failure } from "../../error.ts";
import { isJsonObject } from "../message/caller-message.ts";
import { DEFAULT_CONCURRENCY, MOST_CONCURRENCY } from "../wire/limits.ts";
import { settingsOf } from "./request.ts";
import type { Settings } from "./request-options.ts";

/**
 * How many requests go at once, and how long all of them may take.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const options: http.ManyOptions = { concurrency: 10, timeout_ms: 5000 };
 * const [response] = http.request_all([{ method: "GET", url: "http://127.0.0.1:8080/" }], options);
 * console.log(response?.isOk); // true
 * ```
 */
export interface ManyOptions {
  /** How many requests are under way at most (default 50; 1 to 1024). */
  concurrency?: number;
  /** Milliseconds for the whole call (default null, which is no limit). */
  timeout_ms?: number | null;
}

export interface ManySettings {
  readonly concurrency: number;
  readonly timeout: number;
}

const DEFAULTS: ManySettings = { concurrency: DEFAULT_CONCURRENCY, timeout: Number.POSITIVE_INFINITY };

/** The settings that the options ask for, or what is wrong with them. */
export function manySettings(options: unknown): ManySettings | Failure {
  if (options === undefined) return DEFAULTS;
  try {
    if (!isJsonObject(options)) return new Failure("options must be an object");
    const { concurrency = DEFAULT_CONCURRENCY, timeout_ms = null } = options;
    if (!isConcurrency(concurrency)) {
      return new Failure(`'concurrency' must be an integer from 1 to ${MOST_CONCURRENCY}`);
    }
    const timeout = timeoutFrom(timeout_ms);
    return timeout === undefined ? new Failure(INVALID_TIMEOUT) : { concurrency, timeout };
  } catch (thrown) {
    // A getter or a proxy's trap.
    return new Failure(`options cannot be read: ${errorText(thrown)}`);
  }
}

function isConcurrency(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MOST_CONCURRENCY;
}

/** One of many requests, checked; or the text of the error. */
export function oneOfMany(req: unknown): Settings | string {
  const settings = settingsOf(req);
  if (typeof settings === "string" || settings.parts == null) return settings;
  return "'body_parts' cannot be sent by request_all and request_each";
}
