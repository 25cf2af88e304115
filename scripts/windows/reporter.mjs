// A reporter for node:test that prints one JSON line for each test that has ended; suites only when they failed themselves.
/** @param {AsyncIterable<import("node:test/reporters").TestEvent>} source */
export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    /** @type {{ type?: string, error?: Error & { failureType?: string } }} */
    const { type: kind, error } = data.details;
    if (kind === "suite" && error?.failureType !== "hookFailed") continue;
    yield `${JSON.stringify({
      name: data.name,
      state: data.skip !== undefined ? "skipped" : type === "test:pass" ? "passed" : "failed",
      reason: typeof data.skip === "string" ? data.skip : "",
      error: type === "test:fail" ? textOf(error) : "",
    })}\n`;
  }
}

/** @param {Error | undefined} error */
function textOf(error) {
  const { cause } = error ?? {};
  return String((cause instanceof Error && cause.stack) || error?.stack || error);
}
