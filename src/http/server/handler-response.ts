import { Failure } from "../../error.ts";
import type { Conversation } from "./conversation.ts";
import { respond } from "./write-response.ts";

/** Sends what a handler gave: 0 or the transport's failure; or the program's mistake. */
export function sendHandlerResponse(
  conversation: Conversation,
  response: unknown,
): number | { readonly error: unknown } {
  if (!conversation.owesResponse || conversation.isStreaming) {
    return { error: new Error("the handler gave a response after it had sent one itself") };
  }
  try {
    const outcome = respond(conversation, checkedResponse(response));
    return outcome instanceof Failure ? { error: new TypeError(outcome.reason) } : outcome;
  } catch (error) {
    // Or a getter of the response's, or a proxy's trap.
    return { error };
  }
}

/** What a handler gave; throws for what is no final response in any case. */
function checkedResponse(response: unknown): unknown {
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
