/**
 * `http.open_response`: a response off a stream of the caller's, whose body is read piece by piece.
 */
import type { Transport } from "../../engine/transport.ts";
import { Failure } from "../../error.ts";
import { type ByteStream, transportOf } from "../../net/byte-stream.ts";
import { Result } from "../../result.ts";
import { traced } from "../../trace.ts";
import { BodyReader } from "../message/body-reader.ts";
import { type BodyOrigin, IncomingBody } from "../message/incoming-body.ts";
import { type ReadOptions, streamedOptions } from "../message/read-options.ts";
import type { StreamResponseReader } from "../message/response-reader.ts";
import type { ResponseHead } from "../wire/head-parser.ts";
import { opensTunnel } from "../wire/status.ts";
import { conversationOn } from "./on-stream.ts";
import { decoderOf, NOT_SWITCHED, type OpenResponse } from "./open.ts";

/**
 * What `open_response` allows.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const options: http.OpenResponseOptions = { timeout_ms: 5000, read_timeout_ms: 1000 };
 * server.write_all("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc");
 * console.log(http.open_response(client, options).unwrap().status); // 200
 * ```
 */
export interface OpenResponseOptions extends Omit<ReadOptions, "decode_body"> {
  /** Bytes of the body, the codings undone; no limit when left out. */
  max_body_bytes?: number;
  /** Milliseconds for the call, which ends with the head; null (the default) is no limit. */
  timeout_ms?: number | null;
  /** The longest silence while the body is read, in milliseconds (default 300000); null is no limit. */
  read_timeout_ms?: number | null;
}

/**
 * Reads the head of one HTTP/1.1 or HTTP/1.0 response from a connection, as `http.read_response` does, and leaves the body to be read
 * piece by piece. No byte that follows the response is ever taken off the stream.
 *
 * Blocks until the head has come. Read the body to its end before the next response; after `close` before its end, no further response
 * can be read from the stream. In non-blocking mode the error is EAGAIN while the head is not whole (what came of it is kept), and so
 * it is for each read of the body that would wait. After 101, and a 2xx in response to CONNECT, `into_stream` gives the stream itself.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param options limits and timeouts
 * @returns the response. Errors: those of `read_response` up to the head; `unknown content coding 'X'`; `http read failed: the response
 * before is not read to its end`. Source: RFC 9112.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * http.write_request(client, { method: "GET", url: "http://example/log" });
 * server.write_all("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nfirst\n\r\n");
 * const { status, body } = http.open_response(client).unwrap();
 * for (const line of body.lines()) {
 *   console.log(status, line.unwrap()); // 200 first
 *   break;
 * }
 * ```
 */
export function open_response(
  stream: ByteStream,
  options?: OpenResponseOptions,
): Result<OpenResponse, string> {
  return openTraced(stream, options);
}

const openTraced = traced("http.open_response", openPlain);

function openPlain(
  stream: ByteStream,
  options: OpenResponseOptions | undefined,
): Result<OpenResponse, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const given = streamedOptions(options);
  if (given instanceof Failure) return Result.err(given.reason);
  const { settings, readTimeout } = given;
  const { reader, unanswered } = conversationOn(transport);
  const method = unanswered[0] ?? "GET";
  const head = reader.open(settings, method);
  if (head instanceof Failure) return Result.err(head.reason);
  unanswered.shift();
  const decoder = reader.body.isDone ? null : decoderOf(head);
  if (decoder instanceof Failure) {
    reader.abandonBody(transport, decoder);
    return Result.err(decoder.reason);
  }
  const origin = new CallersConnection(stream, transport, reader, head, method);
  const body = new IncomingBody(origin, decoder, settings.maxBodyBytes, readTimeout);
  const response: OpenResponse = { status: head.status, headers: head.headers, body: new BodyReader(body) };
  if (settings.keepFields) response.raw_headers = [...head.fields];
  return Result.ok(response);
}

/** The caller's own connection while a response's body is read from it. */
class CallersConnection implements BodyOrigin {
  readonly kind = "response";
  readonly endsWhenLate = false;
  readonly body: BodyOrigin["body"];
  readonly input: BodyOrigin["input"];
  readonly source: Transport;
  readonly #stream: ByteStream;
  readonly #reader: StreamResponseReader;
  readonly #isSwitched: boolean;

  constructor(
    stream: ByteStream,
    transport: Transport,
    reader: StreamResponseReader,
    head: ResponseHead,
    method: string,
  ) {
    this.#stream = stream;
    this.source = transport;
    this.#reader = reader;
    this.body = reader.body;
    this.input = reader.input;
    this.#isSwitched = head.status === 101 || opensTunnel(head.status, method);
  }

  finished(): void {
    this.#reader.finishBody(this.source);
  }

  abandoned(failure: Failure | null): void {
    this.#reader.abandonBody(this.source, failure ?? NOT_READ);
  }

  closed(): void {}

  intoStream(): ByteStream | Failure {
    return this.#isSwitched ? this.#stream : NOT_SWITCHED;
  }
}

const NOT_READ = new Failure("http read failed: the response before is not read to its end");
