/**
 * `http.request_all`: many requests at once, and all their responses.
 */
import { Failure } from "../../error.ts";
import { error_code } from "../../error-code.ts";
import { Result } from "../../result.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { traced } from "../../trace.ts";
import { Batch } from "./batch.ts";
import { type ManyOptions, type ManySettings, manySettings, oneOfMany } from "./many-options.ts";
import { exchangeOf, requestFailed, resultOf, unreadable } from "./request.ts";
import type { ClientRequest } from "./request-options.ts";
import type { ClientResponse } from "./response.ts";
import type { Turns } from "./waits.ts";

const FOREVER = Number.POSITIVE_INFINITY;

export type { ManyOptions } from "./many-options.ts";

/**
 * Sends many HTTP requests at once, and gives all their responses: each one is what `http.request` would give. A request that fails
 * touches no other.
 *
 * Blocks until all are done, at most `timeout_ms` of the options. At most `concurrency` are under way at a time. The `timeout_ms` of a
 * request counts from when it begins. Each host's name is looked up once. A request for which there is no descriptor left
 * waits until another one is done.
 *
 * @param requests what `http.request` takes, without `body_parts`
 * @param options how many at once, and how long all may take
 * @returns one result for each request, in their order. Errors: those of `http.request`; `'body_parts' cannot be sent by request_all
 * and request_each`. `http request failed: timed out` for those that are not done when the whole call's time is over, and
 * `http request failed: Interrupted system call (os error 4)` when a signal that has a listener comes. In every place: `options must be
 * an object`; `options cannot be read: ` and what was thrown; `'concurrency' must be an integer from 1 to 1024`; `timeout must be a
 * positive number`. And `requests must be a list`, alone, for anything but an array. Source: RFC 9110; RFC 9112; epoll(7).
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const requests = ["/users?id=7", "/users?id=8"].map((path) => ({ method: "GET", url: `http://127.0.0.1:8080${path}` }));
 * for (const response of http.request_all(requests, { concurrency: 10 })) {
 *   console.log(response.isOk ? response.value.status : response.error); // 200
 * }
 * ```
 */
export function request_all(
  requests: readonly ClientRequest[],
  options?: ManyOptions,
): Result<ClientResponse, string>[] {
  return requestAllTraced(requests, options);
}

const requestAllTraced = traced("http.request_all", requestAllPlain);

function requestAllPlain(
  requests: readonly ClientRequest[],
  options?: ManyOptions,
): Result<ClientResponse, string>[] {
  let list: unknown[];
  try {
    if (!Array.isArray(requests)) return [Result.err("requests must be a list")];
    // A copy: the caller's own code can run meanwhile, in a getter.
    list = new Array(requests.length);
    for (let index = 0; index < list.length; index++) list[index] = elementOf(requests, index);
  } catch (thrown) {
    // A proxy's trap.
    return [Result.err(unreadable(thrown))];
  }
  const settings = manySettings(options);
  if (settings instanceof Failure) return list.map(() => Result.err(settings.reason));
  return list.length === 1 || settings.concurrency === 1 ? inTurn(list, settings) : together(list, settings);
}

/** An element that cannot be read. */
class Unreadable {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

function elementOf(list: readonly unknown[], index: number): unknown {
  try {
    return list[index];
  } catch (thrown) {
    return new Unreadable(unreadable(thrown));
  }
}

/** One after the other costs no more than `http.request`: there is one connection to wait for. */
function inTurn(list: readonly unknown[], { timeout }: ManySettings): Result<ClientResponse, string>[] {
  const deadline = timeout === FOREVER ? FOREVER : monotonicTime() + timeout;
  const turns: Turns = { deadline, names: new Map() };
  let interruption: Result<ClientResponse, string> | null = null;
  return list.map((req) => {
    const settings = req instanceof Unreadable ? req.text : oneOfMany(req);
    if (typeof settings === "string") return Result.err(settings);
    if (interruption !== null) return interruption;
    const result = exchangeOf(settings, turns);
    if (result.isErr && error_code(result.error) === "EINTR") interruption = result;
    return result;
  });
}

function together(
  list: readonly unknown[],
  { timeout, concurrency }: ManySettings,
): Result<ClientResponse, string>[] {
  const results: Result<ClientResponse, string>[] = new Array(list.length);
  let next = 0;
  let isFilling = false;
  const batch = Batch.open(monotonicTime() + timeout, (index, outcome) => {
    results[index] = resultOf(outcome);
    fill();
  });
  if (batch instanceof Failure) return list.map(() => Result.err(requestFailed(batch)));
  const fill = (): void => {
    // A request can be over as soon as it has begun.
    if (isFilling) return;
    isFilling = true;
    while (next < list.length && batch.size < concurrency && batch.ended === null) {
      const index = next++;
      const req = list[index];
      const settings = req instanceof Unreadable ? req.text : oneOfMany(req);
      if (typeof settings === "string") results[index] = Result.err(settings);
      else batch.start(index, settings);
    }
    isFilling = false;
  };
  try {
    fill();
    while (batch.size > 0) batch.round();
  } finally {
    batch.close();
  }
  const { ended } = batch;
  if (ended !== null) for (; next < list.length; next++) results[next] = Result.err(requestFailed(ended));
  return results;
}
