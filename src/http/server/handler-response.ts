/** What a handler gave; throws for what is no final response in any case. */
export function checkedResponse(response: unknown): unknown {
  if (typeof response !== "object" || response === null || Array.isArray(response)) {
    throw new TypeError(`the handler must give a response or null, and not ${typeof response}`);
  }
  const { status, then } = response as { status?: unknown; then?: unknown };
  if (typeof then === "function" && status === undefined) {
    throw new TypeError("the handler must give a response and not a promise of one");
  }
  if (typeof status === "number" && status < 200) {
    throw new TypeError("the status of a handler's response must be between 200 and 999");
  }
  return response;
}
