/**
 * Server-sent events as text (WHATWG HTML, 9.2.5). Pure.
 */
import { Failure } from "../../error.ts";

/**
 * An event for `BodyWriter.send_event`.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const event: http.OutgoingEvent = { data: "Hello", event: "token", id: "7", retry: 1000 };
 * http.start_response(server, { status: 200 }).unwrap().send_event(event).unwrap();
 * for (const each of http.open_response(client).unwrap().body.events()) {
 *   console.log(each.unwrap().event); // token
 *   break;
 * }
 * ```
 */
export interface OutgoingEvent {
  /** The data, of any number of lines. */
  data: string;
  /** The event's type; `"message"` for the client when left out. */
  event?: string;
  /** The id, which a client that connects again sends as `Last-Event-ID`. */
  id?: string;
  /** The milliseconds that a client should wait before it connects again. */
  retry?: number;
}

/** An event's lines, the empty one included; or what is wrong with it. */
export function eventText(given: { readonly [field: string]: unknown }): string | Failure {
  const { data, event, id, retry } = given;
  if (typeof data !== "string") return new Failure("'data' must be a string");
  let text = "";
  if (event !== undefined) {
    if (!isLine(event)) return new Failure("'event' must be a string of one line");
    text += `event: ${event}\n`;
  }
  if (id !== undefined) {
    // A client ignores one with NUL.
    if (!isLine(id) || id.includes("\0")) return new Failure("'id' must be a string of one line");
    text += `id: ${id}\n`;
  }
  if (retry !== undefined) {
    if (!Number.isSafeInteger(retry) || (retry as number) < 0) {
      return new Failure("'retry' must be a non-negative integer");
    }
    text += `retry: ${retry}\n`;
  }
  for (const line of data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  return `${text}\n`;
}

function isLine(value: unknown): value is string {
  return typeof value === "string" && !/[\r\n]/.test(value);
}
