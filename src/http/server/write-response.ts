/**
 * `http.write_response`: one response onto a stream of the caller's.
 */
import { errorText, Failure } from "../../error.ts";
import type { Json } from "../../json.ts";
import { type ByteStream, transportOf } from "../../net/byte-stream.ts";
import { Result, type Unit } from "../../result.ts";
import { traced } from "../../trace.ts";
import { isJsonObject, readBody, readFields } from "../message/caller-message.ts";
import { encode } from "../message/encode.ts";
import { foreignName, RESPONSE_NAMES } from "../message/foreign-names.ts";
import { bodyOrNull, endsConnection, finalHead, interimHead } from "../wire/head-writer.ts";
import { hasContent, opensTunnel } from "../wire/status.ts";
import { type Conversation, conversationOn } from "./conversation.ts";

/**
 * A response for `write_response`.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const page: http.ServerResponse = { status: 200, headers: { "content-type": "text/html" }, body_text: "<p>hello" };
 * http.write_response(server, page);
 * console.log(http.read_response(client).map((response) => response.body).unwrapOr(null)); // <p>hello
 * ```
 */
export interface ServerResponse {
  /** An integer from 100 to 999. */
  status: number;
  /** Sent as given, with the additions and exceptions that `write_response` names. Default: those additions alone. */
  headers?: { [name: string]: string };
  /** Sent as JSON text; null where it is left out. */
  body?: Json;
  /** Text that is sent as it is (UTF-8), in place of `body`, which is left out then. */
  body_text?: string;
  /** Bytes that are sent as they are, in place of `body`, which is left out then. */
  body_bytes?: Uint8Array;
  /** Bytes, as base64, in place of `body`, which is left out then. */
  body_base64?: string;
}

/**
 * Sends one HTTP response on a connection, in one piece where the system takes it.
 *
 * Blocks until the system has taken all of it. `body` goes out as JSON text, whatever the Content-Type. Where the
 * headers do not have them, `Content-Type: application/json`, `Connection: close` (on a stream of `http.serve`: `keep-alive`) and
 * `Date` are added; a
 * Content-Length or Transfer-Encoding among them is replaced. With `Connection: keep-alive` the connection can serve the
 * next request; a client that cannot keep it (HTTP/1.0 without keep-alive, or one that said `close`) is told
 * `close`. No body is sent with 1xx, 204, 205 and 304, nor in response to a HEAD that was read from the same stream;
 * 1xx is interim: nothing is added to it, the final response follows, and an HTTP/1.0 client, which knows no 1xx, is
 * sent none.
 *
 * In non-blocking mode the error is EAGAIN when the system does not take all of it. Call it again with the same
 * response object when the stream is writable: what is left is sent then.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param response the response; `body_text`, `body_bytes` or `body_base64` may stand in place of `body`
 * @returns Errors, nothing being sent: `invalid tcp stream`; `response must be a JSON object`; `missing required field
 * 'status'`; `'status' must be a number` / `a finite number` / `an integer`; `status must be between 100 and 999`;
 * `'headers' must be an object`; `response header 'X' must be a string`; `response header 'X' is not a valid field`;
 * `cannot serialize ...`; and what is wrong with the body. In sending: `http write failed: ` and the
 * system's reason. Source: RFC 9112; RFC 9110, 6.4.1, 8.6 and 15.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * client.write_all("GET /notes HTTP/1.1\r\nHost: example\r\n\r\n");
 * http.read_request(server).unwrap();
 * http.write_response(server, { status: 200, body: { notes: [] } }).unwrap();
 * server.close();
 * console.log(client.read_to_end().unwrap().toString().split("\r\n").at(-1)); // {"notes":[]}
 * ```
 */
export function write_response(stream: ByteStream, response: ServerResponse): Result<Unit, string> {
  return writeTraced(stream, response);
}

const writeTraced = traced("http.write_response", writePlain);

function writePlain(stream: ByteStream, response: ServerResponse): Result<Unit, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const conversation = conversationOn(transport);
  let failure: number | Failure;
  try {
    failure = respond(conversation, response);
  } catch (thrown) {
    // A getter or a proxy's trap.
    return Result.err(`response cannot be read: ${errorText(thrown)}`);
  }
  if (failure === 0) return SENT;
  return Result.err(failure instanceof Failure ? failure.reason : conversation.sendFailed(failure));
}

const SENT: Result<Unit, string> = Result.ok();

/** Checks and sends a response: 0, the transport's failure, or what is wrong with it. */
export function respond(conversation: Conversation, response: unknown): number | Failure {
  if (!isJsonObject(response)) return new Failure("response must be a JSON object");
  const { writer } = conversation;
  if (writer.hasBegun(response)) return writer.finish();

  const foreign = foreignName(response, RESPONSE_NAMES, "field");
  if (foreign !== null) return foreign;
  const status = checkStatus(response.status);
  if (status instanceof Failure) return status;
  const headers = response.headers === undefined ? NO_HEADERS : response.headers;
  if (!isJsonObject(headers)) return new Failure("'headers' must be an object");
  const fields = readFields(headers, "response header");
  if (fields instanceof Failure) return fields;
  const body = readBody(response);
  if (body instanceof Failure) return body;

  const isInterim = status < 200;
  if (!isInterim) giveUpBody(conversation);
  const { request } = conversation;
  if (isInterim && request.version === "HTTP/1.0") return 0; // RFC 9110, 15.2: it knows none
  const head = isInterim ? interimHead(status, fields) : finalHead(status, fields, request, body);
  const content = hasContent(status, request.method) ? bodyOrNull(body).content : "";

  const failure = writer.finish();
  if (failure < 0) return failure;
  const { bytes, length } = encode(head, content);
  conversation.responding();
  const sent = writer.send(bytes, length, response);
  if (!isInterim && (sent === 0 || writer.hasBegun(response))) {
    const { isKept } = conversation;
    conversation.responded(
      isKept && (endsConnection(fields, request) || opensTunnel(status, request.method)),
    );
  }
  if (status === 101) conversation.isStreaming = true;
  return sent;
}

const NO_HEADERS = {};

/**
 * What of the request's body is not read yet is passed over, if it has arrived. Else nobody knows how much there would be to read
 * before the next request, and the connection ends.
 */
function giveUpBody(conversation: Conversation): void {
  const { body } = conversation.request;
  if (body === null || body.isWhole) return;
  body.close();
  if (!body.isWhole) conversation.endWithResponse();
}

export function checkStatus(status: unknown): number | Failure {
  if (status === undefined) return new Failure("missing required field 'status'");
  if (typeof status !== "number") return new Failure("'status' must be a number");
  if (!Number.isFinite(status)) return new Failure("'status' must be a finite number");
  if (!Number.isInteger(status)) return new Failure("'status' must be an integer");
  if (status < 100 || status > 999) return new Failure("status must be between 100 and 999");
  return status;
}
