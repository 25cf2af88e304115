/**
 * `http.request`: checks what the caller gave, and makes one call of it.
 */
import { errorText, Failure } from "../../error.ts";
import { type Claimed, type Json, TIMED_OUT } from "../../json.ts";
import { Result } from "../../result.ts";
import { monotonicTime } from "../../runtime/clock.ts";
import { traced } from "../../trace.ts";
import { Call } from "./call.ts";
import { giveBack, takeReader } from "./exchange.ts";
import { type ClientRequest, readSettings, type Settings } from "./request-options.ts";
import type { ClientResponse } from "./response.ts";
import type { Turns } from "./waits.ts";

/**
 * Sends an HTTP/1.1 request and gives the response.
 *
 * Blocks until the whole response has come, at most `timeout_ms`. Connections are kept for the next call to the same
 * origin; one that the server has closed meanwhile is replaced unseen where that is safe.
 *
 * @param req at least `method` and `url`
 * @typeParam T what the caller takes the body for. It is a claim and not a check: whatever the peer sends is given as a `T`.
 * @returns the response. `body` is null when it is empty or white space; else the parsed JSON when it is valid JSON, with
 * a `bigint` for integers beyond ±(2^53 − 1); else the text; with `decode_body: "bytes"` a Buffer. Errors, nothing being sent: `request must be a JSON object`;
 * `missing required field 'method'`; `'method' must be a string`; `'method' is not a valid method`; `missing required field
 * 'url'`; `'url' must be a string`; `'url' is not a valid http or https URL`; `'headers' must be a JSON object`; `header 'X'
 * must be a string`; `header 'X' is not a valid field`; `cannot serialize ...`; `unknown field 'X': ` and what it is called here; and what is wrong with any other field.
 * Then `http request failed: ` with the system's reason, `timed out`, or what is wrong with the response.
 * Source: RFC 9110; RFC 9112.
 *
 * @example
 * ```ts
 * import { http } from "std-net";
 *
 * const response = http.request({ method: "GET", url: "http://127.0.0.1:8080/users?id=7" });
 * if (response.isOk) console.log(response.value.status, response.value.body);
 * else console.log(response.error); // such as http request failed: Connection refused (os error 111)
 * ```
 */
export function request(
  req: ClientRequest & { decode_body: "bytes" },
): Result<ClientResponse<Buffer>, string>;
export function request<T = Json>(req: ClientRequest): Result<ClientResponse<Claimed<T>>, string>;
// ReturnType<typeof request> looks at the last overload. With a T in it, the body there would be unknown.
export function request(req: ClientRequest): Result<ClientResponse, string>;
export function request(req: ClientRequest): Result<ClientResponse<unknown>, string> {
  return requestTraced(req);
}

const requestTraced = traced("http.request", requestPlain);

function requestPlain(req: ClientRequest): Result<ClientResponse<unknown>, string> {
  const settings = settingsOf(req);
  return typeof settings === "string" ? Result.err(settings) : exchangeOf(settings);
}

/** The request, checked; or the text of the error. */
export function settingsOf(req: unknown): Settings | string {
  let settings: Settings | Failure;
  try {
    settings = readSettings(req, monotonicTime);
  } catch (thrown) {
    // A getter or a proxy's trap.
    return unreadable(thrown);
  }
  if (!(settings instanceof Failure)) return settings;
  const { reason } = settings;
  return reason === TIMED_OUT ? requestFailed(settings) : reason;
}

/** The error where the caller's own code threw while a request was read. */
export function unreadable(thrown: unknown): string {
  return `request cannot be read: ${errorText(thrown)}`;
}

/** The error of a call. */
export function requestFailed({ reason }: Failure): string {
  return `http request failed: ${reason}`;
}

/** Makes the call, and waits for it. `turns`: what it has in common with others. */
export function exchangeOf(settings: Settings, turns: Turns | null = null): Result<ClientResponse, string> {
  const reader = takeReader();
  try {
    const call = new Call(settings, reader, false, null, turns);
    // It waits by itself, so it goes to the end.
    call.advance();
    return resultOf(call.outcome as ClientResponse | Failure);
  } finally {
    giveBack(reader);
  }
}

export function resultOf(outcome: ClientResponse | Failure): Result<ClientResponse, string> {
  return outcome instanceof Failure ? Result.err(requestFailed(outcome)) : Result.ok(outcome);
}
