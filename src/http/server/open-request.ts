/**
 * `http.open_request`: a request off a stream of the caller's, whose body is read piece by piece.
 */
import type { Transport } from "../../engine/transport.ts";
import { Failure } from "../../error.ts";
import { type ByteStream, transportOf } from "../../net/byte-stream.ts";
import { Result } from "../../result.ts";
import { traced } from "../../trace.ts";
import { BodyReader } from "../message/body-reader.ts";
import { type BodyOrigin, IncomingBody } from "../message/incoming-body.ts";
import { type ReadOptions, streamedOptions } from "../message/read-options.ts";
import { NO_MORE, type RequestReader } from "../message/request-reader.ts";
import { type Conversation, conversationOn } from "./conversation.ts";
import type { ServerRequest } from "./read-request.ts";

/**
 * What `open_request` allows.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * const options: http.OpenRequestOptions = { max_body_bytes: 1 << 30, timeout_ms: 5000 };
 * client.write_all("GET / HTTP/1.1\r\nHost: example\r\n\r\n");
 * console.log(http.open_request(server, options).unwrap().path); // /
 * ```
 */
export interface OpenRequestOptions extends Omit<ReadOptions, "decode_body"> {
  /** Bytes of the body, the chunked coding undone; no limit when left out. */
  max_body_bytes?: number;
  /** Milliseconds for the head, from its first byte; null (the default) is no limit. */
  timeout_ms?: number | null;
  /** The longest silence while the body is read, in milliseconds (default 300000); null is no limit. */
  read_timeout_ms?: number | null;
}

/**
 * A request whose body is read piece by piece: a ServerRequest with another `body`.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * http.write_request(client, { method: "PUT", url: "http://example/file", body_text: "all of it" });
 * const request: http.OpenRequestHead = http.open_request(server).unwrap();
 * console.log(request.method, request.path, request.body.read_to_end().unwrap().toString()); // PUT /file all of it
 * ```
 */
export interface OpenRequestHead extends Omit<ServerRequest, "body"> {
  /** The body as it comes; a content coding is still on it. */
  body: BodyReader;
}

/**
 * Reads the head of one request from a connection, as `http.read_request` does, and leaves the body to be read piece by piece. No byte
 * that follows the request is ever taken off the stream.
 *
 * Blocks until the head has come. A client that asks for it (`Expect: 100-continue`) is told to go on with the first read of the
 * body. A response that is written before the body was read to its end says `Connection: close`, unless the rest has arrived.
 * In non-blocking mode the error is EAGAIN while the head is not whole, and so it is for each read of the body that would wait.
 *
 * @param stream a TcpStream, UnixStream or TlsStream
 * @param options limits and timeouts
 * @returns the request. Errors: those of `read_request` up to the head; `request body too large` where the head tells; `http read
 * failed: the request before is not read to its end`. Source: RFC 9112; RFC 9110, 10.1.1.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * client.write_all("POST /log HTTP/1.1\r\nHost: example\r\nContent-Length: 8\r\n\r\none\ntwo\n");
 * const { path, body } = http.open_request(server).unwrap();
 * for (const line of body.lines()) console.log(path, line.unwrap()); // /log one
 * http.write_response(server, { status: 204 }).unwrap();
 * ```
 */
export function open_request(
  stream: ByteStream,
  options?: OpenRequestOptions,
): Result<OpenRequestHead, string> {
  return openTraced(stream, options);
}

const openTraced = traced("http.open_request", openPlain);

function openPlain(
  stream: ByteStream,
  options: OpenRequestOptions | undefined,
): Result<OpenRequestHead, string> {
  const transport = transportOf(stream);
  if (transport === undefined || !transport.open) return Result.err("invalid tcp stream");
  const given = streamedOptions(options);
  if (given instanceof Failure) return Result.err(given.reason);
  const { settings, readTimeout } = given;
  const conversation = conversationOn(transport);
  const { reader } = conversation;
  const head = reader.open(settings, !conversation.isOver);
  if (head instanceof Failure) return Result.err(head.reason);
  const origin = new ServedConnection(transport, reader, conversation);
  const incoming = new IncomingBody(origin, null, settings.maxBodyBytes, readTimeout);
  conversation.received(head, incoming);
  const { method, path, query, version, headers } = head;
  const request: OpenRequestHead = { method, path, query, version, headers, body: new BodyReader(incoming) };
  if (settings.keepFields) request.raw_headers = [...head.fields];
  return Result.ok(request);
}

/** A connection that is served, while a request's body is read from it. */
class ServedConnection implements BodyOrigin {
  readonly kind = "request";
  readonly endsWhenLate = false;
  readonly body: BodyOrigin["body"];
  readonly input: BodyOrigin["input"];
  readonly source: Transport;
  readonly beforeRead: BodyOrigin["beforeRead"];
  readonly #reader: RequestReader;

  constructor(transport: Transport, reader: RequestReader, conversation: Conversation) {
    this.source = transport;
    this.#reader = reader;
    this.body = reader.body;
    this.input = reader.input;
    this.beforeRead = reader.owesContinue ? conversation.sendContinue : undefined;
  }

  finished(): void {
    this.#reader.finishBody(this.source);
  }

  abandoned(failure: Failure | null): void {
    this.#reader.abandonBody(this.source, failure ?? NO_MORE);
  }

  closed(): void {}

  intoStream(): Failure {
    return NO_PROTOCOL;
  }
}

const NO_PROTOCOL = new Failure("a request switches to no other protocol: its stream is the caller's");
