/**
 * How a server refuses a request: which status, and in what words. Pure.
 */
import { listMembers } from "../wire/fields.ts";
import type { RequestHead } from "../wire/head-parser.ts";

/** A request that gets no further than the server itself. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

export const TOO_LATE: Refusal = { status: 408, reason: "request timed out" };
export const UNMET_EXPECTATION: Refusal = { status: 417, reason: "unknown expectation" };
export const INTERNAL_ERROR: Refusal = { status: 500, reason: "internal server error" };
export const TOO_MANY_CLIENTS: Refusal = { status: 503, reason: "too many connections" };

/** The reasons of the reader that have a status of their own (RFC 9110, 15.5 and 15.6; RFC 6585, 5; RFC 9112, 6.1). */
const STATUSES = new Map([
  ["request body too large", 413],
  ["http headers too large", 431],
  ["invalid http request: unsupported Transfer-Encoding", 501],
  ["invalid http request: unsupported version", 505],
]);

/** The refusal of what the reader of requests did not take. */
export function refusalFor(reason: string): Refusal {
  return { status: STATUSES.get(reason) ?? 400, reason };
}

/**
 * Whether every expectation of a request can be met: 100-continue is the one that there is (RFC 9110, 10.1.1). An HTTP/1.0 client
 * cannot have any.
 */
export function canMeetExpectations({ headers, version }: RequestHead): boolean {
  const { expect } = headers;
  if (expect === undefined || version === "HTTP/1.0") return true;
  return expect === "100-continue" || listMembers(expect).every((member) => member === "100-continue");
}
