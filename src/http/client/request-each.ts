/**
 * `http.request_each`: many requests at once, and each response as soon as it is there.
 */
import { Failure } from "../../error.ts";
import { Result } from "../../result.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { traced } from "../../trace.ts";
import { Batch } from "./batch.ts";
import { type ManyOptions, type ManySettings, manySettings, oneOfMany } from "./many-options.ts";
import { requestFailed, resultOf, unreadable } from "./request.ts";
import type { ClientRequest } from "./request-options.ts";
import type { ClientResponse } from "./response.ts";

type Numbered = readonly [index: number, Result<ClientResponse, string>];

/**
 * Sends many HTTP requests at once, and gives each response as soon as it is there: a million requests need no memory. Each response
 * is what `http.request` would give. A request that fails touches no other.
 *
 * Blocks in each step of the loop, until a response is there; nothing is sent before the first step. At most `concurrency` requests are
 * under way or done and not yet given out, and the next one is taken from the iterable only when there is a place. The `timeout_ms` of a
 * request counts from when it begins, that of the options from the first step. While the loop's own code runs, nothing is read.
 * Leaving the loop closes what is under way. Each host's name is looked up once.
 *
 * @param requests what `http.request` takes, without `body_parts`; a list or any other iterable
 * @param options how many at once, and how long all may take
 * @returns the index of each request in the iterable with its result, in the order in which they are done. Errors: those of
 * `http.request`; `'body_parts' cannot be sent by request_all and request_each`; `request cannot be read: ` and what was thrown, when the
 * iterable throws, which is its end. When the whole call's time is over, `http request failed: timed out` for all that are
 * not done and all that the iterable still gives, and so with `http request failed: Interrupted system call (os error 4)` when a signal that
 * has a listener comes. For each request: `options must be an object`; `options cannot be read: ` and what was thrown;
 * `'concurrency' must be an integer from 1 to 1024`; `timeout must be a positive number`. And `requests must be an iterable`,
 * alone, for anything else, also for text. Source: RFC 9110; RFC 9112; epoll(7).
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * function* requests() {
 *   for (let id = 0; id < 100; id++) yield { method: "GET", url: `http://127.0.0.1:8080/users?id=${id}` };
 * }
 * for (const [index, response] of http.request_each(requests(), { concurrency: 10 })) {
 *   console.log(index, response.isOk ? response.value.status : response.error); // such as 3 200
 * }
 * ```
 */
export function request_each(
  requests: Iterable<ClientRequest>,
  options?: ManyOptions,
): IterableIterator<Numbered> {
  return requestEachTraced(requests, options);
}

const requestEachTraced = traced("http.request_each", requestEachPlain);

function requestEachPlain(
  requests: Iterable<ClientRequest>,
  options?: ManyOptions,
): IterableIterator<Numbered> {
  const settings = manySettings(options);
  const source = new Source(requests);
  if (settings instanceof Failure) return refused(source, settings.reason);
  const run = new Run(source, settings);
  const results = resultsOf(run);
  dropped.register(results, run);
  return results;
}

/** Loops that nobody can go on with. */
const dropped = new FinalizationRegistry<Run>((run) => run.close());

/** The caller's requests, taken one by one. */
class Source {
  /** The index of the next one. */
  index = 0;
  isOver = false;
  #requests: unknown;
  #iterator: Iterator<unknown> | null = null;

  constructor(requests: unknown) {
    this.#requests = requests;
  }

  /** The next one; the text of the error where there is none, which is the end; or null at the end. */
  next(): { readonly request: unknown } | string | null {
    if (this.isOver) return null;
    try {
      this.#iterator ??= this.#begin();
      if (this.#iterator === null) return "requests must be an iterable";
      const step = this.#iterator.next();
      if (step.done !== true) return { request: step.value };
      this.isOver = true;
      return null;
    } catch (thrown) {
      this.isOver = true;
      return unreadable(thrown);
    }
  }

  #begin(): Iterator<unknown> | null {
    const requests = this.#requests as Iterable<unknown> | null | undefined;
    this.#requests = null;
    const isIterable =
      typeof requests === "object" && requests !== null && typeof requests[Symbol.iterator] === "function";
    if (isIterable) return requests[Symbol.iterator]();
    this.isOver = true;
    return null;
  }

  /** No more are taken. */
  close(): void {
    if (this.isOver) return;
    this.isOver = true;
    try {
      this.#iterator?.return?.();
    } catch {
      // The caller has left the loop, and wants nothing more to be told.
    }
  }
}

function* refused(source: Source, reason: string): Generator<Numbered, void, undefined> {
  try {
    for (let item = source.next(); item !== null; item = source.next()) {
      yield [source.index++, Result.err(typeof item === "string" ? item : reason)];
    }
  } finally {
    source.close();
  }
}

function* resultsOf(run: Run): Generator<Numbered, void, undefined> {
  try {
    for (let result = run.next(); result !== null; result = run.next()) yield result;
  } finally {
    run.close();
  }
}

/** One loop over responses. */
class Run {
  readonly #source: Source;
  readonly #settings: ManySettings;
  #batch: Batch | Failure | null = null;
  /** Those that are done and were not taken yet. */
  readonly #results: Numbered[] = [];

  constructor(source: Source, settings: ManySettings) {
    this.#source = source;
    this.#settings = settings;
  }

  /** The next result; null when all are done. */
  next(): Numbered | null {
    this.#batch ??= Batch.open(monotonicTime() + this.#settings.timeout, (index, outcome) => {
      this.#results.push([index, resultOf(outcome)]);
    });
    for (;;) {
      this.#fill(this.#batch);
      const result = this.#results.shift();
      if (result !== undefined) return result;
      if (this.#batch instanceof Failure || this.#batch.size === 0) return null;
      this.#batch.round();
    }
  }

  /** Begins as many as there are places for. */
  #fill(batch: Batch | Failure): void {
    const source = this.#source;
    for (;;) {
      const underWay = batch instanceof Failure ? 0 : batch.size;
      if (underWay + this.#results.length >= this.#settings.concurrency) return;
      const item = source.next();
      if (item === null) return;
      const index = source.index++;
      const ended = batch instanceof Failure ? batch : batch.ended;
      const settings = typeof item === "string" ? item : oneOfMany(item.request);
      if (typeof settings === "string") this.#results.push([index, Result.err(settings)]);
      else if (ended !== null) this.#results.push([index, Result.err(requestFailed(ended))]);
      else (batch as Batch).start(index, settings);
    }
  }

  /** Ends it: what is under way is closed. */
  close(): void {
    this.#source.close();
    if (this.#batch instanceof Batch) this.#batch.close();
    this.#batch = null;
    this.#results.length = 0;
  }
}
