import { http } from "std-net";
import { failure, SUCCESS } from "./command.ts";
import { LineOutput, type Output, type OutputEnd, plainOutput, TerminalOutput } from "./output.ts";
import type { Order } from "./request-arguments.ts";
import { headOf } from "./response-head.ts";
import { withRemedy } from "./tls-files.ts";

type Response = ReturnType<typeof http.request<unknown>>;

/** A body that is printed in its turn lies in memory until then. A larger one is for -o, or for a run of its own. */
const MOST_BYTES = 512 * 1024 * 1024;

/**
 * Prints the bodies of several URLs, so many requests at once: each body whole, in the order of the URLs and as soon as its turn has
 * come. The exit status.
 */
export function printBodies({ request, urls, parallel, form, include, fail }: Order): number {
  const requests = urls.map((url) => ({
    ...request,
    url,
    decode_body: "bytes" as const,
    max_body_bytes: MOST_BYTES,
  }));
  const done = new Map<number, Response>();
  let status = SUCCESS;
  let next = 0;
  for (const [index, response] of http.request_each(requests, { concurrency: parallel })) {
    done.set(index, response);
    for (let turn = done.get(next); turn !== undefined; turn = done.get(++next)) {
      done.delete(next);
      const end = print(turn);
      if (end === "closed") return status;
      if (end !== null) status = failure(`${urls[next]}: ${end.error}`);
    }
  }
  return status;

  function print(response: Response): OutputEnd {
    if (response.isErr) return { error: withRemedy(response.error) };
    const { status: code, body } = response.value;
    if (fail && code >= 400) return { error: `the response's status is ${code}` };
    const plain: Output = process.stdout.isTTY ? new TerminalOutput(process.stdout) : plainOutput;
    const output = form === "lines" ? new LineOutput(plain) : plain;
    const end = include ? output.write(headOf(response.value)) : null;
    const last = end ?? output.write(body as unknown as Buffer);
    output.finish();
    return last;
  }
}
