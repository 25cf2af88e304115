// A reporter for node:test that prints one JSON line for each test that has ended; suites only when they failed themselves.
export default async function* reporter(source) {
  for await (const { type, data } of source) {
    if (type !== "test:pass" && type !== "test:fail") continue;
    const error = data.details.error;
    if (data.details.type === "suite" && error?.failureType !== "hookFailed") continue;
    yield `${JSON.stringify({
      name: data.name,
      state: data.skip !== undefined ? "skipped" : type === "test:pass" ? "passed" : "failed",
      reason: typeof data.skip === "string" ? data.skip : "",
      error: type === "test:fail" ? String(error?.cause?.stack ?? error?.stack ?? error) : "",
    })}\n`;
  }
}
